"""The prefill tier: computes prompts, and draws the first token of each."""

from __future__ import annotations

from constraintlab.cluster.layout import Layout
from constraintlab.cluster.replica import Replica
from constraintlab.engine import tiers
from constraintlab.engine.asked import Asked
from constraintlab.engine.loop import Engine
from constraintlab.engine.step import Emitted
from constraintlab.engine.tiers import Prefilled


class Prefill(Replica):
    """A replica. What it returns goes to a decode replica through Ray's object store."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout, tiers.prefill)

    async def __call__(self, asked: Asked) -> Prefilled:
        """The request's next token, and the KV of all before it."""
        request = asked.prompted()

        def submit(engine: Engine) -> list[Emitted]:
            why = engine.submit(request)
            if why:
                raise ValueError(why)
            return []

        box = self.open(request, submit)
        try:
            (emitted,) = await box.take()
        finally:
            self.shut(request)
        # The step that emitted it has released its blocks, and packed them before.
        return Prefilled(emitted.token, self.engine.kv.parcel(request))
