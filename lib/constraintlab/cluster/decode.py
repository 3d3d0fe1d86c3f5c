"""The decode tier: holds the KV of the requests that run, and writes their answers."""

from __future__ import annotations

from collections.abc import AsyncIterator

from constraintlab.cluster.layout import Layout
from constraintlab.cluster.replica import Replica
from constraintlab.cluster.said import Said
from constraintlab.engine import tiers
from constraintlab.engine.asked import Asked
from constraintlab.engine.loop import Engine
from constraintlab.engine.step import Emitted
from constraintlab.engine.tiers import Prefilled


class Decode(Replica):
    """A replica."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout, tiers.decode)

    async def __call__(self, asked: Asked, filled: Prefilled) -> AsyncIterator[Said]:
        """The answer from the token that came with the KV on; the first one at once, whatever
        waits for room here. ValueError as `tiers.adopt` has it."""
        request = asked.continued()

        def adopt(engine: Engine) -> list[Emitted]:
            return [tiers.adopt(engine, self.identity, request, filled)]

        box = self.open(request, adopt)
        try:
            finished = None
            while finished is None:
                some = await box.take()
                finished = some[-1].finished
                yield Said(tuple(e.token for e in some), "".join(e.text for e in some), finished)
        finally:
            self.shut(request)
