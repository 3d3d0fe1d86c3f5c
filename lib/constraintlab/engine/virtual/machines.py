"""Step costs of machines that are not here, from their published ceilings."""

from __future__ import annotations

from constraintlab.engine.virtual.cost import StepCost

FLOPS, BANDWIDTH = 989e12, 3.35e12
"""NVIDIA's H100 SXM datasheet: dense bf16 FLOP/s, bytes/s of its HBM3."""

PARAMETERS, LAYERS, HEADS, KV_HEADS, WIDTH = 8.03e9, 32, 32, 8, 128
"""Of Llama-3.1-8B, in bf16."""


def h100() -> StepCost:
    """Llama-3.1-8B on one H100 at its ceilings, which no engine reaches: a decode step reads the
    weights and each sequence's KV; below some 295 sequences its arithmetic hides behind that. A
    prompt's arithmetic is what its tokens cost. Source: jax-ml's scaling book, inference."""
    return StepCost(
        fixed=2 * PARAMETERS / BANDWIDTH,
        key=2 * LAYERS * KV_HEADS * WIDTH * 2 / BANDWIDTH,
        token=2 * PARAMETERS / FLOPS,
        pair=4 * LAYERS * HEADS * WIDTH / FLOPS,
        source="modelled: H100 SXM and Llama-3.1-8B at published ceilings",
    )


H100_BLOCKS = 404_000 // 16
"""Blocks of 16 tokens of KV beside those weights in 0.9 × 80 GB, with 3 GB for the rest."""
