"""The streams in the still picture, drawn as `src/streaming.js` draws them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from constraintlab.panel.drawing import SOLID, Drawing
from constraintlab.panel.numbers import finite
from constraintlab.panel.palette import DASHES, inks, kind
from constraintlab.panel.streaming import Stream
from constraintlab.panel.streamtitle import wait
from constraintlab.panel.streamview import COLUMNS, NAMES, Points, Strip, axis, strips, window

PAD, LINES, UNDER, STRIP, GAP = 8, 96, 16, 26, 8
APART = 14
"""Between two labels at the lines' ends."""

BETWEEN, LIMIT = "waits on the way", "what the link can carry"


def draw(stream: Stream, points: Points, width: float, theme: str) -> tuple[Drawing, float]:
    """(drawing, height): time from 0 to `width`, names left of it, values right of it."""
    made, ink, seconds = Drawing(), inks(theme, "page"), window(stream, points)

    def x(t: float) -> float:
        return width * (1 + min(max(t - stream.now, -seconds), 0) / seconds)

    shown, top = strips(stream, points), axis(points)
    height = PAD + LINES + UNDER + (STRIP + GAP) * len(shown)
    for t, text, align in ((-seconds, f"−{seconds:g} s", "left"),
                           (-seconds / 2, f"−{seconds / 2:g} s", "center"),
                           (0, "now", "right")):  # fmt: skip
        at = x(stream.now + t)
        made.line(at, 0, at, height + 4, ink["line"], under=True)
        made.words(at, height + 13, text, ink["quiet"], align)
    made.words(-8, height + 13, "time, s", ink["quiet"], "right")

    def y(seconds_: float) -> float:
        return PAD + LINES * (1 - seconds_ / top)

    for part, text in ((0, "0"), (0.5, wait(top / 2)), (1, wait(top))):
        made.line(0, y(part * top), width, y(part * top), ink["line"], under=True)
        made.words(-8, y(part * top), text, ink["quiet"], "right")
    made.words(-8, y(0.75 * top), "between tokens", ink["quiet"], "right")
    _between(made, points, x, y, ink)
    ends = []
    for name, look, wide in (("client", "text", 2.0), ("server", "quiet", 1.5)):
        dash = DASHES[kind(stream.source(NAMES[name]))]
        column = 2 if name == "client" else 1
        _line(made, points, column, x, y, ink[look], dash, wide)
        last = points[-1][column] if points else 0.0
        value = stream.client_itl if name == "client" else stream.made
        ends.append([y(last if finite(last) else 0.0), f"{name} {wait(value)}", look])
    for at, text, look in _apart(ends):
        made.words(width + 8, at, text, ink[look], weight="bold")
    under = PAD + LINES + UNDER
    for s in shown:
        _strip(made, s, stream, points, x, under, width, ink)
        under += STRIP + GAP
    _legend(made, height + 34, any(s.limit for s in shown), ink)
    return made, height + 40


def _held(points: Points, column: int, x) -> Iterator[tuple[float, float, float]]:
    """(from, to, value) as long as a figure stays the same, where it is known."""
    begun = None
    for p, after in zip(points, [*points[1:], None], strict=True):
        v, to = p[column], x(after[0] if after else p[0])
        if begun is not None and v == begun[2]:
            begun = (begun[0], to, v)
            continue
        if begun is not None:
            yield begun
        begun = (x(p[0]), to, v) if finite(v) else None
    if begun is not None:
        yield begun


def _line(made: Drawing, points, column, x, y, ink, dash=SOLID, wide=1.5) -> None:
    before = None
    for x0, x1, v in _held(points, column, x):
        if before is not None and before[0] == x0:
            made.line(x0, y(before[1]), x0, y(v), ink, dash, wide)
        made.line(x0, y(v), x1, y(v), ink, dash, wide)
        before = (x1, v)


def _between(made: Drawing, points: Points, x, y, ink: dict) -> None:
    """What the client waits beyond what the server takes."""
    for (t, server, client, *_), (to, *_) in pairwise(points):
        if client > server:
            made.box(x(t), y(client), x(to) + 0.5, y(server), ink["line"])


def _apart(ends: list[list]) -> list[list]:
    """Labels moved apart where they would cover each other."""
    low, high = sorted(ends, key=lambda e: -e[0])
    if low[0] - high[0] < APART:
        high[0] = min(high[0], PAD + LINES - APART)
        low[0] = high[0] + APART
    return [low, high]


def _strip(made: Drawing, s: Strip, stream: Stream, points, x, top, width, ink: dict) -> None:
    look = ink["looks"][s.resource.value if s.resource else ""]

    def y(value: float) -> float:
        return top + STRIP * (1 - value / s.top)

    for x0, x1, v in _held(points, 1 + COLUMNS.index(s.column), x):
        made.box(x0, y(v), x1 + 0.5, top + STRIP, look["faint"])
    if s.limit:
        made.line(0, y(s.limit), width, y(s.limit), ink["quiet"], [2, 2])
    dash = DASHES[kind(stream.source(NAMES[s.name]))]
    _line(made, points, 1 + COLUMNS.index(s.column), x, y, look["edge"], dash)
    made.line(0, top + STRIP, width, top + STRIP, look["edge"])
    made.words(-8, top + STRIP / 2, s.name, ink["text"], "right")
    made.words(-98, top + STRIP / 2, s.mark, look["edge"], "right")
    made.words(width + 8, top + STRIP / 2, s.values[0], ink["text"], weight="bold")


def _legend(made: Drawing, y: float, limited: bool, ink: dict) -> None:
    made.box(0, y - 5, 26, y + 5, ink["line"])
    made.words(32, y, BETWEEN, ink["quiet"])
    if limited:
        made.line(140, y, 166, y, ink["quiet"], [2, 2])
        made.words(172, y, LIMIT, ink["quiet"])
