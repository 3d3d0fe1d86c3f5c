"""`EngineSource`: an engine's reports as telemetry, which a panel draws like anything else."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from constraintlab.engine.report import Report
from constraintlab.engine.window import Window
from constraintlab.telemetry.names import under
from constraintlab.telemetry.source import Reading, all_absent
from constraintlab.telemetry.trail import WINDOW

NAMES = under("engine")
IDLE = "the engine has not worked yet"


class EngineSource:
    """Reports go in through `take`, from any thread; `read` gives rates over the last half second.

    Reports come while the engine works, so an idle engine's rates are those of its last moments.
    """

    name = "engine"

    def __init__(self) -> None:
        self._reports: deque[Report] = deque()

    def take(self, report: Report) -> None:
        """The newest report."""
        kept = self._reports
        kept.append(report)
        while len(kept) > 2 and kept[1].now <= report.now - WINDOW:
            kept.popleft()

    def restart(self) -> None:
        """Forget the reports: another engine follows."""
        self._reports.clear()

    def read(self) -> Mapping[str, Reading]:
        reports = tuple(self._reports)
        if len(reports) < 2 or reports[-1].now <= reports[0].now:
            return all_absent(NAMES, IDLE)
        window = Window(reports[0], reports[-1])
        last, (capacity, reserved, used) = window.last, window.last.kv
        counted = {
            "engine.flops_per_s": window.flops(),
            "engine.bytes_per_s": window.bytes(),
        }
        seen = {
            "engine.tokens_per_s": window.rate,
            "engine.batch": window.batch,
            "engine.waiting": last.waiting,
            "engine.running": last.running,
            "engine.kv_reserved_share": reserved / capacity,
            "engine.kv_used_share": used / capacity,
            "engine.forward_share": min(1.0, window.forward),
        }
        return {
            **{name: Reading.measured(value) for name, value in seen.items()},
            **{name: Reading.counted(value) for name, value in counted.items()},
        }

    def close(self) -> None:
        """Nothing was opened."""
