"""A served, streamed run as a stack: the engine, its front end, the link, the readers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from constraintlab.course.scraped import Delivered
from constraintlab.course.streamed import Passage
from constraintlab.engine.window import Between, at_work, engine_stack
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.readers import Readers
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack, Station
from constraintlab.limits.stations import link

FEW = 20
"""Steps of an engine, or tokens, that are too few to say what one is."""


def stack_of(
    run: Passage,
    caps: Capacities,
    gap: Between,
    *,
    cores: float,
    rate: float | None = None,
    slow: Sequence[Readers] = (),
    offered: float = math.inf,
) -> Stack:
    """The whole path at the run's working point.

    caps: for the engine's threads; gap: see `engines.between`; cores: of the machine, which all
    processes share. rate: bytes/s of the link, None without one. slow: readers whose rate is
    known. offered: tokens/s asked for, where the queue is sometimes empty. A reader that can't
    keep up, or a link, pauses requests: they still are the engine's population.
    """
    done, inside = run.delivered, run.steady
    window = done.window
    if window.grown("steps") < FEW:
        # It ran ahead and has nothing to do: what a token asks of it, all of the run says.
        window = run.all.window
    engine = engine_stack(window, caps, gap)
    waits = fmean(m.waiting for m in inside) >= 0.5
    streams = fmean(m.active for m in inside)
    everything = max(1.0, run.output)
    spent = run.spent
    stations = [
        _front_end(done, run.all),
        Station("load client", Resource.CLIENT, spent.client / everything / spent.processes,
                spent.client / everything),
    ]  # fmt: skip
    if spent.link:
        each = spent.link / everything
        stations.append(Station("link's process", Resource.CLIENT, each, each))
    if rate is not None:
        stations.append(link(run.wire_bytes, rate))
    return replace(
        at_work(engine, window, run.threads),
        stations=tuple(stations),
        readers=tuple(slow),
        population=math.inf if waits else max(window.batch, streams),
        offered=offered,
        shared_cores=None if engine.shared_cores is None else cores,
    )


def _front_end(steady: Delivered, whole: Delivered) -> Station:
    """In the steady part; in all of the run where hardly a token was written there."""
    return (steady if steady.tokens >= FEW else whole).station()
