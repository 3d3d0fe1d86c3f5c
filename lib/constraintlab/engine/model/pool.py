"""The KV pool: every layer's keys and values in blocks, allocated once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from constraintlab.engine.model.config import ModelConfig


class KVPool:
    """Keys and values of `n_blocks` blocks of `block_size` tokens, for each layer of a model.

    k, v: per layer [n_blocks, block_size, kv_heads, head_dim] in the model's dtype. A block is
    whoever's the block table says; what is in a slot before it is written is undefined. spare:
    blocks beyond those, which no table lists: padded rows write there.
    """

    def __init__(
        self,
        config: ModelConfig,
        n_blocks: int,
        block_size: int = 16,
        *,
        device: str = "cpu",
        spare: int = 0,
    ) -> None:
        if n_blocks < 1 or block_size < 1:
            raise ValueError(f"{n_blocks} blocks of {block_size} tokens: give 1 or more of each")
        self.n_blocks, self.block_size, self.spare = n_blocks, block_size, spare
        self.bytes_per_token = config.kv_bytes
        shape = (config.layers, n_blocks + spare, block_size, config.kv_heads, config.head_dim)
        dtype = getattr(torch, config.dtype)
        self._both = [torch.empty(shape, dtype=dtype, device=device) for _ in "kv"]
        self.k, self.v = (tuple(whole.unbind()) for whole in self._both)

    @property
    def tokens(self) -> int:
        """Tokens that the pool holds."""
        return self.n_blocks * self.block_size

    @property
    def spare_slot(self) -> int:
        """The first slot that is nobody's."""
        return self.tokens

    @property
    def bytes(self) -> int:
        return self.tokens * self.bytes_per_token

    def check(self, slots: torch.Tensor) -> None:
        """Raises IndexError for a slot int64 [N] that the pool has not.

        On a CPU: a compiled kernel would write anywhere. A GPU's own kernels look.
        """
        if slots.device.type == "cpu" and len(slots):
            least, most = slots.aminmax()
            if not 0 <= least <= most < self.tokens + self.spare * self.block_size:
                raise IndexError(f"slots {least} to {most} of a pool of {self.tokens}")

    def copy(
        self,
        pairs: Sequence[tuple[int, int]],
        send: Callable[[np.ndarray], torch.Tensor] | None = None,
    ) -> None:
        """Copy block `a` to block `b` in every layer, for each (a, b): copy-on-write's second half.

        All are read before any is written. send: puts an array where the pool is, if that is a GPU.
        Raises ValueError for a block that is written twice.
        """
        if not pairs:
            return
        source, target = (list(ids) for ids in zip(*pairs, strict=True))
        if len(set(target)) < len(target):
            raise ValueError(f"{list(pairs)}: a block is written twice")
        if send is not None:
            source, target = send(np.array([source, target])).unbind()
        for whole in self._both:
            whole[:, target] = whole[:, source]

    def read(self, slots: torch.Tensor) -> torch.Tensor:
        """A copy of the keys and values in flat slots int64 [N]:
        [2, layers, N, kv_heads, head_dim]. IndexError as `check` has it."""
        self.check(slots)
        slots = slots.to(self.k[0].device)
        return torch.stack([whole.flatten(1, 2)[:, slots] for whole in self._both])

    def write(self, slots: torch.Tensor, both: torch.Tensor) -> None:
        """Put what `read` returned, here or elsewhere, into these slots."""
        self.check(slots)
        slots, both = slots.to(self.k[0].device), both.to(self.k[0].device)
        for whole, new in zip(self._both, both, strict=True):
            whole.flatten(1, 2)[:, slots] = new
