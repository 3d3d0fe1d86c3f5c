"""The roofline: what this machine's ceilings allow at each intensity, and where the runs are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from constraintlab.limits.resource import Resource
from constraintlab.panel.charts.theme import FIXED, WIDTH
from constraintlab.panel.numbers import finite, percent, si
from constraintlab.panel.palette import COLOURS, THEMES
from constraintlab.panel.parts import RooflinePoint

NAME = "roofline"
FAR = 0.66
"""From this part of the width on (`at`, which the page adds) a run's name stands left of it; and
where it would run over the edge."""
HEIGHT, NARROW = 195, 275
"""Pixels of the plot: its height, and its width in a notebook's column."""
WIDTHS = (NARROW, 350, 420, 490, 570, 660)
"""Pixels of its width on other pages: dots are further apart there, their names as long."""
LETTER, LINE, DOT, ASIDE = 6.2, 12, 6, 10
"""Pixels: of a name's letter and line, of a dot's radius, from a dot to its name."""
Ceilings = Sequence[tuple[str, float]]


def _drawable(*values: float | None) -> bool:
    """True where a log axis has a place for all of them, and for what they make together."""
    return all(finite(v) and 1e-40 < v < 1e40 for v in values)


def usable(ceilings: Ceilings, bandwidth: float | None) -> list[tuple[str, float]]:
    """The ceilings that can be drawn, highest first; none without a bandwidth."""
    kept = [(name, rate) for name, rate in ceilings if _drawable(rate)]
    return sorted(kept, key=lambda c: -c[1]) if _drawable(bandwidth) else []


def attainable(intensity: float, peak: float, bandwidth: float) -> float:
    """FLOP/s under the roof at an intensity (Williams et al., Roofline, 2009)."""
    return min(peak, intensity * bandwidth)


def rows(
    ceilings: Ceilings, bandwidth: float | None, points: Sequence[RooflinePoint]
) -> tuple[list[dict], list[dict]]:
    """(roof, dots): the two-part roof of each ceiling, and the points under it."""
    roofs = usable(ceilings, bandwidth)
    if not roofs:
        return [], []
    peak = roofs[0][1]
    kept = [p for p in points if _drawable(p.intensity, p.flops_per_s)]
    ridge = peak / bandwidth
    low = min([ridge / 100, *(p.intensity / 3 for p in kept)])
    high = max([ridge * 30, *(p.intensity * 8 for p in kept)])
    roof = [_corner("memory", low, low * bandwidth, Resource.BANDWIDTH),
            _corner("memory", ridge, peak, Resource.BANDWIDTH)]  # fmt: skip
    for name, rate in roofs:
        roof.append(_corner(name, rate / bandwidth, rate, Resource.COMPUTE))
        roof.append(_corner(name, high, rate, Resource.COMPUTE, f"{name} {si(rate, 'FLOP/s')}"))
    middle = math.sqrt(low * ridge)
    roof.append(_corner("slope", middle, middle * bandwidth, Resource.BANDWIDTH,
                        si(bandwidth, "B/s")))  # fmt: skip
    return roof, _dots(kept, roofs, bandwidth, low, high)


def _corner(line: str, x: float, y: float, resource: Resource, label: str = "") -> dict:
    return {"line": line, "x": x, "y": y, "key": resource.value, "label": label}


def _dots(points: Sequence[RooflinePoint], roofs: Sequence[tuple[str, float]], bandwidth: float,
          low: float, high: float) -> list:  # fmt: skip
    """The points; a name that would cover another name or a dot moves up or down beside its own."""
    ceiling, decades = roofs[0][1], math.log10(high / low)
    ys = [low * bandwidth, ceiling, *(p.flops_per_s for p in points)]
    tall = HEIGHT / (math.ceil(math.log10(max(ys))) - math.floor(math.log10(min(ys))))

    def place(p: RooflinePoint) -> tuple[float, float]:
        """The part of the width from the left, and pixels from above."""
        return math.log10(p.intensity / low) / decades, -tall * math.log10(p.flops_per_s)

    taken: dict[int, list[Box]] = {}
    for wide in WIDTHS:
        taken[wide] = boxes = [
            (at * wide - DOT, y - DOT, at * wide + DOT, y + DOT) for at, y in map(place, points)
        ]
        for name, rate in roofs:
            # The roof's own name stands on it, at the right; the line itself is crossed by none.
            long, y = LETTER * len(f"{name} {si(rate, 'FLOP/s')}"), -tall * math.log10(rate)
            ridge = wide * math.log10(rate / bandwidth / low) / decades
            boxes += [(wide - long, y - 9 - LINE / 2, wide, y), (ridge, y - 2, wide, y + 2)]
        # A name above the highest roof would seem to have beaten it.
        boxes.append((0, -math.inf, wide, -tall * math.log10(ceiling)))
    made: list[dict] = []
    for p in sorted(points, key=lambda p: (p.ghost, -p.flops_per_s)):
        dy, boxes = _beside(*place(p), p.name, taken)
        for wide, box in boxes.items():
            taken[wide].append(box)
        roof = attainable(p.intensity, ceiling, bandwidth)
        made.append(
            {
                "x": p.intensity, "y": p.flops_per_s, "name": p.name, "ghost": p.ghost,
                "roof": roof, "dy": dy,
                "why": f"{p.name}: {si(p.flops_per_s, 'FLOP/s')} at {p.intensity:.2g} FLOP per "
                f"byte, {percent(p.flops_per_s / roof)} of the roof there",
            }
        )  # fmt: skip
    return made[::-1]


Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


def _beside(
    at: float, y: float, name: str, taken: Mapping[int, Sequence[Box]]
) -> tuple[int, dict[int, Box]]:
    """How far below its dot's height a name stands, as little as it can where nothing else is at
    any width, and where that is at each."""
    long = LETTER * len(name)
    over = at > FAR or at * NARROW + ASIDE + long > NARROW
    lefts = {w: at * w - ASIDE - long if over else at * w + ASIDE for w in taken}

    def boxes(dy: int) -> dict[int, Box]:
        top, bottom = y + dy - LINE / 2, y + dy + LINE / 2
        return {w: (left, top, left + long, bottom) for w, left in lefts.items()}

    steps = [dy for n in range(9) for dy in sorted({7 * n, -7 * n}, reverse=True)]
    free = (
        dy for dy in steps
        if not any(_meet(box, other) for w, box in boxes(dy).items() for other in taken[w])
    )  # fmt: skip
    dy = next(free, 0)
    return dy, boxes(dy)


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def title(
    ceilings: Ceilings, bandwidth: float | None, points: Sequence[RooflinePoint]
) -> tuple[str, str]:
    """(finding about the newest point, what the chart shows)."""
    shows = "FLOP/s over FLOP per byte"
    roofs = usable(ceilings, bandwidth)
    if not roofs:
        return "Roofline", "no ceiling was probed yet"
    flat = [p.name for p in points if not _drawable(p.intensity, p.flops_per_s)]
    if flat:
        shows += f"; without arithmetic, not drawn: {', '.join(flat)}"
    live = [p for p in points if not p.ghost and _drawable(p.intensity, p.flops_per_s)]
    if not live:
        ridge = f"{roofs[0][1] / bandwidth:.2g}"
        return f"Above {ridge} FLOP per byte compute binds, below it bandwidth", shows
    point, peak = live[-1], roofs[0][1]
    side = Resource.BANDWIDTH if point.intensity * bandwidth < peak else Resource.COMPUTE
    roof = attainable(point.intensity, peak, bandwidth)
    share = f"{percent(point.flops_per_s / peak)} of peak"
    if side is Resource.COMPUTE:
        return f"{point.name}: {share}, under the compute roof", shows
    return (
        f"{point.name}: {share}, {percent(point.flops_per_s / roof)} of the bandwidth roof",
        shows,
    )


def chart(theme: str):
    """Log over log: the roof, this run filled with a line up to its roof, earlier runs hollow."""
    import altair as alt

    c = THEMES[theme]
    intensity = "arithmetic intensity, FLOP per byte"
    x = alt.X("x:Q", scale=alt.Scale(type="log", nice=False), title=intensity,
              axis=alt.Axis(format="~g", values=[10.0**i for i in range(-6, 7)],
                            grid=False))  # fmt: skip
    y = alt.Y("y:Q", scale=alt.Scale(type="log", nice=True), title="arithmetic, FLOP/s",
              axis=alt.Axis(format="~s", values=[10**i for i in range(3, 18)], domain=False,
                            ticks=False))  # fmt: skip
    by = alt.Color("key:N", legend=None, scale=alt.Scale(
        domain=["bandwidth", "compute"],
        range=[COLOURS[Resource.BANDWIDTH], COLOURS[Resource.COMPUTE]]))  # fmt: skip
    roof = alt.Chart(alt.NamedData(name="roof"))
    lines = roof.mark_line(strokeWidth=2.5, strokeCap="round").encode(
        x=x, y=y, color=by, detail="line:N"
    )
    lines = lines.transform_filter("datum.line != 'slope'")
    flat = roof.mark_text(align="right", dy=-9, fontSize=11, color=c["text"])
    flat = flat.encode(x=x, y=y, text="label:N").transform_filter(
        "datum.label != '' && datum.line != 'slope'"
    )
    slope = roof.mark_text(align="right", dx=-9, dy=-5, fontSize=11, color=c["text"])
    slope = slope.encode(x=x, y=y, text="label:N").transform_filter("datum.line == 'slope'")
    dots = alt.Chart(alt.NamedData(name="dots"))
    ink = alt.condition("datum.ghost", alt.value(c["quiet"]), alt.value(c["text"]))
    gap = dots.mark_rule(color=c["quiet"], strokeWidth=1, strokeDash=[2, 3])
    gap = gap.encode(x=x, y=y, y2="roof:Q").transform_filter("!datum.ghost")
    marks = dots.mark_point(size=80, strokeWidth=2, opacity=1).encode(
        x=x, y=y, stroke=ink, tooltip=alt.Tooltip("why:N"),
        fill=alt.condition("datum.ghost", alt.value(c["card"]), alt.value(c["text"])),
    )  # fmt: skip
    edge = f"datum.at * {NARROW} + {ASIDE} + {LETTER} * length(datum.name) > {NARROW}"
    side = f"datum.at > {FAR} || {edge}"
    align, dx = ({"expr": f"({side}) ? {a} : {b}"} for a, b in (("'right'", "'left'"), (-10, 10)))
    names = dots.mark_text(align=align, dx=dx, dy={"expr": "datum.dy + 1"}).encode(
        x=x, y=y, text="name:N", color=ink
    )
    return alt.layer(lines, flat, slope, gap, marks, names).properties(
        width=WIDTH, height=HEIGHT, autosize=FIXED,
        padding={"left": 56, "right": 14, "top": 18, "bottom": 40},
    )  # fmt: skip
