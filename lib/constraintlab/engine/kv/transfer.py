"""`Parcel`: a request's keys and values on their way to an engine in another process.

    parcel = pack(model, pool, slots, tokens)      # who computed the prompt
    unpack(parcel, model, pool, slots)             # who goes on with it

Tokens lie one after the other in a parcel, so the two pools may have blocks of different sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from hashlib import blake2b

import numpy as np
import torch

from constraintlab.engine.model.config import WIDTH, ModelConfig
from constraintlab.engine.model.pool import KVPool

SAMPLES = 1024
"""Values of each tensor that a fingerprint looks at: all of a large model would take minutes."""


@dataclass(frozen=True)
class Identity:
    """Whose keys and values these are: equal only for the same shape and the same weights.

    weights: a hash over the configuration and SAMPLES values of every tensor.
    """

    layers: int
    kv_heads: int
    head_dim: int
    dtype: str
    weights: str

    @classmethod
    def of(cls, config: ModelConfig, weights: object) -> Identity:
        """Of a model as `setup.load` returns it."""
        found = blake2b(repr(config).encode(), digest_size=16)
        for tensor in _tensors(weights):
            flat = tensor.reshape(-1)
            some = flat[:: max(1, len(flat) // SAMPLES)]
            found.update(some.float().cpu().numpy().tobytes())
        shape = config.layers, config.kv_heads, config.head_dim, config.dtype
        return cls(*shape, found.hexdigest())

    @property
    def shape(self) -> str:
        """For messages."""
        return (
            f"{self.layers} layers of {self.kv_heads} KV heads of {self.head_dim} in {self.dtype}"
        )

    def bytes(self, tokens: int) -> int:
        """Of the keys and values of so many tokens."""
        values = 2 * self.layers * self.kv_heads * self.head_dim
        return values * WIDTH[self.dtype] * tokens


@dataclass(frozen=True)
class Parcel:
    """KV of a request's first tokens. tokens: which ones; data: uint8, flat, of
    [2, layers, tokens, kv_heads, head_dim] values: all keys, then all values."""

    model: Identity
    tokens: tuple[int, ...]
    data: np.ndarray

    @property
    def length(self) -> int:
        """Tokens whose KV it has."""
        return len(self.tokens)

    def check(self, model: Identity, tokens: Sequence[int]) -> None:
        """ValueError unless an engine of `model` can go on from it with a request that begins with
        `tokens`."""
        theirs = self.model
        if theirs.shape != model.shape:
            raise ValueError(
                f"these keys and values have {theirs.shape}, this engine has {model.shape}: give "
                "both tiers the same model and dtype"
            )
        if theirs != model:
            raise ValueError(
                "these keys and values are another model's of the same shape: give both tiers the "
                "same checkpoint"
            )
        if self.data.nbytes != model.bytes(self.length):
            raise ValueError(
                f"{self.data.nbytes:,} bytes for {self.length} tokens of "
                f"{model.bytes(1):,}: the parcel is cut or damaged; ask for it again"
            )
        if tuple(tokens[: self.length]) != self.tokens:
            raise ValueError(
                f"the parcel has KV of {self.length} tokens that this request does not begin with"
            )


def pack(model: Identity, pool: KVPool, slots: Sequence[int], tokens: Sequence[int]) -> Parcel:
    """The KV in these flat slots, of these tokens, copied out of the pool."""
    if len(slots) != len(tokens):
        raise ValueError(f"{len(slots)} slots for {len(tokens)} tokens: give one for each")
    both = pool.read(torch.tensor(slots, dtype=torch.int64)).cpu()
    return Parcel(model, tuple(tokens), both.view(torch.uint8).reshape(-1).numpy())


def unpack(parcel: Parcel, model: Identity, pool: KVPool, slots: Sequence[int]) -> None:
    """Write a parcel that was checked into these flat slots of the pool of an engine of `model`."""
    shape = 2, model.layers, parcel.length, model.kv_heads, model.head_dim
    # What came through shared memory is read-only, which torch warns of; it is only read here.
    data = parcel.data if parcel.data.flags.writeable else parcel.data.copy()
    both = torch.from_numpy(data).view(getattr(torch, model.dtype)).reshape(shape)
    pool.write(torch.tensor(slots, dtype=torch.int64), both)


def _tensors(part: object) -> Iterator[torch.Tensor]:
    """Every tensor in a dataclass of tensors, tuples and dataclasses, in the fields' order."""
    if isinstance(part, torch.Tensor):
        yield part
    elif is_dataclass(part):
        for field in fields(part):
            yield from _tensors(getattr(part, field.name))
    elif isinstance(part, tuple):
        for one in part:
            yield from _tensors(one)
