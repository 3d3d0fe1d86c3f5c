"""The charts of lab 07: what the slowest waited for, how latencies spread, where policies stand."""

from __future__ import annotations

from constraintlab.course.halves import Halves
from constraintlab.course.scoreboard import Scoreboard
from constraintlab.course.tail_tables import ms
from constraintlab.limits.resource import Resource
from constraintlab.load.tail import STREAM, WORDS, Tail
from constraintlab.panel import Curve, Latency
from constraintlab.panel.charts import ecdf, scoreboard, waterfall
from constraintlab.panel.picture import Picture

RESOURCES = {
    "slots": Resource.SLOTS, "kv": Resource.KV_CAPACITY, "preempted": Resource.KV_CAPACITY,
    "reader": Resource.CLIENT, STREAM: Resource.NETWORK,
}  # fmt: skip
"""Causes that are the lack of one resource; the others are requests' work, theirs or others'."""

CLASSES = (("short half: TTFT", "short"), ("long half: E2E", "long"))


def waited(tail: Tail) -> Picture:
    """A bar for each of the tail's requests: what it waited for, to its first token or its last."""
    first = tail.by == "ttft"
    bars = [
        waterfall.Bar(f"#{s.index}: {s.output:,} tokens", s.first if first else s.waited, s.ttft)
        for s in tail.requests
    ]
    finding = f"{tail.text[0].upper()}{tail.text[1:]}"
    return waterfall.picture(bars, WORDS, RESOURCES, finding)


def latencies(slo: float, *runs: Halves) -> Picture:
    """The short half's first tokens in several runs, beside what was promised."""
    curves = [Curve(r.name, [s.ttft for s in r.half(False)]) for r in runs]
    return ecdf.picture(Latency("TTFT of the short half", curves, slo))


def ranking(board: Scoreboard) -> Picture:
    """Every policy's short half by TTFT, and its long half by E2E."""
    rows = [
        scoreboard.Score(row.name, group, getattr(row, f"{key}_p50"), getattr(row, f"{key}_p99"))
        for group, key in CLASSES
        for row in board.rows
    ]
    best = next((row for row in board.rows if row.mine), board["MLFQ"])
    finding = (
        f"{best.name}: the short half's p99 TTFT is {ms(best.short_p99.value)}, FCFS's is "
        f"{ms(board['FCFS'].short_p99.value)}; the long half's p99 E2E "
        f"×{best.long_p99.value / board['FCFS'].long_p99.value:.2f}"
    )
    own, lines = best.name if best.mine else "", f"lowest and highest of {board.contest.seeds} runs"
    return scoreboard.picture(rows, own, finding, lines)
