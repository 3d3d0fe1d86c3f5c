"""Problems for the rungs with their fp64 answers and their tolerances, computed once each.

The answer is the unit tests' own reference, on the host. The tolerance is twice the error that
low precision makes there: of torch's SDPA, and for the two rungs that round whole score matrices
to the dtype also of the textbook's steps in that dtype on a CPU.
"""

from functools import cache

import torch

from constraintlab.attention import naive
from constraintlab.attention.paged import prefill_paged
from constraintlab.attention.rung import Shape
from tests.unit.attention.paged_reference import paged_reference, paged_tolerance, problem
from tests.unit.attention.reference import reference, tolerance

SHAPES = {
    "one token": Shape(1, 1, 1, 1, 1, 64),
    "one query, D 128, groups of 4": Shape(2, 8, 2, 1, 257, 128),
    "a tile and one": Shape(1, 2, 2, 129, 129, 64),
    "past keys, groups of 4": Shape(1, 4, 1, 65, 130, 128),
    "D 256": Shape(1, 2, 1, 33, 97, 256),
    "a head size off a power of two": Shape(1, 2, 1, 40, 70, 80),
    "rows that see nothing": Shape(1, 2, 2, 9, 4, 64),
}


@cache
def dense(name, dtype, causal):
    """(q, k, v on the host, the fp64 answer)."""
    s = SHAPES[name]
    shape = Shape(s.batch, s.heads, s.kv_heads, s.queries, s.keys, s.dim, dtype)
    q, k, v = shape.inputs()
    return q, k, v, reference(q, k, v, causal=causal)


@cache
def bound(name, dtype, causal, tries, whole_scores):
    """The tolerance of `tries` tries. whole_scores: of a rung that rounds them to the dtype."""
    q, k, v, exact = dense(name, dtype, causal)
    found = tolerance(q, k, v, tries, causal=causal)
    if whole_scores:
        textbook = naive.attend(q, k, v, causal=causal).double()
        found = max(found, 2 * float((textbook - exact).abs().max()))
    return found


def agrees(out, name, dtype, causal, whole_scores=False):
    """Whether the output is within 2 × the low-precision reference's error of fp64."""
    error = float((out.cpu().double() - dense(name, dtype, causal)[3]).abs().max())
    return any(error <= bound(name, dtype, causal, n, whole_scores) for n in (4, 32))


@cache
def paged(lens, new, heads, kv_heads, dim, page, dtype, window, whole_scores=False):
    """(the problem on the host, its fp64 answer, the tolerance). whole_scores: as in `bound`."""
    p = problem(
        list(lens), new=list(new) if new is not None else None, heads=heads, kv_heads=kv_heads,
        dim=dim, page=page, dtype=dtype,
    )  # fmt: skip
    exact, found = paged_reference(p, window=window), paged_tolerance(p)
    if whole_scores:
        textbook = prefill_paged(*p.args, backend="naive").double()
        found = max(found, 2 * float((textbook - exact).abs().max()))
    return p, exact, found


def paged_agrees(out, exact, tolerated):
    """The same for a paged problem; a NaN from an unused slot is never within it."""
    out = out.cpu().double()
    return not torch.isnan(out).any() and float((out - exact).abs().max()) <= tolerated
