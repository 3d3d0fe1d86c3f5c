"""What lies between products on a GPU: the Triton kernels under their interpreter, against fp64."""

import importlib
import sys

import pytest
import torch

from constraintlab.attention.target import Target
from constraintlab.attention.xray import xrays
from constraintlab.engine.model import glue

from ..attention.interpreted import interpreted
from .test_glue import EPS, draw, hold, rms

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="there is no Triton for this system"
)
DTYPES = (torch.float32, torch.float16)
ROWS = (1, 3, 20)


def called(function, args):
    """What it returns, and the arguments after it: it may write to them."""
    module = importlib.import_module("constraintlab.engine.model.glue_triton")
    return getattr(module, function)(*args), args


def run(function, *args):
    return interpreted(called, function, args)[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", ROWS)
def test_norm(dtype, rows):
    x, weight = draw(rows, 257, dtype=dtype), draw(257, seed=1)
    exact = rms(x.double(), weight.double())
    hold(run("norm", x, weight, EPS), glue.norm(x, weight, EPS), exact)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("after", [None, draw(257, seed=4)])
def test_add_norm_also_returns_the_sum(dtype, rows, after):
    x, y = draw(rows, 257, dtype=dtype), draw(rows, 257, dtype=dtype, seed=2)
    weight = draw(257, seed=3)
    ours = run("add_norm", x, y, after, weight, EPS)
    theirs = glue.add_norm(x, y, after, weight, EPS)
    total = x.double() + (y.double() if after is None else rms(y.double(), after.double()))
    hold(ours[0], theirs[0], total)
    hold(ours[1], theirs[1], rms(total, weight.double()))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 333, 1500])
@pytest.mark.parametrize("activation", ["silu", "gelu_tanh"])
def test_gate(dtype, width, activation):
    both = draw(3, 2 * width, dtype=dtype, scale=6.0)
    x, up = both.double().chunk(2, -1)
    if activation == "silu":
        risen = torch.nn.functional.silu(x)
    else:
        risen = torch.nn.functional.gelu(x, approximate="tanh")
    hold(run("gate", both, activation), glue.gate(both, activation), risen * up)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("dim", [32, 24])
@pytest.mark.parametrize("normed", [False, True])
def test_turn_rotates_and_writes_to_the_slots_and_to_no_other(dtype, rows, dim, normed):
    heads, kv_heads = 6, 2
    slots = torch.randperm(4 * rows, generator=torch.Generator().manual_seed(1))[:rows]
    qkv = draw(rows, (heads + 2 * kv_heads) * dim, dtype=dtype)
    angles = draw(rows, 1, dim // 2, seed=5, scale=100.0)
    cos, sin = angles.cos(), angles.sin()
    turns = torch.cat((cos, cos), -1), torch.cat((-sin, sin), -1)
    weights = (draw(dim, seed=6), draw(dim, seed=7)) if normed else None
    pools = [torch.full((rows, 4, kv_heads, dim), 7.0, dtype=dtype) for _ in "kv"]
    q, (*_, k_pool, v_pool) = interpreted(called, "turn", (qkv, turns, weights, EPS, slots, *pools))
    cuts = (heads * dim, kv_heads * dim, kv_heads * dim)
    parts = [part.unflatten(1, (-1, dim)) for part in qkv.split(cuts, 1)]

    def turned(kind):
        """q and k by the formula, in this dtype: torch's own fuses a product with its sum, which
        Triton does on a GPU and its interpreter does not."""
        for x, weight in zip(parts[:2], weights or (None, None), strict=True):
            x = x.to(kind) if weight is None else rms(x.to(kind), weight.to(kind))
            a, b = x.chunk(2, -1)
            c, s = cos.to(kind), sin.to(kind)
            yield torch.cat((a * c - b * s, b * c + a * s), -1)

    (q_low, k_low), (q_exact, k_exact) = (list(turned(k)) for k in (torch.float32, torch.float64))
    hold(q, q_low.to(dtype), q_exact)
    hold(k_pool.flatten(0, 1)[slots], k_low.to(dtype), k_exact)
    assert torch.equal(v_pool.flatten(0, 1)[slots], parts[2])
    for pool in (k_pool, v_pool):
        rest = torch.ones(4 * rows, dtype=torch.bool)
        rest[slots] = False
        assert (pool.flatten(0, 1)[rest] == 7).all()


def target(kernel, kind, warps, **fixed):
    """A launch on tensors of `kind`; norms' weights and angles are fp32."""
    types = {}
    for name in (n for n in kernel.arg_names if n not in fixed):
        whole = "fp32" if name == "eps" else "i32"
        exact = ("weight", "after", "cos", "sin")
        value = "i64" if "slots" in name else "fp32" if any(e in name for e in exact) else kind
        types[name] = f"*{value}" if name.endswith("_ptr") else whole
    return Target(kernel, types, fixed, tuple(n for n in types if n.endswith("_ptr")), warps)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["bf16", "fp16", "fp32"])
def test_every_kernel_compiles_for_gpus_that_are_not_here_and_spills_nothing(kind):
    from constraintlab.engine.model import glue_triton as g

    rows = {"warps": g.warps(4096), "BLOCK": 4096}
    targets = [
        target(g.norm_kernel, kind, **rows),
        *(target(g.add_norm_kernel, kind, AFTER=after, **rows) for after in (True, False)),
        *(target(g.turn_kernel, kind, 1, NORMED=n, DIM=128, HALF=64) for n in (True, False)),
        *(target(g.gate_kernel, kind, 4, TANH=tanh, BLOCK=g.WIDE) for tanh in (True, False)),
    ]
    found = xrays([(one, arch) for one in targets for arch in ("sm_80", "sm_90")])
    assert all(x.spill_bytes == 0 and x.registers <= 64 for x in found)


def test_a_gpu_takes_the_kernels_and_a_cpu_does_not():
    assert glue.choice(torch.bfloat16, "cuda").backend.name == "triton"
    assert "triton: runs on a GPU" in str(glue.choice(torch.bfloat16, "cpu"))
