"""Kernels that are no file's: from notebook cells, in closures, with values that can't travel."""

import threading
import types

import pytest

pytest.importorskip("triton", reason="there is no Triton for this system")

import triton
import triton.language as tl
from triton.language import sum as total

from constraintlab.attention.xray import XrayError, xray
from constraintlab.attention.xray.parcel import pack, python_function

from . import small_kernels as kernels


def test_what_a_cell_s_kernel_uses_from_other_cells_comes_along():
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.run_cell("import triton, triton.language as tl\nSTEP = tl.constexpr(3)")
    shell.run_cell("@triton.jit\ndef bent(x):\n    return tl.exp2(x) * STEP").raise_error()
    cell = "@triton.jit\ndef mine(x_ptr, N: tl.constexpr):\n    at = x_ptr + tl.arange(0, N)\n"
    shell.run_cell(cell + "    tl.store(at, bent(tl.load(at)))").raise_error()
    assert xray(kernels.target(shell.user_ns["mine"]), "sm_80").instructions["exp2"] > 0


def test_a_kernel_in_a_closure_finds_what_it_closes_over():
    @triton.jit
    def inner(x):
        return tl.exp2(x)

    @triton.jit
    def closed_kernel(x_ptr, N: tl.constexpr):
        at = x_ptr + tl.arange(0, N)
        tl.store(at, inner(tl.load(at)) / total(tl.load(at), 0))

    assert xray(kernels.target(closed_kernel), "sm_80").instructions["exp2"] > 0


def test_a_value_that_can_not_travel_is_named():
    lock = threading.Lock()

    @triton.jit
    def lock_kernel(x_ptr, N: tl.constexpr):
        at = x_ptr + tl.arange(0, N)
        tl.store(at, tl.load(at) + lock)

    with pytest.raises(XrayError, match=r"lock is a lock.*make it an argument"):
        xray(kernels.target(lock_kernel), "sm_80")


def test_decorators_over_the_kernel_are_looked_under():
    tuned = triton.heuristics({"N": lambda args: 128})(kernels.plain_kernel)
    assert python_function(tuned).__name__ == "plain_kernel"
    assert pack(tuned) == pack(kernels.plain_kernel)


def test_each_function_travels_once_with_what_it_names():
    first, second = pack(kernels.calling_kernel)
    assert (first.name, second.name) == ("calling_kernel", "scaled")
    assert first.names["tl"] == ("module", "triton.language")
    assert first.names["scaled"] == ("function", 1) and second.names["HALF"][0] == "value"


def test_a_function_without_source_is_refused_with_the_fix():
    space: dict = {}
    exec("def no_source_kernel(x_ptr, N):\n    pass", space)
    with pytest.raises(XrayError, match="define it in a file or a notebook cell"):
        pack(types.SimpleNamespace(fn=space["no_source_kernel"]))
