"""Paged decode and prefill on a CPU against fp64; unused slots, blocks and ids must not matter."""

import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.attention import paged, paged_numba, window_cpu
from constraintlab.attention.paged import PagedShape

from .paged_reference import paged_reference, paged_tolerance, problem

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
BACKENDS = ("numba", "gather")
DIMS = dict(zip(DTYPES, (64, 256, 128), strict=True))
"""A head size a dtype, so that each kernel is compiled once: seconds, every time."""


def agrees(out, p, **options):
    exact = paged_reference(p, **options)
    bound = paged_tolerance(p, options.get("scale"))
    assert out.dtype == p.q.dtype and not torch.isnan(out).any()
    return not out.numel() or float((out.double() - exact).abs().max()) <= bound


ragged = st.lists(st.integers(0, 21), min_size=1, max_size=4)
heads = st.sampled_from([(1, 1), (2, 1), (4, 2), (8, 1), (6, 2)])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@settings(max_examples=15, deadline=None)
@given(
    lens=ragged, group=heads, page=st.sampled_from([1, 4, 16]),
    window=st.sampled_from([None, 1, 4, 7]), seed=st.integers(0, 99),
)  # fmt: skip
def test_decode_agrees_with_fp64(backend, dtype, lens, group, page, window, seed):
    p = problem(
        lens, heads=group[0], kv_heads=group[1], dim=DIMS[dtype], page=page, dtype=dtype, seed=seed
    )
    assert agrees(paged.attend_paged(*p.args, window=window, backend=backend), p, window=window)


@pytest.mark.parametrize(("dtype", "dim"), DIMS.items())
def test_every_head_size_of_the_design(dtype, dim):
    p = problem([17, 3, 0], heads=2, kv_heads=1, dim=dim, dtype=dtype)
    assert agrees(paged.attend_paged(*p.args, backend="own"), p)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("lens", [[700], [300, 256, 257, 1]], ids=["alone", "ragged"])
def test_pieces_of_long_sequences_are_merged(lens, dtype):
    """Longer than one piece: several threads share a sequence."""
    p = problem(lens, heads=2, kv_heads=1, dim=DIMS[dtype], page=16, dtype=dtype)
    assert max(lens) > paged_numba.LEAST
    assert agrees(paged.attend_paged(*p.args, backend="own"), p)


@pytest.mark.parametrize("backend", ["cpu", "gather", *paged.RUNGS])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    ("lens", "new"), [([4, 5, 9], [4, 1, 3]), ([70, 3], [66, 3]), ([6, 0, 8], [0, 0, 8])]
)
def test_prefill_agrees_with_fp64(backend, dtype, lens, new):
    p = problem(lens, new=new, dtype=dtype)
    assert agrees(paged.prefill_paged(*p.args, backend=backend), p)


@pytest.mark.parametrize("backend", ["cpu", "gather"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@settings(max_examples=15, deadline=None)
@given(
    lens=ragged, new=st.integers(0, 21), group=heads, block=st.sampled_from([1, 3, 128]),
    window=st.integers(1, 25), seed=st.integers(0, 99),
)  # fmt: skip
def test_prefill_through_a_window_agrees_with_fp64(
    backend, dtype, lens, new, group, block, window, seed
):
    p = problem(
        lens, new=[min(n, new) for n in lens], heads=group[0], kv_heads=group[1], dtype=dtype,
        seed=seed,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window_cpu, "block_of", lambda *_: block)
        out = paged.prefill_paged(*p.args, window=window, backend=backend)
    assert agrees(out, p, window=window)


@pytest.mark.parametrize("rung", paged.RUNGS)
def test_a_rung_without_a_window_says_what_to_use_instead(rung):
    p = problem([9], new=[5])
    with pytest.raises(
        ValueError, match=r"no sliding window and 9 keys are over 8.*prefill='auto'"
    ):
        paged.prefill_paged(*p.args, window=8, backend=rung)
    assert agrees(paged.prefill_paged(*p.args, window=9, backend=rung), p)


def test_a_window_s_keys_are_all_that_prefill_copies():
    """Blocks wholly before the window are not even looked up: their ids may be anything."""
    p = problem([40], new=[3], heads=2, kv_heads=1, page=4)
    exact = paged.prefill_paged(*p.args, window=5)
    p.k_pool[p.table[0, :8].long()] = torch.nan
    assert torch.equal(paged.prefill_paged(*p.args, window=5), exact)


def test_a_prompt_of_exactly_one_block_needs_one_block():
    p = problem([4], new=[4], page=4)
    assert int((p.table[0] < len(p.k_pool)).sum()) == 1
    assert agrees(paged.prefill_paged(*p.args), p)


def test_one_layer_of_a_larger_tensor_is_read_in_place():
    p = problem([9, 5], heads=2, kv_heads=2, dim=64)
    layers = torch.full((2, 3, *p.k_pool.shape), torch.nan)
    layers[0, 1], layers[1, 1] = p.k_pool, p.v_pool
    k, v = layers[0, 1], layers[1, 1]
    for backend in BACKENDS:
        out = paged.attend_paged(p.q, k, v, p.table, p.lens, backend=backend)
        assert torch.equal(out, paged.attend_paged(*p.args, backend=backend))
    strided = p.q.transpose(0, 1).contiguous().transpose(0, 1)
    assert not strided.is_contiguous()
    assert agrees(paged.attend_paged(strided, k, v, p.table, p.lens, backend="own"), p)


@pytest.mark.parametrize("backend", BACKENDS)
def test_inputs_are_left_alone_and_results_are_new(backend):
    p = problem([9, 5], dim=64)
    before = [t.clone() for t in p.args]
    first = paged.attend_paged(*p.args, scale=0.3, backend=backend)
    copy = first.clone()
    paged.attend_paged(*problem([9, 5], dim=64, seed=1).args, backend=backend)
    assert torch.equal(first, copy) and agrees(first, p, scale=0.3)
    assert all(torch.equal(a, b, ) or bool((a.isnan() == b.isnan()).all())
               for a, b in zip(before, p.args, strict=True))  # fmt: skip


def test_two_python_threads_may_decode_at_once():
    problems = [problem([300, 40], dim=64, seed=s, page=16) for s in range(2)]
    alone = [paged.attend_paged(*p.args, backend="own") for p in problems]
    wrong = []

    def decode(p, expected):
        for _ in range(50):
            if not torch.allclose(paged.attend_paged(*p.args, backend="own"), expected, atol=1e-6):
                wrong.append(p)

    threads = [threading.Thread(target=decode, args=a) for a in zip(problems, alone, strict=True)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_one_torch_thread_is_one_thread_of_ours():
    p = problem([300, 40], dim=64, page=16)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        from constraintlab.attention import compiled

        assert compiled.workers() == 1
        assert agrees(paged.attend_paged(*p.args, backend="own"), p)
    finally:
        torch.set_num_threads(before)


def test_work_of_a_decode_step_by_hand():
    # 3 sequences, 10 keys in all, 4 query heads on 2 KV heads, D 8, fp32
    w = paged.work(PagedShape(3, 10, 4, 2, 8))
    assert w.flops == 2 * 2 * 10 * 4 * 8
    assert w.bytes == 2 * 10 * 2 * 8 * 4 + 2 * 3 * 4 * 8 * 4


def test_availability_says_what_runs_and_why_not_the_rest():
    found = paged.availability()
    assert found.ok and "triton: " in found.reason


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: {"q": p.q[0]}, r"\[tokens, heads, dim\]"),
        (lambda p: {"q": p.q.int()}, "float32, float16 or bfloat16"),
        (lambda p: {"q": p.q.half()}, "convert one"),
        (lambda p: {"q": p.q[..., :4]}, "they must match"),
        (lambda p: {"q": p.q[:, :3]}, "make one a multiple"),
        (lambda p: {"q": p.q[:1]}, "use prefill_paged"),
        (lambda p: {"q": p.q.to("meta")}, "move one"),
        (lambda p: {"k_pool": p.k_pool[0]}, r"\[blocks, block_size, kv_heads, dim\]"),
        (lambda p: {"k_pool": p.k_pool.mT.contiguous().mT}, "make it 1"),
        (lambda p: {"block_table": p.table.float()}, "give int32"),
        (lambda p: {"block_table": p.table[0]}, r"\[sequences, blocks\]"),
        (lambda p: {"seq_lens": p.lens + 100}, "more blocks"),
        (lambda p: {"seq_lens": p.lens - 100}, "0 or more"),
        (lambda p: {"block_table": p.table * 0 + 999}, "names block 999"),
        (lambda p: {"block_table": p.table * 0 - 1}, "names block -1"),
        (lambda p: {"window": 0}, "1 or more keys"),
    ],
)  # fmt: skip
def test_wrong_inputs_are_refused_with_the_fix(change, says):
    p = problem([5, 9])
    names = ("q", "k_pool", "v_pool", "block_table", "seq_lens")
    given_ = dict(zip(names, p.args, strict=True)) | change(p)
    with pytest.raises((ValueError, TypeError), match=says):
        paged.attend_paged(**given_)


@pytest.mark.parametrize(
    ("starts", "says"),
    [
        ([0, 5], "one more than the 2"),
        ([1, 3, 8], "must run from 0 to the 8 rows"),
        ([0, 3, 7], "must run from 0 to the 8 rows"),
        ([0, 9, 8], "never fall|new tokens"),
        ([0, 7, 8], "seq_lens counts all"),
    ],
)
def test_wrong_running_sums_are_refused_with_the_fix(starts, says):
    p = problem([5, 9], new=[3, 5])
    with pytest.raises(ValueError, match=says):
        paged.prefill_paged(*p.args[:-1], torch.tensor(starts, dtype=torch.int32))


def test_ids_that_no_length_reaches_may_be_anything():
    p = problem([5, 0], dim=64)
    assert (p.table == 2**30).any()
    assert agrees(paged.attend_paged(*p.args), p)
