"""Run the notebooks and store what a reader should see: `make execute [ONLY=01]`.

A reader on GitHub has no kernel, so widget views, which show nothing there, go; a panel's picture
is taken again at the end of its lab, when there is something on it. What a lab drew and found goes
to data/recordings as well.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
WIDGET = "application/vnd.jupyter.widget-view+json"
STILLS = """
def _stills(path):
    import base64, json
    from ipywidgets.widgets import widget
    from constraintlab.panel import Panel
    shown = {{k: p for k, p in widget._instances.items() if isinstance(p, Panel)}}
    taken = {{k: [base64.b64encode(p.png()).decode(), p.text()] for k, p in shown.items()}}
    with open(path, "w") as file:
        json.dump(taken, file)
_stills({path!r})
"""
"""Asked of the kernel after the last cell: a file with {model id: [PNG, words]} of every panel."""


def run(notebook, folder: Path, home: Path) -> dict[str, list[str]]:
    """Execute all cells in `folder`; returns the panels' last pictures, with their words."""
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}},
        store_widget_state=False, record_timing=False, coalesce_streams=True,
    )  # fmt: skip
    stills = home / "stills.json"
    with client.setup_kernel():
        for i, cell in enumerate(notebook.cells):
            client.execute_cell(cell, i)
        notebook.cells.append(nbformat.v4.new_code_cell(STILLS.format(path=str(stills))))
        client.execute_cell(notebook.cells[-1], len(notebook.cells) - 1)
    del notebook.cells[-1]
    return json.loads(stills.read_text())


def tidy(notebook, stills: dict[str, list[str]]) -> None:
    """Leave what a reader without a kernel can see, and nothing of this machine's run but that."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).clear()
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            view = output.get("data", {}).pop(WIDGET, None)
            if view and view["model_id"] in stills:
                output.data["image/png"], words = stills[view["model_id"]]
                output.metadata["image/png"] = {"alt": words}


def recorded(path: Path) -> None:
    """Let the next kernel write its lab's recording; a solution's would take the lab's place."""
    os.environ["CONSTRAINTLAB_COMMAND"] = f"make execute ONLY={path.name[:2]}"
    if path.parent.name == "labs":
        os.environ["CONSTRAINTLAB_RECORD"] = str(ROOT / "data" / "recordings")
    else:
        os.environ.pop("CONSTRAINTLAB_RECORD", None)


def main(only: list[str]) -> None:
    folders = (ROOT / "labs", ROOT / "labs" / "solutions")
    paths = [p for folder in folders for p in sorted(folder.glob("*.ipynb"))]
    paths = [p for p in paths if not only or p.name[:2] in only]
    if not paths:
        sys.exit(f"no notebook starts with {' or '.join(only)}: see labs/")
    with tempfile.TemporaryDirectory() as home:
        os.environ["CONSTRAINTLAB_HOME"] = home
        for path in paths:
            began = time.perf_counter()
            recorded(path)
            notebook = nbformat.read(path, as_version=4)
            tidy(notebook, run(notebook, path.parent, Path(home)))
            # Notebooks are written as JupyterLab writes them, so that a save makes no diff.
            text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=False)
            path.write_text(text + "\n", encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
