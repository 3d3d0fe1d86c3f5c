"""Every dense rung on the GPU, through every backend that is there, against fp64."""

from functools import partial

import pytest
import torch

from constraintlab.attention import flash, fused, naive, workspace
from constraintlab.attention.backends import Backend
from constraintlab.attention.rung import Shape
from tests.gpu.problems import SHAPES, agrees, dense

DTYPES = (torch.float16, torch.bfloat16)
ALWAYS = {
    "naive": Backend("torch", lambda shape: "", naive.attend),
    "workspace": Backend("torch", lambda shape: "", workspace.attend),
}
BACKENDS = (
    ALWAYS
    | {f"fused-{b.name}": b for b in fused.BACKENDS}
    | {f"flash-{b.name}": b for b in flash.BACKENDS}
)


def on(device, tensors):
    return [t.to(device) for t in tensors]


def backend_for(rung, q, k, causal=True):
    """The rung's call for these inputs; skips with what it lacks here."""
    lacks = BACKENDS[rung].lacks(Shape.of(q, k, causal))
    if lacks:
        pytest.skip(lacks)
    return BACKENDS[rung].call


@pytest.mark.parametrize("causal", [True, False], ids=["causal", "full"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("rung", BACKENDS)
def test_agrees_with_fp64_within_twice_the_reference_error(device, rung, name, dtype, causal):
    q, k, v = on(device, dense(name, dtype, causal)[:3])
    out = backend_for(rung, q, k, causal)(q, k, v, causal=causal)
    assert out.dtype == dtype and out.device.type == device and out.shape == q.shape
    assert agrees(out, name, dtype, causal, whole_scores=rung in ALWAYS)


@pytest.mark.parametrize("rung", BACKENDS)
def test_strided_inputs_are_read_in_place_and_left_alone(device, rung):
    q, k, v = on(device, dense("a tile and one", torch.float16, True)[:3])
    q, k, v = (t.transpose(1, 2).contiguous().transpose(1, 2) for t in (q, k, v))
    before = [t.clone() for t in (q, k, v)]
    out = backend_for(rung, q, k)(q, k, v, causal=True)
    assert not q.is_contiguous()
    assert agrees(out, "a tile and one", torch.float16, True, whole_scores=rung in ALWAYS)
    assert all(torch.equal(a, b) for a, b in zip(before, (q, k, v), strict=True))


@pytest.mark.parametrize("rung", [name for name in BACKENDS if name not in ALWAYS])
@pytest.mark.parametrize("magnitude", [30.0, 1e-3])
def test_large_and_tiny_scores_stay_finite(device, rung, magnitude):
    q, k, v = on(device, dense("past keys, groups of 4", torch.bfloat16, True)[:3])
    out = backend_for(rung, q, k)(q * magnitude, k, v, causal=True)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("dim", [64, 128])
@pytest.mark.parametrize("rung", [n for n in BACKENDS if n.startswith("flash")])
def test_a_long_prompt_off_a_tile_agrees_with_fp64_on_the_device(device, rung, dim):
    """2,049 tokens, with the textbook's steps in fp64 on the device as the answer."""
    shape = Shape.square(2049, heads=2, dim=dim, dtype=torch.bfloat16, device=device)
    q, k, v = shape.inputs()
    call = backend_for(rung, q, k)
    exact = naive.attend(q.double(), k.double(), v.double())
    low = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    tolerated = 2 * float((low.double() - exact).abs().max())
    error = float((call(q, k, v, causal=True).double() - exact).abs().max())
    assert 0 < error <= tolerated


def test_the_answer_does_not_depend_on_what_ran_before(device):
    """Split sums or a buffer that was left dirty would show as a second answer."""
    q, k, v = on(device, dense("past keys, groups of 4", torch.float16, True)[:3])
    call = partial(flash.attend, q, k, v, backend="own")
    first = call().clone()
    flash.attend(q * 3, k, v, backend="own")
    assert torch.equal(call(), first)


def test_what_auto_takes_is_here_and_the_others_say_why_not(device):
    choice = flash.choice(Shape.square(64, dtype=torch.float16, device=device))
    assert not choice.backend.lacks(Shape.square(64, dtype=torch.float16, device=device))
    assert all(choice.others.values()) and len(choice.others) == len(flash.BACKENDS) - 1
