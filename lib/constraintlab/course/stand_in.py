"""A server to attach to: one of the learner's own, or one that stands in for it, under load."""

from __future__ import annotations

import asyncio

from constraintlab.course.attach import watch
from constraintlab.course.show import Text
from constraintlab.engine.setup import Setup
from constraintlab.load.arrivals import Uniform
from constraintlab.load.fleet import Fleet
from constraintlab.load.preflight import Trouble
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.target import Target
from constraintlab.load.text import Text as Prompts
from constraintlab.load.workload import Workload
from constraintlab.serving.launch import Server
from constraintlab.watch.diagnosis import Diagnosis

SETUP = Setup("reasoner", policy="continuous", slots=2, blocks=512, threads=1)
"""Two slots, and room in the pool for many more: whoever comes third waits."""

RATE, ANSWER = 20.0, 200
"""Requests a second, and tokens of an answer: more than two slots do anywhere."""


class StandIn:
    """Starts a server and users for it; use it with `with`, or call `close`. url: where it is.

    server: one of the same model that runs and that nobody needs any more: changed, and closed.
    """

    def __init__(self, seconds: float, server: Server | None = None) -> None:
        if server is not None and server.running:
            server.change(SETUP)
            self._server = server
        else:
            self._server = Server(SETUP)
        self.url = self._server.url
        profile = Profile("stand-in", Lengths.exactly(16), Lengths.exactly(ANSWER))
        work = Workload(Uniform(RATE), profile, seconds, text=Prompts("digits"))
        try:
            self._fleet = Fleet(Target(self.url, SETUP.model), work)
        except BaseException:
            self._server.close()
            raise

    def close(self) -> None:
        """Users leave, and the server ends."""
        self._fleet.close()
        self._server.close()

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def attached(url: str, seconds: float, server: Server | None = None) -> Diagnosis | None:
    """Watch a server for some seconds under a panel, and return the diagnosis; an empty url
    watches a stand-in, which takes `server` over. Where there is nothing to watch, a line says
    why, and None comes."""
    stand_in = None if url else await asyncio.to_thread(StandIn, seconds + 10, server)
    try:
        return await _watched(url or stand_in.url, seconds, probe=stand_in is None)
    except Trouble as trouble:
        from IPython.display import display

        display(Text(f"**Not attached.** {trouble}"))
        return None
    finally:
        if stand_in is not None:
            await asyncio.to_thread(stand_in.close)


async def _watched(url: str, seconds: float, probe: bool) -> Diagnosis:
    shown = watch(url, probe=probe)
    try:
        await asyncio.sleep(seconds)
    finally:
        found = await asyncio.to_thread(shown.stop)
    return found
