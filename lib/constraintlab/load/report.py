"""`Report`: what a run's records say, as data and as a table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain

from constraintlab.load.halves import Half
from constraintlab.load.metrics import Distribution
from constraintlab.load.record import STATUSES, Record
from constraintlab.load.slo import Slo
from constraintlab.load.tail import Seen, Tail
from constraintlab.load.waits import WORDS

DEFINITIONS = {
    "ttft": "from the send (connecting included) to the first token that is not empty",
    "tpot": "(last token − first token) / (output tokens − 1); the first token is not in it",
    "itl": "gaps between events that carry tokens, of all requests together",
    "e2e": "from the send to the last token",
    "schedule_delay": "sent − scheduled: how late the client itself was",
    "goodput": "requests per second that ran to their end within the SLO",
    "halves": "answers with at most the median of output tokens, and those with more",
    "tail": "of requests that ran to their end the slowest 1% (3 at least, 10 at most), and where "
    "their time went: what the server says of it, and what that leaves of the client's",
    "bytes_per_token": "bytes of the body on the wire, chunk framing included, headers not",
}

LATE = 0.05
"""Seconds of the schedule delay's p99, or of the client's own loop, that call for a warning."""


@dataclass(frozen=True)
class Client:
    """What the client itself used. lags: seconds that its loop was late, sampled evenly."""

    cpu: float = 0.0
    wall: float = 0.0
    processes: int = 1
    lags: Sequence[float] = ()


@dataclass(frozen=True)
class Report:
    """Distributions over the requests that ran to their end; None where there is no sample.

    wall: seconds from the first send to the last request's end. output, prompt: tokens of all
    requests, cut ones too. good: requests within the SLO, None without one. halves: by the length
    of the answer. tails: by E2E and by TTFT. warnings: what the reader must know before the
    numbers.
    """

    statuses: dict[str, int]
    wall: float
    prompt: int
    output: int
    ttft: Distribution | None
    tpot: Distribution | None
    itl: Distribution | None
    e2e: Distribution | None
    delay: Distribution | None
    slo: Slo
    good: int | None
    bytes_per_token: float | None
    tokens_per_event: float | None
    checked: int
    right: int
    errors: tuple[tuple[str, str, int], ...]
    client: Client
    halves: tuple[Half, ...]
    tails: tuple[Tail, ...]
    warnings: tuple[str, ...]
    settings: dict = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        records: Sequence[Record],
        slo: Slo | None = None,
        client: Client | None = None,
        settings: dict | None = None,
    ) -> Report:
        """Of a run that has ended, or of the part that has."""
        slo, client = slo or Slo(), client or Client()
        done = [r for r in records if r.ok]
        statuses = {s: sum(r.status == s for r in records) for s in STATUSES}
        ends = [max([r.last, *r.events.times[-1:]]) for r in records]
        wall = max(ends) - min(r.sent for r in records) if records else 0.0
        tokens = sum(r.output_tokens for r in records)
        received = sum(r.received for r in records)
        texts = sum(sum(n > 0 for n in r.events.tokens) for r in records)
        checked = [r for r in records if r.right is not None]
        reasons = Counter((r.status, r.error) for r in records if not r.ok)
        delay = Distribution.of([r.delay for r in records])
        seen = [Seen.of_record(r) for r in done]
        return cls(
            statuses,
            wall,
            sum(r.prompt_tokens for r in done),
            tokens,
            Distribution.of([r.ttft for r in done if r.ttft is not None]),
            Distribution.of([r.tpot for r in done if r.tpot is not None]),
            Distribution.of(list(chain.from_iterable(r.gaps for r in done))),
            Distribution.of([r.e2e for r in done]),
            delay,
            slo,
            sum(map(slo.met, records)) if slo else None,
            received / tokens if tokens else None,
            tokens / texts if texts else None,
            len(checked),
            sum(bool(r.right) for r in checked),
            tuple((s, why, n) for (s, why), n in reasons.most_common(10)),
            client,
            Half.both(done, slo),
            tuple(Tail.of(seen, by) for by in ("e2e", "ttft")),
            tuple(_warnings(records, delay, client)),
            settings or {},
        )

    @property
    def requests(self) -> int:
        """Sent, whatever became of them."""
        return sum(self.statuses.values())

    @property
    def requests_per_s(self) -> float:
        """Requests that ran to their end."""
        return self.statuses["ok"] / self.wall if self.wall else 0.0

    @property
    def output_per_s(self) -> float:
        """Output tokens per second, those of cut requests too: they came."""
        return self.output / self.wall if self.wall else 0.0

    def json(self) -> dict:
        """Plain data; null for what there is no sample of."""
        spread = {n: getattr(self, n) for n in ("ttft", "tpot", "itl", "e2e")}
        lag = Distribution.of(list(self.client.lags))
        per_s = self.good / self.wall if self.good is not None and self.wall else None
        limits = {n: x for n, x in asdict(self.slo).items() if x is not None}
        return {
            "settings": self.settings,
            "warnings": list(self.warnings),
            "requests": {"sent": self.requests, **self.statuses},
            "errors": [{"status": s, "error": why, "count": n} for s, why, n in self.errors],
            "wall_s": self.wall,
            "requests_per_s": self.requests_per_s,
            "prompt_tokens": self.prompt,
            "output_tokens": self.output,
            "output_tokens_per_s": self.output_per_s,
            **{f"{n}_s": d and d.json() for n, d in spread.items()},
            "schedule_delay_s": self.delay and self.delay.json(),
            "goodput": {"slo_s": limits, "met": self.good, "per_s": per_s} if self.slo else None,
            "halves": {h.name: h.json(self.wall) for h in self.halves},
            "tail": {tail.by: tail.json() for tail in self.tails},
            "bytes_per_token": self.bytes_per_token,
            "tokens_per_event": self.tokens_per_event,
            "answers": {"checked": self.checked, "right": self.right},
            "client": {
                "processes": self.client.processes,
                "cpu_s": self.client.cpu,
                "loop_lag_s": lag and lag.json(),
            },
            "definitions": DEFINITIONS,
            "causes": WORDS,
        }


def _warnings(records: Sequence[Record], delay: Distribution | None, client: Client) -> list[str]:
    found = []
    lag = Distribution.of(list(client.lags))
    if delay and delay[99] > LATE:
        found.append(
            f"requests were sent up to {delay[99] * 1e3:.0f} ms late (p99): the client is what "
            "lags, so this was less load than asked for. Give it another process (--processes)"
        )
    elif lag and lag[99] > LATE:
        found.append(
            f"the client's own loop was {lag[99] * 1e3:.0f} ms late (p99): its times of tokens "
            "are too late by as much. Give it another process (--processes) or fewer neighbours"
        )
    busy = client.cpu / (client.wall * client.processes) if client.wall else 0.0
    if busy > 0.8 and not math.isclose(client.wall, 0.0, abs_tol=1.0):
        found.append(
            f"the client's processes were busy {busy:.0%} of the time: measured times are partly "
            "the client's. Give it another process (--processes)"
        )
    silent = sum(not r.counted for r in records if r.ok)
    if silent:
        found.append(f"{silent} answers came without usage: each event counts as one token")
    if not any(r.ok for r in records):
        found.append("no request ran to its end")
    return found
