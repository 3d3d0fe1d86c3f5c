"""The Triton kernels under Triton's interpreter, against fp64: fp32 and fp16, forward only.

The interpreter computes bf16 on raw bits, so bf16 is left to the GPU's own tests.
"""

import sys

import pytest
import torch

from constraintlab.attention.rung import Shape
from constraintlab.bench.attention_tiles import CANDIDATES

from .paged_reference import paged_reference, paged_tolerance, problem
from .reference import reference, tolerance

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="there is no Triton for this system"
)
DTYPES = (torch.float32, torch.float16)


def interpreted(module, function, *args, **options):
    from .interpreted import call

    return call(module, function, *args, **options)


def agrees(out, exact, bound):
    error = (out.double() - exact).abs().max() if out.numel() else 0.0
    return not torch.isnan(out).any() and float(error) <= bound


SHAPES = {
    "one token": Shape(1, 1, 1, 1, 1, 16),
    "groups of 8, odd head": Shape(2, 8, 1, 5, 7, 24),
    "past keys, one off a tile": Shape(1, 2, 1, 3, 65, 16),
    "rows that see nothing": Shape(1, 2, 2, 9, 4, 16),
    "a tile and one": Shape(1, 2, 2, 33, 33, 64),
    # the first block's last query is the only one to see the last tile's first key
    "a block ends one into a tile": Shape(1, 1, 1, 129, 130, 16),
}


@pytest.mark.parametrize("module", ["fused_triton", "flash_triton"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("name", SHAPES)
def test_agrees_with_fp64(module, name, causal, dtype):
    s = SHAPES[name]
    q, k, v = Shape(s.batch, s.heads, s.kv_heads, s.queries, s.keys, s.dim, dtype).inputs()
    out = interpreted(module, "attend", q, k, v, causal=causal)
    assert out.dtype == dtype
    exact = reference(q, k, v, causal=causal)
    assert agrees(out, exact, tolerance(q, k, v, causal=causal))


@pytest.mark.parametrize("module", ["fused_triton", "flash_triton"])
def test_strided_inputs_are_read_in_place_and_left_alone(module):
    q, k, v = (t.transpose(1, 2).contiguous().transpose(1, 2) for t in Shape.square(9).inputs())
    before = [t.clone() for t in (q, k, v)]
    out = interpreted(module, "attend", q, k, v, scale=0.3)
    assert agrees(out, reference(q, k, v, scale=0.3), 1e-5)
    assert all(torch.equal(a, b) for a, b in zip(before, (q, k, v), strict=True))


@pytest.mark.parametrize("row", sorted({r for rows in CANDIDATES.values() for r in rows}))
def test_a_tile_of_one_s_own_changes_no_answer(row):
    """Those that `bench attention` races on a GPU."""
    from constraintlab.attention.triton_launch import Tile

    q, k, v = Shape(1, 2, 1, 131, 200, 64, torch.float16).inputs()
    out = interpreted("flash_triton", "attend", q, k, v, tile=Tile(*row))
    assert agrees(out, reference(q, k, v), tolerance(q, k, v))


def test_fused_refuses_more_keys_than_fit_and_names_flash():
    q, k, v = Shape(1, 1, 1, 1, 4096, 64).inputs()
    with pytest.raises(ValueError, match="Use flash"):
        interpreted("fused_triton", "attend", q, k, v)


LENGTHS = {
    "one, a block, one off, none": [1, 4, 5, 3, 0],
    "ragged": [37, 2, 70],
    "batch of one": [130],
}
WINDOWS = [None, 1, 5]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("lens", LENGTHS.values(), ids=LENGTHS)
def test_paged_decode_agrees_with_fp64_and_reads_nothing_unused(lens, window, dtype):
    p = problem(lens, dtype=dtype)
    out = interpreted("paged_triton", "attend_paged", *p.args, window=window)
    assert agrees(out, paged_reference(p, window=window), paged_tolerance(p))


@pytest.mark.parametrize("splits", [1, 2, 7])
def test_splits_of_a_sequence_join_to_the_same_answer(splits):
    p = problem([150, 9, 0], heads=8, kv_heads=1)
    out = interpreted("paged_triton", "attend_paged", *p.args, splits=splits)
    assert agrees(out, paged_reference(p), paged_tolerance(p))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(
    ("lens", "new"),
    [
        ([4, 5, 9], [4, 1, 3]),
        ([70, 3], [66, 3]),
        ([6, 0, 8], [0, 0, 8]),
        # a tile ends one past the diagonal
        ([65], [3]),
    ],
)
def test_paged_prefill_agrees_with_fp64(lens, new, window, dtype):
    p = problem(lens, new=new, dtype=dtype)
    out = interpreted("paged_prefill_triton", "prefill_paged", *p.args, window=window)
    assert agrees(out, paged_reference(p, window=window), paged_tolerance(p))


@pytest.mark.parametrize(
    ("module", "function", "new", "window"),
    [("paged_triton", "attend_paged", None, 5), ("paged_prefill_triton", "prefill_paged", [3], 3)],
)
def test_blocks_that_a_window_left_behind_are_never_read(module, function, new, window):
    # Of 37 keys the oldest that is seen is 32, the first of block 8.
    p = problem([37], new=new)
    before = interpreted(module, function, *p.args, window=window)
    assert agrees(before, paged_reference(p, window=window), paged_tolerance(p))
    for pool in (p.k_pool, p.v_pool):
        pool[p.table[0, :8]] = torch.nan
    p.table[0, :8] = 2**30
    assert torch.equal(interpreted(module, function, *p.args, window=window), before)


@pytest.mark.parametrize("dim", [64, 128, 256])
def test_every_head_size_of_the_design(dim):
    p = problem([17, 3], heads=2, kv_heads=1, dim=dim)
    for module, function in (("paged_triton", "attend_paged"),):
        assert agrees(interpreted(module, function, *p.args), paged_reference(p), 1e-4)
    p = problem([17, 3], new=[5, 3], heads=2, kv_heads=1, dim=dim)
    out = interpreted("paged_prefill_triton", "prefill_paged", *p.args)
    assert agrees(out, paged_reference(p), paged_tolerance(p))
