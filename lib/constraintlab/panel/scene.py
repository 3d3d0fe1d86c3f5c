"""`Scene`: the views on canvases. Whoever sets them returns at once; the page gets the newest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from constraintlab.panel import lanes as lanes_
from constraintlab.panel import latencyview, streamview
from constraintlab.panel import maps as maps_
from constraintlab.panel.kvmap import KVMap
from constraintlab.panel.latency import Latency
from constraintlab.panel.parts import Lanes
from constraintlab.panel.streaming import Stream
from constraintlab.panel.trail import Trail

GAP = 0.08
"""Least seconds between two messages of a view: an engine sets them at every step."""

VIEWS = ("maps", "lanes", "stream", "latency")

Send = Callable[[dict, list[bytes]], object]


class Scene:
    """What the KV maps, lanes, streams and latencies show, each packed and sent at most every GAP.

    What came too early is sent when the gap is over, by a timer's thread, so nothing set last is
    ever lost; what did not change is not sent again. Guard it with the `lock` given: `send` is
    called under it. clock in seconds; timer: as `threading.Timer`.
    """

    def __init__(
        self,
        send: Send,
        lock: threading.RLock,
        clock: Callable[[], float] = time.monotonic,
        timer: Callable[..., threading.Timer] = threading.Timer,
    ) -> None:
        self.maps: tuple[KVMap, ...] = ()
        self.lanes: Lanes | None = None
        self.stream: Stream | None = None
        self.latency: Latency | None = None
        self.trail, self.flow = Trail(), Trail()
        self._send, self._lock, self._clock, self._timer = send, lock, clock, timer
        self._sent: dict[str, tuple[float, maps_.Packed]] = {}
        self._due: dict[str, threading.Timer] = {}

    def set_maps(self, maps: Sequence[KVMap] | None) -> None:
        """See `Panel`."""
        maps = tuple(maps or ())
        if len(maps) > 2:
            raise ValueError(f"{len(maps)} pools: the map draws one, or two side by side")
        with self._lock:
            self.maps = maps
            self._offer("maps")

    def set_lanes(self, lanes: Lanes | None) -> None:
        """See `Panel`."""
        with self._lock:
            self.lanes = lanes
            if lanes is None:
                self.trail = Trail()
            else:
                self.trail.add(lanes.now, lanes.running, lanes.waiting)
            self._offer("lanes")

    def set_stream(self, stream: Stream | None) -> None:
        """See `Panel`."""
        with self._lock:
            self.stream = stream
            if stream is None:
                self.flow = Trail()
            else:
                self.flow.add(stream.now, *streamview.figures(stream))
            self._offer("stream")

    def set_latency(self, latency: Latency | None) -> None:
        """See `Panel`."""
        with self._lock:
            self.latency = latency
            self._offer("latency")

    def state(self) -> dict:
        """All of it as a page that reloads gets it: {view: [head, [bytes …]]}."""
        with self._lock:
            return {view: list(self._pack(view)) for view in VIEWS}

    def flush(self) -> None:
        """Send now what waits for its gap to end."""
        with self._lock:
            for view in list(self._due):
                self._tell(view)

    def _pack(self, view: str) -> maps_.Packed:
        if view == "maps":
            return maps_.pack(self.maps)
        if view == "lanes":
            return lanes_.pack(self.lanes, self.trail.points())
        if view == "stream":
            return streamview.pack(self.stream, self.flow.points())
        return latencyview.pack(self.latency)

    def _offer(self, view: str) -> None:
        """Send now, or when the gap is over; a timer under way will take what is newest then."""
        if view in self._due:
            return
        wait = GAP - (self._clock() - self._sent[view][0]) if view in self._sent else 0.0
        if wait <= 0:
            self._tell(view)
            return
        self._due[view] = timer = self._timer(wait, self._late, (view,))
        timer.daemon = True
        timer.start()

    def _late(self, view: str) -> None:
        with self._lock:
            if view in self._due:
                self._tell(view)

    def _tell(self, view: str) -> None:
        timer = self._due.pop(view, None)
        if timer is not None:
            timer.cancel()
        packed = self._pack(view)
        before = self._sent.get(view)
        self._sent[view] = self._clock(), packed
        if before is None or packed != before[1]:
            head, buffers = packed
            self._send({view: head}, buffers)
