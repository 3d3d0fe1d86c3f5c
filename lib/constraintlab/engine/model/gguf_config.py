"""What a GGUF says of its model, as a Hugging Face `config.json` and tensor names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from constraintlab.engine.model.rope import Rope

CLASSES = {
    "llama": ("llama", "LlamaForCausalLM"),
    "qwen2": ("qwen2", "Qwen2ForCausalLM"),
    "qwen3": ("qwen3", "Qwen3ForCausalLM"),
    "gemma3": ("gemma3_text", "Gemma3ForCausalLM"),
}
"""GGUF's `general.architecture`: Hugging Face's model_type, and the class that its files name."""

ENDS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
GEMMA = {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
ROPE_FREQS = "rope_freqs.weight"
"""How much slower each pair turns: Llama 3's stretching, which GGUF stores as its result."""


def hf_name(name: str, architecture: str) -> str:
    """The Hugging Face name of a GGUF tensor; ValueError for one that no family here has."""
    parts = PARTS | (GEMMA if architecture == "gemma3" else {})
    stem, _, kind = name.rpartition(".")
    if stem in ENDS:
        return f"{ENDS[stem]}.{kind}"
    if stem.startswith("blk.") and stem.count(".") == 2:
        _, layer, part = stem.split(".")
        if part in parts:
            return f"model.layers.{layer}.{parts[part]}.{kind}"
    raise ValueError(f"tensor {name!r} is none of a {architecture} that is supported here")


def config_dict(
    fields: Mapping, shapes: Mapping[str, Sequence[int]], freqs: Sequence[float] | None = None
) -> dict:
    """A `config.json` from a GGUF's metadata, its tensors' shapes and its rope factors.

    Raises ValueError for an architecture that is not supported, or for metadata that is missing.
    """
    architecture = fields.get("general.architecture")
    if architecture not in CLASSES:
        raise ValueError(
            f"architecture {architecture!r} is not supported: {', '.join(CLASSES)} are"
        )

    def need(key: str):
        value = fields.get(f"{architecture}.{key}")
        if value is None:
            raise ValueError(f"the file lacks {architecture}.{key}")
        return value

    def get(key: str, default=None):
        return fields.get(f"{architecture}.{key}", default)

    if get("expert_count"):
        raise ValueError("a mixture of experts is not supported")
    heads, hidden = need("attention.head_count"), need("embedding_length")
    dim = get("attention.key_length", hidden // heads)
    if get("rope.dimension_count", dim) != dim:
        raise ValueError("only part of each head is rotated, which is not supported")
    model_type, class_name = CLASSES[architecture]
    ends = [fields.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot")]
    config = {
        "architectures": [class_name],
        "model_type": model_type,
        "vocab_size": int(shapes["token_embd.weight"][0]) if "token_embd.weight" in shapes else 0,
        "hidden_size": hidden,
        "num_hidden_layers": need("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": get("attention.head_count_kv", heads),
        "head_dim": dim,
        "intermediate_size": need("feed_forward_length"),
        "max_position_embeddings": need("context_length"),
        # Stored as float32: 9.999999974752427e-07 was 1e-06.
        "rms_norm_eps": float(f"{need('attention.layer_norm_rms_epsilon'):.6g}"),
        "tie_word_embeddings": "output.weight" not in shapes,
        "bos_token_id": fields.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": [end for end in dict.fromkeys(ends) if end is not None],
        "pad_token_id": fields.get("tokenizer.ggml.padding_token_id"),
    }
    rope = _rope(get, freqs, dim)
    if architecture != "gemma3":
        return config | {"hidden_act": "silu", "rope_parameters": rope.as_dict()}
    # llama.cpp has these by heart too: a GGUF does not say them.
    local = Rope(get("rope.freq_base_swa", 10_000.0))
    whole = hidden // heads if need("block_count") == 62 else dim
    return config | {
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": whole,
        "sliding_window": need("attention.sliding_window"),
        "sliding_window_pattern": 6,
        "rope_parameters": {
            "full_attention": rope.as_dict(),
            "sliding_attention": local.as_dict(),
        },
    }


def _rope(get, freqs: Sequence[float] | None, dim: int) -> Rope:
    theta = get("rope.freq_base", 10_000.0)
    if freqs is not None:
        found = Rope(theta, "llama3", max(freqs))
        plain = Rope(theta).speeds(dim)
        implied = [p / s for p, s in zip(plain, found.speeds(dim), strict=True)]
        if any(abs(a / b - 1) > 1e-3 for a, b in zip(implied, freqs, strict=True)):
            raise ValueError(f"{ROPE_FREQS} is not Llama 3.1's stretching, the only one supported")
        return found
    kind = get("rope.scaling.type", "none")
    if kind == "none":
        return Rope(theta)
    if kind != "linear":
        raise ValueError(f"rope scaling {kind!r} is not supported: linear and llama3 are")
    return Rope(theta, "linear", get("rope.scaling.factor", 1.0))
