"""Streams on their way to the page: two lines, five strips, and a title that states the finding."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.limits.resource import Resource
from constraintlab.panel.maps import Packed
from constraintlab.panel.numbers import finite, percent, si
from constraintlab.panel.palette import DASHES, MARKS, kind
from constraintlab.panel.streaming import Stream
from constraintlab.panel.streamtitle import LEAST, slow_of, title, wait
from constraintlab.panel.trail import shortest

STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
"""An axis ends at one of these times a power of ten."""

LEAST_QUEUE, LEAST_SLOW = 4096, 4
"""So much fills its strip at least: a few bytes on their way are no queue."""

COLUMNS = ("made", "client_itl", "full", "link_rate", "bytes_per_token",
           "writes_per_token", "queue_bytes", "slow")  # fmt: skip
"""What is kept over time, in the order in which it is sent; `made` is the server's line."""

Points = Sequence[tuple[float, ...]]


def figures(stream: Stream) -> tuple[float, ...]:
    """The columns at this moment, NaN for what can't be drawn."""
    found = (getattr(stream, name) for name in COLUMNS)
    return tuple(v if finite(v) else math.nan for v in found)


@dataclass(frozen=True)
class Strip:
    """One of the strips: name, resource or None, column, values from long to short, top.

    limit: the value at which a line is drawn for what can be had, 0 for none.
    """

    name: str
    resource: Resource | None
    column: str
    values: tuple[str, ...]
    top: float
    limit: float = 0.0

    @property
    def mark(self) -> str:
        """The resource's mark; empty where it is none."""
        return MARKS[self.resource] if self.resource else ""


def strips(stream: Stream, points: Points) -> tuple[Strip, ...]:
    """What stands under the lines, top to bottom."""

    def peak(column: str, least: float = 0.0) -> float:
        at = 1 + COLUMNS.index(column)
        return max([least, *(p[at] for p in points if finite(p[at]))])

    s, net = stream, Resource.NETWORK
    per = peak("bytes_per_token", 1.0)
    slow = peak("slow", LEAST_SLOW)
    bytes_ = (si(s.bytes_per_token, "B"),)
    return (
        Strip("link", net, "link_rate", _link(s), nice(peak("link_rate")))
        if s.full is None
        else Strip("link", net, "full", _link(s), peak("full", 1.0), 1.0),
        Strip("bytes a token", net, "bytes_per_token", bytes_, nice(per)),
        Strip("writes a token", Resource.HOST, "writes_per_token", (_writes(s.writes_per_token),),
              peak("writes_per_token", 1.0)),
        Strip("send queue", None, "queue_bytes", (si(s.queue_bytes, "B"),),
              nice(peak("queue_bytes", LEAST_QUEUE))),
        Strip("slow readers", Resource.CLIENT, "slow", (slow_of(s),), slow),
    )  # fmt: skip


def _link(s: Stream) -> tuple[str, ...]:
    rate = si(s.link_rate, "B/s")
    if s.link_capacity is None or s.link_rate is None:
        return (rate,)
    if math.isinf(s.link_capacity):
        return (f"{rate}, no limit", rate)
    whole = si(s.link_capacity, "B/s")
    (number, unit), of = rate.split(" ", 1), whole.split(" ", 1)[1]
    return (f"{number if unit == of else rate} of {whole}", f"{percent(s.full)} full", rate)


def _writes(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3g}"


def nice(value: float) -> float:
    """The end of an axis that holds `value`: not below it, and by a third above it at most."""
    if not value > 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next((unit * s for s in STEPS if unit * s >= value * 0.999), unit * 10)


def axis(points: Points) -> float:
    """Seconds at the top of the lines' axis."""
    return nice(max([LEAST, *(v for p in points for v in p[1:3] if finite(v))]))


def window(stream: Stream, points: Points) -> float:
    """Seconds to draw."""
    return shortest(stream.now - min([stream.now, *(p[0] for p in points[:1])]))


def text(stream: Stream) -> str:
    """All of it in words, for who sees no chart."""
    return f"{title(stream)[0]}. {', '.join(_facts(stream, strips(stream, ())))}."


def _facts(stream: Stream, shown: Sequence[Strip]) -> list[str]:
    lines = [f"client {wait(stream.client_itl)}", f"server {wait(stream.made)}"]
    return lines + [f"{s.name} {s.values[0]}" for s in shown]


def sources(stream: Stream) -> list[dict]:
    """Where the figures come from, by kind; `streams` where it is one for all."""
    held: dict[str, list[str]] = {}
    for name, column in NAMES.items():
        held.setdefault(kind(stream.source(column)), []).append(name)
    what = {k: ", ".join(names) if len(held) > 1 else "streams" for k, names in held.items()}
    return [{"kind": k, "what": what[k]} for k in DASHES if k in held]


NAMES = {"client": "client_itl", "server": "server_itl", "link": "link_rate",
         "bytes a token": "bytes_per_token", "writes a token": "writes_per_token",
         "send queue": "queue_bytes", "slow readers": "slow"}  # fmt: skip


def pack(stream: Stream | None, points: Points) -> Packed:
    """(head, buffers): points as 64-bit floats [t from now, COLUMNS]; an empty head for None."""
    if stream is None:
        return {}, []
    shown, top = strips(stream, points), axis(points)
    finding, shows = title(stream)
    dashes = {name: DASHES[kind(stream.source(field))] for name, field in NAMES.items()}
    values = dict(zip(NAMES, [wait(stream.client_itl), wait(stream.made),
                              *(s.values[0] for s in shown)], strict=True))  # fmt: skip
    head = {
        "finding": finding,
        "shows": shows,
        "seconds": window(stream, points),
        "facts": _facts(stream, shown),
        "top": top,
        "ticks": [wait(top), wait(top / 2), "0"],
        "lines": [
            {"name": name, "value": values[name], "dash": dashes[name], "column": column}
            for name, column in (("client", 2), ("server", 1))
        ],
        "strips": [
            {"name": s.name, "look": s.resource.value if s.resource else "",
             "mark": s.mark, "values": list(s.values),
             "top": s.top, "dash": dashes[s.name], "column": 1 + COLUMNS.index(s.column),
             "limit": s.limit}
            for s in shown
        ],
        "rows": [[n, values[n], stream.source(f)] for n, f in NAMES.items()],
        "sources": sources(stream),
    }  # fmt: skip
    raw = array("d", [x for t, *rest in points for x in (t - stream.now, *rest)])
    return head, [raw.tobytes()]
