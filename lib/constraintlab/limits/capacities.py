"""`Capacities`: what this machine can do per second, each figure with its spread."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from constraintlab.limits.estimate import Estimate


@dataclass(frozen=True)
class Capacities:
    """Ceilings of one machine.

    `compute`: FLOP/s by unit (`float32`, `bfloat16`, `float16`; `exp` in exponentials/s).
    `bandwidth`: bytes/s beyond the last-level cache. `pages`: bytes/s of fresh memory.
    `host_op`: seconds of host time to dispatch one small operation. `socket_writes`: small
    writes/s of one core. `loopback`: bytes/s over loopback TCP. `cores`: cores this process
    may use. `machine` and `date` say whose figures these are.
    """

    compute: Mapping[str, Estimate]
    bandwidth: Estimate
    pages: Estimate
    host_op: Estimate = field(default_factory=lambda: Estimate.absent("s", "not probed"))
    socket_writes: Estimate = field(default_factory=lambda: Estimate.absent("1/s", "not probed"))
    loopback: Estimate = field(default_factory=lambda: Estimate.absent("B/s", "not probed"))
    cores: float = 1.0
    machine: Mapping[str, str] = field(default_factory=dict)
    date: str = ""

    def rates(self) -> Iterator[tuple[str, Estimate]]:
        """Every estimate with its dotted name, e.g. `compute.float32`."""
        for unit, estimate in self.compute.items():
            yield f"compute.{unit}", estimate
        for name in ("bandwidth", "pages", "host_op", "socket_writes", "loopback"):
            yield name, getattr(self, name)

    def scaled(self, **factors: float) -> Capacities:
        """The same machine with `compute`, `bandwidth` or `pages` times a factor."""
        unknown = factors.keys() - {"compute", "bandwidth", "pages"}
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is no rate: scale compute, bandwidth or pages")
        f = factors.get("compute", 1.0)
        return replace(
            self,
            compute={u: e.scaled(f) for u, e in self.compute.items()} if f != 1 else self.compute,
            **{k: getattr(self, k).scaled(v) for k, v in factors.items() if k != "compute"},
        )

    def ridge(self, unit: str) -> float:
        """FLOP per byte at which compute in `unit` and bandwidth take equally long."""
        return self.compute[unit].value / self.bandwidth.value

    def as_dict(self) -> dict:
        return {
            "compute": {u: e.as_dict() for u, e in self.compute.items()},
            **{name: e.as_dict() for name, e in self.rates() if "." not in name},
            "cores": self.cores,
            "machine": dict(self.machine),
            "date": self.date,
        }

    @classmethod
    def from_dict(cls, d: Mapping) -> Capacities:
        """Reads what `as_dict` wrote; KeyError or ValueError when a part is missing or absurd."""
        read = {
            name: Estimate.from_dict(d[name])
            for name in ("bandwidth", "pages", "host_op", "socket_writes", "loopback")
        }
        compute = {u: Estimate.from_dict(e) for u, e in d["compute"].items()}
        for name, e in (*compute.items(), *read.items()):
            if not e.missing and not (math.isfinite(e.value) and e.value > 0):
                raise ValueError(f"{name} = {e.value} is no capacity")
        return cls(
            compute=compute,
            **read,
            cores=float(d["cores"]),
            machine=dict(d["machine"]),
            date=str(d["date"]),
        )
