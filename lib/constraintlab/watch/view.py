"""A server in the terminal: the verdict first, then the evidence, how it went, what to try."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from constraintlab.panel.palette import COLOURS, MARKS
from constraintlab.telemetry.sample import Sample
from constraintlab.watch.diagnosis import Diagnosis
from constraintlab.watch.numbers import amount
from constraintlab.watch.words import sentence

BARS = "▁▂▃▄▅▆▇█"
GAP = "·"
"""Where a look failed, or could not tell."""

WIDE = 48
"""Looks of the history that are shown."""

HISTORY = (
    ("running", "server.running", ""),
    ("waiting", "server.waiting", ""),
    ("KV full", "server.kv_used_share", "%"),
    ("ITL, server", "server.itl_s", "s"),
    ("ITL, client", "probe.itl_s", "s"),
)

EVIDENCE = (
    ("requests running", "running", ""),
    ("requests waiting", "waiting", ""),
    ("looks in which any waits", "waits", "%"),
    ("may run at most", "slots", ""),
    ("KV pool full", "kv", "%"),
    ("preemptions", "preemptions", "/s"),
    ("output tokens", "tokens", "/s"),
    ("prompt tokens", "prompts", "/s"),
    ("first token, server", "ttft", "s"),
    ("  of that in the queue", "queue", "s"),
    ("first token, probe", "probe_ttft", "s"),
    ("between tokens, server", "itl", "s"),
    ("between tokens, probe", "probe_itl", "s"),
    ("tokens come bunched", "bunched", "%"),
    ("front end's core", "front", ""),
    ("unknown to the scheduler", "outside", ""),
    ("GPU's peak FLOP/s", "compute", "%"),
    ("GPU's peak bytes/s", "bandwidth", "%"),
)
"""(label, fact, unit)"""


def view(d: Diagnosis, samples: Sequence[Sample], place: str) -> RenderableType:
    """Everything, what a small terminal can do without last."""
    return Group(
        head(d, place),
        Text(),
        verdict(d),
        bullets(d.verdict.evidence),
        Text(),
        history(samples),
        *below(d),
        Text(),
        table(d),
    )


def head(d: Diagnosis, place: str) -> Text:
    """Where, what, how long."""
    failed = f", {d.gaps} failed" if d.gaps else ""
    kind = d.family or "unknown server"
    return Text(
        f"{place} · {kind} · {d.seconds:.0f} s, {d.looks} look{'s' * (d.looks != 1)}{failed}",
        style="dim",
    )


def verdict(d: Diagnosis) -> Text:
    """The sentence with the marks of what it names."""
    found = Text()
    for resource in d.verdict.constraint:
        found.append(MARKS[resource] + " ", style=COLOURS[resource])
    found.append(sentence(d), style="bold")
    if d.confidence:
        found.append(f"  {d.confidence} confidence", style="italic")
    return found


def history(samples: Sequence[Sample]) -> Table:
    """A line of bars for each of `HISTORY`, newest to the right, with its newest value."""
    found = Table.grid(padding=(0, 2))
    for label, name, unit in HISTORY:
        values = [s.values.get(name) for s in samples[-WIDE:]]
        known = [v for v in values if v is not None]
        newest = amount(known[-1], unit) if known else "n/a"
        top = 1.0 if unit == "%" else max(known, default=0.0)
        found.add_row(label, bars(values, top), newest, Text(_range(known, unit), style="dim"))
    return found


def bars(values: Sequence[float | None], top: float) -> str:
    """0 is the lowest bar, `top` the highest."""
    last = len(BARS) - 1
    return "".join(
        GAP if v is None else BARS[min(last, round(last * v / top))] if top else BARS[0]
        for v in values
    )


def table(d: Diagnosis) -> Table:
    """Each fact with its value and source; n/a with the reason."""
    found = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    found.add_column("evidence", no_wrap=True, min_width=26)
    found.add_column("value", justify="right", no_wrap=True, min_width=8)
    found.add_column("source", style="dim", overflow="ellipsis", no_wrap=True, ratio=1)
    for label, name, unit in EVIDENCE:
        reading = d.facts.readings[name]
        if reading.value is None:
            found.add_row(label, "n/a", reading.source.removeprefix("n/a: "))
        else:
            found.add_row(label, amount(reading.value, unit), reading.source)
    return found


def below(d: Diagnosis) -> list[RenderableType]:
    """What the late ones waited for, what to try, what to switch on, notes."""
    found = []
    promised = tuple(map(str, d.late))
    for title, items in (("promised", promised), ("try", d.tries), ("to know more", d.asks),
                         ("note", d.notes)):  # fmt: skip
        if items:
            found += [Text(), Text(title, style="bold"), bullets(items)]
    return found


def bullets(items: Sequence[str]) -> Table:
    """Lines that hang where they are too long."""
    found = Table.grid(padding=(0, 1, 0, 0))
    for item in items:
        found.add_row("  ·", Text(item))
    return found


def _range(known: Sequence[float], unit: str) -> str:
    if not known:
        return ""
    return f"{amount(min(known), unit)} to {amount(max(known), unit)}"
