"""`TierBackend`: the tiers behind a gateway, as a front end sees an engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from ray.serve.handle import DeploymentHandle

from constraintlab.cluster.said import Said
from constraintlab.engine.asked import Asked
from constraintlab.engine.request import Request
from constraintlab.engine.setup import Setup
from constraintlab.engine.wire import Facts
from constraintlab.serving.front import Front


class TierBackend:
    """Has the interface of `serving.backend.Backend`. state: `ready` once started.

    A request is a call of the prefill tier whose result, unseen here, is the argument of a call of
    the decode tier. When a replica that has it dies, it is begun again elsewhere, with the tokens
    that its client has already: up to `retries` times, then the client gets an error.
    """

    receiving = 0.0
    """Core-seconds spent on reading messages: Ray's, not counted here."""

    def __init__(
        self,
        setup: Setup,
        front: Front,
        prefill: DeploymentHandle,
        decode: DeploymentHandle,
        retries: int,
    ) -> None:
        self.setup, self._front, self._retries = setup, front, retries
        self._prefill, self._decode = prefill, decode.options(stream=True)
        self._asking = decode
        self.state, self.why = "starting", ""
        self.facts: Facts | None = None
        self._tasks: dict[int, asyncio.Task] = {}

    async def start(self) -> None:
        """Ask a decode replica what its engine takes."""
        self.facts, self.state = await self._asking.facts.remote(), "ready"

    async def close(self) -> None:
        """End what runs."""
        self.state = "closed"
        for task in self._tasks.values():
            task.cancel()

    def tell(self, command: str, number: int, request: Request | None = None) -> None:
        """`submit` and `cancel`. `hold` and `resume` do nothing: what a slow reader has not taken
        waits in Ray Serve's proxy, which takes all that it is given."""
        if command == "submit":
            task = asyncio.ensure_future(self._serve(number, request))
            self._tasks[number] = task
            task.add_done_callback(lambda _: self._tasks.pop(number, None))
        elif command == "cancel" and number in self._tasks:
            self._tasks[number].cancel()

    async def _serve(self, number: int, request: Request) -> None:
        output: list[int] = []
        for left in reversed(range(self._retries + 1)):
            asked = Asked(request.prompt, request.sampling, tuple(output))
            try:
                async for said in self._ask(asked):
                    output += said.tokens
                    self._front.on_step(time.monotonic(), [(number, *said)], None)
                return
            except ValueError as error:
                self._front.on_refused(number, _first_line(error))
                return
            except Exception as error:
                if not left:
                    why = f"a replica that had this request is gone: {_first_line(error)}"
                    self._front.on_lost(number, why)

    async def _ask(self, asked: Asked) -> AsyncIterator[Said]:
        filled = self._prefill.remote(asked)
        saying = self._decode.remote(asked, filled)
        try:
            async for said in saying:
                yield said
        finally:
            # Does nothing where it is over; else whoever left is forgotten in both tiers.
            saying.cancel()
            filled.cancel()


def _first_line(error: Exception) -> str:
    cause = getattr(error, "cause", None) or error
    return (str(cause).strip() or type(cause).__name__).splitlines()[0]
