"""`Said`: what the decode tier tells a gateway. No tensors: a gateway does without torch."""

from __future__ import annotations

from typing import NamedTuple


class Said(NamedTuple):
    """Some tokens of an answer, their text, and how it ended, if it did."""

    tokens: tuple[int, ...]
    text: str
    finished: str | None
