"""Streams in words: what a client waits for a token, what the server takes, and why it is more."""

from __future__ import annotations

import math

from constraintlab.panel.numbers import percent, si
from constraintlab.panel.streaming import Stream

LATE, LEAST = 1.25, 1e-3
"""A client waits longer than the server takes if it does by this factor and these seconds."""

DRAINS = 0.8
"""Below this part of the server's time, a client reads what had waited."""

FULL = 0.9
"""From this share of its capacity on, a link counts as full."""


def title(stream: Stream) -> tuple[str, str]:
    """(finding, what the chart shows)."""
    many = stream.tokens_per_event or 1.0
    what, it = ("a token", "it") if many < 1.5 else (f"{many:.0f} tokens", "them")
    shows = "time between two tokens of a stream"
    if many >= 1.5:
        shows = "time between two events, the server's for as many tokens"
    client, made = stream.client_itl, stream.made
    if client is None and made is None:
        return "No token has been streamed yet", shows
    if client is None:
        return f"The server makes {what} in {wait(made)}; no client was measured", shows
    if made is None:
        return f"The client waits {wait(client)} for {what}; the server says nothing", shows
    causes = _causes(stream)
    if client > max(LATE * made, made + LEAST):
        told = f"The client waits {wait(client)} for {what} that the server made in {wait(made)}"
        return f"{told}{': ' if causes else ''}{' and '.join(causes)}", shows
    told = f"The client gets {what} every {wait(client)}, as fast as the server makes {it}"
    if client < DRAINS * made and made - client > LEAST:
        told = f"The client gets {what} every {wait(client)}, the server makes {it} in {wait(made)}"
        told += ": what had waited drains"
    return "; ".join([told, *causes]), shows


def _causes(s: Stream) -> list[str]:
    found = []
    if s.full is not None and s.full >= FULL:
        found.append(f"the link is {percent(min(1.0, s.full))} full")
    if s.slow:
        one = s.slow < 1.5
        found.append(f"{slow_of(s)} reader{'s' if (s.readers or s.slow) >= 1.5 else ''} "
                     f"{'is' if one else 'are'} slow")  # fmt: skip
    return found


def slow_of(s: Stream) -> str:
    """`3 of 64`: the slow readers of all."""
    if s.slow is None:
        return "n/a"
    return f"{s.slow:.0f}" + ("" if s.readers is None else f" of {s.readers:.0f}")


def wait(seconds: float | None) -> str:
    """`38 ms`, `9.4 ms`, `1.20 s`: two digits are enough for a wait."""
    if seconds is None or not math.isfinite(seconds):
        return "n/a"
    ms = 1e3 * seconds
    if not 0.1 <= ms < 999.5:
        return si(seconds, "s")
    return f"{ms:.0f} ms" if ms >= 9.95 else f"{ms:.1f}".removesuffix(".0") + " ms"
