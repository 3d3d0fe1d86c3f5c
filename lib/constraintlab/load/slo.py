"""`Slo`: what a request must meet to count as good."""

from __future__ import annotations

from dataclasses import dataclass, fields

from constraintlab.load.record import Record

UNITS = {"ms": 1e-3, "s": 1.0, "": 1.0}


@dataclass(frozen=True)
class Slo:
    """Seconds at most; None asks for nothing. itl: no gap of the request may be longer."""

    ttft: float | None = None
    tpot: float | None = None
    itl: float | None = None
    e2e: float | None = None

    @classmethod
    def parse(cls, text: str) -> Slo:
        """`ttft=500ms,tpot=0.05`; seconds without a unit. ValueError that names the fix."""
        found: dict[str, float] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, _, value = part.partition("=")
            unit = "ms" if value.endswith("ms") else "s" if value.endswith("s") else ""
            try:
                limit = float(value.removesuffix(unit) if unit else value) * UNITS[unit]
            except ValueError:
                limit = 0.0
            known = [f.name for f in fields(cls)]
            if name not in known or not 0 < limit < float("inf"):
                raise ValueError(f"SLO {part!r}: give {', '.join(known)} like ttft=500ms,tpot=0.05")
            found[name] = limit
        return cls(**found)

    def __bool__(self) -> bool:
        return any(getattr(self, f.name) is not None for f in fields(self))

    def __str__(self) -> str:
        limits = {f.name: getattr(self, f.name) for f in fields(self)}
        return ", ".join(f"{n} ≤ {x * 1e3:g} ms" for n, x in limits.items() if x is not None)

    def met(self, record: Record) -> bool:
        """Whether a request ran to its end within all limits; what it has no value of is met."""
        if not record.ok:
            return False
        worst = max(record.gaps, default=None) if self.itl is not None else None
        pairs = (
            (self.ttft, record.ttft),
            (self.tpot, record.tpot),
            (self.itl, worst),
            (self.e2e, record.e2e),
        )
        return all(limit is None or x is None or x <= limit for limit, x in pairs)
