"""The tables of lab 06, each from what was on the wire, counted, or timed."""

from __future__ import annotations

from collections.abc import Mapping

from constraintlab.course.show import Table
from constraintlab.course.slow_reader import STATES, Stalled
from constraintlab.course.told import Told
from constraintlab.course.wiretap import PACKET, PARTS, Event
from constraintlab.panel.numbers import si
from constraintlab.panel.streamtitle import wait

STAGES = (
    ("schedule", "engine"), ("draw", "engine"), ("detokenise", "engine"), ("emit", "engine"),
    ("receive", "front end"), ("frame", "front end"), ("write", "front end"),
)  # fmt: skip
"""Of a token's way, and the process that does it."""


def events(seen: Mapping[str, tuple[Event, int]]) -> Table:
    """What an event is made of. seen: by name an event and the tokens that it carries."""
    rows = [(part, *(f"{e.sizes()[part]}" for e, _ in seen.values())) for part in PARTS]
    rows.append(("together", *(f"{len(e.raw)}" for e, _ in seen.values())))
    rows.append(("a token", *(f"{len(e.raw) / n:.0f}" for e, n in seen.values())))
    rows.append(("and a packet", *(f"{(len(e.raw) + PACKET) / n:.0f}" for e, n in seen.values())))
    note = f"and a packet: with {PACKET} bytes of TCP and IP, if each event is one; not measured."
    return Table(("bytes of an event", *seen), rows, note)


def runs(*told: Told) -> Table:
    """Runs side by side: from the first send to the last token, unless a row says otherwise."""
    rows = {
        "tok/s at the clients": lambda t: f"{t.rate:,.0f}",
        "while nearly all streams were open": lambda t: f"{t.ran.rate.value:,.0f}",
        "predicted for that": lambda t: f"{t.verdict.predicted:,.0f}",
        "tokens an event": lambda t: f"{t.ran.all.tokens_per_event:.1f}",
        "bytes a token": lambda t: f"{t.ran.wire_bytes:.0f}",
        "first token, median": lambda t: wait(t.ran.report.ttft[50]),
        "whole answer, median": lambda t: wait(t.ran.report.e2e[50]),
        "engine in its forward pass": lambda t: f"{t.ran.all.window.forward:.0%}",
        "binds": lambda t: " and ".join(r.label for r in t.verdict.constraint),
    }
    return Table(
        ("", *(t.name for t in told)), [(what, *(of(t) for t in told)) for what, of in rows.items()]
    )


def stages(*told: Told) -> Table:
    """Microseconds of one core that a token costs, by what is done for it."""
    rows = [
        (f"{name} ({where})", *(f"{_spent(t, name):.2f}" for t in told)) for name, where in STAGES
    ]
    rows.append(("event loop (front end)", *(f"{_loop(t):.2f}" for t in told)))
    rows.append(("reading it (client)", *(f"{_read(t):.2f}" for t in told)))
    return Table(("µs a token", *(t.name for t in told)), rows)


def _spent(told: Told, stage: str) -> float:
    own, name = frozenset({("stage", stage)}), "constraintlab:host_seconds_total"
    first, last = told.ran.moments[0].scrape, told.ran.moments[-1].scrape
    grown = sum(last.values(name, own)) - sum(first.values(name, own))
    return 1e6 * grown / max(1.0, told.ran.all.tokens)


def _loop(told: Told) -> float:
    done = told.ran.all
    return 1e6 * done.spent["loop"] / max(1.0, done.tokens)


def _read(told: Told) -> float:
    return 1e6 * told.ran.spent.client / max(1.0, told.ran.output)


def slow(found: Stalled) -> Table:
    """One that stood still, and the others."""
    before, meanwhile = found.itl(False), found.itl(True)
    seen = {name: found.state(name) for name in STATES}
    rows = [
        ("others wait for a token, p99, before", wait(before[99])),
        ("others, meanwhile", wait(meanwhile[99])),
        ("the slow one waited for one event", wait(found.waited)),
        *((f"its stream was first seen {name}", "never" if at is None else f"after {at:.1f} s")
          for name, at in seen.items()),
        ("most that waited for it in the server", si(found.queued, "B")),
        ("its largest event, once it read again", f"{found.largest} tokens"),
        ("its answer, of all tokens", _whole(found)),
    ]  # fmt: skip
    return Table((f"one of {len(found.others) + 1} readers stands still", ""), rows)


def _whole(found: Stalled) -> str:
    asked = max(r.output_tokens for r in found.others)
    return f"{found.slow.output_tokens:,} of {asked:,}"


def intervals(target: float, *told: Told) -> Table:
    """What an interval costs and what its readers wait."""
    rows = []
    for t in told:
        itl, done = t.ran.report.itl, t.ran.all
        spent = 1e6 * sum(done.spent.values()) / max(1.0, done.tokens)
        rows.append(
            (
                t.name, wait(itl[50]), wait(itl[99]), "yes" if itl[99] <= target else "no",
                f"{spent:.1f}", f"{t.ran.wire_bytes:.0f}", f"{t.rate:,.0f}",
            )
        )  # fmt: skip
    heads = ("tokens an event", "wait, median", "wait, p99", f"p99 within {wait(target)}",
             "front end, µs a token", "bytes a token", "tok/s")  # fmt: skip
    return Table(heads, rows)


def gaps(told: Told) -> list[list[float]]:
    """Of each answer, the times between its tokens; of a run with one token an event."""
    return [r.gaps for r in told.ran.records if len(r.gaps) > 1]
