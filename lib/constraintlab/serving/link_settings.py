"""What a shaped link is set to, and what it says of itself: plain data for both processes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace


@dataclass(frozen=True)
class Settings:
    """rate: bytes/s from server to client, all connections together if `shared`, each its own if
    not; None for no limit, 0 to pass nothing. up_rate: the same from client to server.

    delay, jitter: seconds that bytes fly, each way, and a uniform part more; order is kept. slow:
    numbers of connections (1 is the first), each with `slow_rate` bytes/s of its own. stalls:
    (every, lasting) seconds in which nothing goes on the link, None for none. cut: bytes from the
    server after which a connection is cut. Raises ValueError or TypeError that names the fix.
    """

    rate: float | None = None
    up_rate: float | None = None
    shared: bool = True
    delay: float = 0.0
    jitter: float = 0.0
    slow: tuple[int, ...] = ()
    slow_rate: float = 0.0
    stalls: tuple[float, float] | None = None
    cut: int | None = None

    def __post_init__(self) -> None:
        for name in ("rate", "up_rate", "delay", "jitter", "slow_rate"):
            value = getattr(self, name)
            optional = name.endswith("rate") and name != "slow_rate"
            if value is None and optional:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"{name}={value!r}: give a number")
            if not 0 <= value < math.inf:
                unit = "bytes/s" if name.endswith("rate") else "seconds"
                none = ", None for no limit" if optional else ""
                raise ValueError(f"{name}={value}: give {unit}, 0 or more{none}")
        object.__setattr__(self, "slow", tuple(self.slow))
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in self.slow):
            raise ValueError(f"slow={list(self.slow)}: give numbers of connections, from 1")
        if self.stalls is not None:
            every, lasting = self.stalls
            object.__setattr__(self, "stalls", (every, lasting))
            if not 0 < lasting < every:
                raise ValueError(f"stalls={self.stalls}: give (every, lasting) with lasting below "
                                 "every, e.g. (5, 0.5)")  # fmt: skip
        if self.cut is not None and self.cut < 1:
            raise ValueError(f"cut={self.cut}: give 1 byte or more, None for no cut")

    def changed(self, **values: object) -> Settings:
        """With other values; ValueError that lists the names for one that is none of them."""
        names = [f.name for f in fields(self)]
        for name in values:
            if name not in names:
                raise ValueError(f"a link has no {name!r}: use {', '.join(names)}")
        return replace(self, **values)


@dataclass(frozen=True)
class Connection:
    """number: 1 or more, in order of arrival. up, down: bytes delivered to the server and to the
    client. waiting, flying: bytes from the server that wait in front of the link and are on it."""

    number: int
    up: int
    down: int
    waiting: int
    flying: int
    slow: bool


@dataclass(frozen=True)
class LinkStats:
    """up, down: bytes delivered since the start. rate: bytes/s to clients in the last second.

    capacity: the settings' rate. opened: connections ever; cut: by the link. waiting, flying: of
    all connections. cpu: core-seconds of the link's process. connections: the open ones.
    """

    now: float
    up: int
    down: int
    rate: float
    capacity: float | None
    opened: int
    cut: int
    waiting: int
    flying: int
    cpu: float
    connections: tuple[Connection, ...] = field(default_factory=tuple)
