"""One part in a process of its own: `python -m constraintlab.gpu.child NAME ORDER.json`.

A crash in a driver or a kernel that never ends costs that part and no other. The order is a file
with what `Here` holds and where the answer goes: a report, or why there is none.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from constraintlab.gpu.here import Here, Unavailable
from constraintlab.gpu.plan import part


def main(name: str, order: Path) -> int:
    """0 where the part gave a report or a reason; an error of its own goes up as a traceback."""
    asked = json.loads(order.read_text())
    folders = Path(asked["scratch"]), Path(asked["out"])
    here = Here(asked["device"], *folders, asked["seconds"], tuple(asked["results"]))
    try:
        report = part(name).run(here, lambda line: print(line, flush=True))
        told = json.loads(report.json())
    except Unavailable as why:
        told = {"unavailable": str(why)}
    answer = Path(asked["answer"])
    answer.with_suffix(".part").write_text(json.dumps(told))
    answer.with_suffix(".part").replace(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
