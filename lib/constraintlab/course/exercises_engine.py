"""The exercises of labs 04 and 05: what is right, and what to say when an answer is not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import product
from random import Random

from constraintlab.course.check import Result, checker, compare
from constraintlab.limits.stack import kv_room


def fits(pool: float, residences: Sequence[tuple[float, float]]) -> float:
    """How many sequences a pool of so many tokens holds: C · E[T] / E[∫ held dt]."""
    return kv_room(pool, residences)


@checker("04.fits")
def check_fits(answer: object) -> Result:
    """Lab 04: the room of a pool, from how long requests stay and what they hold meanwhile."""
    random = Random(4)
    stays = [random.lognormvariate(0, 1) for _ in range(50)]
    cases = [
        (1000, [(1.0, 100.0)]),  # one request that holds 100 tokens
        (1000, [(2.0, 200.0), (2.0, 200.0)]),  # two that do
        (4096, [(1.0, 1024.0), (3.0, 3072.0), (0.5, 512.0)]),  # reservations: lengths don't matter
        (900, [(1.0, 10.0), (1.0, 290.0)]),  # equal stays: here the mean of the means would do
        (1000, [(1.0, 10.0), (9.0, 9 * 190.0)]),  # the long one is there nine times as often
        (5000, [(t, 40 * t * t) for t in stays]),  # what is held grows while they stay
    ]

    def hint(case, got, want):
        pool, residences = case
        if not isinstance(got, int | float) or isinstance(got, bool):
            return f"return a number of sequences, not {got!r}"
        where = f"a pool of {pool} tokens and {_told(residences)}: you say {got:.4g}"
        means = [held / stay for stay, held in residences]
        if abs(got - pool * len(means) / sum(means)) < 1e-6 * want:
            return (
                f"{where}, which counts each request once. Look into the pool at any moment: whom "
                "do you meet there more often, one that stays 1 second or one that stays 9?"
            )
        if abs(got - pool * len(means) / sum(held for _, held in residences)) < 1e-6 * want:
            return f"{where}: token-seconds are not tokens. Over how many seconds were they held?"
        return f"{where}: how many are there on average, and how many tokens do they hold together?"

    return compare(answer, cases, fits, hint)


def _told(residences: Sequence[tuple[float, float]]) -> str:
    if len(residences) > 3:
        return f"{len(residences)} requests"
    return " and ".join(f"{stay:g} s with {held:g} token-seconds" for stay, held in residences)


Tokens = tuple[int, ...]


def share(tokens: Tokens, size: int, cached: Collection[Tokens]) -> int:
    """How many whole blocks of a request's tokens it may take from the cache: as many as are
    there, but never its last token, whose logits somebody has to compute."""
    n = 0
    while (n + 1) * size < len(tokens) and tokens[: (n + 1) * size] in cached:
        n += 1
    return n


@checker("05.share")
def check_share(answer: object) -> Result:
    """Lab 05: the bug that real engines had, on every small case and on random ones."""
    if not callable(answer):
        return Result(False, "give a function, not its result")
    cases = [*_small(), *_random()]
    for what, tokens, size, cached in cases:
        try:
            got = answer(tokens, size, cached)
        except Exception as error:
            return Result(False, f"{what}: it raised {type(error).__name__}: {error}")
        if got is None or got is Ellipsis:
            return Result(False, "it returns nothing yet")
        if not isinstance(got, int) or isinstance(got, bool):
            return Result(False, f"{what}: return a number of blocks, not {got!r}")
        if wrong := _complaint(what, got, tokens, size, cached):
            return Result(False, wrong)
    return Result(True, f"it shares all it may, and no more, in all {len(cases)} cases")


def _complaint(what: str, got: int, tokens: Tokens, size: int, cached) -> str:
    """What is wrong with sharing `got` blocks; '' if nothing is."""
    if got < 0 or got * size > len(tokens):
        return f"{what}: {_blocks(got)} of {size} are not among {len(tokens)} tokens"
    if any(tokens[: (i + 1) * size] not in cached for i in range(got)):
        return f"{what}: you share {_blocks(got)}, and not all of that is in the cache"
    if got * size == len(tokens):
        return (
            f"{what}: with {_blocks(got)} of {size} shared there is nothing left to compute, and "
            "so no logits to draw the next token from"
        )
    if got < share(tokens, size, cached):
        return f"{what}: there are more blocks that could be shared, and would be computed again"
    return ""


def _blocks(n: int) -> str:
    return f"{n} block{'' if n == 1 else 's'}"


def _cases(what: Callable[[int, int], str], tokens: Tokens, size: int, known: int):
    """With the first `known` whole blocks in the cache, and the others but one after a gap."""
    keys = [tokens[: (i + 1) * size] for i in range(len(tokens) // size)]
    yield what(len(tokens), known), tokens, size, frozenset(keys[:known])
    if known + 1 < len(keys):
        gap = frozenset(keys[:known] + keys[known + 1 :])
        yield f"{what(len(tokens), known)}, then a gap", tokens, size, gap


def _small():
    for size, length in product((4, 2, 1), range(1, 13)):
        tokens = tuple(range(7, 7 + length))
        for known in range(length // size + 1):
            yield from _cases(
                lambda n, k, size=size: f"{n} tokens, blocks of {size}, {k} of them cached",
                tokens, size, known,
            )  # fmt: skip


def _random():
    random = Random(5)
    for _ in range(100):
        size, prompt = random.choice((8, 16)), random.randrange(1, 60)
        written = random.randrange(0, 40)
        tokens = tuple(random.randrange(12) for _ in range(prompt + written))
        known = random.randrange(len(tokens) // size + 1)
        yield from _cases(
            lambda n, k, size=size, written=written: (
                f"{n} tokens, {written} of them written before it was preempted, blocks of {size}, "
                f"{k} of them cached"
            ),
            tokens, size, known,
        )  # fmt: skip
