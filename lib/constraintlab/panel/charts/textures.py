"""What tells causes apart in a bar: a resource's colour and mark, or a neutral tone and a texture.

Vega-Lite has no patterns, so hatching is drawn line by line, in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from constraintlab.limits.resource import Resource
from constraintlab.panel.drawing import Drawing
from constraintlab.panel.palette import COLOURS, MARKS, THEMES, TONES, edge

BAR = 13
"""Pixels of a bar's height."""

PERIOD = 6
"""Pixels from one line of a hatching to the next."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True)
class Texture:
    """How one cause is filled. hatch: 1 for lines that rise to the right, -1 for falling ones.

    tall: its part of a bar's height. mark: of the resource, if it is one.
    """

    fill: str
    edge: str
    hatch: int = 0
    dash: tuple[int, ...] = (1, 0)
    tall: float = 1.0
    mark: str = ""


def textures(resources: Sequence[Resource | None], theme: str) -> list[Texture]:
    """One for each cause; the neutral ones in turn. Raises ValueError if there are too many."""
    made, neutral = [], _neutral(theme)
    for r in resources:
        if r is not None:
            made.append(Texture(COLOURS[r], edge(r, theme), mark=MARKS[r]))
            continue
        texture = next(neutral, None)
        if texture is None:
            lots = sum(r is None for r in resources)
            raise ValueError(
                f"{lots} causes that are no resource occur: textures tell 7 apart, so give some of "
                "them one name, or a resource"
            )
        made.append(texture)
    return made


def _neutral(theme: str) -> Iterator[Texture]:
    dark, middle, light = TONES[theme]
    none = "transparent"
    yield Texture(light, light)
    yield Texture(none, middle, hatch=1)
    yield Texture(dark, dark)
    yield Texture(none, middle)
    yield Texture(none, dark, hatch=-1)
    yield Texture(none, middle, dash=(3, 2))
    yield Texture(middle, middle, tall=0.4)


def hatching(box: Box, rises: int) -> list[Box]:
    """The lines of a hatching inside a box, at 45°; they meet those of a box beside it."""
    left, top, right, bottom = box
    # Along a line x + y (rising, for y points down) or x - y stays the same.
    ends = (left + top, right + bottom) if rises > 0 else (left - bottom, right - top)
    made = []
    for k in range(int(-(-ends[0] // PERIOD)), int(ends[1] // PERIOD) + 1):
        at = k * PERIOD
        spans = (at - bottom, at - top) if rises > 0 else (at + top, at + bottom)
        x0, x1 = max(left, spans[0]), min(right, spans[1])
        if x1 > x0:
            made.append((x0, at - x0, x1, at - x1) if rises > 0 else (x0, x0 - at, x1, x1 - at))
    return made


def legend(entries: Sequence[tuple[str, Texture]], more: str, width: float, theme: str) -> dict:
    """What each texture means, in lines of this width, as a Vega-Lite chart; `more` comes last."""
    made, c, x, y = Drawing(), THEMES[theme], 0.0, 9.0
    for words, look in entries:
        said = f"{look.mark} {words}".strip()
        if x and x + 42 + 6.6 * len(said) > width:
            x, y = 0.0, y + 20
        half = BAR * look.tall / 2
        box = (x, y - half, x + 26, y + half)
        made.box(*box, look.fill, look.edge, list(look.dash))
        for line in hatching(box, look.hatch) if look.hatch else ():
            made.line(*line, look.edge)
        made.words(x + 33, y, said, c["text"])
        x += 58 + 6.6 * len(said)
    made.words(x, y, more, c["text"])
    return made.chart(width, y + 9, {})
