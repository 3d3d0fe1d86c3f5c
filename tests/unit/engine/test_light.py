"""What an engine's process does not load: it starts several times a lab."""

import subprocess
import sys

LOADED = """
import sys
import constraintlab.engine.worker
import constraintlab.engine.model.decoder
print(" ".join(name for name in {names} if name in sys.modules))
"""


def test_an_engine_starts_without_torch_s_compiler_and_what_that_brings():
    names = ("torch", "torch._dynamo", "sympy")
    code = LOADED.format(names=names)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["torch"]
