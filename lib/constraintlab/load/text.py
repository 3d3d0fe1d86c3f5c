"""Prompts of about so many tokens, for a tokenizer that only the server knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

_COMMON = (
    "time year people way day man thing woman life child world school state family student group "
    "country problem hand part place case week company system program question work night point "
    "home water room mother area money story fact month lot right study book eye job word business "
    "issue side kind head house service friend father power hour game line end member law car city "
    "name team minute idea body back parent face level office door health person art war history "
    "party result change morning reason research girl guy moment air teacher force order street"
)
WORDS = tuple(_COMMON.split())
"""Common English words: nearly every tokenizer of a large model has each as one token."""

KINDS = ("words", "digits")


@dataclass(frozen=True)
class Text:
    """kind: `words`, or `digits` for models that know nothing else, as the reasoner.

    ratio: tokens that the server counts per word or digit; a short request tells.
    """

    kind: str = "words"
    ratio: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"text {self.kind!r}: use {' or '.join(KINDS)}")
        if not self.ratio > 0:
            raise ValueError(f"ratio={self.ratio}: give tokens per word, above 0")

    def make(self, tokens: int, random: Random) -> str:
        """About so many tokens; equal random states give equal texts."""
        return self._join(self._units(max(1, round(tokens / self.ratio)), random))

    def shared(self, tokens: int, blocks: Sequence[int], size: int, random: Random) -> str:
        """As `make`, of blocks of `size` tokens: equal numbers in `blocks` give equal text, so
        that prompts whose blocks begin alike begin alike."""
        left, units = max(1, round(tokens / self.ratio)), []
        each = max(1, round(size / self.ratio))
        for block in blocks:
            if left <= 0:
                break
            # Half a block that another prompt has whole must be that block's beginning.
            units += self._units(each, Random(block))[:left]
            left -= each
        if left > 0:
            units += self._units(left, random)
        return self._join(units)

    def _units(self, n: int, random: Random) -> list[str]:
        return random.choices(WORDS if self.kind == "words" else "0123456789", k=n)

    def _join(self, units: list[str]) -> str:
        return (" " if self.kind == "words" else "").join(units)
