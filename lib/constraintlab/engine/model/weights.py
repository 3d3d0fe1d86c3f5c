"""Weights as a decoder wants them, from tensors under their Hugging Face names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from constraintlab.engine.model import names
from constraintlab.engine.model.config import ModelConfig


@dataclass(frozen=True)
class LayerWeights:
    """One layer: matrices [out, in] in the model's dtype, norms in fp32 with their offset added.

    qkv: queries', keys' and values' rows below each other; gate_up likewise. before_mlp is the
    norm in front of the MLP; after_attention and after_mlp, of what they return, are for families
    with post_norms.
    """

    before_attention: torch.Tensor
    qkv: torch.Tensor
    output: torch.Tensor
    before_mlp: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor
    qkv_bias: torch.Tensor | None = None
    q_norm: torch.Tensor | None = None
    k_norm: torch.Tensor | None = None
    after_attention: torch.Tensor | None = None
    after_mlp: torch.Tensor | None = None


@dataclass(frozen=True)
class Weights:
    """A whole model. head is the embedding itself where they are tied."""

    embedding: torch.Tensor
    layers: tuple[LayerWeights, ...]
    norm: torch.Tensor
    head: torch.Tensor

    @classmethod
    def of(
        cls, config: ModelConfig, tensors: Mapping[str, torch.Tensor], device: str = "cpu"
    ) -> Weights:
        """From tensors under their Hugging Face names, converted to the configuration's dtype.

        Raises ValueError that lists every tensor that is missing, of another shape, or unknown.
        """
        check(config, {name: tuple(t.shape) for name, t in tensors.items()})
        dtype = getattr(torch, config.dtype)

        def matrix(*found: str) -> torch.Tensor:
            parts = [tensors[name].to(device, dtype) for name in found]
            return parts[0] if len(parts) == 1 else torch.cat(parts)

        def norm(name: str) -> torch.Tensor:
            return tensors[name].to(device, torch.float32) + config.norm_offset

        embedding = matrix(names.EMBEDDING)
        return cls(
            embedding,
            tuple(_layer(config, f"model.layers.{i}.", matrix, norm) for i in range(config.layers)),
            norm(names.NORM),
            embedding if config.tied else matrix(names.HEAD),
        )


def _layer(config: ModelConfig, at: str, matrix: Callable, norm: Callable) -> LayerWeights:
    c, attention = config, at + "self_attn."
    before_mlp = "pre_feedforward_layernorm" if c.post_norms else "post_attention_layernorm"
    return LayerWeights(
        before_attention=norm(f"{at}input_layernorm.weight"),
        qkv=matrix(*(f"{attention}{p}_proj.weight" for p in "qkv")),
        qkv_bias=matrix(*(f"{attention}{p}_proj.bias" for p in "qkv")) if c.qkv_bias else None,
        q_norm=norm(f"{attention}q_norm.weight") if c.qk_norm else None,
        k_norm=norm(f"{attention}k_norm.weight") if c.qk_norm else None,
        output=matrix(f"{attention}o_proj.weight"),
        after_attention=norm(f"{at}post_attention_layernorm.weight") if c.post_norms else None,
        before_mlp=norm(f"{at}{before_mlp}.weight"),
        gate_up=matrix(f"{at}mlp.gate_proj.weight", f"{at}mlp.up_proj.weight"),
        down=matrix(f"{at}mlp.down_proj.weight"),
        after_mlp=norm(f"{at}post_feedforward_layernorm.weight") if c.post_norms else None,
    )


def check(config: ModelConfig, found: Mapping[str, tuple[int, ...]]) -> None:
    """Raises ValueError where tensors of these names and shapes are not the configuration's."""
    wanted = names.shapes(config)
    extra = {names.HEAD} if config.tied else set()
    lines = [f"missing: {name} {list(wanted[name])}" for name in wanted if name not in found]
    lines += [
        f"misshapen: {name} is {list(found[name])}, not {list(shape)}"
        for name, shape in wanted.items()
        if name in found and tuple(found[name]) != shape
    ]
    lines += [
        f"unknown: {name}"
        for name in found
        if name not in wanted and name not in extra and not names.UNUSED.fullmatch(name)
    ]
    if lines:
        more = f"\n  … and {len(lines) - 20} more" if len(lines) > 20 else ""
        raise ValueError(
            "the tensors are not those of config.json:\n  " + "\n  ".join(lines[:20]) + more
        )
