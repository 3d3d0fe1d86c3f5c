"""The reasoner's task: write a number's Collatz chain down to 1, digit by digit.

n → n/2 when n is even, 3n + 1 when it is odd. Every number has `WIDTH` digits, the last one
first, so that each digit to write depends on a few read a constant number of places back: a
small model can then be exact however long the chain gets. How long it gets (9 tokens to 3,150)
can't be told from the prompt without doing the work, and any answer can be checked.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cache

WIDTH = 8
"""Digits of a number: the highest that a start below `STARTS` reaches is 1,570,824,736 for some,
and those that need more digits than this are no starts."""

STARTS = 100_000
"""Starts are 2 … this − 1."""

ALPHABET = "0123456789>;?"
"""A token is a character's place in this: a digit, `>` next number, `;` the end, `?` a prompt."""

END = ALPHABET.index(";")


def chain(n: int) -> list[int]:
    """The numbers after `n`, down to 1: `chain(6)` is [3, 10, 5, 16, 8, 4, 2, 1]."""
    if n < 1:
        raise ValueError(f"a Collatz chain starts at 1 or more, not {n}")
    found = []
    while n != 1:
        n = 3 * n + 1 if n % 2 else n // 2
        found.append(n)
    return found


def digits(n: int) -> str:
    """`n` in `WIDTH` digits, the last one first: 27 is `72000000`."""
    return f"{n:0{WIDTH}d}"[::-1]


def prompt(n: int) -> str:
    """What the model is asked: `?72000000>`; the same length for every `n`."""
    if n not in starts():
        raise ValueError(
            f"{n} is no start: give one of 2 … {STARTS - 1:,} whose chain stays below "
            f"{10**WIDTH:,} (`collatz.starts()` lists them)"
        )
    return f"?{digits(n)}>"


def answer(n: int) -> str:
    """What it should write: `28000000>14000000>…>10000000;`."""
    return ">".join(digits(m) for m in chain(n)) + ";"


def tokens(text: str) -> list[int]:
    """Token ids of `text`, one a character."""
    try:
        return [_PLACE[c] for c in text]
    except KeyError as unknown:
        raise ValueError(f"the reasoner knows the characters {ALPHABET}, not {unknown}") from None


def text(ids) -> str:
    """The characters of token ids."""
    return "".join(ALPHABET[i] for i in ids)


@dataclass(frozen=True)
class Checked:
    """Whether an answer is right; if not, the place of its first wrong character and why."""

    right: bool
    at: int | None = None
    why: str = ""

    def __bool__(self) -> bool:
        return self.right


def verify(prompt: str, text: str) -> Checked:
    """Check an answer against the arithmetic, to the last character.

    prompt: as `prompt` makes it. An answer that ends before its `;` is wrong at its end.
    """
    n = _asked(prompt)
    wanted = answer(n)
    for at, (got, want) in enumerate(zip(text, wanted, strict=False)):
        if got != want:
            step = at // (WIDTH + 1)
            return Checked(False, at, f"step {step + 1} reads {got!r} where {want!r} belongs")
    if len(text) < len(wanted):
        return Checked(False, len(text), f"it ends after {len(text)} of {len(wanted)} characters")
    if len(text) > len(wanted):
        return Checked(False, len(wanted), "it goes on after the end")
    return Checked(True)


@cache
def starts() -> dict[int, int]:
    """Start → characters of its answer, for every start whose chain fits in `WIDTH` digits."""
    steps, peak = {1: 0}, {1: 1}
    for start in range(2, STARTS):
        path, n = [], start
        while n not in steps:
            path.append(n)
            n = 3 * n + 1 if n % 2 else n // 2
        for m in reversed(path):
            steps[m], peak[m] = steps[n] + 1, max(peak[n], m)
            n = m
    limit = 10**WIDTH
    return {n: steps[n] * (WIDTH + 1) for n in range(2, STARTS) if peak[n] < limit}


@cache
def by_length() -> dict[int, tuple[int, ...]]:
    """Characters of an answer → the starts that have so many, the shortest answers first."""
    found: dict[int, list[int]] = {}
    for start, length in starts().items():
        found.setdefault(length, []).append(start)
    return {length: tuple(found[length]) for length in sorted(found)}


def nearest(wanted: float, most: int) -> int:
    """The length of at most `most` characters that some answer has and that is nearest."""
    lengths = list(by_length())
    lengths = lengths[: bisect_right(lengths, most)]
    after = min(bisect_left(lengths, wanted), len(lengths) - 1)
    return min(lengths[max(0, after - 1) : after + 1], key=lambda length: abs(length - wanted))


def _asked(prompt: str) -> int:
    body = prompt.removeprefix("?").removesuffix(">")
    if len(prompt) != WIDTH + 2 or not body.isdecimal():
        raise ValueError(f"{prompt!r} is no prompt: `collatz.prompt(27)` makes `{_EXAMPLE}`")
    return int(body[::-1])


_PLACE = {c: i for i, c in enumerate(ALPHABET)}
_EXAMPLE = f"?{digits(27)}>"
