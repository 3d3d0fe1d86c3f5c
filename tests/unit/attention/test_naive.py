"""The naive rungs: the workspace they keep, and their counts against what can be observed."""

import pytest
import torch

from constraintlab.attention import naive, workspace
from constraintlab.attention.rung import Shape, total


def test_a_workspace_grows_to_the_largest_call_and_serves_the_smaller_ones():
    kept = workspace.Workspace()
    small, large = Shape.square(8).inputs(), Shape.square(16).inputs()
    first = workspace.attend(*small, workspace=kept)
    assert torch.allclose(workspace.attend(*large, workspace=kept), naive.attend(*large))
    where, held = [b.data_ptr() for b in kept.buffers(large[0], 16)[:2]], kept.bytes
    assert torch.allclose(workspace.attend(*small, workspace=kept), first)
    assert [b.data_ptr() for b in kept.buffers(small[0], 8)[:2]] == where
    assert kept.bytes == held == 2 * 8 * 16 * 16 * 4 + 16 * 16 * 4


@pytest.mark.parametrize(("queries", "keys"), [(3, 9), (9, 9), (9, 3), (1, 5), (12, 12), (5, 12)])
def test_a_kept_workspace_gives_what_a_new_one_gives_for_any_two_lengths(queries, keys):
    kept = workspace.Workspace()
    workspace.attend(*Shape.square(10).inputs(), workspace=kept)
    inputs = Shape(1, 8, 8, queries, keys, 64).inputs(1)
    assert torch.equal(workspace.attend(*inputs, workspace=kept), workspace.attend(*inputs))
    half = [t.to(torch.bfloat16) for t in inputs]
    assert torch.equal(workspace.attend(*half, workspace=kept), workspace.attend(*half))


def test_a_result_is_not_overwritten_by_the_next_call():
    kept = workspace.Workspace()
    first = workspace.attend(*Shape.square(8).inputs(0), workspace=kept)
    copy = first.clone()
    workspace.attend(*Shape.square(8).inputs(1), workspace=kept)
    assert torch.equal(first, copy)


def test_work_of_a_square_problem_by_hand():
    # H 2, D 4, S 8, fp32, causal: S×S is 2·8·8·4 = 512 bytes, the mask 256, q = k = v = 256
    w = naive.work(Shape.square(8, heads=2, dim=4))
    assert w.flops == 2 * 2 * (2 * 8 * 8) * 4
    assert w.bytes == (256 + 256 + 512) + 1024 + (1024 + 3 * 256) + 1024 + (512 + 256 + 256)
    assert w.fresh == 0


def test_only_large_blocks_on_a_cpu_are_fresh():
    # H 8, fp32: S×S is 32 MiB at S = 1024, four of them a call; the mask (4 MiB) stays small
    edge = Shape.square(1024)
    assert naive.work(edge).fresh == 4 * 32 * 1024**2
    assert naive.work(edge.at(1023)).fresh == 0
    assert workspace.work(edge).fresh == 0
    assert naive.work(Shape.square(1024, device="cuda")).fresh == 0


def test_counted_fresh_bytes_are_the_page_faults_that_happen():
    resource = pytest.importorskip("resource", reason="needs a POSIX system")
    shape = Shape.square(1536, heads=4, dim=16)
    inputs = shape.inputs()
    naive.attend(*inputs)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    naive.attend(*inputs)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    touched = faults * resource.getpagesize()
    # With huge pages `always`, one fault brings 2 MB: then fewer, never more.
    assert touched <= 1.2 * naive.work(shape).fresh
    from constraintlab.limits.machine import huge_pages

    if huge_pages() != "always":
        assert touched >= 0.8 * naive.work(shape).fresh


def test_useful_flops_are_counted_to_the_last_score():
    shape = Shape(1, 2, 1, 5, 7, 4)
    seen = torch.ones(5, 7).tril(2).sum().item()
    assert shape.useful_scores == 2 * seen and shape.useful_flops == 4 * 2 * seen * 4
    assert total(naive.kernels(shape)).flops == 4 * 2 * 35 * 4
