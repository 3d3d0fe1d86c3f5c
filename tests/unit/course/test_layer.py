"""The decoder layer: few kernels give what many give, a cache gives what a whole prompt gives."""

import pytest
import torch
import torch.nn.functional as F

from constraintlab.attention import flash, naive
from constraintlab.course.layer import (
    DIM,
    EPS,
    Layer,
    Past,
    angles,
    few_kernels,
    linear_work,
    many_kernels,
)

FORWARDS = {"many": many_kernels, "few": few_kernels}


def prompt(layer, tokens, seed=0):
    return torch.randn(tokens, layer.width, generator=torch.Generator().manual_seed(seed))


def by_hand(layer, x):
    """The layer in fp64 with complex rotary turns, written without its code."""
    w = {n: getattr(layer, n).double() for n in ("qkv", "out", "gate_up", "down")}
    x = x.double()
    tokens, width = x.shape

    def norm(t):
        return t / (t.square().mean(-1, keepdim=True) + EPS).sqrt()

    q, k, v = (norm(x) @ w["qkv"].T).view(tokens, 3, -1, DIM).unbind(1)
    rates = 10_000.0 ** (-torch.arange(0, DIM, 2, dtype=torch.float64) / DIM)
    spin = torch.polar(torch.ones(()).double(), torch.arange(tokens)[:, None] * rates)[:, None]

    def turned(t):
        pairs = torch.complex(*t.chunk(2, -1)) * spin
        return torch.cat((pairs.real, pairs.imag), -1)

    q, k = turned(q), turned(k)
    scores = torch.einsum("qhd,khd->hqk", q, k) / DIM**0.5
    scores += torch.full((tokens, tokens), -torch.inf, dtype=torch.float64).triu(1)
    mixed = torch.einsum("hqk,khd->qhd", scores.softmax(-1), v).reshape(tokens, width)
    x = x + mixed @ w["out"].T
    gate, up = (norm(x) @ w["gate_up"].T).chunk(2, -1)
    return x + (F.silu(gate) * up) @ w["down"].T


@pytest.mark.parametrize("forward", FORWARDS)
def test_it_is_the_layer_that_the_papers_describe(forward):
    layer = Layer.random(128)
    x = prompt(layer, 9)
    out = FORWARDS[forward](layer, x, Past.empty(layer, 9), angles(0, 9, x), naive.attend)
    assert torch.allclose(out.double(), by_hand(layer, x), atol=1e-4)


@pytest.mark.parametrize("forward", FORWARDS)
def test_token_by_token_is_the_whole_prompt(forward):
    layer, forward = Layer.random(128), FORWARDS[forward]
    x = prompt(layer, 7)
    whole = forward(layer, x, Past.empty(layer, 7), angles(0, 7, x), flash.attend)
    past = Past.empty(layer, 7)
    rows = []
    for i in range(7):
        step = Past(past.k, past.v, i)
        rows.append(forward(layer, x[i : i + 1], step, angles(i, 1, x), flash.attend))
    assert torch.allclose(torch.cat(rows), whole, atol=1e-5)


def test_width_must_be_whole_heads():
    with pytest.raises(ValueError, match="multiple of 64"):
        Layer.random(100)


def test_every_weight_is_counted_once_a_step():
    layer = Layer.random(128)
    weights = 4 * 128 * 128 + 3 * 128 * 352
    assert layer.nbytes == 4 * weights
    assert linear_work(layer, 1).each.flops == 2 * weights
    assert linear_work(layer, 8).each.bytes - linear_work(layer, 1).each.bytes < layer.nbytes
