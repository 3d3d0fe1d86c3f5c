"""The resources that can bind: the vocabulary of every lab, chart and verdict."""

from __future__ import annotations

from enum import StrEnum


class Resource(StrEnum):
    """What a serving stack can run out of.

    `compute`, `bandwidth`, `pages` and `host` are paid in time; `kv_capacity` and `slots`
    are room; `network` and `client` are stations after the engine; `demand` is the offered
    load, which binds when nothing else does.
    """

    COMPUTE = "compute"
    BANDWIDTH = "bandwidth"
    PAGES = "pages"
    KV_CAPACITY = "kv_capacity"
    SLOTS = "slots"
    HOST = "host"
    NETWORK = "network"
    CLIENT = "client"
    DEMAND = "demand"

    @property
    def label(self) -> str:
        """The name a person reads: `KV capacity`, `offered load`, `fresh pages`."""
        return _LABELS.get(self, self.value)


def bind(*resources: Resource) -> str:
    """The verb for them: `compute binds`, `slots bind`, `host and client bind`."""
    return "bind" if len(resources) > 1 or PLURAL.intersection(resources) else "binds"


PLURAL = {Resource.PAGES, Resource.SLOTS}

_LABELS = {
    Resource.KV_CAPACITY: "KV capacity",
    Resource.DEMAND: "offered load",
    Resource.PAGES: "fresh pages",
}
