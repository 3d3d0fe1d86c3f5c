"""The tiers on Ray Serve, started in the background while a learner reads."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout, suppress
from urllib.request import Request, urlopen

from constraintlab.course.looks import GIB
from constraintlab.course.tiers import ANSWER, SETUP, STEP, UPTO, Tiers, rate, workload
from constraintlab.course.unsaid import Unsaid
from constraintlab.limits import cgroup
from constraintlab.limits.estimate import Estimate
from constraintlab.load.ask import Ask
from constraintlab.load.fleet import Fleet
from constraintlab.load.target import Target

EXTRA = "Ray is not installed here: pip install 'constraintlab[cluster]' runs the tiers for real"
"""What a learner without it is told."""

TAKES = 2.5
"""GiB of memory that Ray and the tiers ask for; lab 08 took 2.0 of them on a Linux server."""

NOISY = "ray._private"
"""Ray's loggers that speak, in whichever cell runs, of what no learner did. Errors are raised."""

PATIENCE = 60.0
"""Seconds that tiers may take to be there, before a run goes on without them."""

WARM, SAID = 2, 4
"""Requests for each decode replica before anything counts, and tokens of their answers."""

ENOUGH = UPTO + 0.02
"""Of a run's tokens, after which nothing counts any more."""

LOOK = 0.25
"""Seconds between two looks at the replicas while a run goes on."""


class TierCluster:
    """Ray Serve with the tiers of lab 08, on this machine or on the cluster that RAY_ADDRESS names.

    `begin` returns at once; `wait` until one replica of each tier answers. why: what went wrong,
    empty while nothing has. Everything else may raise whatever Ray does.
    """

    def __init__(self) -> None:
        self.why, self.url = "", ""
        self._cluster, self._thread = None, None
        self._lock, self._tried, self._over = threading.Lock(), threading.Event(), threading.Event()

    def begin(self) -> TierCluster:
        """Start it in a thread."""
        # Ray Serve imports pandas, and a chart that is drawn meanwhile would take it half loaded.
        with suppress(ImportError):
            import pandas  # noqa: F401
        self._thread = threading.Thread(target=self._start, name="constraintlab-ray", daemon=True)
        self._thread.start()
        return self

    def wait(self, seconds: float = PATIENCE) -> bool:
        """Whether it is there by then; if not, it ends as soon as it has started."""
        self._tried.wait(seconds)
        with self._lock:
            if self._cluster is None:
                self.why = self.why or f"Ray was not there after {seconds:.0f} s more"
                self._over.set()
            return self._cluster is not None

    def scale(self, tiers: Tiers) -> None:
        """These replicas, all of them there and warm. TimeoutError if they don't come."""
        wanted = {"prefill": tiers.prefill, "decode": tiers.decode}
        self._cluster.scale(**wanted)
        end = time.monotonic() + PATIENCE
        while {tier: len(self._cluster.look(tier)) for tier in wanted} != wanted:
            if time.monotonic() > end:
                raise TimeoutError(f"{tiers.name} were not there after {PATIENCE:.0f} s")
            time.sleep(0.1)
        many = WARM * tiers.decode
        with ThreadPoolExecutor(many) as pool:
            list(pool.map(self._asked, workload(many, SAID).asks()))

    def run(
        self, tiers: Tiers, requests: int, on_look: Callable[[Fleet, dict], object]
    ) -> tuple[Estimate, dict[str, float]]:
        """(tokens/s, core-seconds a token by tier) of these replicas. on_look: called with the
        client and, by tier, what its replicas say, some times a second.

        Clients hang up once all has come that the rate is taken from. RuntimeError unless every
        answer until then came whole.
        """
        whole = ANSWER * requests
        # The client's process starts while replicas do.
        with Fleet(self.target, workload(requests), held=True) as fleet:
            self.scale(tiers)
            before = self._spent()
            fleet.begin()
            end = time.monotonic() + PATIENCE
            while fleet.running and time.monotonic() < end:
                if fleet.counters.tokens >= ENOUGH * whole:
                    break
                on_look(fleet, {t: self._cluster.look(t) for t in ("prefill", "decode")})
                time.sleep(LOOK)
            spent = {tier: s - before[tier] for tier, s in self._spent().items()}
            fleet.stop()
            ran = fleet.wait(PATIENCE)
        bad = [r for r in ran.records if r.status not in ("ok", "cancelled")]
        if bad:
            raise RuntimeError(f"{len(bad)} of {len(ran.records)} requests failed: {bad[0].error}")
        events = [(at, n) for r in ran.records for at, n, _ in r.events]
        tokens = sum(n for _, n in events)
        spent["client"] = ran.used.cpu
        return rate(events, whole), {tier: s / tokens for tier, s in spent.items()}

    @property
    def target(self) -> Target:
        """Where to ask."""
        return Target(self.url, self._cluster.layout.name)

    def _asked(self, ask: Ask) -> None:
        target = self.target
        asked = Request(target.endpoint, target.body(ask), target.headers)
        with urlopen(asked, timeout=PATIENCE) as answer:
            answer.read()

    def close(self) -> None:
        """End it, also while it starts; may be called twice."""
        self._over.set()
        with self._lock:
            there, self._cluster = self._cluster is not None, None
        if there and self._thread is not None:
            self._thread.join(PATIENCE)

    def _start(self) -> None:
        """All of Ray's life: on Linux its processes die with the thread that started them."""
        logging.getLogger(NOISY).setLevel(logging.CRITICAL)
        try:
            made = self._made()
        except Exception as error:  # whatever Ray raises, the lab goes on without it
            self.why = f"Ray did not start: {(str(error) or type(error).__name__).splitlines()[0]}"
            return
        finally:
            self._tried.set()
        self._over.wait()
        with redirect_stdout(Unsaid(sys.stdout)):
            made.close()

    def _made(self):
        from constraintlab.cluster.layout import Layout
        from constraintlab.cluster.local import Cluster
        from constraintlab.serving.options import Options

        layout = Layout(setup=SETUP, options=Options(port=0), simulated_ms=1000 * STEP)
        made = Cluster(layout, wanted=lambda: not self._over.is_set())
        with self._lock:
            if not self._over.is_set():
                self._cluster, self.url = made, made.url
        return made

    def _spent(self) -> dict[str, float]:
        """Core-seconds of each tier's processes so far; 0 of those on other machines."""
        import psutil

        found = {}
        for tier in ("gateway", "prefill", "decode"):
            found[tier] = 0.0
            for replica in self._cluster.look(tier):
                try:
                    times = psutil.Process(int(replica["pid"])).cpu_times()
                except psutil.Error:
                    continue
                found[tier] += times.user + times.system
        return found


def missing(available: Callable[[], int] = cgroup.available_bytes) -> str:
    """Why no tiers can run here; empty where they can. available: bytes of memory."""
    import importlib.util

    if not importlib.util.find_spec("ray"):
        return EXTRA
    if (free := available() / GIB) < TAKES:
        return (
            f"Ray and the tiers ask for {TAKES:g} GiB of memory, and {free:.1f} are available: "
            "close other programs to run them for real"
        )
    return ""
