"""The reasoner while it is trained: a Qwen2 decoder of 0.6 M parameters, in plain torch.

The biases of Qwen2's queries and keys let a head look a constant number of places back whatever
stands there, which is all that the task asks for. The engine runs the same weights with its own
decoder; names and shapes here are those of the published checkpoints.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from constraintlab.engine.reasoner.collatz import ALPHABET, END, STARTS, WIDTH

DIM, LAYERS, HEADS, HEAD_DIM, INNER = 128, 3, 2, 64, 384
VOCAB = 16
"""`ALPHABET` and what rounds it up."""

ROPE_THETA, EPS = 10_000.0, 1e-6
LONGEST = 4096
"""Tokens that prompt and answer may have: the longest answer has 3,150."""

CONFIG = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "vocab_size": VOCAB,
    "hidden_size": DIM,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS,
    "hidden_act": "silu",
    "max_position_embeddings": LONGEST,
    "rms_norm_eps": EPS,
    "rope_theta": ROPE_THETA,
    "tie_word_embeddings": True,
    "eos_token_id": END,
    "torch_dtype": "float32",
    "constraintlab": {"task": "collatz", "alphabet": ALPHABET, "width": WIDTH, "starts": STARTS},
}
"""What `config.json` says of it."""


def rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding, halves paired as in the published checkpoints."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Layer(nn.Module):
    """RMSNorm, attention, RMSNorm, SwiGLU, each branch added to the stream."""

    def __init__(self) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(DIM, EPS)
        self.post_attention_layernorm = nn.RMSNorm(DIM, EPS)
        wide = HEADS * HEAD_DIM
        self.self_attn = nn.ModuleDict(
            {name: nn.Linear(DIM, wide) for name in ("q_proj", "k_proj", "v_proj")}
            | {"o_proj": nn.Linear(wide, DIM, bias=False)}
        )
        self.mlp = nn.ModuleDict(
            {
                "gate_proj": nn.Linear(DIM, INNER, bias=False),
                "up_proj": nn.Linear(DIM, INNER, bias=False),
                "down_proj": nn.Linear(INNER, DIM, bias=False),
            }
        )

    def forward(self, x, cos, sin):
        a, h = self.self_attn, self.input_layernorm(x)
        q, k, v = (
            a[name](h).unflatten(-1, (HEADS, HEAD_DIM)).transpose(1, 2)
            for name in ("q_proj", "k_proj", "v_proj")
        )
        q, k = rotated(q, cos, sin), rotated(k, cos, sin)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + a["o_proj"](mixed.transpose(1, 2).flatten(2))
        h, m = self.post_attention_layernorm(x), self.mlp
        return x + m["down_proj"](F.silu(m["gate_proj"](h)) * m["up_proj"](h))


class Network(nn.Module):
    """Token ids [B, T] → logits [B, T, VOCAB]."""

    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(VOCAB, DIM)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = nn.RMSNorm(DIM, EPS)
        half = HEAD_DIM // 2
        turn = torch.arange(LONGEST)[:, None] * ROPE_THETA ** -(torch.arange(half) / half)
        self.register_buffer("cos", turn.cos(), persistent=False)
        self.register_buffer("sin", turn.sin(), persistent=False)
        nn.init.normal_(self.embed_tokens.weight, std=0.02 * (DIM / 32) ** 0.5)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x, t = self.embed_tokens(ids), ids.shape[1]
        for layer in self.layers:
            x = layer(x, self.cos[:t], self.sin[:t])
        return F.linear(self.norm(x), self.embed_tokens.weight)

    def tensors(self) -> dict[str, torch.Tensor]:
        """The weights under the names of a published Qwen2 checkpoint."""
        return {f"model.{name}": w.detach() for name, w in self.state_dict().items()}
