"""Sentences that follow a verdict: what binds here, and where the constraint went.

A lab's text has its resources' names from here, or from a verdict itself, so that it never tells
another story than the panel above it. Where the tool is not sure, neither is the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource, bind
from constraintlab.limits.verdict import Verdict

SAME = 0.05
"""Throughputs that differ by less than this part are about the same."""


def names(resources: Sequence[Resource]) -> str:
    """`host`, `host and client`, `nothing`."""
    return " and ".join(r.label for r in resources) or "nothing"


def binds(resources: Sequence[Resource]) -> str:
    """`compute binds`, `slots bind`, `host and client bind`."""
    return f"{names(resources)} {bind(*resources)}"


def here(verdict: Verdict, stories: Mapping[Resource, str]) -> str:
    """What binds, in Markdown, and the story that fits it; without a story the evidence itself.

    A verdict in doubt, or one that the measurement does not bear out, is told as such.
    """
    if not verdict.constraint:
        return "**Insufficient evidence.** " + "; ".join(verdict.missing)
    first, *others = verdict.constraint
    close = f", with {others[0].label} close behind" if others else ""
    story = stories.get(first) or "; ".join(verdict.evidence) + "."
    if verdict.sure:
        return f"**Here: {first.label}{close}.** {story}"
    return f"**Perhaps {first.label}{close}: the tool is not sure.** {_why(verdict)} {story}"


def went(before: Verdict, after: Verdict, gain: Estimate | float | None = None) -> str:
    """Where the constraint was and where it is now, in Markdown. gain: of throughput, in ×."""
    old, new = before.constraint, after.constraint
    if not (old and new):
        return "**Where it went can't be told:** there is no verdict on both runs."
    moved = old[0] is not new[0]
    head = f"It moved: {old[0].label} → {new[0].label}" if moved else "It stayed"
    told = f"Before, {names(old)} bound; now, {binds(new)}"
    if old == new:
        told = f"Before and after, {binds(new)}"
    told = f"**{head}.** {told}{_at(gain)}."
    unsure = [what for what, v in (("bound before", before), ("binds now", after)) if not v.sure]
    doubt = f" The tool is not sure of what {' and what '.join(unsure)}: see the panel."
    return told + doubt * bool(unsure)


def _at(gain: Estimate | float | None) -> str:
    if gain is None:
        return ""
    x = gain.value if isinstance(gain, Estimate) else gain
    times = "about the same" if abs(x - 1) < SAME else f"×{x:.2f} the"
    return f", at {times} throughput"


def _why(verdict: Verdict) -> str:
    """Why a verdict is not sure."""
    if verdict.fits:
        return f"Seen apart, {'; '.join(verdict.doubts)}."
    said = "faster" if verdict.predicted > verdict.measured.value else "slower"
    return (
        f"By the model this run would have been {said} by over a quarter: something is not in it, "
        "the run was too short, or the machine changed its pace. Run it again before you build on "
        "this."
    )
