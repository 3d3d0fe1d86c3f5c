"""A Hugging Face `config.json` as a `ModelConfig`: which families are read, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from constraintlab.engine.model.config import ModelConfig
from constraintlab.engine.model.rope import Rope

LLAMA = {"rope_theta": 10_000.0, "tie_word_embeddings": False, "hidden_act": "silu"}
FAMILIES: Mapping[str, Mapping] = {
    "llama": LLAMA,
    "qwen2": LLAMA,
    "qwen3": LLAMA | {"head_dim": 128},
    "gemma3_text": {
        "rope_theta": 1_000_000.0, "rope_local_base_freq": 10_000.0, "tie_word_embeddings": True,
        "hidden_act": "gelu_pytorch_tanh", "head_dim": 256, "query_pre_attn_scalar": 256,
        "sliding_window": 4096, "sliding_window_pattern": 6, "max_position_embeddings": 131_072,
    },
}  # fmt: skip
"""Each `model_type` that is read, with what its files may leave out (transformers' defaults)."""

NEEDED = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
)  # fmt: skip
REFUSED = {
    "quantization_config": "quantised weights: give the bf16 or fp32 checkpoint",
    "num_experts": "a mixture of experts",
    "num_local_experts": "a mixture of experts",
    "attention_bias": "a bias on every projection",
    "mlp_bias": "a bias in the MLP",
    "attn_logit_softcapping": "soft-capped scores",
    "final_logit_softcapping": "soft-capped logits",
    "use_bidirectional_attention": "attention to later tokens",
}
"""Settings that change what a layer computes, and that this decoder does not have."""


def config_of(folder: str | Path) -> ModelConfig:
    """The configuration in `folder`; ValueError if there is none or it is not supported."""
    path = Path(folder) / "config.json"
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{folder} has no config.json: give a checkpoint's folder") from None
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    try:
        return from_dict(given)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def from_dict(given: Mapping) -> ModelConfig:
    """A `config.json`'s contents; ValueError names what is missing or not supported."""
    family = given.get("model_type")
    if family not in FAMILIES:
        raise ValueError(f"model_type {family!r} is not supported: {', '.join(FAMILIES)} are")
    for key, what in REFUSED.items():
        if given.get(key):
            raise ValueError(f"{key} is {given[key]!r}, but {what} is not supported")
    missing = [key for key in NEEDED if key not in given]
    if missing:
        raise ValueError(f"lacks {', '.join(missing)}")
    g = {**FAMILIES[family], **{k: v for k, v in given.items() if v is not None}}
    gemma = family == "gemma3_text"
    g["hidden_act"] = g.get("hidden_activation", g["hidden_act"])
    activation = {"silu": "silu", "gelu_pytorch_tanh": "gelu_tanh"}.get(g["hidden_act"])
    if activation is None:
        raise ValueError(f"activation {g['hidden_act']!r} is not supported")
    heads, hidden = g["num_attention_heads"], g["hidden_size"]
    dim = g.get("head_dim", hidden // heads)
    rope, local = _ropes(g, gemma)
    eos = g.get("eos_token_id", ())
    return ModelConfig(
        family=family, vocab=g["vocab_size"], hidden=hidden, layers=g["num_hidden_layers"],
        heads=heads, kv_heads=g.get("num_key_value_heads", heads), head_dim=dim,
        ffn=g["intermediate_size"], rope=rope, local_rope=local, windows=_windows(g, gemma),
        scale=(g["query_pre_attn_scalar"] if gemma else dim) ** -0.5,
        eps=g.get("rms_norm_eps", 1e-6), activation=activation, qkv_bias=family == "qwen2",
        qk_norm=family in ("qwen3", "gemma3_text"), post_norms=gemma,
        norm_offset=1.0 if gemma else 0.0, embed_scale=math.sqrt(hidden) if gemma else 1.0,
        tied=g["tie_word_embeddings"], max_positions=g.get("max_position_embeddings", 8192),
        dtype=g.get("dtype", g.get("torch_dtype", "bfloat16")),
        eos=tuple(eos) if isinstance(eos, list | tuple) else (eos,),
    )  # fmt: skip


def _ropes(g: Mapping, gemma: bool) -> tuple[Rope, Rope | None]:
    """Positions of the layers that see all keys, and of those with a window where they differ."""
    both = g.get("rope_parameters") or {}
    whole = both.get("full_attention", both) or g.get("rope_scaling") or {}
    rope = Rope.from_dict(whole, g["rope_theta"])
    if not gemma:
        return rope, None
    return rope, Rope.from_dict(both.get("sliding_attention", {}), g["rope_local_base_freq"])


def _windows(g: Mapping, gemma: bool) -> tuple[int | None, ...]:
    """The window of each layer: by name, by pattern, or by Qwen2's first layer that has one."""
    layers, window = g["num_hidden_layers"], g.get("sliding_window")
    on = gemma or g.get("use_sliding_window", False)
    if not on or window is None:
        return (None,) * layers
    if "layer_types" in g:
        other = set(g["layer_types"]) - {"sliding_attention", "full_attention"}
        if other:
            raise ValueError(f"layer_types has {', '.join(sorted(other))}, which is not supported")
        slides = [kind == "sliding_attention" for kind in g["layer_types"]]
    elif gemma:
        slides = [bool((i + 1) % g["sliding_window_pattern"]) for i in range(layers)]
    else:
        slides = [i >= g.get("max_window_layers", layers) for i in range(layers)]
    return tuple(window if slide else None for slide in slides)
