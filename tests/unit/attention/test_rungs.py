"""Every rung of the ladder against fp64, with one signature and one set of errors."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.attention import cpu_blocks, flash, flash_cpu, fused, fused_cpu, naive, workspace
from constraintlab.attention.rung import Shape

from .reference import agrees, reference, tolerance

RUNGS = {
    "naive": naive.attend,
    "workspace": workspace.attend,
    "fused": fused.attend,
    "flash-sdpa": partial(flash.attend, backend="sdpa"),
    "flash-own": partial(flash.attend, backend="own"),
    "flash-tiles": partial(flash_cpu.attend, block=4, tile=3),
}
DTYPES = (torch.float32, torch.float16, torch.bfloat16)

shapes = st.tuples(
    st.integers(1, 2),
    st.sampled_from([(1, 1), (2, 1), (4, 2), (8, 1), (6, 2)]),
    st.integers(1, 19),
    st.integers(1, 19),
    st.sampled_from([8, 16]),
)


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@settings(max_examples=25, deadline=None)
@given(shape=shapes, causal=st.booleans(), seed=st.integers(0, 99))
def test_agrees_with_fp64_within_twice_the_reference_error(rung, dtype, shape, causal, seed):
    b, (hq, hkv), tq, tk, d = shape
    q, k, v = Shape(b, hq, hkv, tq, tk, d, dtype).inputs(seed)
    out = RUNGS[rung](q, k, v, causal=causal)
    assert out.dtype == dtype and agrees(out, q, k, v, causal=causal)


@pytest.mark.parametrize("rung", RUNGS)
def test_a_row_that_sees_no_key_is_zero(rung):
    q, k, v = Shape(1, 1, 1, 5, 2, 8).inputs()
    out = RUNGS[rung](q, k, v)
    assert (out[:, :, :3] == 0).all() and (out[:, :, 3:] != 0).all()


@pytest.mark.parametrize("rung", RUNGS)
def test_inputs_may_be_strided_and_are_left_alone(rung):
    q, k, v = (t.transpose(1, 2).contiguous().transpose(1, 2) for t in Shape.square(9).inputs())
    before = [t.clone() for t in (q, k, v)]
    out = RUNGS[rung](q, k, v)
    assert not q.is_contiguous()
    assert torch.allclose(out, RUNGS[rung](*(t.contiguous() for t in (q, k, v))))
    assert all(torch.equal(a, b) for a, b in zip(before, (q, k, v), strict=True))


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda q, k, v: (q[0], k, v), r"\[batch, heads, tokens, dim\]"),
        (lambda q, k, v: (q.int(), k, v), "float32, float16 or bfloat16"),
        (lambda q, k, v: (q, k.half(), v), "convert one"),
        (lambda q, k, v: (q, k, v[:, :, :3]), "same shape"),
        (lambda q, k, v: (q[..., :4], k, v), "batch and dim must match"),
        (lambda q, k, v: (q[:, :3], k[:, :2], v[:, :2]), "multiple"),
        (lambda q, k, v: (q, k.to("meta"), v), "move one"),
    ],
)
def test_wrong_inputs_are_refused_with_the_fix(rung, change, says):
    with pytest.raises((ValueError, TypeError), match=says):
        RUNGS[rung](*change(*Shape.square(8).inputs()))


ONLINE = [name for name in RUNGS if name not in ("naive", "workspace")]
"""Rungs whose scores stay on chip; the others round them to the dtype, and large ones show it."""


@pytest.mark.parametrize("rung", ONLINE)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("magnitude", [30.0, 1e-3])
def test_large_and_tiny_scores_stay_finite(rung, dtype, magnitude):
    q, k, v = Shape(1, 2, 1, 9, 9, 16, dtype).inputs()
    out = RUNGS[rung](q * magnitude, k, v)
    bound = tolerance(q * magnitude, k, v)
    assert float((out.double() - reference(q * magnitude, k, v)).abs().max()) <= bound


@pytest.mark.parametrize("rung", RUNGS)
def test_a_scale_of_ones_own_is_taken(rung):
    q, k, v = Shape.square(9, heads=2).inputs()
    exact = reference(q, k, v, scale=0.3)
    assert torch.allclose(RUNGS[rung](q, k, v, scale=0.3).double(), exact, atol=1e-5)


@pytest.mark.parametrize("tokens", [127, 128, 129, 257])
@pytest.mark.parametrize("call", [fused_cpu.attend, flash_cpu.attend])
def test_prompts_at_the_edge_of_a_block(call, tokens):
    q, k, v = Shape(1, 2, 1, tokens, tokens + 130, 8).inputs()
    assert torch.allclose(call(q, k, v), naive.attend(q, k, v), atol=1e-5)


def test_the_longer_the_prompt_the_fewer_queries_fit_on_chip():
    rows = [fused_cpu.block_of(keys, 4) for keys in (1024, 4096, 8192, 65536, 10**9)]
    assert rows == sorted(rows, reverse=True) and rows[0] == fused_cpu.BLOCK and rows[-1] == 1
    assert all(
        r * fused_cpu.HEADS * k * 4 <= fused_cpu.ON_CHIP
        for r, k in zip(rows, (1024, 4096, 8192, 65536), strict=False)
    )


def test_on_chip_space_that_shrinks_changes_no_answer(monkeypatch):
    q, k, v = Shape.square(300, heads=2, dim=8).inputs()
    whole = fused.attend(q, k, v)
    monkeypatch.setattr(fused_cpu, "ON_CHIP", 3 * 4 * 300 * 4)
    assert fused_cpu.block_of(300, 4) == 3
    assert torch.allclose(fused.attend(q, k, v), whole, atol=1e-6)


@pytest.mark.parametrize("rung", [fused, flash])
def test_no_s_by_s_matrix_is_ever_in_memory(rung):
    for tokens in (1024, 4096):
        shape = Shape.square(tokens)
        assert rung.peak_bytes(shape) < 0.15 * naive.peak_bytes(shape)
    assert rung.work(shape).bytes < naive.work(shape).bytes / 10
    assert rung.work(shape).fresh == 0


@pytest.mark.parametrize("rung", [fused, flash])
def test_what_is_not_here_says_why(rung):
    why = rung.availability("cpu").reason
    assert "triton: " in why
    with pytest.raises(ValueError, match="use backend='"):
        rung.choice(Shape.square(8), "triton")


def test_the_library_comes_first_and_ours_is_asked_for_by_name():
    shape = Shape.square(64)
    assert flash.choice(shape).backend.name == "sdpa"
    assert flash.choice(shape, "own").backend.name == "cpu"
    assert "not asked for" in flash.choice(shape, "own").others["sdpa"]


def test_a_cpu_without_fast_bf16_multiplies_in_fp32(monkeypatch):
    q, k, v = Shape(1, 2, 1, 40, 40, 8, torch.bfloat16).inputs()
    monkeypatch.setattr(cpu_blocks, "_supported", lambda name: False)
    assert cpu_blocks.products_in(torch.bfloat16) == torch.float32
    wide = flash_cpu.attend(q.float(), k.float(), v.float()).bfloat16()
    assert torch.equal(flash_cpu.attend(q, k, v), wide)
    assert torch.equal(
        fused_cpu.attend(q, k, v), fused_cpu.attend(*(t.float() for t in (q, k, v))).bfloat16()
    )
