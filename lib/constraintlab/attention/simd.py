"""What numba does not offer a CPU kernel by itself: prefetch, atomics, 16-bit floats, a fast 2^x.

Everything here is inlined into the kernel that uses it. No 16-bit float type is needed: pools
come as integers of the same bits, bfloat16 as uint16 and float16 as int16, so that the type
says how to read them.
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


def row(pool, offset, dim, scratch):
    """`pool[offset : offset + dim]` as float32: a view of it, or converted into `scratch`."""
    raise NotImplementedError("for compiled code only")


@overload(row, jit_options={"forceinline": True, "fastmath": FAST})
def _row(pool, offset, dim, scratch):
    if pool.dtype == types.float32:

        def read(pool, offset, dim, scratch):
            return view(pool, offset, dim)

    elif pool.dtype == types.uint16:  # bfloat16 is the upper half of a float32

        def read(pool, offset, dim, scratch):
            bits = view(pool, offset, dim)
            for d in range(dim):
                scratch[d] = float_of_bits(np.uint32(bits[d]) << np.uint32(16))
            return scratch

    else:  # float16: the exponent's bias is 112 less, and so a product with 2^112 sets it right

        def read(pool, offset, dim, scratch):
            bits = view(pool, offset, dim)
            for d in range(dim):
                whole = np.uint32(np.uint16(bits[d]))
                size = (whole & np.uint32(0x7FFF)) << np.uint32(13)
                value = float_of_bits(size) * np.float32(2.0**112)
                if size >= np.uint32(0x0F800000):  # infinity and NaN keep the largest exponent
                    value = float_of_bits(size | np.uint32(0x7F800000))
                scratch[d] = -value if whole & np.uint32(0x8000) else value
            return scratch

    return read


def stored(pool, offset, dim, scratch):
    """As `row`, for `cast` to make float32 of each element: what costs one shift is not converted
    ahead, since that is cheaper anew for each query head than a detour through memory."""
    raise NotImplementedError("for compiled code only")


@overload(stored, jit_options={"forceinline": True})
def _stored(pool, offset, dim, scratch):
    if pool.dtype in (types.float32, types.uint16):
        return lambda pool, offset, dim, scratch: view(pool, offset, dim)
    return lambda pool, offset, dim, scratch: row(pool, offset, dim, scratch)


def cast(value):
    """A float32 as it is; an uint16, the bits of a bfloat16, as the float32 whose upper half it
    is."""
    raise NotImplementedError("for compiled code only")


@overload(cast, jit_options={"forceinline": True})
def _cast(value):
    if value == types.float32:
        return lambda value: value
    return lambda value: float_of_bits(np.uint32(value) << np.uint32(16))


def put(pool, index, value):
    """`pool[index] = value`, a float32, rounded to the nearest where the pool has 16 bits."""
    raise NotImplementedError("for compiled code only")


@overload(put, jit_options={"forceinline": True})
def _put(pool, index, value):
    if pool.dtype == types.float32:

        def store(pool, index, value):
            pool[index] = value

    else:  # bfloat16; a tie goes to the even one

        def store(pool, index, value):
            bits = bits_of_float(value)
            odd = (bits >> np.uint32(16)) & np.uint32(1)
            near = (bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)
            pool[index] = np.uint16(near if value == value else np.uint32(0x7FC0))

    return store
