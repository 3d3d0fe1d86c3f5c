"""Lab 04's first half: one step shared by n sequences, and X = n/(a + b·n)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from statistics import median

from constraintlab.course.driver import Asked, Driver, Ran
from constraintlab.course.questions import Question
from constraintlab.course.show import Table
from constraintlab.engine.request import Sampling
from constraintlab.engine.setup import Setup
from constraintlab.engine.window import Between


@dataclass(frozen=True)
class Batch:
    """Steps of n sequences. step: seconds, the median over all rounds; runs: one a round."""

    n: int
    step: float
    runs: tuple[Ran, ...]

    @property
    def rate(self) -> float:
        """Output tokens a second at that step."""
        return self.n / self.step

    @property
    def device_ms(self) -> float:
        """Milliseconds of forward pass for each token: the median over the rounds."""
        return median(r.whole.device_ms for r in self.runs)

    def inside(self, between: float = 0.0) -> float:
        """Share of the loop's time inside the forward pass: the median over the rounds.

        between: seconds of each pass that lie between kernels; with them the share inside kernels.
        """
        return max(0.0, median(_inside(r, between) for r in self.runs))


def _inside(ran: Ran, between: float) -> float:
    w, times = ran.whole, ran.answers[0].times
    step = (times[-1] - times[0]) / (len(times) - 1)
    return (w.grown("forward") / w.grown("steps") - between) / step


def gaps(ran: Ran) -> list[float]:
    """Seconds between neighbouring tokens of the longest answer: a step each."""
    times = max((a.times for a in ran.answers), key=len)
    return [b - a for a, b in pairwise(times)]


async def race_batches(
    driver: Driver | None,
    setup: Setup,
    some: Sequence[Question] | Asked,
    sizes: Sequence[int],
    rounds: int,
) -> list[Batch]:
    """Each size once a round: the first n of `some` at once, on an engine with room for all.

    driver: None for an engine that is there only for this.
    """
    if driver is None:
        own = Driver()
        try:
            return await race_batches(own, setup, some, sizes, rounds)
        finally:
            own.close()
    await driver.use(setup)
    await driver.run(some[: max(sizes)])
    found: dict[int, list[Ran]] = {n: [] for n in sizes}
    for _ in range(rounds):
        for n in sizes:
            found[n].append(await driver.run(some[:n]))
    return [Batch(n, median(chain(*map(gaps, runs))), tuple(runs)) for n, runs in found.items()]


def random_prompts(n: int, tokens: int) -> Asked:
    """For a model with random weights: n prompts, `tokens` tokens of nonsense for each."""
    return [([1 + i, 2, 3], Sampling(tokens)) for i in range(n)]


@dataclass(frozen=True)
class Line:
    """step(n) ≈ a + b·n, in seconds, through two points."""

    a: float
    b: float

    @classmethod
    def through(cls, one: Batch, other: Batch) -> Line:
        b = (other.step - one.step) / (other.n - one.n)
        return cls(one.step - b * one.n, b)

    def rate(self, n: float) -> float:
        """X = n/(a + b·n), in tokens a second."""
        return n / (self.a + self.b * n)

    def shared(self, n: float) -> float:
        """Share of a step that is paid once for all n."""
        return self.a / (self.a + self.b * n)


def batches_table(found: Sequence[Batch], line: Line, known: Sequence[int], gap: Between) -> Table:
    """Each batch size: predicted beside measured, and where the time is. known: the two sizes that
    the line goes through."""
    rows = [
        (
            f"{b.n}", f"{1e3 * b.step:.2f}",
            "given" if b.n in known else f"{line.rate(b.n):,.0f}", f"{b.rate:,.0f}",
            f"{b.device_ms:.3f}", f"{b.inside():.0%}", f"{b.inside(gap.fixed):.0%}",
        )
        for b in found
    ]  # fmt: skip
    heads = (
        "sequences", "a step, ms", "tok/s predicted", "measured",
        "forward pass, ms a token", "in the forward pass", "inside kernels",
    )  # fmt: skip
    note = (
        f"a = {1e3 * line.a:.2f} ms, b = {1e3 * line.b:.3f} ms. Inside kernels: the forward pass "
        f"less the {1e3 * gap.fixed:.2f} ms a step that were measured between them."
    )
    return Table(heads, rows, note)


def weights_table(found: Sequence[Batch], what: str) -> Table:
    """A model whose weights take most of a step, by batch size."""
    rows = [
        (f"{b.n}", f"{1e3 * b.step:.1f}", f"{b.rate:,.0f}", f"{b.device_ms:.2f}") for b in found
    ]
    return Table((f"{what}: sequences", "a step, ms", "tok/s", "forward pass, ms a token"), rows)
