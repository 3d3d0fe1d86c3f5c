"""What a bench says of verdicts: the constraint by name, the usual one, and the way it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from constraintlab.limits.verdict import Verdict

NOTHING = 0.05
"""A gain or loss below this is called none."""


def names(verdict: Verdict) -> str:
    """The constraint in words, or why there is none."""
    return " and ".join(r.label for r in verdict.constraint) or verdict.outcome


def usual(some: Sequence[Verdict]) -> str:
    """The constraint that most of the verdicts name first."""
    firsts = Counter(v.constraint[0].value if v.constraint else v.outcome for v in some)
    return firsts.most_common(1)[0][0]


def way(found: Sequence[str]) -> list[str]:
    """Without repeats of neighbours: the way that the constraint went."""
    return [name for i, name in enumerate(found) if not i or name != found[i - 1]]
