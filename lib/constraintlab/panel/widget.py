"""`Panel`: the live panel. One widget, fed from any thread, that draws while a cell is busy."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import anywidget
import traitlets

from constraintlab.limits.verdict import Verdict
from constraintlab.panel import latencytitle, streamview
from constraintlab.panel.kvmap import KVMap
from constraintlab.panel.latency import Latency
from constraintlab.panel.parts import Lanes, RooflinePoint, Series, StripCell
from constraintlab.panel.picture import spoken
from constraintlab.panel.ring import Ring
from constraintlab.panel.scene import Scene
from constraintlab.panel.state import PanelState
from constraintlab.panel.streaming import Stream

CONTROLS = ("panel-pause", "panel-table")
"""Buttons on the panel; each has a browser test that it reacts."""

STATIC = Path(__file__).parent / "static"
RELABEL = 1.0
"""Least seconds between two updates because a value's source changed."""

Listener = Callable[["Panel", dict, list[bytes]], object]

LISTENERS: list[Listener] = []
"""Each gets what any panel's pages get, as it is: (panel, message, buffers), and for a changed
view (panel, {"view": view}, []). Called under the panel's lock; must return at once."""


class Panel(anywidget.AnyWidget):
    """Verdict, worth of each fix, roofline, timeline and migration strip, as they happen.

    With `set_maps` and `set_lanes` also the blocks of KV pools and the requests over time; with
    `set_stream` how tokens get to the clients; with `set_latency` how long requests took.

    lab: two digits. chips: short facts about the run, shown beside the title. sampler: a
    `telemetry.Sampler`, or anything with its `start`, `stop`, `add_sink` and `remove_sink`;
    its samples are drawn, and it is stopped when the panel closes. With `with`, it is also
    started.
    """

    _esm = STATIC / "panel.js"
    _css = STATIC / "panel.css"
    view = traitlets.Dict().tag(sync=True)
    history = traitlets.Bytes(b"").tag(sync=True)
    scene = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        lab: str = "",
        title: str = "Constraint panel",
        chips: Sequence[str] = (),
        sampler=None,
    ) -> None:
        self._lock = threading.RLock()
        self._ring = Ring()
        self._scene = Scene(self._post, self._lock)
        self._relabelled = 0.0
        self._told: tuple[str, ...] = ()
        self._state = PanelState(lab=lab, title=title, chips=tuple(chips))
        super().__init__(view=self._state.as_dict())
        self._heard({"view": self.view}, [])
        self.sampler = sampler
        if sampler is not None:
            sampler.add_sink(self.push)

    def push(self, sample) -> None:
        """Draw one telemetry `Sample`; a sampler's sink, callable from any thread."""
        with self._lock:
            frame, epoch = self._ring.add(sample), self._ring.epoch
            due = abs(sample.t - self._relabelled) >= RELABEL or len(self._ring) == 1
            if self._ring.sources != self._told and due:
                self._relabelled = sample.t
                self._update()
            self._post({"e": epoch}, [frame])

    def set_verdict(self, verdict: Verdict | None) -> None:
        """Show a verdict: its sentence, the worth of each fix, the shares."""
        self._set(verdict=verdict)

    def set_roofline(
        self,
        ceilings: Sequence[tuple[str, float]],
        bandwidth: float,
        points: Sequence[RooflinePoint] = (),
    ) -> None:
        """ceilings: (name, FLOP/s); bandwidth in bytes/s; points: the runs under the roof."""
        self._set(ceilings=tuple(ceilings), bandwidth=bandwidth, points=tuple(points))

    def set_strip(self, cells: Sequence[StripCell]) -> None:
        """The migration strip; labs without a cell read `predict first`."""
        self._set(cells=tuple(cells))

    def set_timeline(self, series: Sequence[Series]) -> None:
        """Which sample values are drawn; the lines so far are dropped when they change."""
        with self._lock:
            if tuple(series) != self._ring.series:
                self._ring.start(series)
                self._update()

    def set_maps(self, maps: Sequence[KVMap] | None) -> None:
        """Show one KV pool, or two side by side; None or nothing takes the view away.

        From any thread, as often as you like: the page gets the newest, some ten times a second.
        """
        self._scene.set_maps(maps)

    def set_lanes(self, lanes: Lanes | None) -> None:
        """Show the requests over time, and the batch and the queue; otherwise as `set_maps`."""
        self._scene.set_lanes(lanes)

    def set_stream(self, stream: Stream | None) -> None:
        """Show a token's way to the client, over the last seconds; otherwise as `set_maps`."""
        self._scene.set_stream(stream)

    def set_latency(self, latency: Latency | None) -> None:
        """Show how long requests took, as curves with percentiles; otherwise as `set_maps`.

        Give all samples each time; there is nothing to see before the first.
        """
        self._scene.set_latency(latency)

    def text(self) -> str:
        """The verdict in words, and below it the streams and latencies if they are shown."""
        stream, latency, told = self._scene.stream, self._scene.latency, [self._state.text()]
        if stream:
            told.append(streamview.text(stream))
        if latency and latency.drawn:
            told.append(latencytitle.text(latency))
        return "\n".join(told)

    def png(self, dark: bool = False) -> bytes:
        """The panel as a picture, drawn without a browser."""
        from constraintlab.panel.still import Canvases, png

        with self._lock:
            ring = self._ring
            parts = (self._view(), self._state.text(), ring.series, ring.shares(), ring.sources)
            scene = self._scene
            canvases = Canvases(
                scene.maps, scene.lanes, scene.trail.points(), scene.stream, scene.flow.points(),
                scene.latency,
            )  # fmt: skip
        return png(*parts, "dark" if dark else "light", canvases=canvases)

    def close(self) -> None:
        """Stop the sampler; the panel goes on showing what it showed last."""
        self._scene.flush()
        if self.sampler is not None:
            self.sampler.remove_sink(self.push)
            self.sampler.stop()

    def __enter__(self) -> Panel:
        if self.sampler is not None:
            self.sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_state(self, key=None, drop_defaults=False):
        """The synced state. Ring and scene join it only when a page that reloads asks."""
        with self._lock:
            if key is None:
                self._trait_values["history"] = self._ring.tobytes()
                self._trait_values["scene"] = self._scene.state()
            return super().get_state(key=key, drop_defaults=drop_defaults)

    def _repr_mimebundle_(self, **kwargs):
        bundle, *rest = super()._repr_mimebundle_(**kwargs)
        lab = f"lab {self._state.lab} · " if self._state.lab else ""
        still = {
            "text/plain": f"Constraint panel · {lab}open in JupyterLab, or see panel.text()",
            "image/png": base64.b64encode(self.png()).decode(),
        }
        metadata = {**(rest[0] if rest else {}), **spoken(self.text())}
        return {**bundle, **still}, metadata

    def _post(self, content: dict, buffers: list[bytes]) -> None:
        self._heard(content, buffers)
        if self.comm is not None:
            self.send(content, buffers=buffers)

    def _heard(self, content: dict, buffers: list[bytes]) -> None:
        for listener in LISTENERS:
            listener(self, content, buffers)

    def _set(self, **parts) -> None:
        with self._lock:
            self._state = replace(self._state, **parts)
            self._update()

    def _update(self) -> None:
        self._told = self._ring.sources
        self.view = self._view()
        self._heard({"view": self.view}, [])

    def _view(self) -> dict:
        return self._state.as_dict(self._ring.series, self._ring.sources, self._ring.epoch)
