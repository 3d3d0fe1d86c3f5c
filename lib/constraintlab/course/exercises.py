"""The labs' exercises: what is right, and what to say when an answer is not."""

from __future__ import annotations

import math
from collections.abc import Callable

from constraintlab.course.check import Result, checker, compare


def binding_side(flops: float, nbytes: float, flop_rate: float, byte_rate: float) -> str:
    """Which side of one kernel takes longer: `compute` or `bandwidth`."""
    return "compute" if flops / flop_rate >= nbytes / byte_rate else "bandwidth"


@checker("00.binding_side")
def check_binding_side(answer: object) -> Result:
    """Lab 00: from work and ceilings to the side that binds."""
    cases = [
        (1e9, 1e6, 1e11, 2e10),  # many FLOPs a byte
        (1e6, 1e9, 1e11, 2e10),  # many bytes a FLOP
        (4e9, 2e9, 1e11, 2e10),  # more FLOPs than bytes, yet bandwidth: under the ridge of 5
        (4e9, 2e9, 1e11, 2e11),  # the same work on a faster memory: compute
        (1e9, 2e9, 1e9, 1e11),  # fewer FLOPs than bytes, yet compute: emulated arithmetic
        (3e8, 3.2e9, 1.3e11, 3e10),  # this lab's update
    ]

    def hint(case, got, want):
        flops, nbytes, flop_rate, byte_rate = case
        if got not in ("compute", "bandwidth"):
            return f"return 'compute' or 'bandwidth', not {got!r}"
        return (
            f"{flops:.3g} FLOPs and {nbytes:.3g} bytes at {flop_rate:.3g} FLOP/s and "
            f"{byte_rate:.3g} B/s: work out the seconds each side takes, then compare"
        )

    return compare(answer, cases, binding_side, hint)


def score_peak(tokens: int, heads: int, itemsize: int) -> int:
    """Bytes of score matrices alive at naive attention's fullest moment: one read, one written."""
    return 2 * heads * tokens**2 * itemsize


@checker("01.score_peak")
def check_score_peak(answer: object) -> Result:
    """Lab 01: memory of the S×S matrices at the worst moment."""
    cases = [(512, 4, 4), (1024, 8, 2), (4096, 4, 4), (1, 1, 2), (3000, 5, 4)]

    def hint(case, got, want):
        tokens, heads, itemsize = case
        where = f"for S={tokens}, {heads} heads, {itemsize} bytes a value"
        if not isinstance(got, (int, float)):
            return f"return a number of bytes, not {got!r}"
        if got * 2 == want:
            return f"{where} you count one matrix: what is still needed while the next is written?"
        if got > want:
            return f"{where} that is too much: which matrix was already dropped by then?"
        return f"{where} that is too little: how many scores has one head?"

    return compare(answer, cases, score_peak, hint)


def queries_for(keys: int) -> int:
    """Most queries of a fused tile that an A100 holds without spilling, at 8 warps, fp16, D 64."""
    return {64: 128, 256: 32, 1024: 16}[keys]


@checker("02.tile")
def check_tile(answer: object) -> Result:
    """Lab 02: tiles of the fused kernel as tall as registers and shared memory allow."""
    if not callable(answer):
        return Result(False, "give a function, not its result")
    from constraintlab.attention.xray import XrayError, target_of, xrays

    for keys in (64, 256, 1024):
        try:
            queries = answer(keys)
        except Exception as error:
            return Result(False, f"it raised {type(error).__name__}: {error}")
        if queries is None or queries is Ellipsis:
            return Result(False, "it returns nothing yet")
        if type(queries) is not int or queries not in (16, 32, 64, 128):
            return Result(False, f"for {keys} keys you say {queries!r}: give 16, 32, 64 or 128")
        try:
            tries = [n for n in (queries, 2 * queries) if n <= 128]
            targets = [target_of("fused", keys=keys, queries=n, warps=8) for n in tries]
            seen, *taller = xrays([(target, "sm_80") for target in targets])
        except XrayError as error:
            return Result(False, f"this exercise can't be checked here: {error}")
        if not seen.fits:
            return Result(False, f"{queries} × {keys} keys {seen.reason}")
        if seen.spill_bytes:
            spilled = f"{seen.spill_bytes} bytes a thread"
            return Result(False, f"{queries} × {keys} keys spill {spilled} to memory: too tall")
        if any(x.fits and not x.spill_bytes for x in taller):
            return Result(False, f"for {keys} keys there is room for more than {queries} queries")
    return Result(True, "every tile is as tall as the chip allows, and none spills")


def merge(m, total, acc, scores, values):
    """One tile of an online softmax: scores [n], values [n, D] join (m, total, acc)."""
    top = max(m, float(scores.max()))
    weights = (scores - top).exp()
    shrink = math.exp(m - top)
    return top, total * shrink + float(weights.sum()), acc * shrink + weights @ values


@checker("03.merge")
def check_merge(answer: object) -> Result:
    """Lab 03: tiles merged one by one give the softmax of the whole row."""
    if not callable(answer):
        return Result(False, "give a function, not its result")
    import torch

    g = torch.Generator().manual_seed(3)

    def row(*tiles):
        """Scores in tiles as given, each with values of its own."""
        scores = [torch.tensor(t, dtype=torch.float64) for t in tiles]
        return [(s, torch.randn(len(s), 4, generator=g, dtype=torch.float64)) for s in scores]

    never = -math.inf
    cases = [
        (row([0.5, -1.0, 2.0]), "one tile: weights are exp(score − m), and acc sums them × values"),
        (row([2.0, 1.0], [0.5, -1.0]), "a second tile, lower than the first, is not added right"),
        (row([0.0, 1.0], [3.0, 2.0]), "the maximum rises in the second tile: what was summed under "
                                      "the old one is too large by which factor?"),
        (row([1.0], [5.0, 4.0], [2.0], [9.0]), "four tiles of different sizes: does every one of "
                                               "total and acc shrink when the maximum rises?"),
        (row([900.0, 1000.0], [1100.0]), "scores of 1000: exp overflows. What is subtracted before "
                                         "it, and is it already the new maximum?"),
        (row([1.0, never], [never, 0.5]), "masked scores are −∞ and must weigh nothing"),
    ]  # fmt: skip
    for tiles, hint in cases:
        wrong = _wrong_merge(answer, tiles)
        if wrong:
            return Result(False, wrong if wrong != "differs" else hint)
    return Result(True, f"it agrees with the softmax of the whole row on all {len(cases)} rows")


def _wrong_merge(answer: Callable, tiles: list) -> str:
    """What is wrong with `answer` on one row of tiles; `differs` when only the numbers are."""
    import torch

    state = (-1e30, 0.0, torch.zeros(4, dtype=torch.float64))
    for scores, values in tiles:
        try:
            state = answer(*state, scores.clone(), values.clone())
        except Exception as error:
            return f"it raised {type(error).__name__}: {error}"
        if state is None or state is Ellipsis:
            return "it returns nothing yet"
        if not (isinstance(state, tuple | list) and len(state) == 3):
            return "return three things: the new maximum, the new sum of weights, the new acc"
    m, total, acc = state
    if getattr(acc, "shape", None) != (4,):
        return "acc is one value for each of the D columns of values, whatever the tile's length"
    try:
        m, total, acc = float(m), float(total), torch.as_tensor(acc, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return "m and total are one number each, for the row so far"
    whole = torch.cat([s for s, _ in tiles])
    weights = torch.softmax(whole, 0)
    exact = weights @ torch.cat([v for _, v in tiles])
    right = (
        abs(m - float(whole.max())) < 1e-9
        and abs(total - float((whole - whole.max()).exp().sum())) < 1e-6
        and bool(((acc / total - exact).abs() < 1e-6).all())
    )
    return "" if right else "differs"
