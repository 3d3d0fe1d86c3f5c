"""Counted work of prompts' attention by an older rung, as that rung counts it itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from constraintlab.attention import paged_rungs
from constraintlab.attention.rung import Shape
from constraintlab.engine.model.config import ModelConfig
from constraintlab.limits.work import Kernel, Work


def kernels(
    rung: str, config: ModelConfig, new: Sequence[int], keys: Sequence[int], device: str = "cpu"
) -> tuple[Kernel, ...]:
    """Of one step over sequences with `new` tokens each and `keys` keys, the new counted; only
    those with several new tokens. As `each` of an average sequence, like `work.kernels`'."""
    c, found = config, {}
    for t, k in zip(new, keys, strict=True):
        if t > 1:
            shape = Shape(1, c.heads, c.kv_heads, t, k, c.head_dim, getattr(torch, c.dtype), device)
            for one in paged_rungs.kernels(rung, shape):
                before = found.get(one.name, (Work(), one.unit))[0]
                found[one.name] = before + c.layers * one.each, one.unit
    share = 1 / max(1, len(new))
    return tuple(Kernel(n, w * share, unit=unit) for n, (w, unit) in found.items())
