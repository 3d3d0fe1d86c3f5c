"""Which kernels can be x-rayed, by the names of their rungs."""

from __future__ import annotations

import inspect
from importlib import import_module

from constraintlab.attention.target import Target
from constraintlab.attention.xray.errors import XrayError

RUNGS = {
    "fused": "fused_triton",
    "flash": "flash_triton",
    "paged-decode": "paged_triton",
    "paged-prefill": "paged_prefill_triton",
}
"""Name → module of `constraintlab.attention`, each with a `target`."""

MOST = 2**18
"""Scores of a tile: in fp32 four times the registers of a multiprocessor (65,536 of 4 bytes)."""

DTYPES = ("float16", "bfloat16", "float32")


def target_of(rung: str, dtype: str = "float16", dim: int = 64, **tile: int | None) -> Target:
    """The target of a rung's kernel; options that are None are left to the rung.

    XrayError, naming what can be given, for an unknown rung, dtype or option, and for a tile
    that no kernel takes.
    """
    if rung not in RUNGS:
        raise XrayError(f"rung {rung!r} is unknown: use one of {', '.join(RUNGS)}")
    if dtype not in DTYPES:
        raise XrayError(f"dtype {dtype!r} is unknown: use one of {', '.join(DTYPES)}")
    try:
        make = import_module(f"constraintlab.attention.{RUNGS[rung]}").target
    except ImportError as error:
        raise XrayError(f"the {rung} kernel needs Triton: {error}") from error
    given = {name: n for name, n in tile.items() if n is not None}
    takes = [name for name in inspect.signature(make).parameters if name not in ("dtype", "dim")]
    for name, n in given.items():
        if name not in takes:
            raise XrayError(f"{rung} has no option {name}: it takes {', '.join(takes)}")
        if type(n) is not int:
            raise XrayError(f"{name}={n!r}: give a whole number, for example 64")
        if (name in ("queries", "keys", "warps") and n & (n - 1)) or n < 1:
            raise XrayError(f"{name}={n}: Triton takes powers of two here, for example 64")
        if name == "warps" and n > 32:
            raise XrayError(f"warps={n}: a program has 32 at most, 1024 threads")
        if name in ("queries", "keys") and n < 16:
            raise XrayError(f"{name}={n}: tensor cores take tiles of 16 or more")
    scores = given.get("queries", 16) * given.get("keys", 16)
    if scores > MOST:
        raise XrayError(
            f"a tile of {scores:,} scores fits on no chip, and compiling it takes minutes: take "
            f"fewer queries or keys, {MOST:,} scores at most"
        )
    try:
        return make(dtype, dim, **given)
    except (ValueError, TypeError) as error:
        raise XrayError(str(error)) from error
