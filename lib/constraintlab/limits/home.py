"""Where this learner's probes, recordings and progress live, also when the home is read-only."""

from __future__ import annotations

import getpass
import os
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """A folder that can be written, and a note when it is not the usual one."""

    path: Path
    note: str | None = None


@cache
def _resolve(wanted: str) -> Home:
    path = Path(wanted)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return Home(path)
    except OSError as error:
        fallback = _temporary()
        return Home(
            fallback,
            f"{path} can't be written ({error.strerror}), so progress is kept in {fallback} and "
            "may vanish on reboot. Set CONSTRAINTLAB_HOME to a folder you can write.",
        )


def _temporary() -> Path:
    """The same folder each time where it is ours alone, else a new one."""
    shared = Path(tempfile.gettempdir()) / f"constraintlab-{_user()}"
    try:
        shared.mkdir(mode=0o700, parents=True, exist_ok=True)
        ours = not hasattr(os, "getuid") or shared.stat().st_uid == os.getuid()
        if ours and not shared.is_symlink() and os.access(shared, os.W_OK):
            return shared
    except OSError:  # a file in its place, or a folder that may not be looked at
        pass
    return Path(tempfile.mkdtemp(prefix="constraintlab-"))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user need not have a name
        return "user"


def home() -> Home:
    """The writable home: `CONSTRAINTLAB_HOME`, else the user's cache folder, else a temporary one.

    Raises nothing for a read-only home; `Home.note` says what happened instead.
    """
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "constraintlab"
    return _resolve(os.environ.get("CONSTRAINTLAB_HOME") or str(default))
