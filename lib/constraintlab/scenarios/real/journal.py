"""`Journal`: every step of an engine as a line of numbers, and those lines as `Counts`."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.plan import StepPlan
from constraintlab.engine.request import Request
from constraintlab.engine.virtual.counts import Counts, kind

WAITS = ("", "slots", "kv", "prefill")


class Line(NamedTuple):
    """A step. at: when it was planned, on time.monotonic's clock; device: seconds that its kernels
    take. decodes, keys, tokens, looked, pairs: see `counts.Steps`; ready: sequences that computed,
    or would have but for the step's tokens. resident, waiting: requests; held: blocks, and idle
    ones; waits: number in WAITS. drawn, lost: tokens. queued: tokens that the waiting ask for.
    busy: 1 where the step before left work to do, so that no time passed idle. schedule, sample:
    seconds that passed in these stages of the host."""

    at: float
    device: float
    decodes: float
    keys: float
    tokens: float
    looked: float
    pairs: float
    ready: float
    resident: float
    waiting: float
    held: float
    waits: float
    drawn: float
    lost: float
    queued: float
    busy: float
    schedule: float
    sample: float


PACKED = struct.Struct(f"{len(Line._fields)}d")


class Journal:
    """Writes lines to a new file."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115
        self._computed: set[Request] = set()
        self._waited = False

    def planned(
        self, at: float, plan: StepPlan, computed: Sequence[tuple[int, int, bool]],
        waiting: Sequence[Request], running: Sequence[Request], kv: KVStore, device: float,
        stages: tuple[float, float],
    ) -> None:  # fmt: skip
        """A plan that is carried out now. computed: for each of its chunks the tokens, those
        before them, and whether it decodes. stages: seconds of schedule and sample."""
        gone, size = set(plan.preempted), kv.block_size
        stays = [r for r in running if r not in gone]
        chunked = {r for r, _ in plan.chunks}
        held = sum(-(-(r.computed + n) // size) for r, n in plan.chunks)
        held += sum(-(-r.computed // size) for r in stays if r not in chunked)
        joined = len(chunked) - sum(r in chunked for r in stays)
        keys = [past + 1 for _, past, decodes in computed if decodes]
        prompts = [(n, past) for n, past, decodes in computed if not decodes]
        line = Line(
            at, device, len(keys), sum(keys), sum(n for n, _ in prompts),
            sum(n + past for n, past in prompts),
            sum(n * past + n * (n + 1) / 2 for n, past in prompts),
            len(computed) + sum(not r.held for r in plan.paused),
            len(stays) + joined, len(waiting) - joined + len(gone), held,
            WAITS.index(plan.waits), sum(r.todo == n for r, n in plan.chunks),
            sum(r.computed for r in gone),
            sum(r.remaining for r in waiting if r not in chunked),
            self._waited or any(r in self._computed for r in running), *stages,
        )  # fmt: skip
        self._file.write(PACKED.pack(*line))
        self._computed, self._waited = chunked, bool(plan.waits)


def read(path: str | Path) -> list[Line]:
    """All whole lines of a file."""
    data = Path(path).read_bytes()
    whole = len(data) - len(data) % PACKED.size
    return [Line(*found) for found in PACKED.iter_unpack(data[:whole])]


def between(lines: Sequence[Line], first: float, last: float, block_size: int) -> Counts:
    """What happened from `first` to `last`; a step counts by when it was planned."""
    counts = Counts(seconds=last - first)
    for line, until in _until(lines, last):
        took = min(until, last) - max(line.at, first)
        if took > 0:
            counts.resident += took * line.resident
            counts.waiting += took * line.waiting
            counts.held += took * line.held * block_size
            if line.waits:
                counts.lacks[WAITS[int(line.waits)]] += took
                counts.beside[WAITS[int(line.waits)]] += took * line.resident
        if not first < line.at <= last:
            continue
        counts.drawn += line.drawn
        counts.lost += line.lost
        if line.ready:
            steps = counts.kinds[kind(int(line.decodes), int(line.tokens))]
            steps.steps += 1
            steps.sequences += line.ready
            for name in ("decodes", "keys", "tokens", "looked", "pairs"):
                setattr(steps, name, getattr(steps, name) + getattr(line, name))
    return counts


def _until(lines: Sequence[Line], last: float) -> Iterator[tuple[Line, float]]:
    yield from ((a, b.at) for a, b in pairwise(lines))
    if lines:
        yield lines[-1], last


@dataclass(frozen=True)
class Host:
    """Seconds that an engine's host takes for a step and for each sequence in it."""

    step: float
    sequence: float


def host(lines: Sequence[Line], first: float, last: float, own: float = math.inf) -> Host:
    """What passed beside the device between steps that followed one another at once: its timed
    stages, and what is in neither of them. Of that `own` seconds are a step's, as they are where
    nothing else runs; the rest, when the cores have their tokens to carry on, is the sequences'.
    Together as long as it took.

    ValueError for fewer than ten such steps.
    """
    seen = [
        (line, after.at - line.at - line.device)
        for line, after in pairwise(lines)
        if first < line.at <= last and after.busy and line.ready
    ]
    if len(seen) < 10:
        raise ValueError(f"{len(seen)} steps that followed one another: give a longer run")
    sequences = sum(line.ready for line, _ in seen)
    schedule, sample = (math.fsum(getattr(x, k) for x, _ in seen) for k in ("schedule", "sample"))
    rest = max(0.0, math.fsum(took for _, took in seen) - schedule - sample)
    fixed = min(own * len(seen), rest)
    return Host((schedule + fixed) / len(seen), (sample + rest - fixed) / sequences)
