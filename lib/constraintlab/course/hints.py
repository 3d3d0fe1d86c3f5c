"""Staged hints: each asks more of the learner's thinking than the next, the last is nearly it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from constraintlab.course.check import names
from constraintlab.course.progress import Progress

HINTS: Mapping[str, tuple[str, ...]] = {
    "00.binding_side": (
        "FLOPs and bytes can't be compared, and neither can FLOP/s and bytes/s. Divide, on each "
        "side, so that both have the same unit. Which unit is that?",
        "flops / flop_rate is how long the arithmetic takes alone. Work out the same for the "
        "bytes. In one kernel both go on side by side: which of the two do you wait for?",
        'Compare flops / flop_rate with nbytes / byte_rate: return "compute" where the first is '
        'the longer, or they are equal, and "bandwidth" where the second is.',
    ),
    "01.score_peak": (
        "Every query has one score for every key. How many scores is that for one head? And for "
        "all heads?",
        "The softmax reads a matrix of scores and writes a matrix of weights. While it writes, "
        "which of the two can be dropped already?",
        "One matrix is heads × tokens × tokens values of itemsize bytes. At the fullest moment two "
        "of them are alive: the one that is read and the one that is written.",
    ),
    "02.tile": (
        "A tile has queries × keys scores, and the registers of 8 warps must hold them. That room "
        "is the same for each of the three rows. When the keys grow, where must the queries go?",
        "Don't work it out, try it. The second cell compiles a tile: set keys, begin with "
        "queries=128, and halve until it fits and spills nothing. Do that for 64, 256 and 1024.",
        "Three numbers in a dictionary will do. 64 keys take the tallest tile there is, 1024 the "
        "least one; for 256 keys you halve 128 twice.",
    ),
    "03.merge": (
        "total and acc were summed under the old maximum m. When this tile has a higher score, all "
        "that was summed is too large, by one and the same factor. Which?",
        "In this order: the new maximum of m and the scores; the tile's weights under the *new* "
        "maximum; shrink what was there; add. Both total and acc shrink.",
        "With top for the new maximum: the weights are exp(scores − top) and the factor is "
        "exp(m − top). total becomes total × factor + the sum of the weights; acc becomes acc × "
        "factor + weights @ values. Return top, not m.",
    ),
    "04.fits": (
        "Look into the pool at some moment. A request that stays 9 seconds is found there nine "
        "times as often as one that stays 1. So the mean over requests is not the mean over "
        "moments.",
        "Add up first and divide once: all token-seconds over all seconds is what a request holds "
        "that you find there.",
        "The pool divided by that: pool × the sum of all seconds / the sum of all token_seconds. "
        "It is an average, so it need not be whole.",
    ),
    "05.share": (
        "The next token is drawn from logits, and logits come out of a forward pass. Of which "
        "position does the engine need them? When all blocks are cached, is it computed at all?",
        "At least the last token must be left to compute. Which prompts does that concern? To "
        "share one block less always would compute a block for nothing with all the others.",
        "The loop takes the block that ends at (n + 1) × size. It may end before the end of the "
        "tokens, but not at it: one comparison changes.",
    ),
    "06.interval": (
        "An event of k tokens makes its reader wait for k gaps in a row. k times the mean gap is "
        "too little for the tail, k times a bad gap too much, because bad gaps seldom come in a "
        "row. So look at the sums themselves.",
        "For each answer, note when each token came: 0, then the gaps added up. A wait for k "
        "tokens is at[i + k] − at[i], for every i. Collect them from all answers.",
        "For k from 2 to 64: sort the waits for k tokens; the smallest that 99% of n do not exceed "
        "is number ceil(0.99 × n), counted from 1. Keep the largest k with that within the "
        "target; begin with 1, and pass over a k for which no answer is long enough.",
    ),
    "07.order": (
        "In order of arrival the short wait behind the long. Least served first, a long one "
        "starves as soon as enough others come. Each rule repairs what the other breaks: must all "
        "slots follow the same one?",
        "Give one slot to whoever came first of all, whatever it has had. Everybody is the oldest "
        "in the end, so nobody starves. The others go by how little a request has had.",
        "How little it has had, in levels that double (below 32 tokens, below 96, below 224 and so "
        "on), so that two long ones don't take turns all the time; within a level, who came first. "
        "As a key to sort by: (it is not the oldest, its level, its arrival).",
    ),
    "08.replicas": (
        "A promise for 99 of 100 is a count, and no average. For one list of seconds: how many are "
        "within the limit, and how many may be late?",
        "Begin with one replica, and add one while too many are late. More are never slower, so "
        "the first number that is enough is the fewest.",
        "At least 0.99 × the length of the list must be at or below the limit. Count those with a "
        "sum over the list; return n once they are enough, else try n + 1. Some stay late however "
        "many you buy, so don't wait for all.",
    ),
}
"""By checker: two or three sentences or so, in the order in which they are given."""

PART = "hints"
"""Where a lab's progress keeps how many a learner has seen."""


class Hint:
    """The hints of an exercise that were given so far, the newest last."""

    def __init__(self, seen: Sequence[str], of: int) -> None:
        self.seen, self.of = tuple(seen), of

    @property
    def _after(self) -> str:
        if len(self.seen) < self.of:
            return "Run the cell again for the next."
        return "That was the last; a worked answer is in labs/solutions."

    def __str__(self) -> str:
        lines = [f"hint {i} of {self.of}: {text}" for i, text in enumerate(self.seen, 1)]
        return "\n".join([*lines, self._after])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        *before, newest = [f"<b>Hint {i} of {self.of}.</b> {escape(text)}"
                           for i, text in enumerate(self.seen, 1)]  # fmt: skip
        old = "".join(f'<div style="opacity:.75">{text}</div>' for text in before)
        return (
            f'<div style="border-left:4px solid #888;padding:2px 0 2px 12px">{old}'
            f'<div>{newest}</div><div style="opacity:.75">{self._after}</div></div>'
        )


def hint(progress: Progress, lab: str, name: str) -> Hint:
    """The next hint of an exercise, with those before it; how far it went is kept. ValueError for
    a name that is no exercise."""
    whole = f"{lab}.{name}"
    if whole not in HINTS:
        known = [n.removeprefix(f"{lab}.") for n in names() if n.startswith(f"{lab}.")]
        use = f"use {' or '.join(map(repr, known))}" if known else "this lab has no exercise"
        raise ValueError(f"there are no hints for {name!r}: {use}")
    hints = HINTS[whole]

    def further(kept: object) -> int:
        return min(len(hints), 1 + (kept if isinstance(kept, int) and kept >= 0 else 0))

    return Hint(hints[: progress.change(lab, PART, name, further)], len(hints))
