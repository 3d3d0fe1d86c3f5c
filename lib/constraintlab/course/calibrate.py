"""What a verdict on an engine rests on: ceilings for its threads, and the time between kernels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from constraintlab.course.driver import POLL, Driver
from constraintlab.engine.device import resolve
from constraintlab.engine.request import Sampling
from constraintlab.engine.roomy import CROWD, LONG, PROMPT, TOKENS, WARM, prompt, roomy
from constraintlab.engine.setup import Setup
from constraintlab.engine.stub import pace
from constraintlab.engine.window import Between, Window, between, engine_stack
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.diagnose import needs
from constraintlab.limits.drift import refreshed

CEILINGS = ("compute.float32", "compute.exp", "bandwidth")
"""What a served engine's verdict rests on."""


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
    driver: Driver, setup: Setup, caps: Capacities, longest: int = PROMPT
) -> tuple[Between, Capacities, list[str]]:
    """(time between kernels, ceilings as they are now for the engine's threads, their names).

    One sequence alone, then `CROWD` of them, on an engine of `setup` but roomy, which the driver
    is left with. longest: tokens of the prompts that will come, or of a step's part of them; for
    more than PROMPT of them some are computed, since a prompt's kernels fall behind their ceilings
    by more, the longer it is.
    """
    await driver.use(roomy(setup, longest))
    await _run(driver, CROWD, WARM)
    _, alone = await _run(driver, 1, TOKENS)
    prompts, crowd = await _run(driver, CROWD, TOKENS)
    if longest > PROMPT:
        prompts, _ = await _run(driver, LONG, 1, longest)
    names = [name for name, _ in needs(engine_stack(alone, caps, Between()))]
    caps = probed(caps, names, setup)
    return between(alone, crowd, prompts, caps), caps, names


async def _run(
    driver: Driver, n: int, tokens: int, prompted: int = PROMPT
) -> tuple[Window, Window]:
    """n sequences at once: (while their prompts are computed, while all of them decode)."""
    engine = driver.engine
    first = await driver.report()
    answers = [engine.submit(prompt(prompted), Sampling(tokens)) for _ in range(n)]
    while not all(a.tokens for a in answers):
        await asyncio.sleep(POLL)
    middle = await driver.report()
    for answer in answers:
        await answer
    return Window(first, middle), Window(middle, await driver.report())


def probed(caps: Capacities, names: list[str], setup: Setup) -> Capacities:
    """These ceilings again, on the device and as many threads as the setup's engine has; about a
    tenth of a second each.

    A kernel that runs on one thread has one core's ceilings.
    """
    with on_threads(setup.threads):
        found = refreshed(caps, names, resolve(setup.device)) if names else caps
        return replace(found, cores=float(setup.threads or caps.cores))


class Grounds:
    """What verdicts on served engines rest on. caps: of the whole machine, or of its GPU."""

    def __init__(self, caps: Capacities) -> None:
        self._caps = caps
        self._gaps: dict[tuple, Between] = {}
        self._seen: dict[tuple, tuple[float, Capacities]] = {}

    async def gap(self, setup: Setup, beside: asyncio.Future | None = None) -> Between:
        """What lies between this engine's kernels, measured once; a stub has none.

        beside: what starts at the same time, a server. It is waited for before anything is timed;
        what became of it is its owner's to ask.
        """
        key = setup.model, setup.dtype, setup.threads, setup.device, setup.graphs
        if pace(setup.model) is not None:
            return Between()
        if key not in self._gaps:
            driver = Driver()
            try:
                plain = replace(setup, words=False, interval=1)
                starting = asyncio.ensure_future(driver.use(plain))
                await asyncio.wait([starting, beside] if beside else [starting])
                await starting
                self._gaps[key] = (await calibrated(driver, plain, self._caps))[0]
            finally:
                driver.close()
        return self._gaps[key]

    def now(self, setup: Setup, old: float = 0.0) -> Capacities:
        """CEILINGS for this engine's threads, as they were at most `old` seconds ago; a stub needs
        none."""
        if pace(setup.model) is not None:
            return probed(self._caps, [], setup)
        key = setup.threads, setup.device
        kept = self._seen.get(key)
        if kept is None or time.monotonic() - kept[0] > old:
            kept = time.monotonic(), probed(self._caps, list(CEILINGS), setup)
            self._seen[key] = kept
        return kept[1]
