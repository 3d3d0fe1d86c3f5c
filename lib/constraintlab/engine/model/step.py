"""What one forward pass works on: new tokens of several sequences, and where their KV lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Chunk:
    """The new tokens of one sequence: they follow `past` tokens whose KV is in `blocks` already.

    blocks: the sequence's blocks in order, enough for past + len(tokens) tokens. wanted: whether
    the logits after the last new token are wanted (not after a chunk amid a prompt).
    """

    tokens: Sequence[int]
    past: int
    blocks: Sequence[int]
    wanted: bool = True

    @property
    def keys(self) -> int:
        """Keys that the last new token attends to, its own among them."""
        return self.past + len(self.tokens)


@dataclass(frozen=True)
class Step:
    """A ragged batch of N new tokens of B sequences; the first `decodes` have one token each.

    tokens, positions, slots int64 [N], sequence after sequence: a token, its place in its
    sequence, and the slot of the pool for its key and value, block · block_size + offset.
    block_table int32 [B, blocks]; seq_lens int32 [B], all keys with the new tokens' own;
    cu_seqlens_q int32 [B + 1]: sequence b has rows cu_seqlens_q[b] to cu_seqlens_q[b + 1].
    wanted int64 [M]: the rows whose logits are wanted.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    slots: torch.Tensor
    block_table: torch.Tensor
    seq_lens: torch.Tensor
    cu_seqlens_q: torch.Tensor
    decodes: int
    wanted: torch.Tensor

    @property
    def sequences(self) -> int:
        return len(self.seq_lens)

    @property
    def new(self) -> list[int]:
        """New tokens of each sequence."""
        return self.cu_seqlens_q.diff().tolist()

    @classmethod
    def of(cls, chunks: Sequence[Chunk], block_size: int) -> Step:
        """The step that runs `chunks`, those of one token that come first as decodes.

        Logits come in the order of the chunks that want them. Raises ValueError for a chunk
        without tokens and for one whose blocks are too few.
        """
        for b, chunk in enumerate(chunks):
            if not len(chunk.tokens):
                raise ValueError(f"chunk {b} has no new tokens: leave it out")
            if chunk.keys > len(chunk.blocks) * block_size:
                raise ValueError(
                    f"chunk {b} needs room for {chunk.keys} tokens, its {len(chunk.blocks)} "
                    f"blocks of {block_size} hold {len(chunk.blocks) * block_size}"
                )
        lens = np.array([len(c.tokens) for c in chunks], np.int32)
        past = np.array([c.past for c in chunks], np.int32)
        starts = np.zeros(len(chunks) + 1, np.int32)
        np.cumsum(lens, out=starts[1:])
        table = np.zeros((len(chunks), max((len(c.blocks) for c in chunks), default=0)), np.int32)
        for b, chunk in enumerate(chunks):
            table[b, : len(chunk.blocks)] = chunk.blocks
        owner = np.repeat(np.arange(len(chunks)), lens)
        positions = np.arange(starts[-1]) - starts[owner] + past[owner]
        slots = table[owner, positions // block_size].astype(np.int64) * block_size
        long = np.flatnonzero(lens != 1)
        rows = [end - 1 for end, c in zip(starts[1:].tolist(), chunks, strict=True) if c.wanted]
        return cls(
            tokens=torch.tensor([t for c in chunks for t in c.tokens], dtype=torch.int64),
            positions=torch.from_numpy(positions.astype(np.int64)),
            slots=torch.from_numpy(slots + positions % block_size),
            block_table=torch.from_numpy(table),
            seq_lens=torch.from_numpy(past + lens),
            cu_seqlens_q=torch.from_numpy(starts),
            decodes=int(long[0]) if len(long) else len(chunks),
            wanted=torch.tensor(rows, dtype=torch.int64),
        )
