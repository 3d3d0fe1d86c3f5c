"""Files of the learner's, written by several notebooks: one at a time, and never by half."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else who asks for it changes `path` meanwhile. Its folder is made. OSError where that
    can't be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "w") as lock:
        with suppress(ImportError):  # Windows has no fcntl: the atomic replace still holds
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
            # Nobody else writes now: what lies here was left by somebody who was killed.
            for left in path.parent.glob(f"{path.name}.*.part"):
                left.unlink(missing_ok=True)
        yield


def write(path: Path, text: str, mode: int = 0o666) -> None:
    """All of `text` in `path`, or where that fails (OSError) what was there before. mode: its
    permissions, less the user's umask."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        made = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with open(made, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
