"""What follows from facts by laws: Little's N = X · R, and that limits keep a number level.

Where two metrics of the same thing contradict each other, a gauge that reads 0 all the time is no
evidence if seconds times a rate say that something was there.
"""

from __future__ import annotations

from collections.abc import Mapping

from constraintlab.telemetry.source import Reading
from constraintlab.watch.facts import Told
from constraintlab.watch.window import Window

STEADY = 5
"""Looks in which the same number ran while others waited: then that number is a limit."""

LITTLE = 1.0
"""Requests that Little's law must find where a gauge reads 0 to make the gauge no evidence."""

LONG = 2.0
"""Times a latency that a window must last for Little's law: whoever ends in it began before."""


def contradicted(window: Window, found: Mapping[str, Reading]) -> dict[str, Reading]:
    """What reads 0 where tokens, or Little's law, say that there was something."""
    value = {n: r.value for n, r in found.items()}
    changed = {
        name: Reading.absent("it does not grow while tokens are made: no evidence")
        for name in ("device_busy", "compute", "bandwidth", "front")
        if value[name] == 0 and value["tokens"]
    }
    if value["running"] == 0 and value["tokens"] and value["itl"]:
        decoding = value["tokens"] * value["itl"]
        if decoding >= LITTLE:
            changed["running"] = Reading.absent(
                f"it reads 0 while tokens and their gaps make {decoding:.1f} streams: no evidence"
            )
    if value["waiting"] == 0:
        queued = little(window, value["requests"], value["queue"]) or 0.0
        if queued >= LITTLE:
            why = "modelled: Little's law on the queue times, for the gauge reads 0 all the time"
            changed |= {"waiting": Reading(queued, why), "waits": Reading(1.0, why)}
    return changed


def little(window: Window, rate: float | None, seconds: float | None) -> float | None:
    """N = X · R, where the window is long enough for it."""
    if not rate or seconds is None or window.seconds < LONG * seconds:
        return None
    return rate * seconds


def level(waits: Window) -> Reading:
    """Share of the looks in which others waited that had as many running as ever, or nearly: a
    limit keeps their number, a pool of memory does not."""
    running = waits.known("server.running")
    if len(running) < STEADY:
        return Reading.absent("hardly anything waited")
    top = max(running)
    return Reading(sum(r >= top - _slack(top) for r in running) / len(running),
                   waits.mean("server.running").source)  # fmt: skip


def cap(
    busy: Window, waits: Window, told: Told, found: Mapping[str, Reading]
) -> tuple[Reading, Reading]:
    """(the most that may run, share of the looks in which others waited that had so many)."""
    running = waits.known("server.running")
    exported = busy.last("server.slots")
    slots = Reading(told.slots, "counted: as you said") if told.slots else exported
    if slots.value is None and (found["level"].value or 0) >= 0.9 and found["requests"].value:
        slots = Reading(max(running), "modelled: so many ran whenever others waited")
    if not running:
        return slots, Reading.absent("nothing waited")
    if slots.value is None:
        return slots, Reading.absent("the most requests that may run is not known")
    full = sum(r >= slots.value - _slack(slots.value) for r in running) / len(running)
    return slots, Reading(full, waits.mean("server.running").source)


def _slack(top: float) -> float:
    """A request that has just ended leaves its slot empty for a step."""
    return max(0.5, 0.03 * top)


def headroom(found: Mapping[str, Reading]) -> Reading:
    """Further requests of the usual size for which the KV pool has room."""
    kv, running = found["kv"], found["running"]
    if kv.value is None or not kv.value or not running.value:
        return kv if kv.value is None else Reading.absent("nothing runs")
    return Reading((1 - kv.value) * running.value / kv.value, kv.source)


def outside(busy: Window, found: Mapping[str, Reading]) -> Reading:
    """Requests that the front end has and the scheduler has not: being tokenised, detokenised, or
    read. By the front end's own count, or by Little's law on its rate and its latency."""
    inside = [found[n].value for n in ("running", "waiting")]
    inside.append(busy.mean("server.handed_over").value or 0.0)
    if None in inside:
        return Reading.absent("the scheduler's requests are not known")
    front = busy.mean("server.requests_open")
    law = little(busy, found["requests"].value, found["e2e"].value)
    if front.value is None and law is not None:
        front = Reading(law, "modelled: Little's law on its requests")
    if front.value is None:
        return front
    return Reading(max(0.0, front.value - sum(inside)), front.source)
