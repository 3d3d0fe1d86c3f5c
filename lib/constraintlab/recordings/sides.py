"""Where the constraint was in each lab, on a CPU and on a GPU side by side: from what is recorded.

A lab that was not recorded on a device says so; nothing stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from constraintlab.limits.resource import Resource
from constraintlab.recordings.tape import DEVICES, Tape

NAMES = {"cpu": "on a CPU", "gpu": "on a GPU"}
NONE = {device: f"no {device.upper()} recording" for device in DEVICES}
NOTHING = "nothing bound"


@dataclass(frozen=True)
class Side:
    """One lab on one device. path: what bound, run by run, a repeat left out; None where it was
    not recorded."""

    device: str
    path: tuple[Resource, ...] | None = None

    @property
    def text(self) -> str:
        """The path in words."""
        if self.path is None:
            return NONE[self.device]
        return " → ".join(r.label for r in self.path) or NOTHING


def sides(lab: str, tapes: Sequence[Tape]) -> tuple[Side, Side]:
    """(on a CPU, on a GPU); of several recordings on one device the newest counts."""
    of = {t.head.device: t for t in sorted(tapes, key=lambda t: t.head.started)
          if t.head.lab == lab}  # fmt: skip
    return tuple(Side(d, path(of[d])) if d in of else Side(d) for d in DEVICES)


def path(tape: Tape) -> tuple[Resource, ...]:
    """What bound in a recording's runs, in order, and where the lab ended. A resource that this
    version does not know is left out."""
    named = [e["constraint"][:1] for e in tape.events if e["do"] == "run" and e.get("constraint")]
    named += [[e["constraint"]] for e in tape.events if e["do"] == "strip" and e["constraint"]]
    found: list[Resource] = []
    for (name,) in named:
        if name in set(Resource) and Resource(name) not in found[-1:]:
            found.append(Resource(name))
    return tuple(found)


def rows(tapes: Iterable[Tape]) -> list[tuple[str, tuple[Side, Side]]]:
    """(lab, both its sides) of every lab that has a recording."""
    tapes = list(tapes)
    return [(lab, sides(lab, tapes)) for lab in sorted({tape.head.lab for tape in tapes})]


def table(tapes: Iterable[Tape]) -> list[tuple[str, str, str]]:
    """The rows in words."""
    return [(lab, cpu.text, gpu.text) for lab, (cpu, gpu) in rows(tapes)]
