"""`Runner`: the tensor side of the engine's loop: pieces to tensors, one forward pass, tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from constraintlab.engine.model.decoder import Decoder
from constraintlab.engine.model.pool import KVPool
from constraintlab.engine.model.step import Step
from constraintlab.engine.request import Request
from constraintlab.engine.sample import Sampler
from constraintlab.engine.step import Piece
from constraintlab.limits.work import Kernel


class Runner:
    """A `loop.Model` of a decoder and its pool.

    Block tables are kept as rows of one array, since a step adds to few of them: made anew, a
    table of long sequences would cost more than the rest of the step's bookkeeping.
    """

    def __init__(self, decoder: Decoder, pool: KVPool, sampler: Sampler | None = None) -> None:
        self.decoder, self.pool, self.sampler = decoder, pool, sampler or Sampler()
        self.last: Step | None = None
        """The tensors of the newest step."""
        self._table = np.zeros((8, 64), np.int32)
        self._rows: dict[Request, tuple[int, int]] = {}
        self._free = list(range(len(self._table)))
        self._logits = torch.empty(0, decoder.config.vocab)

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """See `loop.Model`."""
        self.pool.copy(pairs)

    def forward(self, pieces: Sequence[Piece]) -> torch.Tensor:
        """See `loop.Model`."""
        self.last = step = self._step(pieces)
        return self.decoder.forward(step, self.pool, self._room(len(step.wanted)))

    def draw(self, logits: torch.Tensor, requests: Sequence[Request]) -> list[int]:
        """See `loop.Model`."""
        return self.sampler.draw(logits, requests)

    def forget(self, request: Request) -> None:
        """See `loop.Model`."""
        kept = self._rows.pop(request, None)
        if kept:
            self._free.append(kept[0])

    def work(self) -> tuple[Kernel, ...]:
        """FLOPs and bytes of the newest step."""
        return self.decoder.work(self.last)

    def _room(self, rows: int) -> torch.Tensor:
        """A tensor for the logits of so many rows or more, where the others are."""
        if len(self._logits) < rows:
            self._logits = self._logits.new_empty(2 * rows, self.decoder.config.vocab)
        return self._logits

    def _step(self, pieces: Sequence[Piece]) -> Step:
        lens = np.array([len(p.tokens) for p in pieces], np.int32)
        past = np.array([p.past for p in pieces], np.int32)
        starts = np.zeros(len(pieces) + 1, np.int32)
        np.cumsum(lens, out=starts[1:])
        rows = np.array([self._row(p) for p in pieces])
        blocks = max(len(p.table) for p in pieces)
        decodes = int(np.count_nonzero(lens == 1))
        if decodes == len(pieces):
            positions = past.astype(np.int64)
        else:
            owner = np.repeat(np.arange(len(pieces)), lens)
            positions = np.arange(starts[-1], dtype=np.int64) + (past - starts[:-1])[owner]
        draws = [end - 1 for end, p in zip(starts[1:].tolist(), pieces, strict=True) if p.draws]
        return Step(
            tokens=torch.tensor([t for p in pieces for t in p.tokens]),
            positions=torch.from_numpy(positions),
            slots=torch.tensor([s for p in pieces for s in p.slots]),
            block_table=torch.from_numpy(self._table[rows, :blocks]),
            seq_lens=torch.from_numpy(past + lens),
            cu_seqlens_q=torch.from_numpy(starts),
            decodes=decodes,
            wanted=torch.tensor(draws, dtype=torch.int64),
        )

    def _row(self, piece: Piece) -> int:
        """The row of the request's table, brought up to date."""
        row, known = self._rows.get(piece.request, (-1, 0))
        n = len(piece.table)
        if row < 0:
            row = self._take()
        elif known == n and not piece.copied:
            return row
        if piece.copied:
            known = 0
        if n > self._table.shape[1]:
            self._table = np.pad(self._table, ((0, 0), (0, n)))
        self._table[row, known:n] = piece.table[known:]
        self._rows[piece.request] = row, n
        return row

    def _take(self) -> int:
        if not self._free:
            more = len(self._table)
            self._table = np.pad(self._table, ((0, more), (0, 0)))
            self._free = list(range(more, 2 * more))
        return self._free.pop()
