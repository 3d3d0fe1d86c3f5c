"""A decoder in fp64, the whole sequence at once, from a checkpoint's tensors: no code of ours."""

import math

import torch


def logits(config, tensors, tokens):
    """[T, vocab] float64 for one sequence of T tokens."""
    c, t = config, {name: x.double() for name, x in tensors.items()}
    x = t["model.embed_tokens.weight"][torch.tensor(tokens)] * c.embed_scale
    for i, window in enumerate(c.windows):
        at = f"model.layers.{i}."
        rope = c.local_rope if window is not None and c.local_rope is not None else c.rope
        y = norm(c, x, t[at + "input_layernorm.weight"])
        y = attention(c, t, at + "self_attn.", y, rope, window)
        if c.post_norms:
            y = norm(c, y, t[at + "post_attention_layernorm.weight"])
        x = x + y
        before = "pre_feedforward_layernorm" if c.post_norms else "post_attention_layernorm"
        y = norm(c, x, t[at + before + ".weight"])
        gate, up = (y @ t[f"{at}mlp.{p}_proj.weight"].T for p in ("gate", "up"))
        y = (activation(c, gate) * up) @ t[at + "mlp.down_proj.weight"].T
        if c.post_norms:
            y = norm(c, y, t[at + "post_feedforward_layernorm.weight"])
        x = x + y
    x = norm(c, x, t["model.norm.weight"])
    return x @ t["model.embed_tokens.weight" if c.tied else "lm_head.weight"].T


def norm(c, x, weight):
    return x / (x.square().mean(-1, keepdim=True) + c.eps).sqrt() * (weight + c.norm_offset)


def activation(c, x):
    if c.activation == "silu":
        return x / (1 + (-x).exp())
    return x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def attention(c, t, at, x, rope, window):
    out = torch.zeros(len(x), c.heads * c.head_dim, dtype=torch.float64)
    heads = {}
    for p, n in (("q", c.heads), ("k", c.kv_heads), ("v", c.kv_heads)):
        y = x @ t[f"{at}{p}_proj.weight"].T
        if c.qkv_bias:
            y = y + t[f"{at}{p}_proj.bias"]
        y = y.view(len(x), n, c.head_dim)
        if p != "v":
            if c.qk_norm:
                y = norm(c, y, t[f"{at}{p}_norm.weight"])
            y = turned(y, rope.speeds(c.head_dim))
        heads[p] = y
    for h in range(c.heads):
        k, v = (heads[p][:, h // (c.heads // c.kv_heads)] for p in "kv")
        for i in range(len(x)):
            first = 0 if window is None else max(0, i - window + 1)
            weights = torch.softmax(k[first : i + 1] @ heads["q"][i, h] * c.scale, 0)
            out[i, h * c.head_dim : (h + 1) * c.head_dim] = weights @ v[first : i + 1]
    return out @ t[at + "o_proj.weight"].T


def turned(x, speeds):
    """Pair (i, i + D/2) of position n turned by n · speeds[i], as complex numbers."""
    half = x.shape[-1] // 2
    angles = torch.arange(len(x))[:, None] * torch.tensor(speeds, dtype=torch.float64)
    pairs = torch.complex(x[..., :half], x[..., half:]) * torch.polar(
        torch.ones_like(angles), angles
    ).unsqueeze(1)
    return torch.cat((pairs.real, pairs.imag), -1)
