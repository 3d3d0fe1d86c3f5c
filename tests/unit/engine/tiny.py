"""Tiny models of every family, and ways to run one: whole, in chunks, in batches."""

import torch

from constraintlab.engine.model import hf
from constraintlab.engine.model.decoder import Decoder
from constraintlab.engine.model.pool import KVPool
from constraintlab.engine.model.presets import random_tensors
from constraintlab.engine.model.step import Chunk, Step
from constraintlab.engine.model.weights import Weights

SIZES = {
    "vocab_size": 96, "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 32, "intermediate_size": 80, "rms_norm_eps": 1e-6,
    "max_position_embeddings": 512, "dtype": "float32", "eos_token_id": 1,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
FAMILIES = {
    "llama": SIZES | {"model_type": "llama", "rope_theta": 500.0, "rope_scaling": LLAMA3},
    "qwen2": SIZES | {"model_type": "qwen2", "head_dim": 16, "tie_word_embeddings": True},
    "qwen3": SIZES | {"model_type": "qwen3", "num_key_value_heads": 4},
    "gemma3": SIZES | {
        "model_type": "gemma3_text", "sliding_window": 5, "query_pre_attn_scalar": 48,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        "num_key_value_heads": 1, "hidden_activation": "gelu_pytorch_tanh",
        "rope_parameters": {
            "full_attention": {"rope_theta": 1e6, "rope_type": "linear", "factor": 2.0},
            "sliding_attention": {"rope_theta": 1e4, "rope_type": "default"},
        },
    },
}  # fmt: skip
"""A config.json of each family, with all that is special about it."""


def tiny(family, seed=0, decode="gather", **changes):
    """(configuration, tensors of a checkpoint, decoder)."""
    config = hf.from_dict(FAMILIES[family] | changes)
    tensors = random_tensors(config, seed)
    return config, tensors, Decoder(config, Weights.of(config, tensors), decode=decode)


def tokens_of(config, n, seed=1):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(config.vocab, (n,), generator=g).tolist()


class Runner:
    """Sequences in a pool whose unused slots hold NaN, in blocks of a shuffled order."""

    def __init__(self, config, decoder, *, blocks=64, block_size=4, seed=2):
        self.decoder, self.pool = decoder, KVPool(config, blocks, block_size)
        for layer in (*self.pool.k, *self.pool.v):
            layer.fill_(float("nan"))
        g = torch.Generator().manual_seed(seed)
        self._free = torch.randperm(blocks, generator=g).tolist()
        self.blocks, self.past = {}, {}

    def run(self, work):
        """One step over [(name, new tokens)]; the logits of each one's last token, in order."""
        return self.decoder.forward(self.step(work), self.pool)

    def step(self, work):
        chunks = []
        for name, tokens in work:
            mine, past = self.blocks.setdefault(name, []), self.past.get(name, 0)
            while len(mine) * self.pool.block_size < past + len(tokens):
                mine.append(self._free.pop())
            chunks.append(Chunk(tokens, past, tuple(mine)))
            self.past[name] = past + len(tokens)
        return Step.of(chunks, self.pool.block_size)
