"""The exercise of lab 07: an order of requests whose tail is short and that lets nobody starve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from constraintlab.course.check import Result, checker
from constraintlab.course.contest import BEFORE, BOUND, LONG, PATIENCE, SHORT, Contest, Ran
from constraintlab.course.ordered import BadOrder, Ordered, Seen
from constraintlab.engine.plan import Policy
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.virtual.ghost import Ghost

GAIN, MEAN = 3.0, 1.1
"""How many times the short half's p99 TTFT FCFS's must be, and the most that the mean E2E may be
of FCFS's."""


def order(requests: list[Seen]) -> list[Seen]:
    """Who has had little comes first, by levels of 32, 64, 128 tokens and so on; but the oldest of
    all has a slot, whatever it has had."""
    oldest = min(requests, key=lambda r: r.arrival)

    def urgency(r):
        level = (r.served // 32 + 1).bit_length()
        return r is not oldest, level, r.arrival

    return sorted(requests, key=urgency)


@checker("07.order")
def check_order(answer: object) -> Result:
    """Lab 07: an order that can be carried out, starves nobody, and is worth it."""
    return judge(lambda: Ordered(answer))


def judge(policy: Callable[[], Policy], contest: Contest | None = None) -> Result:
    """Any policy, made anew for each run: nobody starves, no slot stands idle, a short tail."""
    contest, pairs = contest or Contest(), []
    try:
        for size in (SHORT, LONG):
            if long := contest.starved(policy(), size):
                return Result(False, _starves(long, size))
        for i, due in enumerate(contest.due()):
            fcfs = contest.run(Continuous(), due)
            ran = contest.run(policy(), due, first=len(due) * (i + 1))
            if ran.first:
                return Result(False, _idle(ran))
            pairs.append((fcfs, ran))
    except BadOrder as error:
        return Result(False, str(error))
    return _worth(pairs)


def _starves(long: Ghost, size: int) -> str:
    return (
        f"a request of {LONG} tokens starves: two of {BEFORE} came before it, and after it come "
        f"requests of {size}, without end. After {BOUND:,} steps, {PATIENCE} times what those "
        f"three need one after the other, it has {long.output.n} of its tokens. What brings it "
        "nearer to the front, the longer it has been there?"
    )


def _idle(ran: Ran) -> str:
    step, who = ran.first
    return (
        f"in step {step} request {who.id} waits beside an empty slot and room for its KV; over the "
        f"run {ran.idle:.1%} of the slots' steps are lost like this"
    )


def _worth(pairs: Sequence[tuple[Ran, Ran]]) -> Result:
    """Of FCFS and the policy, on the same requests."""
    gain = median(fcfs.short[99.0] / ran.short[99.0] for fcfs, ran in pairs)
    mean = median(ran.e2e / fcfs.e2e for fcfs, ran in pairs)
    before, now = (_seconds(median(pair[i].short[99.0] for pair in pairs)) for i in (0, 1))
    told = f"the short half's p99 TTFT is {now}; FCFS's is {before}, {gain:.1f} times that"
    if gain < GAIN:
        return Result(
            False,
            f"nobody starves, but {told}, and {GAIN:g} times is the least. While a short request "
            "waits, who has the slots, and what do you see of them that tells?",
        )
    if mean > MEAN:
        lost = sum(ran.lost for _, ran in pairs)
        why = f", and the KV of {lost:,} tokens was computed again" if lost else ""
        return Result(
            False,
            f"{told}. But the mean E2E is {mean:.2f} times FCFS's{why}; {MEAN:g} is the most. If "
            "two requests take turns all the time, when is the first of them done?",
        )
    return Result(
        True, f"nobody starves, no slot stands idle, {told}; mean E2E {mean:.2f} times FCFS's"
    )


def _seconds(s: float) -> str:
    return f"{1e3 * s:.0f} ms" if s < 1 else f"{s:.1f} s"
