"""The request lanes in the still picture, drawn as `src/lanes.js` draws them."""

from __future__ import annotations

from collections.abc import Sequence

from constraintlab.panel.drawing import SOLID, Drawing
from constraintlab.panel.lanes import batch, pick, window
from constraintlab.panel.palette import inks
from constraintlab.panel.parts import PHASES, Lanes

ROW, STRIP, GAP = 14, 26, 8
TALL = {"prefill": (0, 5), "decode": (2, 4), "streaming": (1, 2)}
"""Tone and half the height of the phases that are solid."""


def draw(
    lanes: Lanes, trail: Sequence[tuple[float, int, int]], width: float, theme: str
) -> tuple[Drawing, float]:
    """(drawing, height): time from 0 to `width`, names left of it, how each ended right of it."""
    seconds = window(lanes, trail)
    made, ink, shown = Drawing(), inks(theme, "page"), pick(lanes)

    def x(t: float) -> float:
        return width * (1 + min(max(t - lanes.now, -seconds), 0) / seconds)

    bottom = ROW * max(6, len(shown.rows) + bool(shown.rest))
    height = bottom + 2 * (STRIP + GAP)
    for t, text, align in ((-seconds, f"−{seconds:g} s", "left"),
                           (-seconds / 2, f"−{seconds / 2:g} s", "center"),
                           (0, "now", "right")):  # fmt: skip
        at = x(lanes.now + t)
        made.line(at, 0, at, height + 4, ink["line"], under=True)
        made.words(at, height + 13, text, ink["quiet"], align)
    made.words(-8, height + 13, "time, s", ink["quiet"], "right")
    for i, row in enumerate(shown.rows):
        y, s, end = (i + 0.5) * ROW, row.strength, 0.0
        for phase, start, stop in row.lane.spans:
            if stop is None or stop > lanes.now - seconds:
                end = x(lanes.now if stop is None else stop)
                bar(made, phase, x(start), end, y, ink, s)
        # Bars fade, words do not: they must still be read.
        made.words(-8, y, row.lane.label, ink["quiet" if s < 1 else "text"], "right")
        made.words(end + 5, y, row.lane.ended, ink["quiet"])
    if shown.rest:
        made.words(0, (len(shown.rows) + 0.5) * ROW, shown.rest, ink["quiet"])
    most = max([lanes.slots, 1, *(r for _, r, _ in trail)])
    top = bottom + GAP
    level = top + STRIP * (1 - lanes.slots / most)
    made.line(0, level, width, level, ink["quiet"], [2, 2])
    running = [(t, n) for t, n, _ in trail]
    _strip(made, running, x, width, top, most, ink["tones"][1], ink["faint"][2], SOLID)
    _names(made, "running", batch(lanes), top, width, ink)
    top += STRIP + GAP
    waiting = [(t, n) for t, _, n in trail]
    peak = max([1, *(n for _, n in waiting)])
    _strip(made, waiting, x, width, top, peak, ink["quiet"], ink["line"], [3, 2])
    _names(made, "waiting", str(lanes.waiting), top, width, ink)
    _legend(made, {p for r in shown.rows for p, _, _ in r.lane.spans}, height + 34, ink)
    return made, height + 40


def bar(
    made: Drawing, phase: str, x: float, x2: float, y: float, ink: dict, strength: float = 1.0
) -> None:
    """Each phase has a tone and a shape of its own: dashed, tall, plain, thin, a line, dotted."""
    x2 = max(x2, x + 2)
    if phase == "queued":
        made.box(x + 0.5, y - 3.5, x2 - 0.5, y + 3.5, stroke=ink["quiet"], dash=[3, 2],
                 strength=strength)  # fmt: skip
    elif phase in ("preempted", "paused"):
        dash = [2, 3] if phase == "preempted" else SOLID
        made.line(x, y, x2, y, ink["quiet"], dash, 2, strength)
    else:
        tone, half = TALL[phase]
        made.box(x, y - half, x2, y + half, ink["tones"][tone], strength=strength)


def _strip(made, points, x, width, top, most, ink, fill, dash) -> None:
    """Steps from point to point up to now; equal neighbours are one, or their seams would show."""
    points = [p for i, p in enumerate(points) if not i or p[1] != points[i - 1][1]]
    ends = [*(x(t) for t, _ in points[1:]), width]
    before = top + STRIP
    for (t, n), end in zip(points, ends, strict=True):
        level = top + STRIP * (1 - n / most)
        made.box(x(t), level, end, top + STRIP, fill)
        made.line(x(t), before, x(t), level, ink, dash)
        made.line(x(t), level, end, level, ink, dash, 1.5)
        before = level
    made.line(0, top + STRIP, width, top + STRIP, ink)


def _names(made: Drawing, name: str, value: str, top: float, width: float, ink: dict) -> None:
    made.words(-8, top + STRIP / 2, name, ink["text"], "right")
    made.words(width + 8, top + STRIP / 2, value, ink["text"], weight="bold")


def _legend(made: Drawing, seen: set[str], y: float, ink: dict) -> None:
    x = 0.0
    for phase in PHASES:
        if phase in seen or phase in PHASES[:3]:
            bar(made, phase, x, x + 26, y, ink)
            made.words(x + 32, y, phase, ink["quiet"])
            x += 60 + 6.2 * len(phase)
