"""A toy engine loop: schedule, run, emit, with a hash where the model would be.

Its pool of keys and values holds tokens, written to the slots that the store gives and read
through block tables, and the next token is a hash of what is read. So a wrong slot, a block
given to two requests, a missed copy or a stale prefix changes answers, as it would in earnest.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from random import Random
from zlib import crc32

from constraintlab.engine.kv.contiguous import RESERVES, ContiguousKV
from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.kv.prefix import PrefixKV
from constraintlab.engine.plan import Budget, StepPlan
from constraintlab.engine.policies.chunked import Chunked
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.policies.static import Static
from constraintlab.engine.request import Phase, Request, Sampling

LONGEST = 24
"""The toy model's maximum length."""

POLICIES = {
    "static": Static(),
    "continuous": Continuous(),
    "continuous, watermark": Continuous(watermark=0.2),
    "chunked": Chunked(),
    "chunked, watermark": Chunked(watermark=0.2),
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


class Engine:
    """The loop. `trace` has for each step what was computed and who was preempted."""

    def __init__(self, policy, kv, budget: Budget) -> None:
        self.policy, self.kv, self.budget = policy, kv, budget
        self.pool: list[int | None] = [None] * (kv.units * kv.block_size)
        self.waiting: deque[Request] = deque()
        self.running: list[Request] = []
        self.trace: list[tuple] = []

    def submit(self, *requests: Request) -> None:
        for request in requests:
            if self.kv.refuse(request):
                request.finish("refused")
            else:
                self.waiting.append(request)

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self.running)

    def plan(self) -> StepPlan:
        return self.policy.plan(self.waiting, self.running, self.kv, self.budget)

    def step(self, plan: StepPlan | None = None) -> StepPlan:
        """One step, by `plan` or a new one."""
        plan = plan or self.plan()
        self.apply(plan)
        self.trace.append(outline(plan))
        for request, n in plan.chunks:
            start = request.computed
            self.write(request, request.span(start, start + n), n)
        for request, n in plan.chunks:
            request.advance(n)
            if not request.todo:
                seen = self.read(request)
                assert seen == request.tokens, f"{request.id} reads {seen}: has {request.tokens}"
                request.append(next_token(seen))
        self.leave()
        return plan

    def leap(self, plan: StepPlan) -> None:
        """The steps of the plan's horizon at once, with the tokens of `answer`."""
        assert plan.horizon > 1
        self.apply(plan)
        for _ in range(plan.horizon):
            self.trace.append(outline(plan))
        for request, _ in plan.chunks:
            new = answer(request)[len(request.output) :][: plan.horizon]
            tokens = (*request.span(request.computed, request.length), *new)
            self.write(request, tokens[: plan.horizon], plan.horizon)
            request.output.extend(new[:-1])
            request.advance(plan.horizon)
            request.append(new[-1])
        self.leave()

    def apply(self, plan: StepPlan) -> None:
        """The plan's releases and admissions."""
        for request in plan.preempted:
            self.kv.release(request)
            request.preempt()
            self.running.remove(request)
            self.waiting.appendleft(request)
        for request in plan.admitted:
            assert self.waiting.popleft() is request
            request.admit(self.kv.attach(request))
            self.running.append(request)

    def write(self, request: Request, tokens: Sequence[int], n: int) -> None:
        """What the model does: keys and values of n tokens into the pool."""
        grown = self.kv.grow(request, n)
        copy(self.pool, grown.copies, self.kv.block_size)
        for slot, token in zip(grown.slots, tokens, strict=True):
            self.pool[slot] = token

    def read(self, request: Request) -> tuple:
        return read(self.pool, self.kv, request)

    def leave(self) -> None:
        for request in [r for r in self.running if r.phase is Phase.FINISHED]:
            self.kv.release(request)
            self.running.remove(request)
        self.kv.assert_consistent()

    def cancel(self, request: Request) -> None:
        if request.phase is Phase.RUNNING:
            self.kv.release(request)
            self.running.remove(request)
        else:
            self.waiting.remove(request)
        request.finish("cancelled")


def outline(plan: StepPlan) -> tuple:
    """A plan by the ids of its requests, which can be compared after they have changed."""
    chunks = [(r.id, n) for r, n in plan.chunks]
    return chunks, [r.id for r in plan.preempted], [r.id for r in plan.paused]


def copy(pool: list, copies: Sequence[tuple[int, int]], size: int) -> None:
    """The tensor side's copies of whole blocks."""
    for old, new in copies:
        pool[new * size : new * size + size] = pool[old * size : old * size + size]


def read(pool: list, kv, request: Request) -> tuple:
    """The tokens whose keys and values a request finds through its block table."""
    table, size = kv.block_table(request), kv.block_size
    return tuple(pool[table[i // size] * size + i % size] for i in range(request.computed))
