"""Small GGUF files, as llama.cpp's converter would write them."""

import gguf
import numpy as np

from constraintlab.engine.model import hf
from constraintlab.engine.model.presets import random_tensors

from .tiny import FAMILIES

NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip
GEMMA = {
    "post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}  # fmt: skip
ENDS = {
    "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}  # fmt: skip
PLAIN = {"rope_theta": 5e5, "rope_scaling": None, "num_hidden_layers": 2, "rope_parameters": None}


def spec(family):
    """A config.json that a GGUF can express, and its tensors."""
    extra = {"layer_types": None, "query_pre_attn_scalar": 32} if family == "gemma3" else {}
    given = FAMILIES[family] | PLAIN | extra
    return given, random_tensors(hf.from_dict(given))


def write(path, family, *, quantise=None, tokens=None, change=lambda writer: None):
    """A GGUF of a tiny model; returns the tensors it was made from, under Hugging Face's names."""
    given, tensors = spec(family)
    w = gguf.GGUFWriter(path, family)
    w.add_context_length(given["max_position_embeddings"])
    w.add_embedding_length(given["hidden_size"])
    w.add_block_count(given["num_hidden_layers"])
    w.add_feed_forward_length(given["intermediate_size"])
    w.add_head_count(given["num_attention_heads"])
    w.add_head_count_kv(given["num_key_value_heads"])
    w.add_key_length(given["head_dim"])
    w.add_layer_norm_rms_eps(given["rms_norm_eps"])
    w.add_rope_freq_base(given["rope_theta"])
    if family == "gemma3":
        w.add_sliding_window(given["sliding_window"])
    vocabulary(w, tokens or sentencepiece(given["vocab_size"]))
    change(w)
    for name, tensor in tensors.items():
        values = tensor.numpy()
        if family == "gemma3" and "norm" in name:
            values = values + np.float32(1)
        if family == "llama" and (".q_proj" in name or ".k_proj" in name):
            heads = given["num_attention_heads" if ".q_" in name else "num_key_value_heads"]
            values = permuted(values, heads)
        kind = quantise if quantise and values.ndim == 2 and values.shape[1] % 32 == 0 else None
        if kind:
            w.add_tensor(stored(name, family), gguf.quantize(values, kind), raw_dtype=kind)
        else:
            w.add_tensor(stored(name, family), np.ascontiguousarray(values))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return given, tensors


def permuted(rows, heads):
    """Llama's q and k as llama.cpp stores them: the two halves of a head interleaved."""
    shape = (heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:])
    return rows.reshape(shape).swapaxes(1, 2).reshape(rows.shape)


def stored(name, family):
    if name in ENDS:
        return ENDS[name]
    _, _, layer, part = name.split(".", 3)
    stem, kind = part.rsplit(".", 1)
    plain = {"post_attention_layernorm": "ffn_norm"}
    return f"blk.{layer}.{(NAMES | (GEMMA if family == 'gemma3' else plain))[stem]}.{kind}"


def sentencepiece(size):
    """Letters, a few words of them and three bytes, with scores in the order of merging."""
    start = [("<unk>", 2), ("</s>", 3), ("<s>", 3)]
    byte = [(f"<0x{b:02X}>", 6) for b in (0xE2, 0x82, 0xAC)]
    letters = [(c, 1) for c in "\u2581abcdefghijklmnopqrstuvwxyz"]
    words = [(t, 1) for t in ("th", "\u2581th", "\u2581the", "he", "er", "\u2581\u2581")]
    rest = size - sum(map(len, (start, byte, letters, words)))
    found = start + byte + words + letters + [(f"<unused{i}>", 3) for i in range(rest)]
    return {
        "model": "llama", "tokens": [t for t, _ in found], "types": [k for _, k in found],
        "scores": [-float(i) for i in range(len(found))],
    }  # fmt: skip


def vocabulary(w, v):
    w.add_tokenizer_model(v["model"])
    w.add_token_list(v["tokens"])
    w.add_token_types(v["types"])
    for key, add in (("scores", w.add_token_scores), ("merges", w.add_token_merges)):
        if key in v:
            add(v[key])
    if "pre" in v:
        w.add_tokenizer_pre(v["pre"])
    w.add_bos_token_id(v.get("bos", 2))
    w.add_eos_token_id(1)
