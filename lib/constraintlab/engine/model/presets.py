"""Shapes with random weights, for where only speed matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from constraintlab.engine.model import names
from constraintlab.engine.model.config import ModelConfig
from constraintlab.engine.model.rope import Rope
from constraintlab.engine.model.weights import Weights


def llama(
    vocab: int,
    hidden: int,
    layers: int,
    heads: int,
    kv_heads: int,
    head_dim: int,
    ffn: int,
    **other,
) -> ModelConfig:
    """A Llama of this shape: every layer sees all keys."""
    options = {"rope": Rope(500_000.0), "scale": head_dim**-0.5, "tied": True} | other
    return ModelConfig(
        vocab, hidden, layers, heads, kv_heads, head_dim, ffn, windows=(None,) * layers, **options
    )  # fmt: skip


LLAMA_31 = Rope(500_000.0, "llama3", 8.0, 1.0, 4.0, 8192)
PRESETS: Mapping[str, ModelConfig] = {
    "nano": llama(512, 128, 2, 4, 2, 32, 384, dtype="float32"),
    "slim": llama(4096, 128, 2, 4, 1, 32, 128, dtype="float32"),
    "small": llama(8192, 512, 8, 8, 2, 64, 1536),
    "medium": llama(32_768, 1024, 16, 16, 4, 64, 4096),
    "llama-3.1-8b-layer": llama(
        128, 4096, 1, 32, 8, 128, 14_336, rope=LLAMA_31, max_positions=131_072
    ),
}
"""nano: for tests; slim: hardly more than attention, so that a prompt shows what its rung is worth;
small and medium: 30 M and 260 M weights; one layer of Llama 3.1 8B, whose vocabulary is cut to 128
so that the layer is what is timed."""


def random_tensors(
    config: ModelConfig, seed: int = 0, dtype: torch.dtype = torch.float32
) -> dict[str, torch.Tensor]:
    """Tensors of a checkpoint under its names, equal for equal seeds: values stay near 1. dtype: of
    the matrices, each converted before the next is made."""
    g = torch.Generator().manual_seed(seed)
    found = {}
    for name, shape in names.shapes(config).items():
        values = torch.randn(shape, generator=g)
        if name.endswith("norm.weight"):
            found[name] = values * 0.1 + (1 - config.norm_offset)
        else:
            found[name] = values * (shape[-1] ** -0.5 if len(shape) > 1 else 0.1)
        if len(shape) > 1:
            found[name] = found[name].to(dtype)
    return found


def preset(
    name: str, seed: int = 0, dtype: str | None = None, device: str = "cpu"
) -> tuple[ModelConfig, Weights]:
    """A preset's configuration and weights; ValueError for a name that is unknown."""
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name!r}: use {', '.join(PRESETS)}")
    config = PRESETS[name] if dtype is None else replace(PRESETS[name], dtype=dtype)
    tensors = random_tensors(config, seed, getattr(torch, config.dtype))
    return config, Weights.of(config, tensors, device)
