"""`Finding`: what was measured for a claim and the verdict on it; the verdicts' rules."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Two cells of the claims' table."""

    measured: str
    verdict: str

    @classmethod
    def nothing(cls, why: str) -> Finding:
        """No figure, and the reason."""
        return cls(f"not measured: {why}", "—")


def busy(resident: float, peak: float) -> str:
    """The verdict on "busy all the time, at a few percent of peak"; both in percent."""
    if resident >= 95 and peak <= 10:
        return "holds"
    if resident >= 2 * peak:
        return "in kind: busy says nothing of peak"
    return "does not hold here"


def falls(before: float, after: float) -> str:
    """The verdict on "utilisation falls to about 60%"; in percent."""
    if after >= before - 10:
        return "does not hold here: it stays within ten points"
    return "holds" if 50 <= after <= 70 else f"it falls, to {after:.0f}%"


def doubles(gain: float, low: float) -> str:
    """The verdict on "doubles throughput": the gain, and the lowest of its spread."""
    if low >= 2:
        return "holds"
    return "holds, within its spread" if gain >= 2 else f"does not hold here: × {gain:.2f}"


def binds(names: list[str], wanted: set[str]) -> str:
    """The verdict on "then it binds": what bound, the largest share first."""
    if names and names[0] in wanted:
        return "holds"
    if wanted & set(names):
        return "close: it stands right behind"
    return "does not hold here"


def convoy(cause: str, shorter: float) -> str:
    """The verdict on "others wait behind them": what the slowest waited for most, and by how much
    shorter the short answers' wait is if long ones give way."""
    behind = cause in ("a slot", "room in the KV pool", "other requests' prompts")
    if behind and shorter >= 1.5:
        return "holds"
    return "in part: they wait, and order changes little" if behind else "does not hold here"
