"""Tests that need an NVIDIA GPU: `make gpu` runs them. On a CPU each skips and says so.

With CONSTRAINTLAB_GPU_DRY_RUN=1 they run on a CPU over the backends that it has: the tests were
then run, and no GPU was. `make gpu` on a machine without one does that.
"""

import os

import pytest
import torch

DRY_RUN = "CONSTRAINTLAB_GPU_DRY_RUN"


@pytest.fixture(scope="session")
def device():
    if torch.cuda.is_available():
        return "cuda"
    if os.environ.get(DRY_RUN) == "1":
        return "cpu"
    pytest.skip("no NVIDIA GPU here")


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """An error that a kernel made shows at the next wait for it: in the test that made it."""
    yield
    if torch.cuda.is_available():
        torch.cuda.synchronize()
