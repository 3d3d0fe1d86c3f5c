"""`bench cluster`: what a second decode replica is worth, on a simulated device and without one."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from itertools import accumulate

from constraintlab.bench.interval import median_of
from constraintlab.bench.report import Report
from constraintlab.engine.setup import Setup
from constraintlab.load.arrivals import Uniform
from constraintlab.load.fleet import Fleet
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.record import Record
from constraintlab.load.target import Target
from constraintlab.load.text import Text
from constraintlab.load.workload import Workload

Say = Callable[[str], object]

SETUP = Setup(threads=1, blocks=512, slots=8, policy="continuous", words=True)
"""Few slots: most requests wait for one, so that the decode tier is what binds."""

STEP = 40.0
"""Milliseconds of a simulated step: many times what two engines compute in it on two cores."""

REQUESTS, PROMPT, ANSWER = 48, 16, 64
"""Requests of a run, all there within a moment, and their tokens."""

FROM, UPTO = 0.1, 0.7
"""The part of a run's tokens that its rate is taken from: requests wait for every slot then."""

WARM = 4
"""Requests of new replicas before anything counts."""


def workload(requests: int) -> Workload:
    """Prompts of digits, which the reasoner goes on with; answers of an exact length."""
    profile = Profile("decode", Lengths.exactly(PROMPT), Lengths.exactly(ANSWER))
    return Workload(Uniform(1000.0), profile, limit=requests, text=Text("digits"))


def rate(records: Sequence[Record]) -> float:
    """Tokens/s from FROM to UPTO of all tokens, as they came to the clients."""
    events = sorted((at, tokens) for r in records for at, tokens, _ in r.events)
    sums = list(accumulate(tokens for _, tokens in events))
    first, last = (bisect_left(sums, share * sums[-1]) for share in (FROM, UPTO))
    return (sums[last] - sums[first]) / (events[last][0] - events[first][0])


def ran(url: str, model: str, requests: int) -> float:
    """The rate of one run. RuntimeError unless every answer came whole."""
    with Fleet(Target(url, model), workload(requests)) as fleet:
        records = fleet.wait(240).records
    bad = [r for r in records if r.status != "ok"]
    if bad:
        raise RuntimeError(f"{len(bad)} of {len(records)} requests failed: {bad[0].error}")
    return rate(records)


def pairs(cluster, ms: float, rounds: int, say: Say) -> tuple[list[float], list[float]]:
    """Rates with one decode replica and with two, in turn. Both stand ready all the time."""
    from constraintlab.cluster.layout import Layout

    urls, rates, name = {}, ([], []), f"{ms:g}ms"
    for replicas in (1, 2):
        layout = Layout(decode=replicas, setup=SETUP, simulated_ms=ms)
        urls[replicas] = cluster.start(layout, f"{name}-{replicas}", f"/{name}-{replicas}")
        ran(urls[replicas], layout.name, WARM * replicas)
    for i in range(rounds):
        for replicas in (1, 2)[:: -1 if i % 2 else 1]:
            rates[replicas - 1].append(ran(urls[replicas], layout.name, REQUESTS))
        one, two = (r[-1] for r in rates)
        say(f"  {one:.0f} tok/s with one decode replica, {two:.0f} with two: ×{two / one:.2f}")
    for replicas in urls:
        cluster.stop(f"{name}-{replicas}")
    return rates


def run(rounds: int = 5, say: Say = lambda line: None) -> Report:
    """Both metrics. Without Ray they are absent, with the reason."""
    from constraintlab.limits.machine import describe

    report = Report("cluster", describe())
    names = "decode_replicas_gain", "decode_replicas_gain_unsimulated"
    try:
        from constraintlab.cluster.local import Cluster
    except ImportError as error:
        for name in names:
            report.skip(name, str(error))
        return report
    say("starting Ray …")
    # Ray's driver tells on stdout of tasks that died with their replica.
    with redirect_stdout(sys.stderr), Cluster() as cluster:
        for name, ms in zip(names, (STEP, 0.0), strict=True):
            clock = f"simulated, {ms:g} ms a step" if ms else "the machine's own"
            say(f"one decode replica and two, device time {clock}, {rounds} pairs …")
            one, two = pairs(cluster, ms, rounds, say)
            gains = [b / a for a, b in zip(one, two, strict=True)]
            report.add(
                name,
                median_of(gains, "×"),
                f"tok/s with two decode replicas ÷ one, {median_of(one, '').value:,.0f} tok/s; "
                f"device time {clock}; {REQUESTS} requests at once, {PROMPT} tokens in and "
                f"{ANSWER} out, {SETUP.slots} slots a replica; 1 gateway, 1 prefill replica; "
                f"{report.machine['cores']} cores carry all of it and the client",
            )
    return report
