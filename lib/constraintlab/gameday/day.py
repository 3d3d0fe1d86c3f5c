"""`Day`: rounds with faults that nobody is told, and the score of whoever names them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from random import Random

from constraintlab.gameday.exporter import Server
from constraintlab.gameday.fault import FAULTS, Fault
from constraintlab.gameday.round import SETUP, Round, Unharmed, measure
from constraintlab.gameday.score import Accusation, Outcome, accused

BEAT = 0.1
"""Seconds between two looks at the clock."""


class Day:
    """Await `play` once for each round; meanwhile `accuse`. All rounds are on one server.

    rounds: at most as many as there are faults, of which no two are the same. seconds: of load in
    each. seed: the same faults in the same order; another day's without. known: what the server
    does unharmed, measured before the first round unless given. on_round: called with each round,
    under load, and with None when it is over. keep: the server stays after the last round, as
    `server`, for whoever closes it.
    """

    def __init__(
        self,
        rounds: int = 3,
        seconds: float = 25.0,
        seed: int | None = None,
        known: Unharmed | None = None,
        on_round: Callable[[Round | None], object] = lambda shown: None,
        keep: bool = False,
    ) -> None:
        if not 1 <= rounds <= len(FAULTS):
            raise ValueError(f"rounds={rounds}: give 1 to {len(FAULTS)}")
        if not seconds > 0:
            raise ValueError(f"seconds={seconds}: give a round some seconds")
        self.seconds, self.known, self._seed, self._keep = seconds, known, seed, keep
        self.outcomes: list[Outcome] = []
        self._sealed = Random(seed).sample(FAULTS, rounds)
        self._rounds, self.on_round = rounds, on_round
        self._began: float | None = None
        self.server: Server | None = None
        self._accused: list[Accusation] = []

    @property
    def left(self) -> int:
        """Rounds that are still to be played."""
        return self._rounds - len(self.outcomes)

    @property
    def points(self) -> int:
        """Of all rounds so far."""
        return sum(o.points for o in self.outcomes)

    @property
    def passed(self) -> float:
        """Seconds since the round's load began; 0 where none is under way."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def accuse(self, name: str) -> bool:
        """Name the fault; whether that is it. A wrong one costs points and says no more.
        ValueError for a name that is no suspect's, or while no round is under way."""
        suspect = accused(name)
        if self._began is None:
            raise ValueError("no round is under way: accuse while its load runs")
        if name in [a.name for a in self._accused]:
            return name == self._fault.name
        self._accused.append(Accusation(self.passed, suspect.name))
        return suspect.name == self._fault.name

    async def open(self) -> None:
        """Start the server, which the first round does else; nothing happens where there is one."""
        if self.server is None:
            self.server = await asyncio.to_thread(Server, SETUP)

    async def play(self) -> Outcome:
        """The next round, until its fault is named or its time is over. ValueError when all have
        been played."""
        if not self.left:
            raise ValueError("all rounds have been played: make another day")
        await self.open()
        if self.known is None:
            self.known = await asyncio.to_thread(measure, self.server)
        asked = self._fault, self.known, self.seconds, self.server, self._seed or 0
        shown = await asyncio.to_thread(Round, *asked)
        try:
            await asyncio.to_thread(shown.start)
            self._began, self._accused = time.monotonic(), []
            self.on_round(shown)
            while self.passed < self.seconds and not self._named:
                await asyncio.sleep(BEAT)
        finally:
            self._began = None
            self.on_round(None)
            await asyncio.to_thread(shown.close)
        self.outcomes.append(Outcome(self._fault, tuple(self._accused)))
        if not self.left and not self._keep:
            await asyncio.to_thread(self.close)
        return self.outcomes[-1]

    def close(self) -> None:
        """The server ends, as it does after the last round; may be called twice."""
        if self.server is not None:
            self.server.close(0)
            self.server = None

    @property
    def _fault(self) -> Fault:
        return self._sealed[len(self.outcomes)]

    @property
    def _named(self) -> bool:
        return bool(self._accused) and self._accused[-1].name == self._fault.name
