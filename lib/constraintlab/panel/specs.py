"""The charts' Vega-Lite specs, read from the prebuilt file: no chart library at run time."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "static" / "specs.json"


def author() -> dict[str, dict]:
    """{theme: {chart: spec}} made anew with Altair; what `build.py` stores."""
    from constraintlab.panel.charts import CHARTS
    from constraintlab.panel.charts.theme import config
    from constraintlab.panel.palette import THEMES

    return {
        theme: {c.NAME: {**c.chart(theme).to_dict(), "config": config(theme)} for c in CHARTS}
        for theme in THEMES
    }


@cache
def stored() -> dict[str, dict]:
    """The specs as they were built; do not change them."""
    return json.loads(FILE.read_text(encoding="utf-8"))
