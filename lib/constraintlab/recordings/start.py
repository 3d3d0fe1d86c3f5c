"""`wanted`: whether a lab that begins is recorded, and where."""

from __future__ import annotations

import atexit
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from constraintlab.recordings.recorder import Recorder

VARIABLE = "CONSTRAINTLAB_RECORD"
"""Names the folder; without it nothing is recorded."""

_under_way: dict[str, Recorder] = {}


def wanted(lab: str, device: str, preset: str) -> Recorder | None:
    """The recorder of a lab that begins, ended when Python ends; None unless VARIABLE is set.

    device: `cpu` or `cuda`. A lab that begins again is recorded afresh.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return None
    from constraintlab.recordings.machine import head
    from constraintlab.recordings.recorder import Recorder

    before = _under_way.pop(lab, None)
    if before:
        atexit.unregister(before.finish)
        before.drop()
    recorder = Recorder(folder, head(lab, device, preset, datetime.now(UTC)))
    atexit.register(recorder.finish)
    _under_way[lab] = recorder
    return recorder
