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


def tolerance(q, k, v, tries=4, **options):
    """2 × the largest error that torch's own SDPA makes in this precision on such inputs.

    The inputs and reshufflings of their values, `tries` in all: a single tiny problem can come
    out exact by luck, which says nothing about the precision.
    """
    g = torch.Generator().manual_seed(0)
    return 2 * max(
        _own_error(*(_shuffled(t, g, i) for t in (q, k, v)), **options) for i in range(tries)
    )


def agrees(out, q, k, v, **options):
    """Whether `out` is within the tolerance of 32 tries. Of fewer it is no larger, so they come
    first: of thousands of tiny problems some are a hair beyond what four of their like show."""
    error = float((out.double() - reference(q, k, v, **options)).abs().max())
    return any(error <= tolerance(q, k, v, tries, **options) for tries in (4, 32))


def _shuffled(t, g, i):
    return t if i == 0 else t.flatten()[torch.randperm(t.numel(), generator=g)].view(t.shape)


def _own_error(q, k, v, causal=True, scale=None):
    groups = q.shape[1] // k.shape[1]
    mask = _visible(q.shape[2], k.shape[2]) if causal else None
    k_all, v_all = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    low = torch.nn.functional.scaled_dot_product_attention(
        q, k_all, v_all, attn_mask=mask, scale=scale
    )
    exact = reference(q, k, v, causal=causal, scale=scale)
    floor = torch.finfo(q.dtype).eps * float(exact.abs().max())
    return max(float((low.double().nan_to_num(0) - exact).abs().max()), floor)


def _visible(tq, tk):
    return torch.ones(tq, tk, dtype=torch.bool).tril(tk - tq)
