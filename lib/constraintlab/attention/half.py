"""16-bit floats in a CPU kernel, which numba has no type for.

Pools come as integers of the same bits, bfloat16 as uint16 and float16 as int16, so that the type
says how to read them. Everything here is inlined into the kernel that uses it.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from constraintlab.attention.simd import FAST, bits_of_float, float_of_bits, view


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
