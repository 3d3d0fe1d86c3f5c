"""Whether a recording tells one story: what its runs' verdicts name, and what its lab says of them.

Each function takes a `Tape` and returns complaints; an empty list is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from constraintlab.limits.resource import Resource
from constraintlab.recordings.tape import Tape
from tests.labs.claims import claimed

DOUBT = re.compile(r"explains only|does not explain|Nothing gets through")
"""How a panel says that its verdict rests on a model that the measurement does not bear out."""

LABELS = {r.label: r for r in Resource}
COST = re.compile(rf"% of a token's cost is ({'|'.join(LABELS)})")


def of(tape: Tape, do: str) -> list[dict]:
    return [e for e in tape.events if e["do"] == do]


def first(run: dict) -> Resource | None:
    """What a run's verdict names first."""
    return Resource(run["constraint"][0]) if run["constraint"] else None


def unexplained(tape: Tape) -> list[str]:
    """Runs whose last verdict the model does not explain, by name."""
    return [run["name"] for run in of(tape, "run") if DOUBT.search(run["text"])]


def shown_otherwise(tape: Tape) -> list[str]:
    """Runs whose panel had another sentence on it than the one that was kept of them."""
    found = []
    for run in of(tape, "run"):
        before = [e for e in of(tape, "view") if e["t"] <= run["t"]]
        sentence = "".join(p["t"] for p in before[-1]["view"]["sentence"]) if before else ""
        if sentence != run["text"]:
            found.append(f"{run['name']}: kept {run['text']!r}, shown {sentence!r}")
    return found


def contradictions(tape: Tape) -> list[str]:
    """What the lab says binds and no run's verdict names."""
    runs = of(tape, "run")
    found = [f"{run['name']}: {run['text']!r} does not name {first(run).label}"
             for run in runs if first(run) and first(run).label not in run["text"]]  # fmt: skip
    asked = {e["key"]: e["t"] for e in of(tape, "question")}
    for reveal in of(tape, "reveal"):
        said = {reveal["truth"]} & LABELS.keys() | set(COST.findall(reveal["because"]))
        since = asked.get(reveal["key"], 0.0)
        bound = {first(r).label for r in runs if since <= r["t"] <= reveal["t"] and first(r)}
        found += [f"{reveal['key']}: says {name}, where {', '.join(sorted(bound)) or 'nothing'} "
                  "bound" for name in said - bound]  # fmt: skip
    named = [e["constraint"] for e in of(tape, "strip") if e["constraint"]]
    ends = {r["constraint"][0] for r in runs if r["constraint"]}
    found += [f"the strip has {name}, which bound no run" for name in named if name not in ends]
    return found + list(_told(tape, {tuple(r["constraint"]) for r in runs}))


def _told(tape: Tape, verdicts: set[tuple[str, ...]]) -> Iterator[str]:
    """Paragraphs that name what their own verdicts don't, or that rest on a verdict of no run."""
    for said in of(tape, "said"):
        mine = [tuple(c) for c in said["constraints"]]
        if strange := [c for c in mine if c not in verdicts]:
            yield f"{said['text']!r} rests on {strange}, which is no run's"
        named = {Resource(r) for c in mine for r in c}
        # A story may name what binds elsewhere; where the constraint went is of these runs alone.
        words = said["text"] if mine[1:] else said["text"].split(".")[0]
        if other := claimed(words) - named:
            yield f"{said['text']!r} names {', '.join(sorted(r.label for r in other))}"
