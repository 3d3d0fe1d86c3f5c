"""What crosses between host and device in a step, and where one waits for the other.

1. Down: a step's integers (tokens, positions, slots, wanted rows, lengths, starts, block table) go
   in one pinned buffer and one copy that nobody waits for. Pinned, since a copy from ordinary
   memory first waits for all that is queued; a new buffer in each step, from torch's allocator of
   pinned memory, which hands one out again only when its copy is done.
2. Up: the drawn tokens come back by one copy into pinned memory, and `up` waits for it. That is the
   only wait in a step; a step that draws nothing has none, and the host runs ahead.
3. One stream: copies and kernels run in the order in which they are queued, so nothing else waits.
4. The wait is timed by itself: a host that waits does no work. The device's time is that between
   two events of its own, at a step's first copy and its last.

Outside of these: numbers of requests that draw by temperature go down by one more copy (`send`), so
do copy-on-write's pairs; a parcel for another tier is read back with a wait of its own; and
attention by `gather` or an older rung reads lengths back in every layer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from constraintlab.engine.model.step import Step
from constraintlab.engine.step import Spent

ALIGNED = 2
"""Parts begin at multiples of so many int64: 16 bytes, which Triton compiles faster loads for."""

WIDE = 16
"""A table's width is a multiple of this: each other width would have Triton compile anew."""


class Machine(Protocol):
    """What a device has that a CPU has not."""

    device: str

    def pinned(self, n: int, dtype: torch.dtype) -> torch.Tensor:
        """n values of host memory that copies can be made from and to without a wait."""

    def event(self) -> Any:
        """With `record()`, `synchronize()` and `elapsed_time(later)` in ms."""


class Cuda:
    """An NVIDIA GPU."""

    device = "cuda"

    def pinned(self, n: int, dtype: torch.dtype) -> torch.Tensor:
        """See `Machine`."""
        return torch.empty(n, dtype=dtype, pin_memory=True)

    def event(self) -> torch.cuda.Event:
        """See `Machine`."""
        return torch.cuda.Event(enable_timing=True)


@dataclass(frozen=True)
class Layout:
    """A step's parts in one buffer. rows: new tokens; width: of the table; wanted: rows."""

    rows: int
    sequences: int
    width: int
    wanted: int

    @classmethod
    def of(cls, step: Step) -> Layout:
        """Just large enough for a step."""
        width = -(-step.block_table.shape[1] // WIDE) * WIDE
        return cls(len(step.tokens), step.sequences, width, len(step.wanted))

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """(values, bytes of one) of each part, in the order of `Step`'s tensors."""
        s = self.sequences
        short = ((s * self.width, 4), (s, 4), (s + 1, 4))
        return ((self.rows, 8),) * 3 + short + ((self.wanted, 8),)

    @property
    def words(self) -> int:
        """int64 that the buffer has."""
        return sum(_words(*size) for size in self.sizes)


def views(buffer: torch.Tensor, layout: Layout, decodes: int) -> Step:
    """A step whose tensors lie in `buffer`, int64 [layout.words] or more."""
    parts, at = [], 0
    for n, width in layout.sizes:
        part = buffer[at : at + _words(n, width)]
        parts.append((part if width == 8 else part.view(torch.int32))[:n])
        at += _words(n, width)
    tokens, positions, slots, table, lens, starts, wanted = parts
    table = table.view(layout.sequences, layout.width)
    return Step(tokens, positions, slots, table, lens, starts, decodes, wanted)


def fill(buffer: torch.Tensor, layout: Layout, step: Step, spare: int = 0) -> None:
    """Write a step on the host into a buffer on the host that may have room for more sequences.

    Those that are too many have one token, whose key and value go to slot `spare`, and no keys:
    they read nothing. Only a step of decodes can be padded so.
    """
    into = views(buffer, layout, step.decodes)
    n, b, width = len(step.tokens), step.sequences, step.block_table.shape[1]
    assert layout.rows == n or (n == b == step.decodes and layout.rows == layout.sequences)
    for new, old, rest in (
        (into.tokens, step.tokens, 0),
        (into.positions, step.positions, 0),
        (into.slots, step.slots, spare),
        (into.seq_lens, step.seq_lens, 0),
        (into.wanted, step.wanted, 0),
    ):
        array = new.numpy()
        array[: len(old)], array[len(old) :] = old.numpy(), rest
    table, starts = into.block_table.numpy(), into.cu_seqlens_q.numpy()
    table[:b, :width], table[:b, width:], table[b:] = step.block_table.numpy(), 0, 0
    starts[: b + 1] = step.cu_seqlens_q.numpy()
    starts[b + 1 :] = np.arange(n + 1, n + 1 + layout.sequences - b)


class Staging:
    """The crossings of one engine, and what they cost."""

    def __init__(self, machine: Machine, clock: Callable[[], float] = time.perf_counter) -> None:
        self._machine, self._clock = machine, clock
        self._began, self._ran, self._waited, self._over = None, [], 0.0, False

    def begin(self) -> None:
        """The device's part of a step begins with whatever is queued next."""
        self._began = self._machine.event()
        self._began.record()

    def end(self) -> Any:
        """It ends with what was queued last."""
        done = self._machine.event()
        done.record()
        self._ran.append((self._began, done))
        return done

    def down(self, step: Step) -> Step:
        """The step's tensors on the device, by one copy."""
        layout = Layout.of(step)
        there = torch.empty(layout.words, dtype=torch.int64, device=self._machine.device)
        self.down_into(there, layout, step)
        return views(there, layout, step.decodes)

    def down_into(self, there: torch.Tensor, layout: Layout, step: Step, spare: int = 0) -> None:
        """Into a buffer on the device that stays, and may have room for more sequences."""
        here = self._machine.pinned(layout.words, torch.int64)
        fill(here, layout, step, spare)
        there.copy_(here, non_blocking=True)

    def send(self, values: np.ndarray) -> torch.Tensor:
        """An array on the device, by a copy that nobody waits for."""
        whole = torch.from_numpy(np.ascontiguousarray(values))
        here = self._machine.pinned(whole.numel(), whole.dtype).view(whole.shape)
        return here.copy_(whole).to(self._machine.device, non_blocking=True)

    def up(self, drawn: torch.Tensor) -> list[int]:
        """Drawn tokens int64 [M] from the device, which by then is done with all of the step."""
        here = self._machine.pinned(len(drawn), drawn.dtype)
        here.copy_(drawn, non_blocking=True)
        done = self.end()
        asked = self._clock()
        done.synchronize()
        self._waited += self._clock() - asked
        self._over = True
        return here.tolist()

    def spent(self) -> Spent:
        """What the steps that have ended took since this was asked last; those that drew nothing
        are told of with the next that did, for only then are they known to be over."""
        if not self._over:
            return Spent(0.0, 0.0)
        device = sum(began.elapsed_time(done) for began, done in self._ran) / 1e3
        told = Spent(device, self._waited)
        self._ran, self._waited, self._over = [], 0.0, False
        return told


def _words(n: int, width: int) -> int:
    return -(-n * width // (8 * ALIGNED)) * ALIGNED
