"""What all charts share: fonts, quiet axes, no frame and no background of their own."""

from __future__ import annotations

from constraintlab.panel.palette import THEMES

FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"

WIDTH = 400
"""Of a plot until the browser knows the card's."""

TICK = (
    "datum.value >= 0.999 ? format(datum.value, '~g') + ' s' : datum.value >= 0.000999 ? "
    "format(datum.value * 1e3, '.0f') + ' ms' : format(datum.value * 1e6, '.0f') + ' µs'"
)
"""The label of a number of seconds on an axis: `50 ms`, `2 s`."""

FIXED = {"type": "none"}
"""Plot plus padding is the canvas, whatever the labels: nothing shifts as they change."""


def config(theme: str) -> dict:
    """The Vega-Lite configuration of a theme."""
    c = THEMES[theme]
    return {
        "background": None,
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": c["quiet"], "titleColor": c["quiet"], "gridColor": c["line"],
            "domainColor": c["line"], "tickColor": c["line"], "labelFontSize": 11,
            "titleFontSize": 11, "titleFontWeight": "normal",
        },
        "text": {"color": c["text"], "fontSize": 12},
        "title": {"color": c["text"], "subtitleColor": c["quiet"], "anchor": "start"},
    }  # fmt: skip


def part(chart) -> dict:
    """An Altair chart as a part of another spec: its data beside its marks, nothing for the top."""
    import altair as alt

    with alt.data_transformers.enable(consolidate_datasets=False):
        made = chart.to_dict()
    return {key: value for key, value in made.items() if key not in ("$schema", "config")}
