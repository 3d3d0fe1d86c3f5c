"""`Panel`: the live panel. One widget, fed from any thread, that draws while a cell is busy."""

from __future__ import annotations

import math
import threading
from array import array
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import anywidget
import traitlets

from constraintlab.limits.resource import Resource
from constraintlab.limits.verdict import Verdict
from constraintlab.panel import rows, sentence, specs
from constraintlab.panel.palette import COLOURS, MARKS, on
from constraintlab.panel.parts import RooflinePoint, Series, StripCell

CONTROLS = ("panel-pause", "panel-table")
"""Buttons on the panel; each has a browser test that it reacts."""

STATIC = Path(__file__).parent / "static"
KEEP = 300
"""Samples kept for a page that reloads: 30 s at 10 Hz."""

LABS = tuple(f"{i:02d}" for i in range(9))


class Panel(anywidget.AnyWidget):
    """Verdict, worth of each fix, roofline, timeline and migration strip, as they happen.

    lab: two digits. chips: short facts about the run, shown beside the title. sampler: a
    `telemetry.Sampler`; its samples are drawn, and it is stopped when the panel closes.
    """

    _esm = STATIC / "panel.js"
    _css = STATIC / "panel.css"
    view = traitlets.Dict().tag(sync=True)
    specs = traitlets.Dict().tag(sync=True)
    history = traitlets.Bytes(b"").tag(sync=True)

    def __init__(
        self,
        lab: str = "",
        title: str = "Constraint panel",
        chips: Sequence[str] = (),
        sampler=None,
    ) -> None:
        self._ring: deque[array] = deque(maxlen=KEEP)
        self._lock = threading.RLock()
        self._series: tuple[Series, ...] = ()
        self._labels: dict[str, str] = {}
        self._lab, self._chips, self._title = lab, tuple(chips), title
        self._verdict: Verdict | None = None
        self._roof: tuple = ((), math.nan, ())
        self._cells: tuple[StripCell, ...] = ()
        self._display = None
        super().__init__(view=self._state(), specs=specs.all_specs())
        self.sampler = sampler
        if sampler is not None:
            sampler.add_sink(self.push)

    # What a caller sets; any thread.

    def push(self, sample) -> None:
        """Draw one telemetry sample; a sampler's sink. Costs the kernel well under 1 ms."""
        with self._lock:
            row = array("d", [sample.t])
            for s in self._series:
                value = sample.values.get(s.key)
                row.append(math.nan if value is None else value / s.full)
                source = sample.sources.get(s.key, "n/a: not sampled")
                if self._labels.get(s.key) != source:
                    self._labels[s.key] = source
                    self.view = self._state()
            if self._ring and row[0] < self._ring[-1][0]:
                self._ring.clear()
            self._ring.append(row)
        if self.comm is not None:
            self.send({"kind": "frame"}, buffers=[row.tobytes()])

    def set_verdict(self, verdict: Verdict | None) -> None:
        """Show a verdict: its sentence, the worth of each fix, the shares."""
        self._verdict = verdict
        self._update()

    def set_roofline(
        self,
        ceilings: Sequence[tuple[str, float]],
        bandwidth: float,
        points: Sequence[RooflinePoint] = (),
    ) -> None:
        """ceilings: (name, FLOP/s); bandwidth in bytes/s; points: the runs under the roof."""
        self._roof = (tuple(ceilings), bandwidth, tuple(points))
        self._update()

    def set_strip(self, cells: Sequence[StripCell]) -> None:
        """The migration strip; labs without a cell read `predict first`."""
        self._cells = tuple(cells)
        self._update()

    def set_timeline(self, series: Sequence[Series]) -> None:
        """Which sample values are drawn; the lines so far are dropped when they change."""
        with self._lock:
            if tuple(series) == self._series:
                return
            self._series = tuple(series)
            self._ring.clear()
        self._update()

    def text(self) -> str:
        """The verdict in words."""
        return sentence.text(sentence.sentence(self._verdict))

    def png(self, dark: bool = False) -> bytes:
        """The panel as a picture, drawn without a browser."""
        from constraintlab.panel.still import png

        return png(self._state(), self.text(), "dark" if dark else "light")

    def close(self) -> None:
        """Stop the sampler; the panel keeps showing what it last showed."""
        if self.sampler is not None:
            self.sampler.remove_sink(self.push)
            self.sampler.stop()
        self.settle()

    def settle(self) -> None:
        """Renew the stored picture, for readers of the notebook that have no kernel."""
        if self._display is not None:
            self._display.update(self)

    def __enter__(self) -> Panel:
        if self.sampler is not None:
            self.sampler.start()
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # What the browser and the notebook file get.

    def get_state(self, key=None, drop_defaults=False):
        """The synced state; the ring buffer joins when a page asks for it, not before."""
        with self._lock:
            self._trait_values["history"] = b"".join(r.tobytes() for r in self._ring)
        return super().get_state(key=key, drop_defaults=drop_defaults)

    def _repr_mimebundle_(self, **kwargs):
        import base64

        bundle, *rest = super()._repr_mimebundle_(**kwargs)
        bundle = dict(bundle)
        bundle["text/plain"] = f"Constraint panel, lab {self._lab}: live in JupyterLab"
        bundle["image/png"] = base64.b64encode(self.png()).decode()
        return (bundle, *rest)

    def _update(self) -> None:
        with self._lock:
            self.view = self._state()

    def _state(self) -> dict:
        v = self._verdict
        roof, dots = rows.roofline(*self._roof)
        return {
            "title": self._title,
            "chips": list(self._chips),
            "sentence": [p.as_dict() for p in sentence.sentence(v)],
            "colours": {r.value: c for r, c in COLOURS.items()},
            "titles": {
                "worth": sentence.worth_title(v),
                "roofline": sentence.roofline_title(*self._roof),
            },
            "worth": rows.worth(v),
            "roof": roof,
            "dots": dots,
            "series": [self._line(s) for s in self._series],
            "strip": [self._cell(lab) for lab in LABS],
        }

    def _line(self, s: Series) -> dict:
        source = self._labels.get(s.key, "n/a: no sample yet")
        return {
            "label": s.label,
            "colour": COLOURS[s.resource] if s.resource else "",
            "mark": f"{MARKS[s.resource]} " if s.resource else "┄ ",
            "busy": s.resource is None,
            "source": source,
        }

    def _cell(self, lab: str) -> dict:
        cell = next((c for c in self._cells if c.lab == lab), None)
        if cell is None:
            return {"lab": lab, "done": False, "note": "predict first", "here": lab == self._lab}
        colour = COLOURS[cell.constraint or Resource.DEMAND]
        where = f"{MARKS[cell.constraint]} {cell.constraint.label} " if cell.constraint else ""
        return {"lab": lab, "done": True, "note": f"{where}{cell.note}", "here": lab == self._lab,
                "colour": colour, "ink": on(colour)}  # fmt: skip
