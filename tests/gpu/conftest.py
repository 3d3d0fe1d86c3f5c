"""Tests that need an NVIDIA GPU: `make gpu` runs them. On a CPU each skips and says so.

With CONSTRAINTLAB_GPU_DRY_RUN=1 they run on a CPU over the backends that it has: the tests were
then run, and no GPU was. `make gpu` on a machine without one does that.
"""

import os

import pytest
import torch

DRY_RUN = "CONSTRAINTLAB_GPU_DRY_RUN"
SHARD = "CONSTRAINTLAB_GPU_SHARD"
"""`2/8`: only the third of eight equal parts of the tests, counted from 0. Compiling is most of
the time and takes one core, so `make gpu` runs several such parts side by side."""


def pytest_collection_modifyitems(config, items):
    if SHARD in os.environ:
        number, of = map(int, os.environ[SHARD].split("/"))
        edges = [len(items) * n // of for n in range(of + 1)]
        mine = slice(edges[number], edges[number + 1])
        config.hook.pytest_deselected(items=items[: mine.start] + items[mine.stop :])
        items[:] = items[mine]


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
