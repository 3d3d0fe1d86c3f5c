"""`constraintlab load`: a run from the command line, its progress and its report."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass, replace

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from constraintlab.load import arrivals, checkable, preflight, profiles, replay
from constraintlab.load.fleet import Fleet, LoadDied
from constraintlab.load.live import Counters
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.report import Report
from constraintlab.load.slo import Slo
from constraintlab.load.table import show
from constraintlab.load.target import Target
from constraintlab.load.traces import NoTraces
from constraintlab.load.workload import Source, Workload

CAP = 2048
"""Tokens of prompt and answer where neither the user nor the server says what fits."""

LEAVE = 5.0
"""Seconds in which the open requests of an interrupted run must have been hung up."""


@dataclass(frozen=True)
class Options:
    """What the command line gave; see its help."""

    url: str
    profile: str = "chat"
    rate: float | None = None
    duration: float | None = None
    limit: int | None = None
    arrivals: str = "poisson"
    slo: str = ""
    model: str | None = None
    chat: bool = False
    key: str | None = None
    scale: float = 1.0
    cap: int | None = None
    seed: int = 0
    processes: int = 1
    timeout: float = 600.0
    cancel_after: int | None = None
    retries: int = 0
    slow: int = 0
    slow_rate: float = 0.0


def main(options: Options, as_json: bool = False) -> int:
    """Exit status: 0 if a request ran to its end, 1 if none did, 2 if the run could not begin."""
    say = Console(stderr=True, highlight=False)
    try:
        slo = Slo.parse(options.slo)
        target, workload = asyncio.run(prepare(options))
        report = _run(options, target, workload, slo, say)
    except (ValueError, NoTraces, LoadDied) as error:
        say.print(f"load: {error}", markup=False, soft_wrap=True)
        return 2
    if as_json:
        print(json.dumps(report.json(), indent=1))
    else:
        show(report, Console(highlight=False))
    return 0 if report.statuses["ok"] else 1


async def prepare(options: Options) -> tuple[Target, Workload]:
    """The server is asked what it serves; ValueError (`Trouble` among them) names the fix."""
    url = preflight.address(options.url)
    key = options.key or os.environ.get("OPENAI_API_KEY") or None
    found = await preflight.model(url, options.model, key)
    target = Target(url, found.name, options.chat, key, options.timeout, options.cancel_after,
                    options.retries)  # fmt: skip
    cap = (found.room or CAP) if options.cap is None else options.cap
    chosen = source(options.profile, options.scale, cap)
    duration = options.duration
    if duration is None and options.limit is None:
        duration = 30.0
    workload = Workload(when(options.arrivals, options.rate), chosen, duration, options.limit,
                        options.seed)  # fmt: skip
    if isinstance(chosen, checkable.Collatz):
        return target, workload
    return target, replace(workload, text=await preflight.text(target))


def source(name: str, scale: float, cap: int) -> Source:
    """`chat`, `collatz`, `trace:mooncake`, `512x64`; ValueError lists what there is."""
    kind, _, rest = name.partition(":")
    if kind == "trace":
        return replay.source(rest, scale, cap)
    if name == "collatz":
        return checkable.Collatz(min(cap, checkable.LONGEST))
    prompt, by, output = name.partition("x")
    if by and prompt.isdecimal() and output.isdecimal() and int(prompt) and int(output):
        lengths = Lengths.exactly(int(prompt)), Lengths.exactly(int(output))
        return Profile(name, *lengths, scale=scale, cap=cap)
    if name not in profiles.names():
        raise ValueError(f"no profile {name!r}: use {', '.join(profiles.names())}, collatz, "
                         "PROMPTxOUTPUT (512x64) or trace:NAME")  # fmt: skip
    return profiles.load(name, scale, cap)


def when(text: str, rate: float | None) -> arrivals.Arrivals:
    """`poisson`, `gamma:4`, `uniform` at this rate (1/s unless given); `trace:NAME` at its own."""
    if text.startswith("trace:"):
        return replay.arrivals(text.removeprefix("trace:"), rate)
    return arrivals.named(text, 1.0 if rate is None else rate)


def _run(options: Options, target: Target, workload: Workload, slo: Slo, say: Console) -> Report:
    settings = {
        "url": target.url, "model": target.model, "profile": options.profile,
        "arrivals": options.arrivals, "rate": options.rate, "duration_s": workload.duration,
        "limit": workload.limit, "seed": workload.seed, "chat": target.chat,
        "text": workload.text.kind, "tokens_per_word": workload.text.ratio,
    }  # fmt: skip
    with Fleet(target, workload, options.processes) as fleet:
        if options.slow:
            fleet.slow(options.slow, options.slow_rate)
        try:
            _follow(fleet, workload, say)
        except KeyboardInterrupt:
            fleet.stop()
            say.print("load: stopped, this is the report so far")
        ran = fleet.wait(LEAVE)
    return Report.of(ran.records, slo, ran.used, settings)


def _follow(fleet: Fleet, workload: Workload, say: Console) -> None:
    bar = Progress(
        BarColumn(30), TextColumn("{task.description}"), console=say, transient=True,
        disable=not sys.stderr.isatty(),
    )  # fmt: skip
    with bar:
        task = bar.add_task("starting", total=1.0)
        before = fleet.counters
        while fleet.running:
            time.sleep(0.2)
            now = fleet.counters
            bar.update(task, completed=_share(now, workload), description=_line(before, now))
            before = now


def _share(now: Counters, workload: Workload) -> float:
    shares = [now.now / workload.duration if workload.duration else 0.0,
              now.sent / workload.limit if workload.limit else 0.0]  # fmt: skip
    return min(1.0, max(shares))


def _line(before: Counters, now: Counters) -> str:
    rate = (now.tokens - before.tokens) / max(now.now - before.now, 1e-3)
    found = f"{now.now:.0f} s  {now.sent} sent  {now.open} open  {now.ok} ok"
    for name in ("rejected", "failed", "cancelled"):
        if getattr(now, name):
            found += f"  {getattr(now, name)} {name}"
    return f"{found}  {rate:,.0f} tokens/s" + (f"  late {now.lag * 1e3:.0f} ms" * (now.lag > 0.05))
