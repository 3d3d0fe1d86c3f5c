"""`spawn`: a module of ours as a process of its own, which commands reach through its stdin."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO


def environment() -> dict[str, str]:
    """Of a process that is to find the modules that this one does."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def spawn(module: str, log: IO | None) -> subprocess.Popen:
    """`python -m module` with pipes for stdin and stdout; log: where stderr goes, None for ours.

    In a session of its own: Ctrl-C is for who started it. It has to end when its stdin does.
    """
    return subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
        env=environment(),
    )
