"""`Ask`: one request of a workload, before it is sent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ask:
    """index: 0, 1, … in order of arrival. at: seconds after the run's start at a rate factor of 1.

    prompt: text, or token ids. tokens: how many it should have, 0 if unknown. output: the most
    tokens to write. answer: the right answer's text, None where it can't be known. exact: the
    server is asked to write `output` tokens whatever the model wants (`ignore_eos`).
    """

    index: int
    at: float
    prompt: str | tuple[int, ...]
    output: int
    tokens: int = 0
    answer: str | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        if self.output < 1:
            raise ValueError(f"request {self.index}: output={self.output}, give 1 or more")
