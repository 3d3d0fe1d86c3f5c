"""`bench tail`: does the virtual clock tell the engine's tail, and what do policies do to it?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from statistics import fmean, median

from constraintlab.bench.interval import median_of
from constraintlab.bench.report import Report
from constraintlab.engine.setup import Setup
from constraintlab.load import profiles
from constraintlab.load.arrivals import Poisson
from constraintlab.load.direct import Direct, Due, Offered, drawn
from constraintlab.load.metrics import Distribution

Say = Callable[[str], object]

SCALE, CAP = 24.0, 1024
"""R1's lengths are divided by this, and cut where prompt and answer are longer together."""

BUDGET, FEWEST, MOST = 280.0, 100, 500
"""Seconds for all runs under load, and the requests of each of them at least and at most: a slow
machine has fewer."""

SETUP = Setup(model="reasoner", policy="continuous", slots=8, tokens=512, blocks=512, threads=1)
"""FCFS. The engine has a core to itself, and whoever sends the requests another."""

LOAD = 0.8
POLICIES = (
    ("continuous", {}),
    ("mlfq", {}),
    ("shortest", {}),
    ("chunked", {}),
    ("classes", {"long": 60, "reserved": 0.25}),
    ("continuous", {"watermark": 0.05}),
)
FCFS, QUEUE = POLICIES[:2]

WHOLE = Setup(model="reasoner", policy="continuous", slots=16, tokens=2048, threads=1, blocks=1024)
CHUNKED = replace(WHOLE, policy="chunked", tokens=200)
DECODES, PROMPTS, LONG, EVERY = 8, 12, 1500, 2.4
"""Requests that decode; long prompts beside them, their tokens, and the time from one to the next
in times that one takes alone."""


def label(policy: tuple[str, dict]) -> str:
    """`classes(long=60, reserved=0.25)`."""
    name, options = policy
    said = ", ".join(f"{k}={v:g}" for k, v in options.items())
    return f"{name}({said})" if said else name


class Beside:
    """What the engine and the virtual clock say of one policy, over all rounds together."""

    def __init__(self) -> None:
        self.real: dict[str, list[list[float]]] = {"TTFT": [], "E2E": []}
        self.virtual: dict[str, list[list[float]]] = {"TTFT": [], "E2E": []}

    def add(self, run: Offered, setup: Setup) -> None:
        """A round, and its replay."""
        ghosts = run.replay(setup)
        self.real["TTFT"].append(run.ttft)
        self.real["E2E"].append(run.e2e)
        self.virtual["TTFT"].append([g.first - g.arrival for g in ghosts])
        self.virtual["E2E"].append([g.ended - g.arrival for g in ghosts])

    def off(self, what: str, p: float) -> float:
        """How far the virtual clock's percentile is from the engine's, as a share of that."""
        real, virtual = (list(chain(*all_of[what])) for all_of in (self.real, self.virtual))
        return Distribution.of(virtual)[p] / Distribution.of(real)[p] - 1

    def rounds(self, what: str, p: float) -> list[float]:
        """The same for each round by itself."""
        pairs = zip(self.virtual[what], self.real[what], strict=True)
        return [Distribution.of(v)[p] / Distribution.of(r)[p] - 1 for v, r in pairs]


def fitting(rate: float, rounds: int) -> int:
    """Requests of one run, so that all together last BUDGET."""
    return min(MOST, max(FEWEST, int(BUDGET * rate / (rounds * len(POLICIES)))))


def short(run: Offered) -> float:
    """p99 of the TTFT of those whose answers are no longer than the median."""
    middle = median(d.output for d in run.due)
    few = [t for t, d in zip(run.ttft, run.due, strict=True) if d.output <= middle]
    return Distribution.of(few)[99.0]


def crowd(every: float, writes: int) -> list[Due]:
    """Decodes of so many tokens, and long prompts that come beside them one after the other."""
    writers = [Due(0.0, 16, writes)] * DECODES
    return writers + [Due(every * (i + 1), LONG, 1) for i in range(PROMPTS)]


def run(requests: int | None = None, rounds: int = 3, say: Say = lambda line: None) -> Report:
    """Every metric, in some seven minutes. requests: of each run, as many as BUDGET allows unless
    given."""
    from constraintlab.limits.machine import describe

    report, profile = Report("tail", describe()), profiles.load("reasoning", SCALE, CAP)
    mean = fmean(d.output for d in drawn(profile, 20_000, seed=99))
    seen: list[dict[str, Offered]] = []
    beside = {label(policy): Beside() for policy in POLICIES}
    with Direct(SETUP) as direct:
        direct.offer([Due(0.0, 3, 50)] * SETUP.slots)
        full = direct.offer(drawn(profile, 200, seed=98)).saturated
        rate = LOAD * full / mean
        requests = requests or fitting(rate, rounds)
        say(f"saturated: {full:,.0f} tok/s; {requests} requests at {rate:.1f}/s, ρ = {LOAD} …")
        for i in range(rounds):
            due = drawn(profile, requests, seed=i, arrivals=Poisson(rate))
            seen.append({})
            for policy in POLICIES[:: -1 if i % 2 else 1]:
                direct.engine.switch(policy[0], **policy[1])
                found = seen[i][label(policy)] = direct.offer(due)
                beside[label(policy)].add(found, direct.setup)
                say(f"  {label(policy)}: short half's p99 TTFT {1e3 * short(found):.0f} ms, "
                    f"mean E2E {1e3 * fmean(found.e2e):.0f} ms")  # fmt: skip
    where = (
        f"{rounds} × {requests} requests with R1's lengths ÷ {SCALE:g} (capped at {CAP}), Poisson "
        f"at {rate:.1f}/s, ρ = {LOAD} of {full:,.0f} tok/s with a queue; reasoner, {SETUP.slots} "
        f"slots, {SETUP.blocks * SETUP.block_size:,} tokens of KV, {SETUP.tokens} tokens a step"
    )
    for p, name in ((50.0, "virtual_p50_error"), (99.0, "virtual_p99_error")):
        offs = [(b.off(what, p), what, one) for one, b in beside.items() for what in b.real]
        most, what, one = max(offs, key=lambda found: abs(found[0]))
        spread = [abs(most), *map(abs, beside[one].rounds(what, p))]
        error = replace(median_of([abs(most)], ""), low=min(spread), high=max(spread))
        all_of = ", ".join(f"{what} of {one} {off:+.1%}" for off, what, one in offs)
        report.add(name, error, f"the worst, {what} of {one}, with each round by itself as its "
                   f"spread; all: {all_of}; {where}")  # fmt: skip
    first, second = label(FCFS), label(QUEUE)
    gains = [short(r[first]) / short(r[second]) for r in seen]
    report.add("short_ttft_p99_gain", median_of(gains, "×"), f"{first} ÷ {second}; {where}")
    means = [fmean(r[second].e2e) / fmean(r[first].e2e) for r in seen]
    report.add("mean_e2e_ratio", median_of(means, "×"), f"{second} ÷ {first}; {where}")
    chunks(report, say)
    return report


def chunks(report: Report, say: Say, pairs: int = 7) -> None:
    """Whole prompts against chunks of them, beside decodes."""
    say(f"{DECODES} decodes beside prompts of {LONG} tokens, {pairs} pairs …")
    decoding = range(DECODES)
    gains, rates = [], []
    with Direct(WHOLE) as direct:
        alone = median(direct.offer([Due(0.0, LONG, 1)]).ttft[0] for _ in range(5))
        every = EVERY * alone
        decode = direct.offer([Due(0.0, 16, 200)] * DECODES)
        pace = median(step.seconds for step in decode.steps if not step.prompts)
        writes = math.ceil((PROMPTS + 1) * (every - alone) / pace)
        due = crowd(every, writes)
        for i in range(pairs + 1):
            found = {}
            for setup in (WHOLE, CHUNKED)[:: -1 if i % 2 else 1]:
                direct.engine.change(setup)
                found[setup.policy] = direct.offer(due)
            if not i:  # the first pair touches the pool
                continue
            whole, cut = found["continuous"], found["chunked"]
            gains.append(tail_of(whole.gaps(decoding)) / tail_of(cut.gaps(decoding)))
            rates.append(cut.rate / whole.rate)
    where = (
        f"{DECODES} requests write {writes} tokens each beside {PROMPTS} prompts of {LONG}, one "
        f"every {1e3 * every:.0f} ms, {EVERY:g} times what it takes alone; whole prompts "
        f"({WHOLE.tokens} tokens a step) against chunks ({CHUNKED.tokens})"
    )
    report.add("chunked_itl_p99_gain", median_of(gains, "×"), f"of the decodes' ITL; {where}")
    report.add("chunked_throughput_ratio", median_of(rates, "×"), f"output tokens/s; {where}")


def tail_of(samples: Sequence[float]) -> float:
    """p99."""
    return Distribution.of(samples)[99.0]
