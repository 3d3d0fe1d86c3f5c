"""`Bed`: one server, with a link where a scenario has one, on which scenarios are run in turn."""

from __future__ import annotations

import asyncio
import math
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from constraintlab.engine.virtual.counts import Counts
from constraintlab.load.record import Record
from constraintlab.load.target import Target
from constraintlab.scenarios.real import journal
from constraintlab.scenarios.real.front import Server
from constraintlab.scenarios.real.rig import Rig
from constraintlab.scenarios.real.users import Users
from constraintlab.scenarios.run import Ran, cost
from constraintlab.scenarios.scenario import Lengths, Scenario
from constraintlab.serving.link import Link

PATIENCE = 10.0
"""Seconds in which a server notices that its clients left."""


@dataclass(frozen=True)
class Own:
    """What the stack costs by itself on this machine: core-seconds of the engine for a step and
    for each sequence in it, of the front end for a token; bytes of a token on the wire."""

    schedule: float = 0.0
    sample: float = 0.0
    frame: float = 0.0
    wire: float = 0.0


class Bed:
    """Use it with `with`, or call `close`. own: see `Own`; measured as it starts."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="constraintlab-bed-")
        self._runs = 0
        self.server = Server(Rig(threads=1))
        self._link: Link | None = None
        self.own, self._rest = Own(), math.inf
        try:
            self.own = self._measure()
        except BaseException:
            self.close()
            raise

    def run(self, scenario: Scenario, seed: int) -> Ran:
        """The seed's workload. What the host costs is made as large as the scenario has it, but
        never smaller than it is by itself. RuntimeError for a request that failed."""
        self._runs += 1
        path = str(Path(self._folder.name, f"{self._runs}.journal"))
        self._change(self._rig(scenario, path))
        link = scenario.wire > 0 and math.isfinite(scenario.link)
        users = Users(Target(self._url(scenario.link if link else None), "stub"), scenario, seed)
        front = psutil.Process(self.server.pid)
        before, passed = _cpu(front), self._passed()
        asyncio.run(users.serve())
        spent, carried = _cpu(front) - before, self._passed() - passed
        if self._link:
            self._link.set(rate=None)  # what those who left would have got is in nobody's way
        failed = [r for r in users.records if r.status not in ("ok", "cancelled")]
        if failed:
            raise RuntimeError(f"{scenario.name}: {len(failed)} failed: {failed[0].error}")
        lines = journal.read(path)
        os.unlink(path)
        return _ran(scenario, users, lines, spent, carried, self._rest)

    def _rig(self, s: Scenario, path: str) -> Rig:
        own = self.own
        return Rig(
            policy=s.policy, policy_options={"watermark": s.watermark}, blocks=s.blocks,
            block_size=s.block_size, slots=s.slots, tokens=s.tokens, threads=1,
            roofline=replace(cost(s), schedule=0.0, sample=0.0),
            schedule=max(0.0, s.schedule - own.schedule), sample=max(0.0, s.sample - own.sample),
            frame=max(0.0, s.frame - own.frame), journal=path,
        )  # fmt: skip

    def _url(self, rate: float | None) -> str:
        if rate is None:
            return self.server.url
        if self._link is None:
            self._link = Link(self.server.url, rate=rate)
        else:
            self._link.set(rate=rate)
        return self._link.url

    def _passed(self) -> int:
        return self._link.stats().down if self._link else 0

    def _measure(self) -> Own:
        """With few sequences in a step and with many; first once for nothing, since the first run
        of a server is slower."""
        plain = Scenario(
            "plain", 1e12, 1e9, 6e6, 0.0, 0.0, 0.0, 0.0, 0.0, Lengths("fixed", 16),
            Lengths("uniform", 24), 8, 256, 512, users=12, wire=1.0, link=1e9, requests=120,
        )  # fmt: skip
        self.run(plain, 0)
        few, many = (self.run(replace(plain, slots=slots), 0) for slots in (2, 8))
        n, more = (r.counts.steps.sequences / r.counts.steps.steps for r in (few, many))
        seen = many.seen
        sample = min(max(0.0, seen.schedule - few.seen.schedule) / (more - n), seen.schedule / more)
        self._rest = seen.schedule - sample * more
        return Own(self._rest, sample, seen.frame, seen.wire)

    def _change(self, rig: Rig) -> None:
        """Once link and server have noticed that the clients of the run before are gone."""
        end = time.monotonic() + PATIENCE
        while self._link and self._link.stats().connections and time.monotonic() < end:
            time.sleep(0.01)
        while True:
            try:
                self.server.change(rig)
                return
            except ValueError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def close(self) -> None:
        """End all processes; may be called twice."""
        if self._link:
            self._link.close()
        self.server.close(0)
        self._folder.cleanup()

    def __enter__(self) -> Bed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _ran(
    s: Scenario, users: Users, lines: Sequence[journal.Line], spent: float, carried: int,
    rest: float,
) -> Ran:  # fmt: skip
    first, last = users.marks
    counts = journal.between(lines, users.start + first, users.start + last, s.block_size)
    tokens = sum(r.output_tokens or len(r.events) for r in users.records)
    _answered(counts, users, first, last)
    counts.queued = lines[-1].queued
    host = journal.host(lines, users.start + first, users.start + last, rest)
    seen = replace(
        s, schedule=host.step, sample=host.sequence, frame=spent / tokens,
        wire=carried / tokens if carried else s.wire,
    )  # fmt: skip
    read = sum(_between(r, first, last) for r in users.records)
    return Ran(
        read / counts.seconds, counts, int(max(x.resident for x in lines)),
        int(max(x.held for x in lines)), int(max(x.decodes + x.tokens for x in lines)), seen,
    )  # fmt: skip


def _between(record: Record, first: float, last: float) -> int:
    events = zip(record.events.times, record.events.tokens, strict=True)
    return sum(n for t, n in events if first < t <= last)


def _answered(counts: Counts, users: Users, first: float, last: float) -> None:
    """What only the clients know: which answers ended, and how many requests were open."""
    for r in users.records:
        until = r.last if r.ok else last
        counts.open += max(0.0, min(until, last) - max(r.sent, first))
        if r.ok and first < r.last <= last:
            asked = users.asked[r.index]
            counts.answered(asked.gap, asked.size, r.output_tokens)
