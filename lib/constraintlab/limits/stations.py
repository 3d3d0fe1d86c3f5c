"""What tokens pass through after the engine, as stations of a pipeline: front end and link.

The third, the readers, is no station of its own: how fast a reader must be depends on how fast
its stream is, see `readers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Station


def front_end(stages: Mapping[str, float], processes: int = 1, name: str = "front end") -> Station:
    """Core-seconds a token by stage (receive, frame, write, …), done by so many processes.

    What one process does runs one after the other, so the stages add up. On a machine where the
    engine spends the same cores, give the `Stack` its `shared_cores`.
    """
    if processes < 1 or min(stages.values(), default=0.0) < 0:
        raise ValueError(
            f"{name}: {processes} processes, stages {dict(stages)}: give at least one process and "
            "core-seconds of 0 or more"
        )
    spent = sum(stages.values())
    return Station(name, Resource.HOST, spent / processes, spent, tuple(stages.items()))


def link(bytes_per_token: float, rate: float, name: str = "link") -> Station:
    """A link of `rate` bytes/s that carries so many bytes a token, framing included.

    Its delay is no part of this: a token that comes later does not keep the next one waiting.
    """
    if not rate > 0 or not bytes_per_token >= 0:
        raise ValueError(
            f"{name}: {bytes_per_token} bytes a token over {rate} bytes/s: give a rate above 0, "
            "and bytes of 0 or more"
        )
    return Station(name, Resource.NETWORK, bytes_per_token / rate)
