"""The engine loop over a toy model: a hash where the forward pass would be.

Its pool of keys and values holds tokens, written to the slots that the store gives and read
through block tables, and the next token is a hash of what is read. So a wrong slot, a block
given to two requests, a missed copy or a stale prefix changes answers, as it would in earnest.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from random import Random
from zlib import crc32

from constraintlab.engine import loop
from constraintlab.engine.kv.contiguous import RESERVES, ContiguousKV
from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.kv.prefix import PrefixKV
from constraintlab.engine.plan import Budget, StepPlan
from constraintlab.engine.policies.chunked import Chunked
from constraintlab.engine.policies.classes import Classes
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.policies.mlfq import MLFQ
from constraintlab.engine.policies.shortest import Shortest
from constraintlab.engine.policies.static import Static
from constraintlab.engine.request import Request, Sampling

LONGEST = 24
"""The toy model's maximum length."""

POLICIES = {
    "static": Static(),
    "continuous": Continuous(),
    "continuous, watermark": Continuous(watermark=0.2),
    "chunked": Chunked(),
    "chunked, watermark": Chunked(watermark=0.2),
    "classes": Classes(long=12, reserved=0.5),
    "classes, watermark": Classes(long=12, reserved=0.3, watermark=0.2),
    "mlfq": MLFQ(quantum=2),
    "mlfq, watermark": MLFQ(quantum=1, prompt=0.5, watermark=0.2),
    "mlfq, no elders": MLFQ(quantum=2, elders=0),
    "shortest": Shortest(),
    "shortest, watermark": Shortest(watermark=0.2),
}
STORES = {
    "paged": lambda n, size, longest=LONGEST: PagedKV(n, size),
    "prefix": lambda n, size, longest=LONGEST: PrefixKV(n, size),
    **{
        reserve: lambda n, size, longest=LONGEST, reserve=reserve: ContiguousKV(
            n, size, max_length=longest, reserve=reserve
        )
        for reserve in RESERVES
    },
}


def next_token(tokens: Sequence[int]) -> int:
    """The toy model: one of three tokens, from all that came before."""
    return crc32(array("q", tokens).tobytes()) % 3


def answer(request: Request) -> list[int]:
    """What the request gets when nothing else runs and nothing is stored."""
    tokens, found = list(request.prompt), []
    while len(found) < request.sampling.max_tokens:
        found.append(next_token(tokens + found))
        if found[-1] in request.sampling.stop_tokens:
            break
    return found


def workload(seed: int, n: int, prompt: int = 8, output: int = 8, stops: bool = True):
    """n random requests over three tokens, many of which begin alike; some stop early.

    prompt: tokens at most after the common opening of up to 8. output: max_tokens at most.
    """
    random = Random(seed)
    openings = [[random.randrange(3) for _ in range(8)] for _ in range(2)]
    requests = []
    for i in range(n):
        tokens = random.choice(openings)[: random.randrange(9)]
        tokens += [random.randrange(3) for _ in range(random.randint(1, prompt))]
        stop = (random.randrange(3),) if stops and random.random() < 0.1 else ()
        requests.append(Request(i, tokens, Sampling(random.randint(1, output), stop_tokens=stop)))
    return requests


class Tokens:
    """A `loop.Model` whose pool of keys and values holds tokens, and whose logits are the next."""

    def __init__(self, kv) -> None:
        self.kv, self.pool = kv, [None] * (kv.units * kv.block_size)

    def copy(self, pairs) -> None:
        copy(self.pool, pairs, self.kv.block_size)

    def forward(self, pieces) -> list[int]:
        for piece in pieces:
            self.write(piece.slots, piece.tokens)
        found = []
        for r in [piece.request for piece in pieces if piece.draws]:
            seen = read(self.pool, self.kv, r, r.length)
            assert seen == r.tokens, f"{r.id} reads {seen}: has {r.tokens}"
            found.append(next_token(seen))
        return found

    def draw(self, logits, requests) -> list[int]:
        return logits

    def forget(self, request) -> None:
        """Nothing is kept for it."""

    def write(self, slots, tokens) -> None:
        for slot, token in zip(slots, tokens, strict=True):
            self.pool[slot] = token


class Engine(loop.Engine):
    """The engine over `Tokens`. `trace` has for each step what was computed, who was preempted."""

    def __init__(self, policy, kv, budget: Budget) -> None:
        super().__init__(Tokens(kv), policy, kv, budget)
        self.trace: list[tuple] = []

    def submit(self, *requests: Request) -> None:
        for request in requests:
            super().submit(request)

    def step(self, plan: StepPlan | None = None) -> StepPlan:
        """One step, by `plan` or a new one, which is returned."""
        plan = plan or self.plan()
        self.trace.append(outline(plan))
        super().step(plan)
        self.kv.assert_consistent()
        return plan

    def leap(self, plan: StepPlan) -> None:
        """The steps of the plan's horizon at once, with the tokens of `answer`."""
        assert plan.horizon > 1 and not plan.admitted and not plan.preempted
        for _ in range(plan.horizon):
            self.trace.append(outline(plan))
        for request, _ in plan.chunks:
            new = answer(request)[len(request.output) :][: plan.horizon]
            tokens = (*request.span(request.computed, request.length), *new)
            grown = self.kv.grow(request, plan.horizon)
            self.model.copy(grown.copies)
            self.model.write(grown.slots, tokens[: plan.horizon])
            request.output.extend(new[:-1])
            request.advance(plan.horizon)
            request.append(new[-1])
        self._leave()
        self.kv.assert_consistent()


def outline(plan: StepPlan) -> tuple:
    """A plan by the ids of its requests, which can be compared after they have changed."""
    chunks = [(r.id, n) for r, n in plan.chunks]
    return chunks, [r.id for r in plan.preempted], [r.id for r in plan.paused]


def copy(pool: list, copies: Sequence[tuple[int, int]], size: int) -> None:
    """The tensor side's copies of whole blocks."""
    for old, new in copies:
        pool[new * size : new * size + size] = pool[old * size : old * size + size]


def read(pool: list, kv, request: Request, n: int | None = None) -> tuple:
    """The n tokens, all computed ones if not given, that a request finds through its table."""
    table, size = kv.block_table(request), kv.block_size
    n = request.computed if n is None else n
    return tuple(pool[table[i // size] * size + i % size] for i in range(n))
