"""`Switching`: the order in which an engine serves, to be changed while users come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from html import escape
from statistics import median

from constraintlab.course.acknowledged import acknowledged
from constraintlab.course.questions import Question
from constraintlab.course.tail_stage import TailStage
from constraintlab.course.tail_tables import ms
from constraintlab.engine.answer import Answer
from constraintlab.engine.setup import Setup

CONTROLS = ("policy-switch",)
"""Controls a person uses here; each has a browser test that it reacts."""

ORDERS = {"FCFS": "continuous", "MLFQ": "mlfq", "SRPT, an oracle": "shortest"}
"""What is offered, and the policy's name in the engine."""

BY_ITSELF = ("FCFS", "MLFQ")
"""What it goes through until somebody chooses."""


class Switching:
    """Show it, then await `run`: users come, and whoever is chosen schedules from the next step.

    seen: for each order what those saw that came under it.
    """

    def __init__(
        self, stage: TailStage, setup: Setup, some: Sequence[Question], at: Sequence[float]
    ) -> None:
        self.stage, self.setup, self.some, self.at = stage, setup, some, at
        self.order, self.touched = BY_ITSELF[0], False
        self._since: list[tuple[float, str]] = []
        self._answers: Sequence[Answer] = ()
        """Of its own run: a later cell's are others'."""
        self._note = "not started"
        self._box = self._shown = None
        self._running = False

    def choose(self, order: str) -> None:
        """From the next step on; the control calls this."""
        self.touched = True
        self._apply(order)

    async def run(self) -> None:
        """Until all are answered. The panel draws meanwhile."""
        self._since, self._answers, self._running = [], (), True
        turning = asyncio.ensure_future(self._turn())
        try:
            await self.stage.face("by hand", self.setup, self.some, self.at)
        finally:
            turning.cancel()
            self._running = False
            self._note = "ended: run the cell again to go on"
            self._show()

    async def _turn(self) -> None:
        """Begin with what is chosen, once requests come, then change by itself half-way."""
        while not self.stage.live:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        self._since, self._answers = [], self.stage.driver.answers
        self._apply(self.order)
        while not self.touched and time.monotonic() - began < self.at[-1] / 2:
            await asyncio.sleep(0.05)
            self._show()
        if not self.touched:
            self._apply(BY_ITSELF[1])
        while True:
            await asyncio.sleep(0.25)
            self._show()

    def _apply(self, order: str) -> None:
        self.order = order
        if self._running and self.stage.live:
            self.stage.driver.engine.switch(ORDERS[order])
            self._since.append((time.monotonic(), order))
            self._note = f"{order} schedules from the next step on"
        self._show()

    @property
    def seen(self) -> dict[str, list[float]]:
        """Order → seconds to the first token of the short half of those that came under it."""
        found: dict[str, list[float]] = {}
        half = median(q.length for q in self.some)
        for question, answer in zip(self.some, self._answers, strict=False):
            if answer.times and question.length <= half and self._since:
                found.setdefault(self._under(answer), []).append(answer.times[0] - answer.sent)
        return found

    def _under(self, answer: Answer) -> str:
        before = [order for since, order in self._since if since <= answer.sent]
        return before[-1] if before else self._since[0][1]

    def html(self) -> str:
        """Every order tried, and what came of it."""
        cell = '<td style="padding:1px 14px 1px 0;text-align:right">'
        heads = ("short half under", "came", "first token, median", "p90", "the slowest")
        rows = []
        for order, times in self.seen.items():
            times.sort()
            at = [times[int(q * (len(times) - 1))] for q in (0.5, 0.9, 1.0)]
            parts = (("▶ " if order == self.order else "") + order, f"{len(times)}", *map(ms, at))
            rows.append("<tr>" + "".join(f"{cell}{escape(p)}</td>" for p in parts) + "</tr>")
        th = cell.replace("<td", '<th scope="col"')
        head = "".join(f"{th}{name}</th>" for name in heads)
        style = "font-variant-numeric:tabular-nums;margin-left:0"
        note = f'<div class="knob-note" style="opacity:.75">{escape(self._note)}</div>'
        return f'{note}<table style="{style}"><tr>{head}</tr>{"".join(rows)}</table>'

    def widget(self):
        """The ipywidgets box."""
        import ipywidgets as w

        if self._box is None:
            self._shown = w.HTML(self.html())
            self._buttons = w.ToggleButtons(options=list(ORDERS), value=self.order)
            self._buttons.observe(self._moved, "value")
            self._buttons.add_class(CONTROLS[0])
            acknowledged(self._buttons)
            self._box = w.VBox([self._buttons, self._shown])
        return self._box

    def _moved(self, change: dict) -> None:
        if change["new"] != self.order:
            self.choose(change["new"])

    def _show(self) -> None:
        if self._box is not None:
            self._shown.value = self.html()
            if self._buttons.value != self.order:
                self._buttons.value = self.order

    def _repr_mimebundle_(self, **kwargs) -> dict:
        bundle = self.widget()._repr_mimebundle_(**kwargs) or {}
        bundle["text/plain"] = "The order in which an engine serves: open in JupyterLab."
        bundle["text/html"] = self.html()
        return bundle
