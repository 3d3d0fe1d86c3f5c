"""A served engine's reports, out of its /metrics; and what its front end spent on tokens."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from constraintlab.engine.report import TOTALS, Counted, Report
from constraintlab.engine.window import Window
from constraintlab.limits.stack import Station
from constraintlab.limits.stations import front_end
from constraintlab.telemetry.exposition import Scrape

OURS = "constraintlab:"
FRONT = ("receive", "frame", "write")
"""Stages of the front end that it times itself; what else its process spends is `loop`."""


IDLE = 0.3
"""Seconds after which an engine that has not reported is idle: it reports ten times a second."""


class NotOurs(ValueError):
    """The server does not report what a verdict on its engine needs."""


def report(scrape: Scrape) -> Report:
    """The engine's report that a scrape has, without its blocks and lives. NotOurs if it has none.

    The engine may not have worked yet: then every counter is 0.
    """
    moment = scrape.values(f"{OURS}engine_report_seconds")
    if not moment and f"{OURS}engine_total" not in scrape.declared:
        raise NotOurs(
            "this server reports no work of its engine: the verdict on kernels needs "
            "`constraintlab serve`"
        )
    found = {dict(k)["of"]: v for k, v in scrape.series.get(f"{OURS}engine_total", {}).items()}
    work: dict[str, dict[str, float]] = defaultdict(dict)
    units = {}
    for labels, value in scrape.series.get(f"{OURS}kernel_work_total", {}).items():
        own = dict(labels)
        units[own["kernel"]] = own["unit"]
        work[own["kernel"]][own["of"]] = value
    pool = {dict(k)["state"]: v for k, v in scrape.series.get(f"{OURS}kv_tokens", {}).items()}
    (config,) = scrape.series.get("vllm:cache_config_info", {frozenset(): 1})
    (where,) = scrape.series.get(f"{OURS}engine_device", {frozenset(): 1})
    return Report(
        now=_now(scrape, moment),
        totals=dict.fromkeys(TOTALS, 0.0) | found,
        waiting=int(sum(scrape.values("vllm:num_requests_waiting"))),
        running=int(sum(scrape.values("vllm:num_requests_running"))),
        slots=int(sum(scrape.values(f"{OURS}slots"))),
        kv=tuple(int(pool.get(state, 0)) for state in ("capacity", "reserved", "used")),
        block_size=int(dict(config).get("block_size", 1)),
        owners=(),
        filled=(),
        lives=(),
        work={name: Counted(units[name], **parts) for name, parts in work.items()},
        device=dict(where).get("name", "cpu"),
    )


def _now(scrape: Scrape, reported: list[float]) -> float:
    """When the engine's counters were so: at its report, or now if it has been idle since."""
    clock = scrape.values(f"{OURS}clock_seconds")
    if not reported:
        return clock[0] if clock else scrape.t
    return clock[0] if clock and clock[0] - reported[0] > IDLE else reported[0]


@dataclass(frozen=True)
class Delivered:
    """What a server delivered between two scrapes. tokens, events, bytes: to clients; spent:
    core-seconds of the front end by stage."""

    window: Window
    tokens: float
    events: float
    bytes: float
    spent: dict[str, float]

    @classmethod
    def between(cls, before: Scrape, after: Scrape) -> Delivered:
        """Everything of one run of a server. NotOurs as in `report`."""

        def grown(name: str, **labels: str) -> float:
            own = frozenset(labels.items())
            return sum(after.values(name, own)) - sum(before.values(name, own))

        spent = {s: grown(f"{OURS}host_seconds_total", stage=s) for s in FRONT}
        whole = grown(f"{OURS}front_end_cpu_seconds_total")
        spent["loop"] = max(0.0, whole - sum(spent.values()))
        return cls(
            Window(report(before), report(after)),
            grown(f"{OURS}stream_tokens_total"),
            grown(f"{OURS}stream_events_total"),
            grown(f"{OURS}stream_bytes_total"),
            spent,
        )

    @property
    def bytes_per_token(self) -> float:
        """On the wire, framing included."""
        return self.bytes / max(1.0, self.tokens)

    @property
    def tokens_per_event(self) -> float:
        """More than 1 where events are coalesced."""
        return self.tokens / max(1.0, self.events)

    def station(self) -> Station:
        """The front end as it was: core-seconds a token by stage."""
        each = max(1.0, self.tokens)
        return front_end({name: seconds / each for name, seconds in self.spent.items()})
