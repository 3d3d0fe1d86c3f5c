"""`Sample`: the one record that live runs, GPUs, servers and recordings all become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sample:
    """Readings taken at one moment.

    `t` is seconds on the sampler's own clock (0 at its start). `values` maps a dotted name
    (`host.cpu_percent`, `work.flops_per_s`) to a number, or None when it could not be read.
    `sources` maps the same names to `measured`, `counted`, `recorded: …`, `modelled` or
    `n/a: why`; every value has one.
    """

    t: float
    values: Mapping[str, float | None]
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unlabelled = self.values.keys() - self.sources.keys()
        if unlabelled:
            raise ValueError(
                f"no source given for {', '.join(sorted(unlabelled))}: "
                "label each value measured, counted, recorded, modelled or n/a"
            )

    def as_dict(self) -> dict:
        return {"t": self.t, "values": dict(self.values), "sources": dict(self.sources)}

    @classmethod
    def from_dict(cls, d: Mapping) -> Sample:
        return cls(float(d["t"]), dict(d["values"]), dict(d["sources"]))
