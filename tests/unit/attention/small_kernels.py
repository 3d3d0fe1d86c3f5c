"""Small kernels to x-ray, right and wrong ones, and a target for each."""

import triton
import triton.language as tl

from constraintlab.attention.target import Target

HALF = tl.constexpr(0.5)


@triton.jit
def scaled(x, by):
    return tl.exp2(x * by * HALF)


@triton.jit
def calling_kernel(x_ptr, N: tl.constexpr):
    at = x_ptr + tl.arange(0, N)
    tl.store(at, scaled(tl.load(at), 3.0))


@triton.jit
def plain_kernel(x_ptr, N: tl.constexpr):
    at = x_ptr + tl.arange(0, N)
    tl.store(at, tl.load(at) + 1)


@triton.jit
def unknown_name_kernel(x_ptr, N: tl.constexpr):
    at = x_ptr + tl.arange(0, N)
    tl.store(at, tl.load(at) + nowhere)  # noqa: F821


@triton.jit
def bad_assembly_kernel(x_ptr, N: tl.constexpr):
    at = x_ptr + tl.arange(0, N)
    x = tl.inline_asm_elementwise("blurb.f32 $0, $1;", "=r,r", [tl.load(at)], tl.float32, True, 1)
    tl.store(at, x)


@triton.jit
def fatal_kernel(x_ptr, N: tl.constexpr):
    """No register is called y: LLVM then ends the process in which it runs."""
    at = x_ptr + tl.arange(0, N)
    x = tl.inline_asm_elementwise("mov.b32 $0, $1;", "=y,y", [tl.load(at)], tl.float32, True, 1)
    tl.store(at, x)


def target(kernel, n=128):
    """`kernel` of one pointer to fp32 and a size."""
    return Target(kernel, {"x_ptr": "*fp32"}, {"N": n}, ("x_ptr",))


def ran_and_read():
    """What kind of function runs here, after it did, and the x-ray of another one."""
    import torch

    from constraintlab.attention.xray import xray

    x = torch.zeros(128)
    plain_kernel[(1,)](x, 128)
    assert x.sum() == 128
    return type(plain_kernel).__name__, xray(target(calling_kernel), "sm_80").as_dict()
