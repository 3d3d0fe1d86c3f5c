"""What a caller hands to the panel: timeline series, roofline points, strip cells."""

from __future__ import annotations

from dataclasses import dataclass

from constraintlab.limits.resource import Resource


@dataclass(frozen=True)
class Series:
    """One line of the timeline: the sample value `key` as a share of `full`, its ceiling.

    A resource's line has its colour; with `resource=None` (how busy something looks) it is
    neutral and dashed.
    """

    key: str
    label: str
    resource: Resource | None
    full: float = 1.0

    def __post_init__(self) -> None:
        if not self.full > 0:
            raise ValueError(f"{self.label}: full={self.full} is no ceiling, give a number above 0")


@dataclass(frozen=True)
class RooflinePoint:
    """A run on the roofline: arithmetic intensity in FLOP/B and FLOP/s achieved.

    `ghost`: an earlier run, drawn hollow to compare with.
    """

    name: str
    intensity: float
    flops_per_s: float
    ghost: bool = False


@dataclass(frozen=True)
class StripCell:
    """Where the constraint was in one lab (None: nothing bound yet), with a few words."""

    lab: str
    constraint: Resource | None
    note: str = ""
