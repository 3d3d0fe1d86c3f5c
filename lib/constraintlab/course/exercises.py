"""The labs' exercises: what is right, and what to say when an answer is not."""

from __future__ import annotations

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
