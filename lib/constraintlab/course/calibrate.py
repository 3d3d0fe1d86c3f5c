"""What a verdict on an engine rests on: ceilings for its threads, and the time between kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from constraintlab.course.driver import Driver
from constraintlab.course.engines import Between, between, engine_stack
from constraintlab.engine.request import Sampling
from constraintlab.engine.setup import Setup
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.diagnose import needs
from constraintlab.limits.drift import refreshed

CROWD = 8
"""Sequences of the run that is held against a run of one."""

TOKENS = 48
"""That each of them writes."""


def roomy(setup: Setup) -> Setup:
    """The same engine with nothing in the way of `CROWD` sequences."""
    blocks = CROWD * -(-2 * TOKENS // setup.block_size)
    return replace(
        setup, kv="paged", policy="continuous", policy_options={}, slots=CROWD, blocks=blocks,
        tokens=max(CROWD, setup.tokens),
    )  # fmt: skip


@contextmanager
def on_threads(threads: int | None) -> Iterator[None]:
    """torch on so many threads in here, as the engine's process has them."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


async def calibrated(
    driver: Driver, setup: Setup, caps: Capacities
) -> tuple[Between, Capacities, list[str]]:
    """(time between kernels, ceilings as they are now for the engine's threads, their names).

    One sequence alone, then `CROWD` of them, on an engine of `setup` but roomy; the first run of
    each is not counted. The driver is left with that engine.
    """
    await driver.use(roomy(setup))
    windows = []
    for n in (1, CROWD):
        workload = [([1 + i, 2, 3], Sampling(TOKENS)) for i in range(n)]
        await driver.run(workload)
        windows.append((await driver.run(workload)).whole)
    names = [name for name, _ in needs(engine_stack(windows[0], caps, Between()))]
    caps = probed(caps, names, setup.threads)
    return between(*windows, caps), caps, names


def probed(caps: Capacities, names: list[str], threads: int | None) -> Capacities:
    """These ceilings again, on as many threads as the engine has; about a tenth of a second each.

    A kernel that runs on one thread has one core's ceilings.
    """
    with on_threads(threads):
        return replace(refreshed(caps, names), cores=float(threads or caps.cores))
