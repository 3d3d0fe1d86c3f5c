"""`Ghost`: a request of which only the lengths are known, and what became of it."""

from __future__ import annotations

import math

from constraintlab.engine.request import Phase, Request, Sampling


class Written:
    """An answer of so many tokens, whatever they are."""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0

    def __len__(self) -> int:
        return self.n


class Ghost(Request):
    """A prompt of `size` tokens that asks for `wanted`; it ends when it has them.

    admitted, first, ended: seconds on the virtual clock, of its first admission, its first token
    and its last. bill: where that time went, by the ledger's CAUSES; first_bill: where that up to
    its first token did. preemptions: how often it lost its KV. kind: whatever the caller calls its
    class. todo and remaining are kept rather than worked out: every plan reads them of all.
    Raises ValueError for lengths below 1.
    """

    __slots__ = (
        "admitted", "bill", "ended", "first", "first_bill", "kind", "preemptions", "remaining",
        "size", "todo", "wanted",
    )  # fmt: skip

    def __init__(
        self, id: int, size: int, wanted: int, arrival: float = 0.0, kind: str = ""
    ) -> None:
        if size < 1 or wanted < 1:
            raise ValueError(f"request {id}: {size} and {wanted} tokens, give 1 or more of each")
        self.id, self.size, self.wanted, self.arrival, self.kind = id, size, wanted, arrival, kind
        self.prompt, self.sampling = range(size), Wanted(wanted)
        self.output, self.computed, self.held = Written(), 0, False
        self.todo, self.remaining = size, wanted
        self.phase, self.finish_reason = Phase.WAITING, None
        self.admitted = self.first = self.ended = math.nan
        self.preemptions, self.bill, self.first_bill = 0, {}, {}

    @property
    def length(self) -> int:
        return self.size + self.output.n

    @property
    def most(self) -> int:
        return self.size + self.wanted - 1

    def admit(self, computed: int = 0) -> None:
        super().admit(computed)
        self.todo -= computed

    def advance(self, n: int) -> None:
        self.computed += n
        self.todo -= n

    def write(self, n: int) -> bool:
        """n more tokens drawn; whether those were the last."""
        self.output.n += n
        self.todo += n
        self.remaining -= n
        if self.remaining > 0:
            return False
        self.finish("length")
        return True

    def decode(self, n: int) -> bool:
        """n steps, each of which computes the newest token and draws one: `advance` and `write`."""
        self.computed += n
        self.output.n += n
        self.remaining -= n
        if self.remaining > 0:
            return False
        self.finish("length")
        return True

    def preempt(self) -> None:
        super().preempt()
        self.todo = self.length


class Wanted(Sampling):
    """As long as it is asked to be; without the checks that a million need not have."""

    __slots__ = ()

    def __init__(self, max_tokens: int) -> None:
        object.__setattr__(self, "max_tokens", max_tokens)
        object.__setattr__(self, "stop_tokens", ())
