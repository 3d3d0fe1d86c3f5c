"""`constraintlab link`: a shaped link from the command line, and what passes through it."""

from __future__ import annotations

import time

from rich.console import Console
from rich.live import Live

from constraintlab.serving.link import Link, LinkDied
from constraintlab.serving.link_settings import LinkStats

EVERY = 0.5
"""Seconds between two lines."""


def main(to: str, port: int, host: str, rate: str | None, up_rate: str | None,
         **settings: object) -> int:  # fmt: skip
    """Until Ctrl-C. Exit status: 0, or 2 if the link can't be or ended by itself."""
    say = Console(stderr=True, highlight=False)
    try:
        settings |= {"rate": amount(rate), "up_rate": amount(up_rate)}
        with Link(to, port=port, host=host, **settings) as link:
            print(link.url, flush=True)
            _watch(link, say)
    except (ValueError, TypeError, LinkDied) as error:
        say.print(f"link: {error}", markup=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        pass
    return 0


def _watch(link: Link, say: Console) -> None:
    with Live(console=say, transient=True, auto_refresh=False) as live:
        while True:
            said = line(link.stats())
            if say.is_terminal:
                live.update(said, refresh=True)
            time.sleep(EVERY)


def line(stats: LinkStats) -> str:
    """The link in a line: `12.3 kB/s of 50.0 kB/s, 4 connections, 3.1 kB wait`."""
    of = "" if stats.capacity is None else f" of {_bytes(stats.capacity)}/s"
    found = f"{_bytes(stats.rate)}/s{of}, {len(stats.connections)} connections"
    found += f", {_bytes(stats.waiting)} wait"
    slow = sum(c.slow for c in stats.connections)
    return found + (f", {slow} slow" if slow else "") + (f", {stats.cut} cut" if stats.cut else "")


def _bytes(n: float) -> str:
    for unit in ("B", "kB", "MB"):
        if n < 1000 or unit == "MB":
            break
        n /= 1000
    return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"


def amount(text: str | None) -> float | None:
    """`50k`, `1.5M`, `800` as bytes; None for None. ValueError for others."""
    if text is None:
        return None
    factor = {"k": 1e3, "M": 1e6, "G": 1e9}.get(text[-1:], 1.0)
    try:
        return float(text.rstrip("kMG") if factor > 1 else text) * factor
    except ValueError:
        raise ValueError(f"{text!r}: give bytes/s like 800, 50k or 1.5M") from None
