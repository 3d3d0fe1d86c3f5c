"""Machines and stacks small enough to work by hand: 1 TFLOP/s, 1 GB/s, 1 GB/s of fresh pages."""

from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate

TERA, GIGA, MEGA = 1e12, 1e9, 1e6


def exactly(value: float, unit: str = "1/s") -> Estimate:
    return Estimate(value, value, value, unit)


def machine(flops: float = TERA, bandwidth: float = GIGA, pages: float = GIGA, cores: float = 1):
    return Capacities({"float32": exactly(flops)}, exactly(bandwidth), exactly(pages), cores=cores)
