"""A diagnosis in words: the first sentence, and the lines below it."""

from __future__ import annotations

from constraintlab.limits.resource import Resource, bind
from constraintlab.watch.diagnosis import Diagnosis


def sentence(d: Diagnosis) -> str:
    """What a reader should know first."""
    v = d.verdict
    if not d.known:
        return f"Insufficient evidence: no verdict. {'; '.join(v.missing)}."
    rate = f" The server makes {v.measured.value:,.0f} tokens/s." if v.measured else ""
    if v.outcome == "demand":
        if len(v.constraint) > 1:
            return (f"The load that is offered nearly fills the server: half of the time "
                    f"{_name(v.constraint[1])} keeps requests waiting.{rate}")  # fmt: skip
        found = f"Nothing in the server binds: it serves the load that is offered.{rate}"
        missed = [promise for promise in d.late if promise.missed]
        if missed:
            waited = f": they waited {missed[0].waited}" if missed[0].waited else ""
            return f"{found} Yet the latest miss {missed[0].name}{waited}."
        return found + (f" With more of it, {_name(v.next[0])} would bind first." if v.next else "")
    names = " and ".join(r.label for r in v.constraint)
    sure = {"high": "", "medium": " probably", "low": " perhaps"}[d.confidence]
    found = f"{names[0].upper()}{names[1:]}{sure} {bind(*v.constraint)}.{rate}"
    if len(v.constraint) > 1:
        found += " The evidence does not tell which of the two comes first."
    return found + (f" Behind: {_name(v.next[0])}." if v.next else "")


def lines(d: Diagnosis) -> list[str]:
    """Evidence, what to try, what to switch on, notes: as text."""
    found = [f"  · {e}" for e in d.verdict.evidence]
    for title, items in (("Promised", tuple(map(str, d.late))), ("Try", d.tries),
                         ("To know more", d.asks), ("Note", d.notes)):  # fmt: skip
        found += [f"{title}:", *(f"  · {item}" for item in items)] if items else []
    return found


def _name(resource: Resource) -> str:
    return resource.label
