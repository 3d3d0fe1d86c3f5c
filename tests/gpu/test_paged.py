"""The paged rung on the GPU: decode and prefill, every backend, ragged, through windows."""

import pytest
import torch

from constraintlab.attention import paged
from constraintlab.attention.paged import PagedShape
from tests.gpu import problems

DTYPES = (torch.float16, torch.bfloat16)
WINDOWS = (None, 1, 5)
DECODE = {b.name: b for b in paged.DECODE}
PREFILL = {b.name: b for b in paged.PREFILL}
GROUPS = {64: (8, 8), 128: (8, 2), 256: (4, 1)}
"""Head size → query heads and KV heads: alone, in groups of four, all on one."""

LENS = {"one, a block, one off, none": (1, 16, 17, 15, 0), "ragged": (37, 2, 300), "alone": (700,)}
CHUNKS = {
    "prompts": ((37, 5, 65), (37, 5, 65)),
    "a chunk, a token, a prompt": ((70, 33, 9), (12, 1, 9)),
    "none and nothing new": ((6, 0, 8), (0, 0, 8)),
}


def moved(p, device):
    return [t.to(device) for t in p.args]


def checked(backend, device, dtype, dim):
    lacks = backend.lacks(PagedShape(1, 1, 1, 1, dim, dtype, device))
    if lacks:
        pytest.skip(lacks)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("dim", GROUPS)
@pytest.mark.parametrize("lens", LENS.values(), ids=LENS)
@pytest.mark.parametrize("name", DECODE)
def test_decode_agrees_with_fp64_and_reads_nothing_unused(device, name, lens, dim, dtype, window):
    checked(DECODE[name], device, dtype, dim)
    case = problems.paged(lens, None, *GROUPS[dim], dim, 16, dtype, window)
    out = paged.attend_paged(*moved(case[0], device), window=window, backend=name)
    assert out.dtype == dtype and problems.paged_agrees(out, *case[1:])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("dim", GROUPS)
@pytest.mark.parametrize("chunk", CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("name", PREFILL)
def test_prefill_agrees_with_fp64(device, name, chunk, dim, dtype):
    checked(PREFILL[name], device, dtype, dim)
    lens, new = chunk
    whole = name in ("naive", "workspace")
    case = problems.paged(lens, new, *GROUPS[dim], dim, 16, dtype, None, whole)
    out = paged.prefill_paged(*moved(case[0], device), backend=name)
    assert out.dtype == dtype and problems.paged_agrees(out, *case[1:])


@pytest.mark.parametrize("window", [1, 5, 40])
@pytest.mark.parametrize("name", [n for n in PREFILL if n not in paged.RUNGS])
def test_prefill_through_a_window_agrees_with_fp64(device, name, window):
    checked(PREFILL[name], device, torch.bfloat16, 128)
    case = problems.paged((70, 33, 9), (12, 1, 9), 8, 2, 128, 16, torch.bfloat16, window)
    out = paged.prefill_paged(*moved(case[0], device), window=window, backend=name)
    assert problems.paged_agrees(out, *case[1:])


@pytest.mark.parametrize("splits", [1, 2, 7])
def test_splits_of_a_sequence_join_to_the_same_answer(device, splits):
    if device != "cuda":
        pytest.skip("no NVIDIA GPU here: only the Triton kernel has splits")
    from constraintlab.attention.paged_triton import attend_paged

    case = problems.paged((700, 9, 0), None, 8, 2, 128, 16, torch.float16, None)
    out = attend_paged(*moved(case[0], device), splits=splits)
    assert problems.paged_agrees(out, *case[1:])


def test_blocks_that_a_window_left_behind_are_never_read(device):
    case = problems.paged((130,), None, 8, 2, 128, 16, torch.float16, 20)
    q, k, v, table, lens = moved(case[0], device)
    gone = table[0, :6].long()
    k[gone], v[gone] = torch.nan, torch.nan
    if device == "cuda":  # on a CPU every id that a length reaches is checked
        table[0, :6] = 2**30
    out = paged.attend_paged(q, k, v, table, lens, window=20, backend="own")
    assert problems.paged_agrees(out, *case[1:])
