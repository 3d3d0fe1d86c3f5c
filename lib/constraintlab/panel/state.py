"""`PanelState`: everything that a panel shows apart from its samples, as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.limits.resource import Resource
from constraintlab.limits.verdict import Verdict
from constraintlab.panel import sentence
from constraintlab.panel.charts import roofline, timeline, worth
from constraintlab.panel.palette import COLOURS, MARKS, THEMES, edge, inks, on
from constraintlab.panel.parts import RooflinePoint, Series, StripCell

LABS = tuple(f"{i:02d}" for i in range(9))


@dataclass(frozen=True)
class PanelState:
    """What was set last; `as_dict` is what the browser and the still picture draw."""

    lab: str = ""
    title: str = "Constraint panel"
    chips: tuple[str, ...] = ()
    verdict: Verdict | None = None
    ceilings: tuple[tuple[str, float], ...] = ()
    bandwidth: float = math.nan
    points: tuple[RooflinePoint, ...] = ()
    cells: tuple[StripCell, ...] = ()

    def as_dict(
        self, series: Sequence[Series] = (), sources: Sequence[str] = (), epoch: int = 0
    ) -> dict:
        """Plain data, fit for JSON: no NaN, no infinity, however odd the numbers set."""
        v, roof = self.verdict, (self.ceilings, self.bandwidth, self.points)
        lines, dots = roofline.rows(*roof)
        return {
            "title": self.title,
            "chips": list(self.chips),
            "sentence": [p.as_dict() for p in sentence.sentence(v)],
            "titles": {worth.NAME: worth.title(v), roofline.NAME: roofline.title(*roof)},
            "worth": worth.rows(v),
            "sources": worth.sources(v),
            "roof": lines,
            "dots": dots,
            "epoch": epoch,
            "series": [timeline.line(s, n) for s, n in zip(series, sources, strict=True)],
            "strip": [self._cell(lab) for lab in LABS],
            "looks": LOOKS,
            "inks": INKS,
        }

    def text(self) -> str:
        """The verdict in words."""
        return sentence.text(sentence.sentence(self.verdict))

    def _cell(self, lab: str) -> dict:
        here = lab == self.lab
        cell = next((c for c in self.cells if c.lab == lab), None)
        if cell is None:
            return {"lab": lab, "done": False, "where": "", "note": "predict first", "here": here}
        r = cell.constraint
        colour = COLOURS[r or Resource.DEMAND]
        return {
            "lab": lab,
            "done": True,
            "where": f"{MARKS[r]} {r.label}" if r else "",
            "note": cell.note,
            "here": here,
            "colour": colour,
            "ink": on(colour),
        }


LOOKS = {
    r.value: {"colour": COLOURS[r], "edge": {theme: edge(r, theme) for theme in THEMES}}
    for r in Resource
}

INKS = {theme: inks(theme) for theme in THEMES}
