"""Attention in fp64, one query at a time, written without any rung's code."""

import math

import torch


def reference(q, k, v, *, causal=True, scale=None):
    """Row by row: pick the visible keys, weigh them, sum; a row that sees none stays 0."""
    q, k, v = (t.detach().to("cpu", torch.float64) for t in (q, k, v))
    batch, heads, tq, dim = q.shape
    groups, tk = heads // k.shape[1], k.shape[2]
    scale = 1 / math.sqrt(dim) if scale is None else scale
    out = torch.zeros_like(q)
    for b in range(batch):
        for h in range(heads):
            for i in range(tq):
                seen = min(tk, i + 1 + tk - tq) if causal else tk
                if seen <= 0:
                    continue
                keys, values = k[b, h // groups, :seen], v[b, h // groups, :seen]
                logits = (keys * q[b, h, i]).sum(-1) * scale
                weights = torch.exp(logits - logits.max())
                out[b, h, i] = (weights[:, None] * values).sum(0) / weights.sum()
    return out


def tolerance(q, k, v, **options):
    """2 × the largest error of a plain low-precision reference, from the same inputs."""
    exact = reference(q, k, v, **options)
    causal = options.get("causal", True)
    groups = q.shape[1] // k.shape[1]
    low = (
        torch.nn.functional.scaled_dot_product_attention(
            q,
            k.repeat_interleave(groups, 1),
            v.repeat_interleave(groups, 1),
            attn_mask=_visible(q.shape[2], k.shape[2]) if causal else None,
            scale=options.get("scale"),
        )
        .double()
        .nan_to_num(0)
    )
    floor = torch.finfo(q.dtype).eps * float(exact.abs().max())
    return 2 * max(float((low - exact).abs().max()), floor)


def _visible(tq, tk):
    return torch.ones(tq, tk, dtype=torch.bool).tril(tk - tq)
