"""What compute-sanitizer launches on a GPU, here under Triton's interpreter."""

import sys

import pytest
import torch

from constraintlab.gpu import small_kernels
from tests.unit.attention.interpreted import interpreted


@pytest.mark.skipif(sys.platform != "linux", reason="there is no Triton for this system")
@pytest.mark.parametrize("name", small_kernels.CALLS)
def test_each_launch_is_one_that_the_kernel_takes(name):
    call, arguments = small_kernels.CALLS[name]
    interpreted(call, "cpu", *arguments)


def test_pools_have_exactly_the_blocks_that_the_lengths_need():
    k, v, table, lens = small_kernels.pools("cpu", torch.float16, [1, 16, 17])
    assert k.shape == v.shape == (4, 16, 2, 128) and lens.tolist() == [1, 16, 17]
    used = [n for row, need in zip(table.tolist(), (1, 1, 2), strict=True) for n in row[:need]]
    assert used == [0, 1, 2, 3]
