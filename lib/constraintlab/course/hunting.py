"""Lab 05's bug hunt: a prefix cache whose rule is the learner's, in an engine that runs."""

from __future__ import annotations

from collections.abc import Callable, Collection

from constraintlab.course.calibrate import on_threads
from constraintlab.course.questions import Question
from constraintlab.engine.kv.prefix import PrefixKV
from constraintlab.engine.loop import Engine
from constraintlab.engine.reasoner import collatz
from constraintlab.engine.request import Request
from constraintlab.engine.setup import Setup, build

Tokens = tuple[int, ...]
Share = Callable[[Tokens, int, Collection[Tokens]], int]
"""(a request's tokens, tokens of a block, the beginnings that are cached) → blocks to share."""

BLOCK = 16


class HuntedKV(PrefixKV):
    """A `PrefixKV` that shares as many of the cached blocks as `share` says."""

    def __init__(self, n_blocks: int, block_size: int, share: Share) -> None:
        super().__init__(n_blocks, block_size)
        self._share = share

    def cached(self, request: Request) -> list[int]:
        """See `PagedKV`."""
        tokens, size = request.tokens, self.block_size
        there = self.known(request, len(tokens) // size)
        beginnings = frozenset(tokens[: (i + 1) * size] for i in range(len(there)))
        return there[: self._share(tokens, size, beginnings)]


def trial(share: Share, blocks: int = 2) -> str:
    """Ask the reasoner the same thing twice, with a prompt of exactly so many blocks: what became
    of the second request, in a sentence."""
    question = Question(27, blocks * BLOCK - len(collatz.prompt(27)))
    prompt, sampling = question.asked
    setup = Setup(blocks=128, block_size=BLOCK, slots=2, tokens=64, threads=1)
    with on_threads(setup.threads):
        built = build(setup)
        kv = HuntedKV(setup.blocks, BLOCK, share)
        engine = Engine(built.model, built.policy, kv, built.budget)
        request = None
        try:
            for name in "first", "second":
                request = Request(name, prompt, sampling)
                engine.submit(request)
                while engine.busy:
                    engine.step()
        except Exception as error:
            return f"the {request.id} request stopped the engine: {type(error).__name__}: {error}"
    told = "right" if question.right(collatz.text(request.output)) else "wrong"
    return (
        f"the second request's answer is {told}; {kv.hit} of its {len(prompt)} prompt tokens came "
        "from the cache"
    )
