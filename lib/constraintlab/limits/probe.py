"""Probe this machine's capacities once, keep them, and read them back."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from constraintlab.limits import cgroup
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.home import home
from constraintlab.limits.keeping import write
from constraintlab.limits.machine import describe, fingerprint
from constraintlab.limits.probes import compute, host, memory, sockets

VERSION = 1


def measure(device: str = "cpu", say: Callable[[str], object] | None = None) -> Capacities:
    """Measure every capacity, about six seconds on two cores; `say` hears what is under way.

    Uses no more threads than the cores that this process may use, and no more than an eighth
    of the memory for any one buffer.
    """
    import torch

    say = say or (lambda what: None)
    cores = cgroup.cores()
    free = cgroup.available_bytes()
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, min(threads, math.ceil(cores))))
    try:
        rates = {}
        for dtype in compute.DTYPES:
            say(f"compute, {dtype}")
            rates[dtype] = compute.matrix_product(dtype, device)
        say("compute, exponentials")
        rates["exp"] = compute.exponentials(device)
        say("memory bandwidth")
        read = memory.bandwidth(free, device)
        say("fresh pages")
        pages = (
            memory.fresh_pages(free)
            if device == "cpu"
            else memory.Estimate.absent("B/s", "the GPU's caching allocator keeps its pages")
        )
        say("host and sockets")
        writes, loopback = sockets.sockets()
        return Capacities(
            rates,
            read,
            pages,
            host.operation(),
            writes,
            loopback,
            cores=cores,
            machine=describe(device),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    finally:
        torch.set_num_threads(threads)


def cache_file() -> Path:
    """Where the probes of every machine that shares this home are kept."""
    return home().path / "probes.json"


def _read(path: Path) -> tuple[dict, str | None]:
    """The cached machines, and a note when the file could not be used and was set aside."""
    try:
        kept = json.loads(path.read_text())
        if kept["version"] != VERSION:
            raise ValueError(f"version {kept['version']}, this constraintlab reads {VERSION}")
        return dict(kept["machines"]), None
    except FileNotFoundError:
        return {}, None
    except (ValueError, KeyError, TypeError, OSError) as error:
        aside = path.with_suffix(".unreadable.json")
        try:
            os.replace(path, aside)
        except OSError:
            return {}, f"{path.name} is unreadable ({error}) and can't be moved"
        return {}, f"{path.name} was unreadable ({error}): kept as {aside.name}"


def load(device: str = "cpu") -> Capacities | None:
    """The cached capacities of this very machine, or None when it was never probed."""
    return recall(device)[0]


def recall(device: str = "cpu") -> tuple[Capacities | None, str | None]:
    """What `load` gives, and a note when the cache, or this machine's part of it, was damaged."""
    machines, note = _read(cache_file())
    kept = machines.get(fingerprint(describe(device)))
    if kept is None:
        return None, note
    try:
        return Capacities.from_dict(kept), note
    except (KeyError, ValueError, TypeError) as error:
        return None, f"the cached probe of this machine is damaged ({error!r})"


def save(caps: Capacities) -> None:
    """Add `caps` to the cache in one atomic step; other machines' entries stay."""
    path = cache_file()
    machines, _ = _read(path)
    machines[fingerprint(caps.machine)] = caps.as_dict()
    write(path, json.dumps({"version": VERSION, "machines": machines}, indent=1))


def capacities(
    device: str = "cpu", *, again: bool = False, say: Callable[[str], object] = lambda what: None
) -> Capacities:
    """This machine's capacities: from the cache, or measured now and cached.

    again: measure even if cached. say: hears one line about each step, and about a cache
    that had to be set aside or a home that can't be written.
    """
    if home().note:
        say(home().note)
    kept, note = (None, None) if again else recall(device)
    if note:
        say(f"{note}; probing again")
    if kept is not None:
        return kept
    caps = measure(device, say)
    try:
        save(caps)
    except OSError as error:
        say(f"{cache_file().name} can't be written ({error.strerror}): measured again next time")
    return caps
