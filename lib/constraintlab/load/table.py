"""A report as a table for people."""

from __future__ import annotations

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from constraintlab.load.metrics import PERCENTILES, Distribution
from constraintlab.load.report import DEFINITIONS, Report
from constraintlab.load.tail import METRICS, Tail, spent, words

CAUSES = 2
"""Of a slow request, shown."""

ROWS = (("ttft", "TTFT"), ("tpot", "TPOT"), ("itl", "ITL"), ("e2e", "E2E"), ("delay", "late"))


def show(report: Report, console: Console) -> None:
    """Prints it, the warnings first."""
    for line in report.warnings:
        console.print(Text(f"! {line}", style="bold"))
    console.print(table(report))


def table(report: Report) -> Group:
    """Latencies in ms, their 95% intervals below; what passed; what the words mean."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("ms", "n", "mean", *(f"p{p:g}" for p in PERCENTILES), "max"):
        found.add_column(name, justify="left" if name == "ms" else "right")
    for key, name in ROWS:
        found.add_row(name, *_cells(getattr(report, key)))
    for half in report.halves if _differ(report) else ():
        for key, name in (("ttft", "TTFT"), ("e2e", "E2E")):
            found.add_row(f"{name} {half.name}", *_cells(getattr(half, key)))
    said = [Text(line) for line in _lines(report)]
    words = [("TTFT", "ttft"), ("TPOT", "tpot"), ("ITL", "itl"), ("E2E", "e2e"),
             ("late", "schedule_delay")]  # fmt: skip
    means = [Text(f"{name}: {DEFINITIONS[key]}", style="dim") for name, key in words]
    tails = [part for tail in report.tails if tail.requests for part in (*_slowest(tail), Text())]
    few = [Text(line, style="dim") for line in _few(report)]
    return Group(found, *few, Text(), *said, Text(), *tails, *means)


def _slowest(tail: Tail) -> tuple[Text, Table]:
    """What a tail waited for, and each of its requests with its largest causes."""
    found = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("request", "sent s", "prompt", "output", f"{METRICS[tail.by]} ms"):
        found.add_column(name, justify="right")
    found.add_column("where it went, ms" if tail.largest else "")
    for seen in tail.requests:
        causes = sorted(spent(seen, tail.by).items(), key=lambda pair: -pair[1])[:CAUSES]
        found.add_row(
            str(seen.index), f"{seen.at:.1f}", f"{seen.prompt:,}", f"{seen.output:,}",
            _ms(getattr(seen, tail.by)), ", ".join(f"{_short(c)} {_ms(s)}" for c, s in causes),
        )  # fmt: skip
    return Text(tail.text, style="bold"), found


def _short(cause: str) -> str:
    return words(cause).partition(":")[0]


def _differ(report: Report) -> bool:
    return all(half.n for half in report.halves)


def _few(report: Report) -> list[str]:
    """Of the requests' own row, what `too few` means there."""
    whys = [f"{x.name}: {x.why}" for x in report.e2e.percentiles if x.why] if report.e2e else []
    return [f"too few for E2E's {'; '.join(whys)}"] if whys else []


def _cells(d: Distribution | None) -> list[str]:
    if d is None:
        return ["0", *["–"] * (len(PERCENTILES) + 2)]
    found = [f"{d.n:,}", _ms(d.mean)]
    for x in d.percentiles:
        low, high = (_ms(v) if v is not None else "?" for v in (x.low, x.high))
        found.append("too few" if x.why else f"{_ms(x.value)}\n{low}–{high}")
    return [*found, _ms(d.high)]


def _ms(seconds: float) -> str:
    ms = seconds * 1e3
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:.1f}" if ms >= 10 else f"{ms:.2f}"


def _lines(report: Report) -> list[str]:
    counts = ", ".join(f"{n} {s}" for s, n in report.statuses.items() if n)
    found = [
        f"{report.requests} requests in {report.wall:.1f} s: {counts or 'none'}",
        f"{report.requests_per_s:.2f} requests/s done, {report.output_per_s:,.1f} output tokens/s",
    ]
    if report.good is not None and report.requests:
        share, per_s = report.good / report.requests, report.good / (report.wall or 1.0)
        found.append(f"goodput {per_s:.2f} requests/s: {share:.0%} of all within {report.slo}")
    for half in report.halves:
        if not _differ(report):
            most = f"{half.split:g} output tokens, and none has more"
            found.append(f"half of the answers or more have {most}: there is no long half")
            break
        within = "" if half.good is None else f", {half.good / half.n:.0%} within the SLO"
        found.append(f"{half.name}: {half.n} answers of {half.words}{within}")
    if report.bytes_per_token is not None:
        found.append(
            f"{report.bytes_per_token:,.0f} bytes on the wire a token, "
            f"{report.tokens_per_event:.2f} tokens an event"
        )
    if report.checked:
        found.append(f"answers: {report.right} of {report.checked} right")
    found += [f"{n} × {status}: {why}" for status, why, n in report.errors]
    return found
