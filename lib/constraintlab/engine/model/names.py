"""The tensors of a checkpoint, under the names that Hugging Face's files give them."""

from __future__ import annotations

import re

from constraintlab.engine.model.config import ModelConfig

EMBEDDING, HEAD, NORM = "model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"

UNUSED = re.compile(r".*rotary_emb\.inv_freq|.*\.masked_bias")
"""Tensors that some checkpoints carry and nobody needs: they follow from the configuration."""


def layer_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name within a layer and shape of each of its tensors."""
    c, h = config, config.hidden
    q, kv = c.heads * c.head_dim, c.kv_heads * c.head_dim
    shapes: dict[str, tuple[int, ...]] = {
        "input_layernorm.weight": (h,),
        "self_attn.q_proj.weight": (q, h),
        "self_attn.k_proj.weight": (kv, h),
        "self_attn.v_proj.weight": (kv, h),
        "self_attn.o_proj.weight": (h, q),
        "post_attention_layernorm.weight": (h,),
        "mlp.gate_proj.weight": (c.ffn, h),
        "mlp.up_proj.weight": (c.ffn, h),
        "mlp.down_proj.weight": (h, c.ffn),
    }
    if c.qkv_bias:
        shapes |= {
            f"self_attn.{p}_proj.bias": (n,) for p, n in zip("qkv", (q, kv, kv), strict=True)
        }
    if c.qk_norm:
        shapes |= {f"self_attn.{p}_norm.weight": (c.head_dim,) for p in "qk"}
    if c.post_norms:
        shapes |= {f"{p}_feedforward_layernorm.weight": (h,) for p in ("pre", "post")}
    return shapes


def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a checkpoint."""
    ends = {EMBEDDING: (config.vocab, config.hidden), NORM: (config.hidden,)}
    if not config.tied:
        ends[HEAD] = (config.vocab, config.hidden)
    layer = layer_shapes(config)
    return ends | {
        f"model.layers.{i}.{name}": shape
        for i in range(config.layers)
        for name, shape in layer.items()
    }
