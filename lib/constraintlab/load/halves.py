"""`Half`: the short and the long answers of a run, each with a ladder of its own.

A mean and a percentile of all hide who pays: short answers behind long ones wait for most of their
time, and are half of the users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from constraintlab.load.metrics import Distribution
from constraintlab.load.record import Record
from constraintlab.load.slo import Slo


@dataclass(frozen=True)
class Half:
    """Requests that ran to their end: `short` with at most `split` output tokens, the median;
    `long` with more. good: those within the SLO, None without one."""

    name: str
    split: float
    n: int
    ttft: Distribution | None
    e2e: Distribution | None
    good: int | None

    @classmethod
    def both(cls, records: Sequence[Record], slo: Slo) -> tuple[Half, ...]:
        """Short and long; the long half is empty where half of the answers or more have the most
        tokens of all: one length, or one limit."""
        done = [r for r in records if r.ok]
        if not done:
            return ()
        split = median(r.output_tokens for r in done)
        short = [r for r in done if r.output_tokens <= split]
        long = [r for r in done if r.output_tokens > split]
        return tuple(
            cls(
                name,
                split,
                len(some),
                Distribution.of([r.ttft for r in some if r.ttft is not None]),
                Distribution.of([r.e2e for r in some]),
                sum(map(slo.met, some)) if slo else None,
            )
            for name, some in (("short", short), ("long", long))
        )

    @property
    def words(self) -> str:
        """What it is."""
        return f"{'at most' if self.name == 'short' else 'more than'} {self.split:g} output tokens"

    def json(self, wall: float) -> dict:
        """Plain data. wall: seconds of the run."""
        goodput = None
        if self.good is not None:
            goodput = {"met": self.good, "per_s": self.good / wall if wall else None}
        return {
            "is": self.words, "n": self.n, "ttft_s": self.ttft and self.ttft.json(),
            "e2e_s": self.e2e and self.e2e.json(), "goodput": goodput,
        }  # fmt: skip
