"""Take the README's pictures in a real browser: `make shots`.

Labs 00 and 01 at full size, light and dark, each until its first run has ended: what a learner
sees then is what the picture shows.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from constraintlab.bench.browser import Notebook, chromium
from constraintlab.bench.jupyter import Server, serve

ROOT = Path(__file__).resolve().parent.parent
BEFORE, SHOWN = "00_instrument_first.ipynb", "01_naive_attention.ipynb"
PICTURES = {"light": "panel.png", "dark": "panel-dark.png"}


def after_first_run(lab: str) -> int:
    """The cell after the first run and its reveal."""
    cells = json.loads((ROOT / "labs" / lab).read_text(encoding="utf-8"))["cells"]
    return 2 + next(i for i, c in enumerate(cells) if "stage.run(" in "".join(c["source"]))


def take(browser, server: Server, theme: str, to: Path) -> None:
    """One picture of the panel, its strip begun by the lab before."""
    before = Notebook(browser, server, f"labs/{BEFORE}", theme=theme)
    before.run_all()
    before.wait_idle(300)
    before.end()
    lab = Notebook(browser, server, f"labs/{SHOWN}", theme=theme, height=1200)
    lab.run_cells(0, after_first_run(SHOWN))
    lab.panel.scroll_into_view_if_needed()
    lab.wait_idle(300)
    lab.page.wait_for_timeout(500)
    lab.shot(to, lab.panel)
    lab.end()


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        home = Path(name)
        shutil.copytree(ROOT / "labs", home / "work" / "labs")
        with serve(home) as server:
            for theme, file in PICTURES.items():
                take(browser, server, theme, folder / file)
                print(folder / file, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / ".github" / "images")
