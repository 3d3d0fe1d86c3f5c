"""The tables of lab 07: what users saw, who had the slots, who pays for a policy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, median

from constraintlab.course.culprits import holders, long_share
from constraintlab.course.halves import Halves
from constraintlab.course.pressure import full, load
from constraintlab.course.show import Table
from constraintlab.course.tail_stage import Faced
from constraintlab.course.tail_virtual import Day
from constraintlab.engine.setup import Setup
from constraintlab.load.metrics import Distribution, Percentile
from constraintlab.load.tail import WORDS, Tail

ROWS = 6
"""Holders of slots that are named."""


def ms(seconds: float) -> str:
    """`4.2 ms`, `380 ms`, `2.6 s`; `no end` of what grows for ever."""
    if math.isinf(seconds):
        return "no end"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{1e3 * seconds:.0f} ms" if seconds >= 0.01 else f"{1e3 * seconds:.1f} ms"


def faced(slo: float, *runs: Faced) -> Table:
    """Runs side by side. slo: seconds in which the first token should come."""
    rows = {
        "requests": lambda r: f"{len(r.seen)}",
        "tok/s that came": lambda r: "as many as it takes" if math.isinf(r.offered) else
        f"{r.offered:,.0f}",
        "full slots could do": lambda r: f"{full(r.ran, r.setup.slots):,.0f}",
        "load ρ": lambda r: "" if math.isinf(r.offered) else f"{load(r):.2f}",
        "first token, median": lambda r: ms(r.ttft()[50]),
        "first token, p90": lambda r: ms(r.ttft()[90]),
        "first token, p99": lambda r: spread(r.ttft(), 99),
        f"first token within {ms(slo)}": lambda r: f"{r.within(slo):.0%}",
        "whole answer, mean": lambda r: ms(r.e2e().mean),
        "whole answer, p99": lambda r: spread(r.e2e(), 99),
        "waiting at most": lambda r: f"{r.worst.waiting}",
        "what binds, on average": lambda r: " and ".join(x.label for x in r.verdict.constraint),
        "answers right": lambda r: f"{len(r.seen) - len(r.ran.wrong)} of {len(r.seen)}",
    }  # fmt: skip
    return Table(
        ("", *(r.name for r in runs)),
        [(what, *(of(r) for r in runs)) for what, of in rows.items()],
        "In brackets: the 95% interval of a percentile, by order statistics; open where too few "
        "samples lie beyond.",
    )  # fmt: skip


def spread(d: Distribution, p: float) -> str:
    """`2.6 s (1.9 … )`."""
    found: Percentile = next(x for x in d.percentiles if x.p == p)
    if found.why:
        return found.why
    ends = ("" if x is None else ms(x) for x in (found.low, found.high))
    return f"{ms(found.value)} ({' … '.join(ends).rstrip()})"


def waited(tail: Tail) -> Table:
    """The tail's requests, slowest first, and the causes that took the most of their time."""
    rows = []
    for s in tail.requests:
        bill = s.first if tail.by == "ttft" else s.waited
        ordered = sorted(bill.items(), key=lambda pair: -pair[1])
        said = ", ".join(f"{WORDS[c]} {ms(t)}" for c, t in ordered[:3] if t > 0)
        rows.append((f"#{s.index}", f"{s.output}", f"{s.at:.1f} s", ms(s.ttft), ms(s.e2e), said))
    heads = ("request", "tokens", "sent at", "first token after", "whole answer", "waited for")
    return Table(heads, rows, tail.text)


def culprits(run: Faced) -> Table:
    """Who had the slots while the request with the latest first token waited."""
    victim = run.tail().requests[0]
    held = holders(run.ran, victim)
    rows = [
        (f"#{h.number}", f"{h.tokens}", ms(h.seconds), f"{h.seconds / victim.ttft:.0%}")
        for h in held[:ROWS]
    ]
    rest = held[ROWS:]
    if rest:
        rows.append(
            (f"{len(rest)} others", f"{fmean(h.tokens for h in rest):.0f} on average",
             ms(sum(h.seconds for h in rest)), "")
        )  # fmt: skip
    long = long_share(held, run.middle)
    heads = ("had a slot", "tokens of its answer", "for", "of that wait")
    note = (
        f"While #{victim.index}, an answer of {victim.output} tokens, waited {ms(victim.ttft)}; "
        f"the long half had {long:.0%} of the slots' time."
    )
    return Table(heads, rows, note)


def cause(run: Halves) -> str:
    """What the slowest first tokens waited for most: `a slot (97%)`."""
    first, share = next(iter(run.tail().shares.items()), ("", 0.0))
    return f"{WORDS.get(first, first)} ({share:.0%})" if first else "nothing that was billed"


def moved(before: Halves, after: Halves, where: str = "") -> str:
    """What the slowest first tokens waited for in two runs, in Markdown. where: their source,
    where that is another than this machine."""
    return (
        f"**What the slowest first tokens waited for most{where}.** {before.name}: "
        f"{cause(before)}. {after.name}: {cause(after)}."
    )


def rooms(days: Sequence[tuple[Setup, Day]]) -> Table:
    """The same users, with other slots and pools."""
    rows = []
    for setup, day in days:
        rows.append(
            (
                day.name, f"{setup.slots}", f"{setup.blocks * setup.block_size:,}",
                f"{day.batch:.1f}", ms(day.ttft()[50]), ms(day.ttft()[99]), ms(day.e2e().mean),
                cause(day),
            )
        )  # fmt: skip
    heads = ("", "slots", "KV tokens", "sequences a step", "first token, median", "p99",
             "whole answer, mean", "the tail waited most for")  # fmt: skip
    return Table(heads, rows, "Virtual clock, at the step costs of the run above.")


def payers(runs: Sequence[Halves], note: str = "") -> Table:
    """What each half of the users gets under each policy."""
    rows = [
        (
            r.name, ms(r.ttft(False)[50]), ms(r.ttft(False)[90]), ms(r.e2e(False).mean),
            ms(r.ttft(True)[90]), ms(r.e2e(True).mean), ms(r.e2e(True)[90]), ms(r.e2e().mean),
        )
        for r in runs
    ]  # fmt: skip
    heads = ("", "short half: first token, median", "p90", "whole answer, mean",
             "long half: first token, p90", "whole answer, mean", "p90", "all: mean")  # fmt: skip
    return Table(heads, rows, note)


def loads(days: Sequence[tuple[float, Day]], note: str) -> Table:
    """Days with more and more users. Each with its requests a second."""
    rows = []
    for rate, day in days:
        rows.append(
            (
                day.name, f"{rate:.1f}", f"{day.batch:.0f}", ms(day.ttft()[50]),
                spread(day.ttft(), 99), ms(day.e2e().mean), spread(day.e2e(), 99),
                cause(day), f"{day.cut / len(day.seen):.1%}",
            )
        )  # fmt: skip
    heads = ("", "requests/s", "sequences a step", "first token, median", "p99",
             "whole answer, mean", "p99", "the tail waited most for", "cut")  # fmt: skip
    return Table(heads, rows, note)


def chunks(decodes: int, *runs: Faced) -> Table:
    """Decodes beside long prompts: the first `decodes` answers are theirs."""
    rows = {
        "decodes: gap between tokens, median": lambda r: ms(gaps(r, decodes)[50]),
        "decodes: gap, p99": lambda r: ms(gaps(r, decodes)[99]),
        "decodes: stall behind a prompt": lambda r: ms(stall(r, decodes)),
        "long prompts: first token, median": lambda r: ms(
            Distribution.of([s.ttft for s in r.seen[decodes:]])[50]
        ),
        "output tok/s": lambda r: f"{r.rate:,.0f}",
    }
    return Table(
        ("", *(r.name for r in runs)), [(what, *(of(r) for r in runs)) for what, of in rows.items()]
    )


def gaps(run: Faced, decodes: int) -> Distribution:
    """ITL of the first answers."""
    return Distribution.of([b - a for a, b in _between(run, decodes)])


def stall(run: Faced, decodes: int) -> float:
    """Seconds for which a long prompt holds up the first answers: the longest gap between two of
    their tokens from when it was sent until its first token, the median over prompts; nan where
    all answers had ended. An ITL's p99 sees no stall that is rarer than one gap in a hundred."""
    between = _between(run, decodes)
    waits = [
        [min(b, prompt.times[0]) - max(a, prompt.sent) for a, b in between
         if b > prompt.sent and a < prompt.times[0]]
        for prompt in run.ran.answers[decodes:]
    ]  # fmt: skip
    return median(map(max, found)) if (found := [*filter(None, waits)]) else math.nan


def _between(run: Faced, decodes: int) -> list[tuple[float, float]]:
    """From when until when the first answers' readers waited for each next token."""
    return [gap for answer in run.ran.answers[:decodes] for gap in pairwise(answer.times)]
