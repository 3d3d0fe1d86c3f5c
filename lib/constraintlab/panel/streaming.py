"""`Stream`: how tokens get from the server to its clients, at one moment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from constraintlab.panel.numbers import finite
from constraintlab.telemetry.sample import Sample


@dataclass(frozen=True)
class Stream:
    """All streams at the moment `now`, in seconds; None where nothing is known.

    server_itl: seconds between two tokens of a stream where the server counts them, client_itl:
    seconds between two events at the client; means over the last moments. tokens_per_event: more
    than 1 where several tokens share an event. bytes_per_token: on the wire, framing included.
    writes_per_token: socket writes. queue_bytes: waiting to be sent, all streams together. slow:
    readers that can't keep up, of `readers`. link_rate, link_capacity: bytes/s; an infinite
    capacity is an unlimited link. sources: by field, as a sample's, `measured` where left out;
    for what is None it says `n/a: why`. Raises ValueError that names the fix.
    """

    now: float
    server_itl: float | None = None
    client_itl: float | None = None
    bytes_per_token: float | None = None
    writes_per_token: float | None = None
    queue_bytes: float | None = None
    slow: float | None = None
    readers: float | None = None
    link_rate: float | None = None
    link_capacity: float | None = None
    tokens_per_event: float | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = self.sources.keys() - set(FIELDS)
        if unknown:
            raise ValueError(f"no figure is called {', '.join(sorted(unknown))}: {FIELDS}")
        for name in FIELDS:
            value, source = getattr(self, name), self.sources.get(name, "")
            endless = value == math.inf and name != "link_capacity"
            if value is not None and (endless or not value >= 0):
                raise ValueError(f"{name}={value}: give a number of 0 or more, or None")
            if source and (value is None) != source.startswith("n/a"):
                raise ValueError(f"{name}={value} can't be {source!r}: only None is n/a, with why")

    @classmethod
    def of(cls, sample: Sample, now: float | None = None, **others) -> Stream:
        """The server's side from a `MetricsSource`'s sample; `others`: fields of the other side.

        A field given in `others` is taken instead of the sample's. now: the sample's t.
        """
        sources = dict(others.pop("sources", {}))
        values = {}
        for name, keys in FROM_SAMPLE.items():
            if name in others:
                continue
            found = [sample.values.get(key) for key in keys]
            lacking = next((k for k, v in zip(keys, found, strict=True) if v is None), None)
            values[name] = None if lacking else sum(found)
            told = lacking or keys[0]
            sources.setdefault(name, sample.sources.get(told, f"n/a: {told} is not sampled"))
        return cls(sample.t if now is None else now, **values, **others, sources=sources)

    @property
    def made(self) -> float | None:
        """Seconds in which the server makes what one event carries."""
        many = 1.0 if self.tokens_per_event is None else self.tokens_per_event
        return None if self.server_itl is None else self.server_itl * many

    @property
    def full(self) -> float | None:
        """The link's rate as a share of its capacity; None where one is unknown or unlimited."""
        if self.link_rate is None or not finite(self.link_capacity) or not self.link_capacity:
            return None
        return self.link_rate / self.link_capacity

    def source(self, name: str) -> str:
        """Where a field comes from."""
        known = "measured" if getattr(self, name) is not None else "n/a: not given"
        return self.sources.get(name, known)


FIELDS = tuple(f.name for f in fields(Stream) if f.name not in ("now", "sources"))

FROM_SAMPLE = {
    "server_itl": ("server.itl_s",),
    "bytes_per_token": ("server.bytes_per_token",),
    "writes_per_token": ("server.writes_per_token",),
    "tokens_per_event": ("server.tokens_per_event",),
    "queue_bytes": ("server.send_queue_bytes",),
    "slow": ("server.streams_coalescing", "server.streams_paused"),
    "readers": ("server.streams_open",),
}
"""The values of a sample that a field is the sum of."""
