"""The tables of labs 04 and 05, each from what an engine counted or was timed at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from statistics import mean, median

from constraintlab.course.driver import Ran, gain
from constraintlab.course.serving_stage import Served
from constraintlab.course.show import Table
from constraintlab.engine.answer import Answer
from constraintlab.limits.estimate import Estimate


def working_points(*served: Served) -> Table:
    """Runs side by side, each while requests waited."""
    rows = {
        "sequences a step": lambda s: f"{s.window.batch:.1f} of {s.window.last.slots} slots",
        "waiting": lambda s: f"{s.window.queue:.0f}",
        "tok/s": lambda s: f"{s.rate:,.0f}",
        "KV pool reserved": lambda s: f"{s.ran.typical.kv[1] / s.ran.typical.kv[0]:.0%}",
        "of that, empty": lambda s: f"{s.window.waste:.0%}",
        "forward pass, ms a token": lambda s: f"{s.window.device_ms:.3f}",
        "in the forward pass": lambda s: f"{s.window.forward:.0%}",
        "of peak FLOP/s": lambda s: f"{s.peak_share:.1%}",
        "of the bandwidth": lambda s: f"{s.window.bytes() / s.caps.bandwidth.value:.1%}",
    }
    return Table(
        ("while requests waited", *(s.name for s in served)),
        [(what, *(of(s) for s in served)) for what, of in rows.items()],
    )


def policies(raced: Mapping[str, Sequence[Ran]], over: str) -> Table:
    """Policies on the same questions: steps counted, throughput measured."""
    rows = []
    for name, runs in raced.items():
        w = runs[0].whole
        got = gain(runs, raced[over])
        rows.append(
            (
                name, f"{w.grown('steps'):,.0f}", f"{w.batch:.1f}",
                f"{median(r.whole.rate for r in runs):,.0f}", _times(got), _right(runs),
            )
        )  # fmt: skip
    heads = ("policy", "steps", "sequences a step", "tok/s", f"against {over}", "answers right")
    return Table(heads, rows)


def stores(raced: Mapping[str, Sequence[Ran]], over: str) -> Table:
    """KV stores of equal bytes on the same questions."""
    rows = []
    for name, runs in raced.items():
        w = runs[0].whole
        rows.append(
            (
                name, f"{w.batch:.1f}", f"{w.waste:.0%}", f"{w.spare:.2f}",
                f"{w.grown('preempted'):.0f}", f"{median(r.whole.rate for r in runs):,.0f}",
                _times(gain(runs, raced[over])), _right(runs),
            )
        )  # fmt: skip
    heads = (
        "store", "sequences a step", "reserved and empty", "blocks a sequence", "preempted",
        "tok/s", f"against {over}", "answers right",
    )  # fmt: skip
    return Table(heads, rows, "Median of the rounds, with the lowest and the highest.")


def again(ran: Ran) -> float:
    """The share of all computed tokens that had been computed before, and lost."""
    w = ran.whole
    return w.grown("lost") / (w.grown("prefill") + w.grown("decodes"))


def preemptions(found: Mapping[str, Ran]) -> Table:
    """What a pool that is too small costs, by watermark: counted, then timed."""
    rows = []
    for name, ran in found.items():
        w = ran.whole
        rows.append(
            (
                name, f"{w.grown('preempted'):.0f}", f"{w.grown('lost'):,.0f}", f"{again(ran):.0%}",
                f"{w.batch:.1f}", f"{w.rate:,.0f}", _ms(first_token, ran),
                _ms(worst_gap, ran), _right([ran]),
            )
        )  # fmt: skip
    heads = (
        "watermark", "preempted", "tokens computed again", "of all computed", "sequences a step",
        "tok/s", "first token, ms", "longest pause, ms", "answers right",
    )  # fmt: skip
    return Table(heads, rows, "First token and longest pause: means over the requests.")


def prefixes(found: Mapping[str, Ran]) -> Table:
    """Requests that begin alike, with and without a prefix cache."""
    rows = []
    for name, ran in found.items():
        w = ran.whole
        asked = w.grown("asked")
        rows.append(
            (
                name, f"{w.grown('hit') / asked:.0%}" if asked else "no cache",
                f"{w.grown('prefill'):,.0f}", f"{w.batch:.1f}", f"{w.rate:,.0f}",
                _ms(first_token, ran), _right([ran]),
            )
        )  # fmt: skip
    heads = (
        "store", "found in the cache", "prompt tokens computed", "sequences a step", "tok/s",
        "first token, ms (mean)", "answers right",
    )  # fmt: skip
    return Table(heads, rows)


def first_token(answer: Answer) -> float:
    """Seconds from sending a request to its first token."""
    return answer.times[0] - answer.sent


def worst_gap(answer: Answer) -> float:
    """The longest time between two tokens of an answer, in seconds."""
    return max((b - a for a, b in pairwise(answer.times)), default=0.0)


def _ms(of: Callable[[Answer], float], ran: Ran) -> str:
    return f"{1e3 * mean(map(of, ran.answers)):.0f}"


def _times(got: Estimate) -> str:
    if got.low == got.high == got.value == 1.0:
        return ""
    return f"×{got.value:.2f} ({got.low:.2f} … {got.high:.2f})"


def _right(runs: Sequence[Ran]) -> str:
    asked = sum(len(r.answers) for r in runs)
    return f"{asked - sum(len(r.wrong) for r in runs)} of {asked}"
