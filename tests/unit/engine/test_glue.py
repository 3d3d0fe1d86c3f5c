"""What lies between products: the kernels against torch's operations, both against fp64."""

import pytest
import torch

from constraintlab.engine.model import glue, glue_numba

DTYPES = (torch.float32, torch.bfloat16)
ROWS = (1, 3, 32, 700)
"""The last is enough for several threads to share it."""
EPS = 1e-6


def draw(*shape, dtype=torch.float32, seed=0, scale=3.0):
    made = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (scale * made).to(dtype)


def rms(x, weight):
    return x / (x.pow(2).mean(-1, keepdim=True) + EPS).sqrt() * weight


def hold(ours, torchs, exact):
    """No further from fp64 than twice as far as torch's, or than the dtype's own rounding."""
    step = torch.finfo(ours.dtype).eps
    assert ours.dtype == torchs.dtype and ours.shape == torchs.shape
    own = ((torchs.double() - exact).abs() / (exact.abs() + 1)).max()
    error = ((ours.double() - exact).abs() / (exact.abs() + 1)).max()
    assert error <= max(2 * own, step), (error, own)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", ROWS)
def test_norm(dtype, rows):
    x, weight = draw(rows, 257, dtype=dtype), draw(257, seed=1)
    exact = rms(x.double(), weight.double())
    hold(glue_numba.norm(x, weight, EPS), glue.norm(x, weight, EPS), exact)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("after", [None, draw(257, seed=4)])
def test_add_norm_also_returns_the_sum(dtype, rows, after):
    x, y = draw(rows, 257, dtype=dtype), draw(rows, 257, dtype=dtype, seed=2)
    weight = draw(257, seed=3)
    ours, theirs = (g.add_norm(x, y, after, weight, EPS) for g in (glue_numba, glue))
    total = x.double() + (y.double() if after is None else rms(y.double(), after.double()))
    hold(ours[0], theirs[0], total)
    hold(ours[1], theirs[1], rms(total, weight.double()))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("activation", ["silu", "gelu_tanh"])
def test_gate(dtype, rows, activation):
    both = draw(rows, 2 * 333, dtype=dtype, scale=6.0)
    x, up = both.double().chunk(2, -1)
    if activation == "silu":
        risen = torch.nn.functional.silu(x)
    else:
        risen = torch.nn.functional.gelu(x, approximate="tanh")
    hold(glue_numba.gate(both, activation), glue.gate(both, activation), risen * up)


def test_gate_at_the_ends_of_the_range():
    x = torch.tensor([[-1e30, -100.0, -1e-30, 0.0, 1e-30, 100.0, 1e30, float("nan")]])
    both = torch.cat((x, torch.ones_like(x)), 1)
    for activation in ("silu", "gelu_tanh"):
        ours = glue_numba.gate(both, activation)
        assert torch.allclose(ours, glue.gate(both, activation), atol=1e-7, equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("normed", [False, True])
def test_turn_rotates_and_writes_to_the_slots_and_to_no_other(dtype, rows, normed):
    heads, kv_heads, dim, slots = 6, 2, 32, torch.randperm(4 * rows)[:rows]
    qkv = draw(rows, (heads + 2 * kv_heads) * dim, dtype=dtype)
    angles = draw(rows, 1, dim // 2, seed=5, scale=100.0)
    cos, sin = angles.cos(), angles.sin()
    turns = torch.cat((cos, cos), -1), torch.cat((-sin, sin), -1)
    weights = (draw(dim, seed=6), draw(dim, seed=7)) if normed else None
    made = []
    for g in (glue_numba, glue):
        pools = [torch.full((rows, 4, kv_heads, dim), 7.0, dtype=dtype) for _ in "kv"]
        made.append((g.turn(qkv, turns, weights, EPS, slots, *pools), *pools))
    q, k, v = (
        part.unflatten(1, (-1, dim)).double()
        for part in qkv.split((heads * dim, kv_heads * dim, kv_heads * dim), 1)
    )
    exact = []
    for x, weight in zip((q, k), weights or (None, None), strict=True):
        x = x if weight is None else rms(x, weight.double())
        a, b = x.chunk(2, -1)
        c, s = cos.double(), sin.double()
        exact.append(torch.cat((a * c - b * s, b * c + a * s), -1))
    hold(made[0][0], made[1][0], exact[0])
    for ours, theirs, want in zip(made[0][1:], made[1][1:], (exact[1], v), strict=True):
        hold(ours.flatten(0, 1)[slots], theirs.flatten(0, 1)[slots], want)
        others = torch.ones(4 * rows, dtype=torch.bool)
        others[slots] = False
        assert (ours.flatten(0, 1)[others] == 7).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_infinity_stay_what_they_are(dtype):
    x = torch.tensor([[1.0, float("nan")], [1.0, 2.0]], dtype=dtype)
    out = glue_numba.norm(x, torch.ones(2), EPS)
    assert out[0].isnan().all() and not out[1].isnan().any()
    y = torch.tensor([[float("inf"), -float("inf")]] * 2, dtype=dtype)
    assert torch.equal(glue_numba.add_norm(x[1:], y[1:], None, torch.ones(2), EPS)[0], y[1:])


def test_a_cpu_takes_the_kernels_where_it_has_the_dtype_and_says_why_not():
    assert glue.best(torch.bfloat16, "cpu") is glue_numba
    assert glue.best(torch.float16, "cpu") is glue
    assert "has no float16" in str(glue.choice(torch.float16, "cpu"))
    assert "runs on a CPU" in str(glue.choice(torch.bfloat16, "cuda"))
    assert glue.best(torch.float32, "cpu", "torch") is glue
