"""Decode steps as CUDA graphs: recorded once for each size, then launched as a whole.

A decode step of a small model is hundreds of kernels of microseconds each, and the host takes
longer to launch them one by one than the device to run them. A graph is launched once. It does
again what was recorded, with the same addresses and sizes, so:

- its inputs lie in a buffer that stays, which each step's copy fills (`staging`);
- it has a size, a power of two of sequences, and a step is padded to the next one: the rows that
  are too many write to a spare slot of the pool that no table lists, and read nothing;
- its block table has the width of the longest sequence that there may be, and all of it is copied
  in each step: 4 bytes · size · width, 64 KB for 32 sequences of 512 blocks.

Steps with a prompt have too many shapes, and run eagerly. `Recorder` is the only part that needs a
GPU: all else runs, and is tested, without one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

from constraintlab.engine.model.decoder import Decoder
from constraintlab.engine.model.pool import KVPool
from constraintlab.engine.model.staging import WIDE, Layout, Staging, views
from constraintlab.engine.model.step import Step

WARM = 2
"""Runs before one is recorded: the first compile kernels and take workspaces, which a recording
can't."""


class Recorder(Protocol):
    """Records what a call does on the device; returns what does it again."""

    def __call__(self, call: Callable[[], object]) -> Callable[[], object]: ...


class CudaRecorder:
    """Recordings share one pool of memory for what lies between inputs and results: no two run at
    once. Source: PyTorch's notes on CUDA semantics, CUDA graphs."""

    def __init__(self) -> None:
        self._stream, self._pool = torch.cuda.Stream(), None

    def __call__(self, call: Callable[[], object]) -> Callable[[], object]:
        here, aside = torch.cuda.current_stream(), self._stream
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            for _ in range(WARM):
                call()
        here.wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # By default any thread's CUDA call would spoil the recording: a panel's, say.
        with torch.cuda.graph(
            graph, pool=self._pool, stream=aside, capture_error_mode="thread_local"
        ):
            call()
        self._pool = graph.pool()
        return graph.replay


@dataclass(frozen=True)
class Recorded:
    """One size: where its inputs go, where its logits are, and what runs it."""

    layout: Layout
    inputs: torch.Tensor
    logits: torch.Tensor
    replay: Callable[[], object]


class Graphs:
    """The graphs of one decoder and pool, which has a spare block.

    slots: sequences of the largest. width: blocks of the longest sequence. refusal: '', or why a
    step can't be one. failed: '', or why none could be recorded.
    """

    def __init__(
        self, decoder: Decoder, pool: KVPool, slots: int, width: int, record: Recorder
    ) -> None:
        if not pool.spare:
            raise ValueError("the pool has no spare block for padded rows: make it with spare=1")
        self._decoder, self._pool = decoder, pool
        self.width = -(-width // WIDE) * WIDE
        self.failed, self._kept = "", {}
        self._all = sizes(slots)
        try:
            # The largest first: the others find the memory that it took, and take no more.
            for size in reversed(self._all):
                self._kept[size] = self._recorded(size, record)
        except RuntimeError as error:
            self.failed = f"CUDA graphs could not be recorded: {str(error).splitlines()[0]}"
            self._kept.clear()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sequences that there are graphs for, ascending."""
        return () if self.failed else self._all

    def refusal(self, step: Step) -> str:
        """Why this step is run eagerly; empty where it is not."""
        if self.failed:
            return self.failed
        if step.decodes < step.sequences:
            return "a prompt is in the step"
        if step.sequences > self._all[-1]:
            return f"more than {self._all[-1]} sequences"
        if step.block_table.shape[1] > self.width:
            return f"a sequence of more than {self.width} blocks"
        return ""

    def forward(self, step: Step, staging: Staging) -> torch.Tensor:
        """Logits fp32 [M, vocab] of a step on the host that is not refused; they stay until the
        next step of this size."""
        size = next(n for n in self.sizes if n >= step.sequences)
        kept = self._kept[size]
        staging.down_into(kept.inputs, kept.layout, step, self._pool.spare_slot)
        kept.replay()
        return kept.logits[: len(step.wanted)]

    def _recorded(self, size: int, record: Recorder) -> Recorded:
        layout, device = Layout(size, size, self.width, size), self._decoder.embedding.device
        inputs = torch.zeros(layout.words, dtype=torch.int64, device=device)
        step = views(inputs, layout, size)
        # What runs while it is recorded writes to the spare slot alone.
        step.slots.fill_(self._pool.spare_slot)
        torch.arange(size + 1, out=step.cu_seqlens_q)
        logits = torch.empty(size, self._decoder.config.vocab, device=device)
        replay = record(lambda: self._decoder.forward(step, self._pool, logits))
        return Recorded(layout, inputs, logits, replay)


def sizes(slots: int) -> tuple[int, ...]:
    """1, 2, 4, … up to the first that holds `slots` sequences."""
    found = [1]
    while found[-1] < slots:
        found.append(2 * found[-1])
    return tuple(found)
