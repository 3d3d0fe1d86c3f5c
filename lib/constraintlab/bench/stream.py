"""`bench stream`: what a token costs on its way to the socket, and whom a slow reader hurts."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from constraintlab.bench import abuse, wire
from constraintlab.bench.interval import median_of
from constraintlab.bench.report import Report
from constraintlab.bench.stalled import stalled
from constraintlab.course import wiretap
from constraintlab.engine.setup import Setup
from constraintlab.serving.launch import Server
from constraintlab.telemetry.exposition import Scrape
from constraintlab.telemetry.metrics_source import fetch

Say = Callable[[str], object]

STREAMS, TOKENS = 64, 1500
PROMPT = range(300, 332)
STAGES = {
    "schedule": ("schedule",), "draw": ("draw",), "detokenise": ("detokenise",),
    "ipc": ("emit", "receive"), "frame": ("frame",), "write": ("write",),
}  # fmt: skip
"""Of the bench's stages, the server's."""


@dataclass(frozen=True)
class Run:
    """All streams once: tokens/s, events and tokens per front-end core-second, µs by stage."""

    rate: float
    events: float
    tokens: float
    stages: dict[str, float]


def scrape(server: Server) -> Scrape:
    """The server's counters now."""
    return Scrape.of(fetch(f"{server.url}/metrics", 10.0), time.monotonic())


def ours(server: Server, asked: bytes, streams: int, tokens: int) -> Run:
    """The whole path: engine's process, pipe, front end, sockets."""
    before, cpu = scrape(server), wire.spent(server.pid)
    read = wire.read(server.port, asked, streams)
    cpu, after = wire.spent(server.pid) - cpu, scrape(server)
    n = streams * tokens

    def grown(stage: str) -> float:
        own = frozenset({("stage", stage)})
        name = "constraintlab:host_seconds_total"
        return sum(after.values(name, own)) - sum(before.values(name, own))

    stages = {k: 1e6 * sum(map(grown, parts)) / n for k, parts in STAGES.items()}
    return Run(n / read["seconds"], read["events"] / cpu, n / cpu, stages)


def path(report: Report, rounds: int, streams: int, tokens: int, say: Say) -> None:
    """Ours against bare sockets, and eight tokens an event against one, in turn."""
    setup = Setup("stub", blocks=streams * (tokens // 16 + 8), slots=streams, tokens=4096)
    asked = wire.request(PROMPT, tokens)
    with ExitStack() as stack:
        one, eight = (stack.enter_context(Server(setup, stream_interval=i)) for i in (1, 8))
        parts = wiretap.pieces(wiretap.answer(one.port, asked))
        port, pid = stack.enter_context(wire.bare(parts, streams))
        over, faster, wall, events = [], [], [], []
        stages: dict[str, list[float]] = defaultdict(list)
        for i in range(rounds + 1):
            found = {}
            for side in ("ours", "bare", "eight")[:: -1 if i % 2 else 1]:
                if side == "bare":
                    cpu = wire.spent(pid)
                    read = wire.read(port, asked, streams)
                    found[side] = read["events"] / (wire.spent(pid) - cpu)
                else:
                    found[side] = ours(one if side == "ours" else eight, asked, streams, tokens)
            if not i:
                continue  # once unmeasured
            mine, many = found["ours"], found["eight"]
            events.append((mine.events, found["bare"]))
            over.append(mine.events / found["bare"])
            faster.append(many.tokens / mine.tokens)
            wall.append(many.rate / mine.rate)
            for name, us in mine.stages.items():
                stages[name].append(us)
    where = f"{streams} streams of {tokens} tokens, stub engine"
    a, b = (median_of(column, "").value for column in zip(*events, strict=True))
    for metric, values, context in (
        ("events_per_cpu_second_over_bare", over,
         f"{where}: {a:,.0f} events per front-end core-second against {b:,.0f} of bare asyncio "
         "sockets on the same loop, which write the same bytes, one event a write"),
        ("coalesce8_speedup", faster,
         f"{where}: tokens per front-end core-second, eight to an event over one"),
        ("coalesce8_wall_speedup", wall,
         "tokens/s by the clock: there the stub engine's own process binds, with and without"),
    ):  # fmt: skip
        report.add(metric, median_of(values, "×"), context)
    for name, us in stages.items():
        report.add(f"stage_us_{name}", median_of(us, "µs"), "of one core, a token, one an event")
    say(f"  {a:,.0f} events per core-second, ×{median_of(over, '').value:.2f} of bare")


def harm(report: Report, n: int, leavers: int, say: Say) -> None:
    """A storm of bad requests and of readers that leave, with good streams beside."""
    tokens = max(20, n // 40)
    setup = Setup("stub@50", blocks=16 * (tokens // 16 + 8), slots=16, tokens=4096)
    with Server(setup, head_seconds=2.0, grace=1.0) as server:
        with abuse.Beside(server.port, 12, tokens) as beside:
            odd = abuse.bodies(server.port, n)
            long = abuse.heads(server.port, max(1, n // 200), 200_000)
            slow = abuse.dripping(server.port, max(1, n // 500), 10.0)
        harmed = beside.harmed
    report.add("malformed_not_4xx", _exact(len(odd) + len(long) + len(slow)),
               f"of {n} malformed bodies, {max(1, n // 200)} heads of 200 kB and "
               f"{max(1, n // 500)} that drip")  # fmt: skip
    report.add("streams_harmed", _exact(harmed), "of 12 that ran beside")
    say(f"  {len(odd)}, {len(long)}, {len(slow)} replies that are no clear 4xx; {harmed} harmed")
    with Server(Setup("stub", blocks=4096, slots=64, tokens=4096), grace=1.0) as server:
        abuse.leave(server.port, leavers)
        lost = _lost(server)
    report.add("disconnects_blocks_lost", _exact(lost), f"after {leavers} random disconnects")


def _lost(server: Server) -> float:
    """Blocks that are still taken when nothing runs any more; all of them if something does."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        now = scrape(server)
        if not sum(now.values("vllm:num_requests_running")):
            return sum(now.values("vllm:kv_cache_usage_perc")) * 4096
        time.sleep(0.1)
    return 4096.0


def run(rounds: int = 9, seconds: float = 60.0, bodies: int = 10_000, say: Say = lambda _: None):
    """Every metric of the streaming path on this machine, in about three minutes."""
    from constraintlab.limits.machine import describe

    report = Report("stream", describe())
    say("the whole path against bare sockets …")
    path(report, rounds, STREAMS, TOKENS, say)
    say(f"one reader of {STREAMS} stands still for {seconds:g} s …")
    found = stalled(STREAMS, seconds, max(2.0, seconds / 3))
    memory = f"the most that both processes grew while it stood still, {seconds:g} s"
    report.add("stalled_reader_memory_mb", _exact(found.grown / 1e6, "MB"), memory)
    quiet, meanwhile = (1e3 * s for s in found.itl)
    context = f"p99 {meanwhile:.1f} ms against {quiet:.1f} ms before"
    report.add("others_itl_p99_ratio", _exact(found.ratio, "×"), context)
    say("malformed bodies, endless heads, readers that leave …")
    harm(report, bodies, max(5, bodies // 20), say)
    return report


def _exact(value: float, unit: str = ""):
    return median_of([float(value)], unit)
