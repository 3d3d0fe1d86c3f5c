"""Counted work of a forward pass: FLOPs and bytes, without tensors, so that it can be planned."""

from __future__ import annotations

from collections.abc import Sequence

from constraintlab.engine.model.config import ModelConfig
from constraintlab.limits.work import Kernel, Work


def kernels(
    config: ModelConfig,
    new: Sequence[int],
    keys: Sequence[int],
    wanted: int,
    prompts: bool = True,
) -> tuple[Kernel, ...]:
    """The work of one step over sequences with `new` tokens each and `keys` keys, the new counted.

    wanted: rows whose logits are computed. Weights are read once a step, however many share them
    (`fixed`); the rest is the sequences' own, as `each` of an average one, so that
    `kernel.work(len(new))` is the whole step's. Attention counts the scores that the causal mask
    and the windows keep, and every key and value it reads once. prompts: False leaves out the
    attention of sequences with several new tokens, for a rung that counts its own.
    """
    c, n = config, max(1, len(new))
    tokens = sum(new)

    def product(name: str, rows: int, weights: int, ends: int) -> Kernel:
        """rows · weights: two FLOPs a weight and row; `ends` values in and out for a row."""
        moved = Work(2.0 * rows * weights / n, rows * ends * c.width / n)
        return Kernel(name, moved, Work(0, weights * c.width if rows else 0), unit=c.dtype)

    q, kv = c.heads * c.head_dim, c.kv_heads * c.head_dim
    ends = c.hidden + q + 2 * kv + q + c.hidden + c.hidden + 2 * c.ffn + c.ffn + c.hidden
    mine = [(t, k) for t, k in zip(new, keys, strict=True) if prompts or t == 1]
    rows = sum(t for t, _ in mine) * c.layers
    scores = sum(_scores(mine, w) for w in c.windows)
    read = sum(_read(mine, w) for w in c.windows)
    moved = 2 * (read + rows) * kv + 2 * rows * q
    return (
        product("layers", tokens, c.layers * c.layer_matrices, c.layers * ends),
        Kernel(
            "attention",
            Work(4.0 * scores * q / n, moved * c.width / n),
            unit=c.dtype,
        ),
        Kernel("softmax", Work(float(scores * c.heads) / n), unit="exp"),
        product("head", wanted, c.embedding, c.hidden + c.vocab),
    )


def _scores(sequences: Sequence[tuple[int, int]], window: int | None) -> int:
    """Query-key pairs of one layer that the mask keeps: query i of a sequence sees its past."""
    total = 0
    for t, k in sequences:
        if window is None or k <= window:
            total += t * k - t * (t - 1) // 2
        else:
            short = max(0, min(t, window - (k - t)))
            first = k - t + 1
            total += short * (2 * first + short - 1) // 2 + (t - short) * window
    return total


def _read(sequences: Sequence[tuple[int, int]], window: int | None) -> int:
    """Keys of one layer that at least one query sees."""
    if window is None:
        return sum(k for _, k in sequences)
    return sum(min(k, t + window - 1) for t, k in sequences)
