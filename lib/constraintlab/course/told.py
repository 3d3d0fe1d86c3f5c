"""`Told`: a streamed run with its verdict; `Undelivered`: one of which nothing can be told."""

from __future__ import annotations

from dataclasses import dataclass

from constraintlab.course.line import Plan
from constraintlab.course.streamed import Streamed
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.resource import Resource
from constraintlab.limits.stack import Stack
from constraintlab.limits.verdict import Verdict
from constraintlab.serving.launch import Server


@dataclass(frozen=True)
class Told:
    """A run with its verdict and what that rests on."""

    plan: Plan
    ran: Streamed
    verdict: Verdict
    stack: Stack
    caps: Capacities

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def rate(self) -> float:
        """Tokens/s from the first send to the last token at a client."""
        return self.ran.whole_rate

    @property
    def engine_us(self) -> float:
        """Microseconds of a core that the engine's process spends on a token beside kernels."""
        batch = max(1.0, self.stack.resident)
        return 1e6 * sum(s.each + s.fixed / batch for s in self.stack.host) / self.stack.tokens

    @property
    def front_us(self) -> float:
        """The same for the front end."""
        return 1e6 * next(s.cores for s in self.stack.stations if s.resource is Resource.HOST)


class Undelivered(RuntimeError):
    """Not one token reached a client; the message says what happened instead."""

    @classmethod
    def of(cls, ran: Streamed, server: Server) -> Undelivered:
        """With what the clients were told, and the end of the server's log."""
        told = "; ".join(f"{n} × {status}: {why}" for status, why, n in ran.report.errors)
        return cls(
            f"{ran.name}: no token reached a client. {told or 'Nothing was asked.'}\n  {server.log}"
        )
