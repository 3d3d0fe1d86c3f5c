"""Exercise checkers: say what is wrong without giving it away, and never pass an empty answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Result:
    """A checker's answer: whether it is right, and one sentence a learner can act on."""

    ok: bool
    message: str

    def __str__(self) -> str:
        return f"{'✓ right' if self.ok else '✗ not yet'}: {self.message}"

    def _repr_mimebundle_(self, **_) -> dict:
        mark, rest = str(self).split(" ", 1)
        html = f"<b>{mark}</b> {escape(rest)}"
        return {"text/plain": str(self), "text/html": html}


Checker = Callable[[object], Result]
_CHECKERS: dict[str, Checker] = {}


def checker(name: str) -> Callable[[Checker], Checker]:
    """Register a function as the checker called `name`, e.g. `01.peak`."""

    def register(function: Checker) -> Checker:
        _CHECKERS[name] = function
        return function

    return register


def names() -> tuple[str, ...]:
    """Every registered checker."""
    return tuple(sorted(_CHECKERS))


def check(name: str, answer: object) -> Result:
    """Run the checker `name` on `answer`; an answer that raises is told how, not thrown at you."""
    if name not in _CHECKERS:
        raise ValueError(f"there is no checker {name!r}: use one of {', '.join(names())}")
    if answer is None or answer is Ellipsis:
        return Result(False, "there is no answer yet")
    return _CHECKERS[name](answer)


def compare(
    answer: object, cases: list[tuple], truth: Callable, hint: Callable[..., str], tol: float = 1e-6
) -> Result:
    """Call `answer` on each case and hold it against `truth`.

    hint(case, got, want) is the sentence for the first case that differs. Numbers may differ
    by a relative `tol`, anything else must be equal.
    """
    if not callable(answer):
        return Result(False, "give a function, not its result")
    for case in cases:
        want = truth(*case)
        try:
            got = answer(*case)
        except Exception as error:
            return Result(False, f"it raised {type(error).__name__}: {error}")
        if got is None or got is Ellipsis:
            return Result(False, "it returns nothing yet")
        if not _same(got, want, tol):
            return Result(False, hint(case, got, want))
    return Result(True, f"it agrees on all {len(cases)} cases")


def _same(got: object, want: object, tol: float) -> bool:
    if isinstance(want, (int, float)) and not isinstance(want, bool):
        number = isinstance(got, (int, float)) and not isinstance(got, bool)
        return number and abs(got - want) <= tol * abs(want)
    return type(got) is type(want) and got == want
