"""The whole story as data: one workload, every fix one flag, and beside each fix a decoy.

The model is little but attention, and its link and its KV pool are narrow, so that every resource
gets its turn on two cores within minutes; what binds is measured, not set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from constraintlab.course.line import Plan
from constraintlab.engine.setup import Setup
from constraintlab.load.arrivals import Uniform
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.text import Text
from constraintlab.load.workload import Workload

MODEL, LONGEST, BLOCK = "slim", 8192, 16
RESERVED = 2
"""Reservations of the longest request that the KV pool holds."""

LINK = 480e3
"""Bytes/s to all readers together: 3.8 Mbit/s."""

REQUESTS, PROMPTS, ANSWERS = 30, (1500, 1750, 2000), (64, 165, 512)
"""Of prompts and answers the shortest, median and longest, in tokens."""


@dataclass(frozen=True)
class Flags:
    """How a request is served, flag by flag. rung: of the prompts' attention."""

    rung: str = "naive"
    slots: int = 1
    kv: str = "contiguous"
    interval: int = 1
    blocks: int = RESERVED * LONGEST // BLOCK
    link: float = LINK

    def plan(self, name: str) -> Plan:
        """As a server behind a link, on a CPU. One thread: the engine has a core, the rest share
        another."""
        setup = Setup(
            MODEL, kv=self.kv, policy="continuous", blocks=self.blocks, slots=self.slots,
            tokens=LONGEST, threads=1, words=True, attention={"prefill": self.rung},
            device="cpu",
        )  # fmt: skip
        return Plan(
            name, setup, {"stream_interval": self.interval, "queue": 1024}, {"rate": self.link}
        )


@dataclass(frozen=True)
class Chapter:
    """A stage of the story: the flags that its fix changes, and a decoy's, both on what is before.

    decoy: a good fix to something that does not bind there.
    """

    name: str
    fix: Mapping[str, object] = field(default_factory=dict)
    decoy_name: str = ""
    decoy: Mapping[str, object] = field(default_factory=dict)


COALESCED = {"interval": 8}
CHAPTERS = (
    Chapter("naive", {}, "coalesced streaming", COALESCED),
    Chapter("workspace", {"rung": "workspace"}, "coalesced streaming", COALESCED),
    Chapter("fused", {"rung": "fused"}, "twice the KV pool", {"blocks": 2 * RESERVED * 512}),
    Chapter("flash", {"rung": "flash"}, "paged KV", {"kv": "paged"}),
    Chapter("batching", {"slots": 32}, "a link ten times as fast", {"link": 10 * LINK}),
    Chapter("paged", {"kv": "paged"}, "twice the KV pool", {"blocks": 2 * RESERVED * 512}),
    Chapter("coalesced", COALESCED, "a link ten times as fast", {"link": 10 * LINK}),
)
"""In order; each fix is added to those before."""


def chapters() -> list[tuple[Chapter, Flags, Flags]]:
    """Every chapter with its flags, and with its decoy's on top."""
    found, flags = [], Flags()
    for chapter in CHAPTERS:
        flags = replace(flags, **chapter.fix)
        found.append((chapter, flags, replace(flags, **chapter.decoy)))
    return found


def workload(text: Text, requests: int = REQUESTS) -> Workload:
    """The same requests for every stage, all there within a moment."""
    prompt = _around(PROMPTS, 0.08)
    answer = _around(ANSWERS, 0.4)
    return Workload(Uniform(1000.0), Profile("story", prompt, answer), limit=requests, text=text)


def _around(tokens: tuple[int, int, int], deviation: float) -> Lengths:
    low, middle, high = tokens
    return Lengths(((1.0, math.log(middle), deviation),), low, high)
