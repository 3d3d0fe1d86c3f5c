"""What a server's own metrics say, newest beside how it went: evidence, and no verdict."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from constraintlab.telemetry.sample import Sample
from constraintlab.watch.numbers import amount
from constraintlab.watch.view import WIDE, bars
from constraintlab.watch.window import Window

ROWS = (
    ("requests that run", "server.running", "", "last"),
    ("requests that wait", "server.waiting", "", "last"),
    ("KV pool taken", "server.kv_used_share", "%", "last"),
    ("requests that ended", "server.requests_per_s", "/s", "mean"),
    ("output tokens", "server.tokens_per_s", "/s", "mean"),
    ("first token", "server.ttft_s", "s", "mean"),
    ("before admission", "server.queue_s", "s", "mean"),
    ("between tokens", "server.itl_s", "s", "mean"),
    ("between tokens, p99", "server.itl_s", "s", "p99"),
    ("tokens of a step, p99", "server.step_tokens", "", "p99"),
    ("in the send queues", "server.send_queue_bytes", "B", "last"),
    ("readers that are slow", "server.streams_paused", "", "last"),
    ("cores: forward pass", "server.host_forward_cores", "", "mean"),
    ("cores: detokenise", "server.host_detokenise_cores", "", "mean"),
    ("cores: draw and schedule", "server.host_draw_cores", "", "mean"),
    ("cores: frame and write", "server.host_write_cores", "", "mean"),
)
"""(label, what of a sample, unit, what of the last seconds: the newest, a mean, a percentile)"""

HEAD = '<th scope="col" style="padding:0 16px 0 0;text-align:left">{}</th>'

ADDED = {
    "server.streams_paused": ("server.streams_coalescing",),
    "server.host_draw_cores": ("server.host_schedule_cores",),
    "server.host_write_cores": ("server.host_frame_cores",),
}
"""What a row's name stands for beside itself."""


def html(samples: Sequence[Sample], seconds: float) -> str:
    """A table; seconds: that means and percentiles are over."""
    if not samples:
        return "<i>nobody has looked yet</i>"
    window = Window.of([s for s in samples if s.t > samples[-1].t - seconds])
    cell = '<td style="padding:0 16px 0 0;white-space:nowrap">'
    heads = ("of the server", f"now, or in {seconds:.0f} s", "how it went")
    rows = [f"<tr>{''.join(HEAD.format(escape(h)) for h in heads)}</tr>"]
    for label, name, unit, kind in ROWS:
        values = [_sum(s, name) for s in samples[-WIDE:]]
        known = [v for v in values if v is not None]
        top = 1.0 if unit == "%" else max(known, default=0.0)
        told = _told(window, name, unit, kind)
        row = (label, told, "" if kind == "p99" else bars(values, top))
        # Bars say nothing to who hears them, and the number beside them does.
        cells = (cell, cell, cell.replace("<td", '<td aria-hidden="true"'))
        parts = (f"{at}{escape(part)}</td>" for at, part in zip(cells, row, strict=True))
        rows.append(f"<tr>{''.join(parts)}</tr>")
    style = "font-variant-numeric:tabular-nums;line-height:1.35;margin-left:0"
    return f'<table class="desk-gauges" style="{style}">{"".join(rows)}</table>'


def _told(window: Window, name: str, unit: str, kind: str) -> str:
    if kind == "p99":
        bounds = window.quantile(name, 0.99)
        return f"up to {amount(bounds[1], unit)}" if bounds else "n/a"
    parts = (name, *ADDED.get(name, ()))
    found = [(window.last if kind == "last" else window.mean)(part).value for part in parts]
    known = [v for v in found if v is not None]
    return amount(sum(known), unit) if known else "n/a"


def _sum(sample: Sample, name: str) -> float | None:
    found = [sample.values.get(part) for part in (name, *ADDED.get(name, ()))]
    known = [v for v in found if v is not None]
    return sum(known) if known else None
