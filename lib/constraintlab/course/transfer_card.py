"""What a card of the transfer test shows: a stack's data sheet and the figures of its dashboard."""

from __future__ import annotations

import math
from collections.abc import Mapping

from constraintlab.scenarios.run import Ran
from constraintlab.scenarios.scenario import Scenario

BATCHES = (0.5, 1, 2, 4)
"""Of the requests that run: at what other numbers of them the engine was tried alone."""


def figures(s: Scenario, ran: Ran) -> dict[str, float | None]:
    """Counted in one run on the virtual clock: plain numbers, seconds and tokens. None: there is
    no such limit."""
    c = ran.counts
    steps, pool = c.steps, s.blocks * s.block_size
    n = steps.sequences / steps.steps
    products = sum(
        max(s.flops * (k.decodes + k.tokens) / s.compute, k.steps * s.weights / s.bandwidth)
        for k in c.kinds.values()
    ) / steps.steps  # fmt: skip
    arithmetic = s.flops * (steps.decodes + steps.tokens) / s.compute / steps.steps
    look = s.look * (steps.keys + steps.pairs) / s.compute / steps.steps
    read = s.kv * (steps.keys + steps.looked) / s.bandwidth / steps.steps
    attention = max(look, read)
    host = s.schedule + s.sample * n
    step = products + attention + host
    return {
        "rate": s.rate or None, "users": s.users or None, "prompt": s.prompt.mean,
        "answer": s.answer.mean, "slots": s.slots, "pool": pool, "watermark": s.watermark,
        "link": s.link if s.wire and math.isfinite(s.link) else None, "wire": s.wire,
        "slow": s.slow, "speed": s.speed if s.slow and math.isfinite(s.speed) else None,
        "x": ran.x, "running": c.resident / c.seconds, "waiting": c.waiting / c.seconds,
        "reading": max(0.0, (c.open - c.resident - c.waiting) / c.seconds),
        "kv": c.held / c.seconds / pool, "held": c.held / c.resident,
        "again": c.lost / c.drawn, "busy": step * steps.steps / c.seconds,
        "batch": n, "step": step, "products": products, "arithmetic": arithmetic,
        "weights": s.weights / s.bandwidth, "attention": attention, "look": look, "read": read,
        "schedule": s.schedule, "sample": s.sample * n, "frame": s.frame or None,
        "framing": s.frame * c.drawn / c.seconds,
        "wired": s.wire * c.drawn / c.seconds / s.link if math.isfinite(s.link) else None,
        "alone": [[at, alone(s, ran, at)] for b in BATCHES if (at := max(1, round(b * n)))],
    }  # fmt: skip


def alone(s: Scenario, ran: Ran, n: float) -> float:
    """Output tokens a second of the engine alone with n sequences in a step, which ask for the
    same on average as those of the run."""
    steps = ran.counts.steps
    each = (steps.decodes + steps.tokens) / steps.sequences
    look = s.look * (steps.keys + steps.pairs) / s.compute
    read = s.kv * (steps.keys + steps.looked) / s.bandwidth
    products = max(s.flops * each * n / s.compute, s.weights / s.bandwidth)
    step = products + s.schedule + n * (max(look, read) / steps.sequences + s.sample)
    return n * ran.counts.drawn / steps.sequences / step


def rows(f: Mapping) -> list[tuple[str, str, str]]:
    """(group, what, how much) in the order in which they are read."""
    users = (
        f"{f['users']} users, each asks again when its answer is read"
        if f["users"]
        else f"{f['rate']:.1f} requests/s from independent users"
    )
    admits = f", {f['watermark']:.0%} kept free at admission" if f["watermark"] else ""
    found = [
        ("load", "requests", users),
        ("load", "tokens", f"prompts {f['prompt']:.0f}, answers {f['answer']:.0f} on average"),
        ("sheet", "engine", f"{f['slots']} slots, KV pool of {f['pool']:,} tokens{admits}"),
        ("sheet", "front end", "no cost worth a line" if f["frame"] is None else
         f"{_ms(f['frame'])} of its core a token: at most {1 / f['frame']:,.0f} tok/s"),
        ("sheet", "link", "fast enough never to matter" if f["link"] is None else
         f"{f['wire']:.0f} bytes a token: at most {f['link'] / f['wire']:,.0f} tok/s"),
        ("sheet", "readers", "take whatever comes" if f["speed"] is None else
         f"{f['slow']:.0%} of them take at most {f['speed']:.0f} tok/s each"),
        ("sheet", "engine alone", "; ".join(f"{n} at a time: {x:,.0f}" for n, x in f["alone"])
         + " tok/s"),
        ("seen", "throughput", f"{f['x']:,.0f} output tok/s" + _asked(f)),
        ("seen", "requests", f"{f['running']:.1f} run, {f['waiting']:.1f} wait, {f['reading']:.1f} "
                             "are complete and still being sent or read"),
        ("seen", "KV pool", f"{f['kv']:.0%} in use, {f['held']:.0f} tokens a running request"
         + (f"; {f['again']:.0%} of tokens computed again" if f["again"] >= 0.01 else "")),
        ("seen", "engine's time", f"in a step {min(1.0, f['busy']):.0%} of it; a step has "
                                  f"{f['batch']:.1f} requests and takes {_ms(f['step'])}:"),
        ("seen", "· products", f"{_ms(f['products'])} (arithmetic alone {_ms(f['arithmetic'])}, "
                               f"reading the weights {_ms(f['weights'])})"),
        ("seen", "· attention", f"{_ms(f['attention'])} (arithmetic alone {_ms(f['look'])}, "
                                f"reading KV {_ms(f['read'])})"),
        ("seen", "· host", f"{_ms(f['schedule'] + f['sample'])} (once a step "
                           f"{_ms(f['schedule'])}, for its requests {_ms(f['sample'])})"),
    ]  # fmt: skip
    if f["frame"] is not None:
        found.append(("seen", "front end's core", f"{f['framing']:.0%} busy"))
    if f["link"] is not None:
        found.append(("seen", "link", f"{f['wired']:.0%} full"))
    return found


def _asked(f: Mapping) -> str:
    if not f["rate"]:
        return ""
    asked = f["rate"] * f["answer"]
    if f["x"] > 0.95 * asked:
        return f", as many as are asked for ({asked:,.0f} on average)"
    return f", of {asked:,.0f} that are asked for"


def _ms(seconds: float) -> str:
    ms = 1e3 * seconds
    return f"{ms:.0f} ms" if ms >= 10 or ms == 0 else f"{ms:.1f} ms" if ms >= 1 else f"{ms:.2f} ms"
