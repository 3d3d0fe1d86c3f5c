"""A request: what was asked, what came out of it so far, and how much of it has keys and values.

No tensors and no clock: policies, KV stores, the engine loop and a virtual clock all share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import isfinite
from operator import index


class Phase(Enum):
    """Where a request is. A preempted one is WAITING again."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"


FINISH_REASONS = ("stop", "length", "cancelled", "refused")


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn, and when to stop. Raises ValueError or TypeError that name the fix.

    max_tokens: at most so many output tokens, 1 or more. temperature: 0 is greedy. top_p: draw
    from the smallest set of tokens that has this probability together, in (0, 1]. seed: the
    request's own; equal seeds give equal draws whatever else runs. stop: strings that end the
    text and are not part of it. stop_tokens: ids that end the output, as its last token.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stop_tokens: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if _integer("max_tokens", self.max_tokens) < 1:
            raise ValueError(f"max_tokens={self.max_tokens}: give 1 or more")
        if not (isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"temperature={self.temperature}: give 0 (greedy) or more")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p}: give more than 0 and at most 1 (no cut)")
        if self.seed is not None:
            _integer("seed", self.seed)
        if isinstance(self.stop, str):
            raise TypeError(f"stop={self.stop!r} is one string: give a tuple, ({self.stop!r},)")
        object.__setattr__(self, "stop", tuple(self.stop))
        object.__setattr__(self, "stop_tokens", tuple(self.stop_tokens))
        for text in self.stop:
            if not isinstance(text, str) or not text:
                raise ValueError(f"stop has {text!r}: give strings of one character or more")
        for token in self.stop_tokens:
            _integer("stop_tokens", token)


def _integer(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} has {value!r}: give a whole number")
    return value


@dataclass(eq=False, slots=True, weakref_slot=True)
class Request:
    """One request and its state; equal only to itself, so that it can be a key.

    prompt: token ids, one or more. arrival: seconds on whatever clock the caller has. output:
    the tokens drawn so far. computed: how many of its tokens, from the first, have keys and
    values in the store. held: it shall compute nothing for now, since whoever reads its answer
    can't keep up; its keys and values stay. The engine loop changes the state, through the methods
    below; policies and stores only read it. Raises ValueError or TypeError that name the fix.
    """

    id: str | int
    prompt: Sequence[int]
    sampling: Sampling
    arrival: float = 0.0
    output: list[int] = field(default_factory=list)
    computed: int = 0
    phase: Phase = Phase.WAITING
    finish_reason: str | None = None
    held: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.prompt, str):
            raise TypeError("the prompt is text: give its token ids, from the tokenizer")
        self.prompt = tuple(map(index, self.prompt))
        if not self.prompt:
            raise ValueError("the prompt is empty: give one token or more, BOS if nothing else")
        if min(self.prompt) < 0:
            raise ValueError(f"the prompt has token {min(self.prompt)}: ids are 0 or more")

    @property
    def length(self) -> int:
        """Tokens that it has: prompt and output."""
        return len(self.prompt) + len(self.output)

    @property
    def tokens(self) -> tuple[int, ...]:
        """Prompt and output in one tuple, newly made; a step wants `span`."""
        return (*self.prompt, *self.output)

    def span(self, start: int, stop: int) -> tuple[int, ...]:
        """Tokens `start` up to `stop`, without joining prompt and output where one has them."""
        cut = len(self.prompt)
        if start >= cut:
            return tuple(self.output[start - cut : stop - cut])
        if stop <= cut:
            return self.prompt[start:stop]
        return (*self.prompt[start:], *self.output[: stop - cut])

    @property
    def todo(self) -> int:
        """Tokens still without keys and values: the prompt at first; the newest token while it
        decodes; after a preemption the prompt and all output again."""
        return len(self.prompt) + len(self.output) - self.computed

    @property
    def decoding(self) -> bool:
        """Whether only its newest token is to be computed, and that token is output."""
        return self.todo == 1 and bool(self.output)

    @property
    def remaining(self) -> int:
        """Output tokens until max_tokens ends it."""
        return self.sampling.max_tokens - len(self.output)

    @property
    def most(self) -> int:
        """KV tokens it may hold in the end. The last token is drawn, never read: it has none."""
        return len(self.prompt) + self.sampling.max_tokens - 1

    def admit(self, computed: int = 0) -> None:
        """It runs from now on; its first `computed` tokens came with a cached prefix or fork."""
        assert self.phase is Phase.WAITING and 0 <= computed <= self.length
        self.phase, self.computed = Phase.RUNNING, computed

    def advance(self, n: int) -> None:
        """`n` more of its tokens have keys and values."""
        assert self.phase is Phase.RUNNING and 0 < n <= self.todo
        self.computed += n

    def append(self, token: int) -> bool:
        """Take a drawn token; finishes at a stop token or at max_tokens. Returns whether it did."""
        assert self.phase is Phase.RUNNING and self.todo == 0
        self.output.append(token)
        if token in self.sampling.stop_tokens:
            self.finish("stop")
        elif len(self.output) >= self.sampling.max_tokens:
            self.finish("length")
        return self.phase is Phase.FINISHED

    def preempt(self) -> None:
        """It lost its keys and values and waits; what it wrote stays, to be recomputed."""
        assert self.phase is Phase.RUNNING
        self.phase, self.computed = Phase.WAITING, 0

    def finish(self, reason: str) -> None:
        """It is over, for one of FINISH_REASONS; `computed` stays, for the store's release."""
        assert reason in FINISH_REASONS and self.phase is not Phase.FINISHED
        self.phase, self.finish_reason = Phase.FINISHED, reason
