"""Compiled kernels: one for one thread, one for several, and torch's threads left as they were."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys, numba, torch
torch.set_num_threads(int(sys.argv[1]))
from constraintlab.attention import paged_numba
q, pool = torch.ones(2, 4, 64), torch.ones(40, 16, 2, 64)
tables, lens = torch.arange(40).expand(2, 40), torch.tensor([600, 640])  # enough to be shared
out = paged_numba.attend_paged(q, pool, pool, tables, lens)
assert out.allclose(torch.ones(1)), out
try:
    layer = bool(numba.threading_layer())
except ValueError:
    layer = False
print(torch.get_num_threads(), layer)
"""


@pytest.mark.long
def test_one_thread_and_several_have_code_of_their_own_in_the_cache(tmp_path):
    path = os.pathsep.join(p for p in sys.path if p)
    env = {"PYTHONPATH": path, "CONSTRAINTLAB_HOME": str(tmp_path), "NUMBA_NUM_THREADS": "2"}

    def run(threads):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(threads)],
            capture_output=True, text=True, env=os.environ | env, check=True,
        )  # fmt: skip
        return done.stdout.split()

    # Either may be the first that is compiled; the other must not be given its code.
    assert run(2) == ["2", "True"]
    assert run(1) == ["1", "False"]
    assert run(1) == ["1", "False"]
