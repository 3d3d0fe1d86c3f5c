"""`EngineProcess`: an engine in a process of its own, from which answers arrive."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from constraintlab.engine.answer import Answer
from constraintlab.engine.child import Child, EngineDied
from constraintlab.engine.ledger import Bill
from constraintlab.engine.report import Report
from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.setup import Setup
from constraintlab.engine.wire import Facts, Tick, receive


class EngineProcess:
    """Starts an engine elsewhere on this machine; use it with `with`, or call `close`.

    The process ends when this one does, however that happens. on_report: called from a thread
    with every `Report`, ten a second while it works. Raises EngineDied with the end of its log
    when the engine can't be built; later calls and open answers do when it dies.
    """

    def __init__(self, setup: Setup, on_report: Callable[[Report], object] | None = None) -> None:
        self.setup, self.latest = setup, None
        self._sink, self._answers, self._last = on_report, {}, 0
        self._lock, self._ready = threading.Lock(), threading.Event()
        self._failure, self._refusal, self._closing = "", None, False
        self._child = Child(setup)
        threading.Thread(target=self._listen, daemon=True).start()
        self._ready.wait()
        if self._refusal or self.died:
            self.close()
            raise self._refusal or self.died

    @property
    def pid(self) -> int:
        """Of the engine's process."""
        return self._child.pid

    @property
    def log(self):
        """The file that has what the engine's process printed."""
        return self._child.log

    @property
    def died(self) -> EngineDied | None:
        """Why the engine is gone, if it went by itself."""
        return EngineDied(self._failure) if self._failure else None

    def submit(self, prompt: Sequence[int], sampling: Sampling) -> Answer:
        """Ask for a continuation of these token ids. ValueError for a request that can't run."""
        request = Request(0, prompt, sampling, time.monotonic())
        with self._lock:
            if self.died:
                raise self.died
            if self._closing:
                raise ValueError("this engine is closed: start another one")
            self._last += 1
            answer = Answer(self._last, request.prompt, sampling, request.arrival)
            self._answers[answer.number] = answer
        self._child.tell(("submit", answer.number, request))
        return answer

    def run(self, asked: Iterable[tuple[Sequence[int], Sampling]]) -> list[Answer]:
        """Submit all at once and wait for all of them."""
        answers = [self.submit(prompt, sampling) for prompt, sampling in asked]
        return [answer.result() for answer in answers]

    def change(self, setup: Setup) -> None:
        """Another setup of the same model in the same process: its pool, store, policy, budget.

        Quicker than another process, and the machine's state is the same for both. ValueError,
        and the engine stays as it was, while requests run or for what only a new process can have.
        """
        self.setup.check_change(setup)
        if self.died:
            raise self.died
        if self._answers:
            raise ValueError(f"{len(self._answers)} requests still run: wait for their answers")
        self._ready.clear()
        self._child.tell(("change", setup))
        self._ready.wait()
        refusal, self._refusal = self._refusal, None
        if refusal or self.died:
            raise refusal or self.died
        self.setup, self.latest = setup, None

    def switch(self, policy: str, **options: float) -> None:
        """Another policy from the next step on, while requests run; a name in `setup.POLICIES`.
        ValueError for a name or options that there are not."""
        setup = replace(self.setup, policy=policy, policy_options=options)
        if self.died:
            raise self.died
        self._child.tell(("switch", setup))
        self.setup = setup

    def cancel(self, answer: Answer) -> None:
        """End a request now; one that has ended stays as it is."""
        if answer.finished is None and not self.died:
            self._child.tell(("cancel", answer.number))

    def ask(self) -> None:
        """Have a report sent now."""
        self._child.tell(("ask",))

    def close(self) -> None:
        """Stop the process; may be called twice. Open answers end as cancelled."""
        if not self._closing:
            self._closing = True
            self._child.stop()
        self._child.reap(keep_log=bool(self._failure))
        self._end_all("cancelled")

    def __enter__(self) -> EngineProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self) -> None:
        try:
            while True:
                kind, *rest = receive(self._child.out)
                getattr(self, f"_on_{kind}")(*rest)
        except (EOFError, OSError, pickle.UnpicklingError):
            pass
        self._child.wait()
        if not self._closing and not self._refusal:
            self._failure = self._child.obituary(self._failure)
        self._end_all("cancelled")
        self._ready.set()

    def _on_ready(self, _facts: Facts) -> None:
        self._ready.set()

    def _on_failed(self, why: str | ValueError) -> None:
        if isinstance(why, ValueError):
            self._refusal = why
            self._ready.set()
        else:
            self._failure = f"the engine stopped with {why}"

    def _on_stopped(self) -> None:
        """It says good-bye; the end of its output follows."""

    def _on_refused(self, number: int, why: str) -> None:
        self._answers.pop(number).end("refused", ValueError(why))

    def _on_billed(self, bills: dict[int, Bill]) -> None:
        for number, bill in bills.items():
            answer = self._answers[number]
            answer.bill, answer.first_bill = bill

    def _on_stepped(self, now: float, lines: list, _tick: Tick | None) -> None:
        for number, tokens, text, finished in lines:
            self._answers[number].take(now, tokens, text, finished)
            if finished:
                del self._answers[number]

    def _on_report(self, report: Report) -> None:
        self.latest = report
        if self._sink is not None:
            self._sink(report)

    def _end_all(self, reason: str) -> None:
        with self._lock:
            answers, self._answers = list(self._answers.values()), {}
        for answer in answers:
            answer.end(reason, self.died)
