"""Lab 08's stage: tiers under load beneath the panel, on Ray Serve, or else on the virtual clock.

Each run goes through the virtual clock as well, so that what was modelled stands beside what was
measured. Where no tiers can run, the panel shows the virtual clock's requests, and says so.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping

from constraintlab.course import tier_cluster, tiers_virtual
from constraintlab.course.roof import Roof
from constraintlab.course.show import Text
from constraintlab.course.tier_cluster import TierCluster
from constraintlab.course.tiers import SETUP, STEP, Tiered, Tiers, verdict
from constraintlab.course.tiers_virtual import Passed
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource
from constraintlab.load.fleet import Fleet
from constraintlab.panel import Lane, Lanes, Panel, Series
from constraintlab.telemetry.host import HostSource
from constraintlab.telemetry.sampler import Sampler
from constraintlab.telemetry.source import Reading, all_absent

NAMES = ("tiers.prefill_share", "tiers.decode_share", "tiers.tokens_per_s")
UNSEEN = "nothing runs"

REPLAY = 2.0
"""Seconds in which the panel shows a run of the virtual clock, however long that took there."""

BEAT = 0.1

BUDGET = 60.0
"""Seconds that a run on Ray may take, new replicas and all, before the lab goes on without it."""


class TierSource:
    """The tiers as telemetry; `set` from any thread."""

    name = "tiers"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nothing runs."""
        self._readings: Mapping[str, Reading] = all_absent(NAMES, UNSEEN)

    def set(self, prefill: float, decode: float, rate: float, source: str) -> None:
        """Shares of replicas and of slots that are taken, and tokens/s."""
        values = zip(NAMES, (prefill, decode, rate), strict=True)
        self._readings = {name: Reading(value, source) for name, value in values}

    def read(self) -> Mapping[str, Reading]:
        """See `Source`."""
        return self._readings

    def close(self) -> None:
        """Nothing was opened."""


class TierStage:
    """A panel over the tiers. Ray starts in the background at once, where it is installed; `why`
    says what stands in the way, and is empty where tiers run."""

    def __init__(self, lab, cluster: Callable[[], TierCluster] = TierCluster) -> None:
        self.lab, self.source = lab, TierSource()
        known = lab.capacities  # before Ray starts, lest the one slow the other's probe
        self.why = tier_cluster.missing()
        self._cluster = None if self.why else cluster().begin()
        self._waited = False
        self.sampler = Sampler([HostSource(), self.source])
        chips = ("tiers on Ray Serve", f"device time simulated, {1000 * STEP:.0f} ms a step")
        if self.why:
            chips = ("modelled · virtual clock", *chips[1:])
        self.panel = Panel(lab=lab.number, chips=chips, sampler=self.sampler)
        self.panel.set_strip(lab.strip())
        Roof(self.panel).draw(known)
        self.panel.set_timeline([
            Series(NAMES[1], "decode slots taken", Resource.SLOTS),
            Series(NAMES[0], "prefill replicas busy", Resource.COMPUTE),
            Series("host.cpu_percent", "this machine's cores", Resource.HOST, 100.0),
        ])  # fmt: skip

    @property
    def told(self) -> Text:
        """What the next runs are, in a line."""
        if self.why:
            return Text(f"**Modelled** on the virtual clock, not measured. {self.why}.")
        return Text(
            "**Measured** on Ray Serve: real tiers, real tokens; each engine step lasts "
            f"{1000 * STEP:.0f} ms, as if a device took that long, so tokens a second say nothing "
            "about this machine."
        )

    async def ready(self, seconds: float = tier_cluster.PATIENCE) -> Text:
        """Wait for Ray; returns what the next runs are."""
        if self._cluster is not None and not self._waited:
            self._waited = True
            if not await asyncio.to_thread(self._cluster.wait, seconds):
                self._without(self._cluster.why)
        return self.told

    async def run(self, tiers: Tiers, rounds: int) -> Tiered:
        """So many rounds of requests for every decode slot, to these replicas."""
        await self.ready()
        requests = tiers.requests(rounds)
        passed = tiers_virtual.passed(tiers, requests)
        modelled = Estimate.of([passed.rate], "tok/s", "modelled: virtual clock")
        measured, spent = Estimate.absent("tok/s", self.why), {}
        self.sampler.start()
        try:
            if self._cluster is not None:
                try:
                    measured, spent = await self._measured(tiers, requests)
                except Exception as error:  # whatever Ray raises, the lab goes on without it
                    self._without(f"Ray's tiers failed: {str(error) or type(error).__name__}")
                    measured = Estimate.absent("tok/s", self.why)
            if self._cluster is None:
                await self._replay(passed)
        finally:
            self.sampler.stop()
            self.source.reset()
        seen = modelled if measured.missing else measured
        found = verdict(tiers, seen, spent, self.lab.capacities.cores)
        self.panel.set_verdict(found)
        self.lab.measured(tiers.name, found)
        return Tiered(tiers, modelled, measured, found, spent)

    async def free(self) -> None:
        """End Ray; runs that follow are modelled."""
        if self._cluster is not None:
            cluster, self._cluster, self.why = self._cluster, None, "Ray was ended"
            await asyncio.to_thread(cluster.close)

    def close(self) -> None:
        """End Ray, and let the panel rest on what it last showed."""
        if self._cluster is not None:
            self._cluster.close()
            self._cluster = None
        self.panel.close()

    async def _measured(self, tiers: Tiers, requests: int) -> tuple[Estimate, dict[str, float]]:
        running = asyncio.to_thread(self._cluster.run, tiers, requests, self._look)
        try:
            return await asyncio.wait_for(running, BUDGET)
        except TimeoutError:
            raise TimeoutError(f"{tiers.name} took over {BUDGET:.0f} s") from None

    def _without(self, why: str) -> None:
        cluster, self._cluster, self.why = self._cluster, None, why.rstrip(".")
        # It may hang where it failed: nobody waits for its end.
        threading.Thread(target=cluster.close, daemon=True).start()

    def _look(self, fleet: Fleet, replicas: Mapping[str, list]) -> None:
        """From the thread that runs."""
        prefill, decode = replicas["prefill"], replicas["decode"]
        slots = SETUP.slots * len(decode)
        busy = sum(min(1.0, r["running"]) for r in prefill) / len(prefill)
        runs = sum(r["running"] for r in decode)
        waits = sum(r["waiting"] for r in (*prefill, *decode))
        seen = fleet.counters
        self.source.set(busy, runs / slots, seen.tokens / max(seen.now, BEAT), "measured")
        shown = [Lane(a.number, str(a.number), a.spans, a.ended) for a in fleet.lanes() if a.spans]
        self.panel.set_lanes(Lanes(seen.now, shown, int(waits), int(runs), slots))

    async def _replay(self, passed: Passed) -> None:
        began = time.monotonic()
        while (gone := time.monotonic() - began) < REPLAY:
            t = passed.seconds * gone / REPLAY
            now = passed.at(t)
            rate = now.tokens / max(t, BEAT)
            self.source.set(now.prefill, now.decode, rate, "modelled: virtual clock")
            await asyncio.sleep(BEAT)
