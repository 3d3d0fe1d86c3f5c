"""Machines that a learner may have, as ceilings: modelled, every one, and none of them measured.

Each is there because the labs come to another verdict on it, or to one that is in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass

from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate

H100 = "NVIDIA's H100 SXM datasheet, and 16 special functions a clock on each of 132 SMs"


@dataclass(frozen=True)
class Machine:
    """name: for test ids. device: as `Shape.device` has it. dispatch, each: seconds of host time
    of an engine's step and of each sequence in it. seen: what runs there reach, as a part of what
    the model says; far from 1 where something is not in the model."""

    name: str
    caps: Capacities
    device: str = "cpu"
    dispatch: float = 3e-3
    each: float = 3e-5
    seen: float = 1.0


def ceilings(
    source: str, cores: float, *, fp32: float, bf16: float, exp: float, bandwidth: float,
    pages: float | None, op: float, gpu: str = "",
) -> Capacities:  # fmt: skip
    """FLOP/s, exponentials/s, bytes/s and seconds, each 10% either way. source: of the figures."""

    def about(x: float, unit: str) -> Estimate:
        return Estimate(x, 0.9 * x, 1.1 * x, unit, f"modelled: {source}")

    none = Estimate.absent("B/s", "the GPU's caching allocator keeps its pages")
    machine = {"cpu": source, "cores": f"{cores:g}", "isa": "modelled"}
    return Capacities(
        {
            "float32": about(fp32, "FLOP/s"), "bfloat16": about(bf16, "FLOP/s"),
            "float16": about(bf16, "FLOP/s"), "exp": about(exp, "exp/s"),
        },
        about(bandwidth, "B/s"),
        none if pages is None else about(pages, "B/s"),
        about(op, "s"),
        cores=cores,
        machine=machine | ({"gpu": gpu} if gpu else {}),
    )  # fmt: skip


AVX2 = ceilings(
    "like the 2 cores that the shipped recordings are of: bf16 emulated", 2,
    fp32=1.1e11, bf16=1.4e9, exp=1.3e9, bandwidth=2.5e10, pages=2.9e9, op=3.4e-6,
)  # fmt: skip
AMX = ceilings(
    "2 cores with bf16 arithmetic and fast pages", 2,
    fp32=1.6e11, bf16=4.0e11, exp=4e9, bandwidth=1.5e10, pages=1.2e10, op=2.5e-6,
)  # fmt: skip
ONE = ceilings(
    "1 core of the first", 1,
    fp32=5.5e10, bf16=7e8, exp=6.5e8, bandwidth=1.4e10, pages=1.5e9, op=3.4e-6,
)  # fmt: skip
SLOW_PRODUCTS = ceilings(
    "a small board: little arithmetic, pages kept by the allocator", 4,
    fp32=2e10, bf16=1e9, exp=5e8, bandwidth=1e10, pages=8e9, op=2e-5,
)  # fmt: skip
GPU = ceilings(
    H100, 8, fp32=6.7e13, bf16=9.89e14, exp=3.9e12, bandwidth=3.35e12, pages=None, op=5e-6,
    gpu="NVIDIA H100",
)  # fmt: skip

MACHINES = (
    Machine("fp32 CPU", AVX2),
    Machine("bf16 CPU", AMX, dispatch=2e-3),
    Machine("1 core", ONE),
    Machine("small board", SLOW_PRODUCTS, dispatch=1e-2, each=2e-4),
    # Strips of scores that a small cache does not hold are read again: the model counts them once.
    Machine("small cache", AVX2, seen=0.6),
    Machine("ceilings probed too low", AVX2, seen=1.6),
    Machine("H100", GPU, "cuda", dispatch=1e-3, each=1e-5),
)
