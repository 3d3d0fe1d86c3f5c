"""What recording a lab needs besides a plain CUDA machine's Python, carried in a folder.

`make gpu-packages` fills the folder on a machine with a network, for Python 3.12 on Linux x86-64;
it goes where the repository goes. Behind the machine's own packages on the path: those win.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[3] / "gpu-packages"

NEEDED = {
    "ipykernel": "ipykernel", "nbclient": "nbclient", "anywidget": "anywidget",
    "ipywidgets": "ipywidgets", "altair": "altair", "starlette": "starlette",
    "uvicorn": "uvicorn", "httptools": "httptools",
    "aiohttp": "aiohttp", "msgspec": "msgspec",
}  # fmt: skip
"""Module → the package that brings it: a kernel, the panel and charts, lab 06's server. Not
vl-convert: it makes pictures, which are a third of all of this and in no recording."""


def carry(scratch: Path, folder: Path = FOLDER) -> None:
    """Put the folder last on the path of this Python, and of those that it starts.

    PYTHONPATH would put it before the machine's own packages; a `sitecustomize` in `scratch`
    comes after them.
    """
    if not folder.is_dir():
        return
    sys.path.append(str(folder))
    (scratch / "sitecustomize.py").write_text(f"import sys\n\nsys.path.append({str(folder)!r})\n")
    paths = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    os.environ["PYTHONPATH"] = os.pathsep.join([*paths, str(scratch)])


def lacking() -> str:
    """Which packages are missing and how to bring them; nothing where all are there."""
    missing = [package for module, package in NEEDED.items() if not find_spec(module)]
    if not missing:
        return ""
    return (
        f"{', '.join(missing)} are not installed: run `make gpu-packages` where there is a "
        f"network, and take the folder {FOLDER.name} along"
    )


if __name__ == "__main__":
    print(*NEEDED.values())
