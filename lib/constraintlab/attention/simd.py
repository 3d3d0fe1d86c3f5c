"""What numba does not offer a CPU kernel by itself: prefetch, atomics, views, a fast 2^x.

Everything here is inlined into the kernel that uses it.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

LINE = 64
"""Bytes of a cache line on x86-64 and most ARM cores; a wrong one only wastes prefetches."""

FAST = {"reassoc", "contract", "nsz", "arcp", "afn"}
"""Sums may be reordered, hence vectorised. Not `nnan` or `ninf`: a NaN stays a NaN."""


P1, P2, P3 = 6.931470444e-01, 2.402293056e-01, 5.548528061e-02
P4, P5, P6 = 9.675451574e-03, 1.246784639e-03, 2.161291512e-04
"""2^f ≈ 1 + P1·f + … + P6·f⁶ on [0, 1): minimax in relative error, by Lawson's algorithm."""


@intrinsic
def float_of_bits(context, bits):
    """The float32 whose bits are this uint32."""

    def build(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), build


@intrinsic
def bits_of_float(context, value):
    """The bits of this float32, as a uint32."""

    def build(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.uint32(types.float32), build


@intrinsic
def pointer(context, array, index):
    """Where `array[index]` lies, for an array of one dimension; the index is not checked."""

    def build(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.gep(data, [arguments[1]])

    return types.CPointer(array.dtype)(array, types.intp), build


@njit(forceinline=True)
def view(array, start, size):
    """`array[start : start + size]` without a slice's clipping, which costs as much as a dot."""
    return carray(pointer(array, start), size)


@intrinsic
def prefetch(context, where):
    """Ask for the cache line at a pointer; nothing is read, so any address will do.

    Into the second-level cache (locality 2): it has room and request slots for far more lines
    in flight than the first has. Over blocks of 16 KB that lie anywhere a core read 12 GB/s
    without, 13 into the first level, 19 into the second (Zen 4).
    """

    def build(context, builder, signature, arguments):
        i8p, i32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [i8p, i32, i32, i32])
        call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(call, [builder.bitcast(arguments[0], i8p), i32(0), i32(2), i32(1)])
        return context.get_dummy_value()

    return types.void(where), build


def prefetch_row(pool, start, size):
    """Ask for every cache line of `pool[start : start + size]`."""
    raise NotImplementedError("for compiled code only")


@overload(prefetch_row, jit_options={"forceinline": True})
def _prefetch_row(pool, start, size):
    line = LINE // (pool.dtype.bitwidth // 8)

    def ask(pool, start, size):
        for i in range(0, size, line):
            prefetch(pointer(pool, start + i))

    return ask


@intrinsic
def fetch_add(context, array, index, amount):
    """Add to one int64 of an array in one step for all threads; returns what was there."""

    def build(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        where = builder.gep(data, [arguments[1]])
        return builder.atomic_rmw("add", where, arguments[2], "acq_rel")

    return types.int64(array, types.intp, types.int64), build


@njit(fastmath=FAST, error_model="numpy", forceinline=True)
def exp2(x):
    """2^x for x ≤ 0 in float32, at 2^−126 from there down; vectorises, which libm's does not.

    2^x = 2^⌊x⌋ · p(x − ⌊x⌋): the first is an exponent field, p the polynomial above, within 2e-9
    of 2^f before rounding and 1e-7 after.
    """
    x = np.float32(-126.0) if x < np.float32(-126.0) else x
    whole = np.floor(x)
    f = x - whole
    p = np.float32(P6)
    p = p * f + np.float32(P5)
    p = p * f + np.float32(P4)
    p = p * f + np.float32(P3)
    p = p * f + np.float32(P2)
    p = p * f + np.float32(P1)
    p = p * f + np.float32(1.0)
    return p * float_of_bits(np.uint32(np.int32(whole) + np.int32(127)) << np.uint32(23))
