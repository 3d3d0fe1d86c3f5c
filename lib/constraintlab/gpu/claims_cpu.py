"""The claims on a CPU, from the labs' recordings: each figure is one that a lab measured."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from constraintlab.gpu import finding
from constraintlab.gpu.finding import Finding
from constraintlab.limits.resource import Resource
from constraintlab.recordings.tape import Tape

DELIVERY = {Resource.NETWORK.value, Resource.CLIENT.value}


def busy(tapes: dict[str, Tape]) -> Finding:
    """Lab 01's textbook run: how busy its cores were, as its panel drew it, and at what share."""
    found = _event(tapes, "01", "run", "name", "textbook")
    share = _event(tapes, "01", "reveal", "key", "binds")
    if found is None or share is None or share.get("value") is None:
        return Finding.nothing("lab 01 has no recording of it")
    lines = list(_drawn(tapes["01"], "cores busy", found))
    if not lines:
        return Finding.nothing("lab 01's recording has no line of busy cores")
    resident, peak = 100 * sum(lines) / len(lines), share["value"]
    words = f"cores {resident:.0f}% busy at {peak:.0f}% of peak; what binds: {_names(found)}"
    return Finding(words, finding.busy(resident, peak))


def falls(tapes: dict[str, Tape]) -> Finding:
    """Lab 04, one sequence in a step and 32: the share of time in the forward pass."""
    found = _event(tapes, "04", "reveal", "key", "inside")
    words = re.search(r"(\d+)% → (\d+)% inside kernels.*?(\d+)% → (\d+)%", _because(found))
    if not words:
        return Finding.nothing("lab 04 has no recording of it")
    inside, more, before, after = map(int, words.groups())
    said = (
        f"32 in a step instead of 1: {before}% → {after}% of the time in the forward pass, "
        f"{inside}% → {more}% in its kernels"
    )
    return Finding(said, finding.falls(before, after))


def kv(tapes: dict[str, Tape]) -> Finding:
    """Lab 04's wall: the same engine, until no further request fits."""
    found = _event(tapes, "04", "run", "name", "the wall")
    if found is None:
        return Finding.nothing("lab 04 has no recording of it")
    held = finding.binds(found["constraint"], {Resource.KV_CAPACITY.value})
    return Finding(f"what binds once requests share a step: {_names(found)}", held)


def paging(tapes: dict[str, Tape]) -> Finding:
    """Lab 05's race: paged over contiguous, at the same bytes."""
    found = _event(tapes, "05", "reveal", "key", "double")
    if found is None or found.get("value") is None:
        return Finding.nothing("lab 05 has no recording of it")
    spread = re.search(r"\(([\d.]+) … ([\d.]+)\)", _because(found))
    low = float(spread[1]) if spread else found["value"]
    between = f" ({spread[1]} … {spread[2]})" if spread else ""
    return Finding(f"× {found['value']:.2f}{between}", finding.doubles(found["value"], low))


def delivery(tapes: dict[str, Tape]) -> Finding:
    """Lab 06: the same server with a narrow link, and without one."""
    narrow = _event(tapes, "06", "run", "name", "narrow link")
    free = _event(tapes, "06", "run", "name", "no link")
    if narrow is None or free is None:
        return Finding.nothing("lab 06 has no recording of it")
    held = finding.binds(narrow["constraint"], DELIVERY)
    if held == "holds" and free["constraint"][:1] and free["constraint"][0] not in DELIVERY:
        held = "holds, behind a narrow link"
    return Finding(f"{_names(narrow)} behind a narrow link; {_names(free)} without", held)


def convoys(tapes: dict[str, Tape]) -> Finding:
    """Lab 07: what the slowest first tokens waited for, and what another order is worth to who
    asks for little."""
    cause, order = (_event(tapes, "07", "reveal", "key", key) for key in ("cause", "mlfq"))
    told = re.search(r"the slowest .*? spent \d+% of it waiting for .*?(?=\.)", _because(cause))
    if not told or order is None or order.get("value") is None:
        return Finding.nothing("lab 07 has no recording of it")
    slowest = re.sub(r" \(by TTFT.*?\)", "", told[0]).replace(" of it ", " of their time ")
    said = (
        f"{slowest}; with who has had least served first, the "
        f"short half's p90 is × {order['value']:.1f} shorter"
    )
    return Finding(said, finding.convoy(cause["truth"], order["value"]))


def _event(tapes: dict[str, Tape], lab: str, do: str, key: str, value: str) -> dict | None:
    """The last event of that kind in a lab's recording."""
    events = tapes[lab].events if lab in tapes else ()
    return next((e for e in reversed(events) if e["do"] == do and e.get(key) == value), None)


def _because(event: dict | None) -> str:
    return str(event.get("because", "")) if event else ""


def _names(run: dict) -> str:
    known = {r.value: r.label for r in Resource}
    return " and ".join(known.get(name, name) for name in run["constraint"]) or "nothing"


def _drawn(tape: Tape, label: str, run: dict) -> Iterator[float]:
    """What the panel's timeline drew under `label` from the run before until `run` had ended."""
    at, rows = None, []
    for event in tape.events:
        if event is run:
            break
        if event["do"] == "run":
            rows.clear()
        elif event["do"] == "view":
            names = [line["label"] for line in event["view"].get("series", [])]
            at = names.index(label) if label in names else None
        elif event["do"] == "row" and at is not None:
            rows.append(event["row"][1 + at])
    yield from (x for x in rows if x is not None and math.isfinite(x))
