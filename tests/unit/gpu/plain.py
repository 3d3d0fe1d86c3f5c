"""A plain CUDA machine's Python, as far as a CPU can have it: what is not installed there is gone.

The packages are hidden by an import hook, in the Python that has `hooked`'s environment and in
every one that it starts; pytest loads no plugin that was installed beside it.
"""

import os
import sys
from pathlib import Path

ABSENT = {
    "altair", "anywidget", "ipywidgets", "jupyterlab", "ipykernel", "IPython", "nbclient",
    "nbformat", "nbval", "traitlets", "vl_convert", "starlette", "uvicorn", "httptools",
    "aiohttp", "orjson", "msgspec", "gguf", "ray", "pytest_timeout", "xdist", "playwright",
}  # fmt: skip
"""What the labs use and a plain CUDA machine has not."""


class Without:
    """A finder that finds everything but ABSENT."""

    def __init__(self, finder) -> None:
        self._finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ABSENT:
            return None
        return self._finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self._finder, name)


def hooked(folder: Path) -> dict[str, str]:
    """An environment whose Pythons have the hook: a sitecustomize that installs it."""
    here = Path(__file__).resolve()
    code = (
        f"import importlib.util as u\n"
        f"s = u.spec_from_file_location('plain', {str(here)!r})\n"
        f"m = u.module_from_spec(s); s.loader.exec_module(m); m.install()\n"
    )
    (folder / "sitecustomize.py").write_text(code)
    lib = here.parents[3] / "lib"
    path = os.pathsep.join([str(folder), str(lib)])
    return {"PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def install() -> None:
    """From now on in this process."""
    sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
