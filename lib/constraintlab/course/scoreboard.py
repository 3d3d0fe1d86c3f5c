"""Lab 07's scoreboard: the learner's policy beside the built-in ones, on the same requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from constraintlab.course.contest import LONG, SHORT, Contest
from constraintlab.course.ordered import Order, Ordered
from constraintlab.course.show import Table
from constraintlab.engine.plan import Policy
from constraintlab.engine.setup import POLICIES
from constraintlab.limits.estimate import Estimate

BUILT_IN: Mapping[str, tuple[str, Mapping[str, float], str]] = {
    "FCFS": ("continuous", {}, "continuous batching"),
    "chunked": ("chunked", {}, "prompts in pieces"),
    "classes": ("classes", {"long": 200}, "slots for small max_tokens"),
    "MLFQ": ("mlfq", {}, "levels and an elder"),
    "SRPT": ("shortest", {}, "oracle: knows the lengths"),
}
"""Name → the policy's name in the engine, its options, and what it is."""

MINE = "mine"


@dataclass(frozen=True)
class Score:
    """What a policy reached. short_*: TTFT of those whose answers are no longer than the median;
    long_*: E2E of the others; mean_e2e: of all; rate: output tokens a second. Each is the median
    over the seeds, with the lowest and highest. idle: share of the slots' steps in which somebody
    could have computed and did not. starves: whether a long request beside an endless stream does.
    mine: it is the learner's."""

    name: str
    note: str
    short_p50: Estimate
    short_p99: Estimate
    long_p50: Estimate
    long_p99: Estimate
    mean_e2e: Estimate
    rate: Estimate
    idle: float
    starves: bool
    mine: bool = False


class Scoreboard:
    """Rows of `Score`, shown as a table; `rows` is for charts."""

    def __init__(self, rows: Sequence[Score], contest: Contest) -> None:
        self.rows, self.contest = tuple(rows), contest

    def __getitem__(self, name: str) -> Score:
        """A row by its policy's name."""
        return next(row for row in self.rows if row.name == name)

    def table(self) -> Table:
        """The tails of both halves and the mean, with their spread over the seeds."""
        heads = (
            "policy", "short half's p99 TTFT, ms", "long half's p99 E2E, s", "mean E2E, s",
            "tok/s", "slots idle", "starves",
        )  # fmt: skip
        rows = [
            (
                f"{'▸ ' if r.mine else ''}{r.name} ({r.note})", told(r.short_p99, 1e3, 0),
                told(r.long_p99, places=1), told(r.mean_e2e), f"{r.rate.value:,.0f}",
                f"{r.idle:.1%}", "yes" if r.starves else "no",
            )
            for r in self.rows
        ]  # fmt: skip
        c = self.contest
        return Table(
            heads,
            rows,
            f"Median of {c.seeds} runs (lowest … highest) of {c.requests} requests at "
            f"{c.load:.0%} of what {c.setup.slots} slots can do. Virtual clock, "
            f"step costs {c.cost.source}.",
        )

    def __str__(self) -> str:
        return str(self.table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def told(e: Estimate, k: float = 1.0, places: int = 2) -> str:
    """`1.20 (1.10 … 1.54)`, times k."""
    value, low, high = (f"{k * v:,.{places}f}" for v in (e.value, e.low, e.high))
    return f"{value} ({low} … {high})"


def scoreboard(
    mine: Order | None = None, contest: Contest | None = None, *, name: str = MINE
) -> Scoreboard:
    """The built-in policies, and the learner's order if there is one, as the last row: some four
    seconds, or one with `Contest(requests=100)`. name: of the learner's row. Raises BadOrder where
    the order is none."""
    contest = contest or Contest()
    due, costs = contest.due(), contest.cost.source
    source = costs if costs.startswith("modelled") else f"modelled: step costs {costs}"
    entries: list[tuple[str, str, Callable[[], Policy]]] = [
        (what, note, lambda policy=policy, options=options: POLICIES[policy](**options))
        for what, (policy, options, note) in BUILT_IN.items()
    ]
    if mine is not None:
        entries.append((name, "yours", lambda: Ordered(mine)))
    rows = []
    for i, (what, note, make) in enumerate(entries):
        starves = any(contest.starved(make(), size) for size in (SHORT, LONG))
        ran = [contest.run(make(), d, len(d) * j) for j, d in enumerate(due)]

        def over(values, unit="s"):
            return Estimate.of(list(values), unit, source)

        rows.append(
            Score(
                what, note,
                over(r.short[50.0] for r in ran), over(r.short[99.0] for r in ran),
                over(r.long[50.0] for r in ran), over(r.long[99.0] for r in ran),
                over(r.e2e for r in ran), over((r.rate for r in ran), "1/s"),
                fmean(r.idle for r in ran), starves, i == len(BUILT_IN),
            )
        )  # fmt: skip
    return Scoreboard(rows, contest)
