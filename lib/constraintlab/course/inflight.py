"""`InFlight`: a slider for how many requests are in flight, while an engine answers them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from html import escape

from constraintlab.course.acknowledged import acknowledged
from constraintlab.course.questions import Question
from constraintlab.course.serving_stage import ServingStage
from constraintlab.engine.answer import Answer
from constraintlab.engine.report import Report
from constraintlab.engine.setup import Setup

CONTROLS = ("inflight-slider",)
"""Controls a person uses here; each has a browser test that it reacts."""

SIZES = (1, 2, 4, 8, 16, 32)
BY_ITSELF = (1, 4, 16)
"""What it goes through until somebody moves the slider."""

TICK = 0.03
"""Seconds between two looks at the engine."""

REDRAWN = 0.25
"""Seconds between two drawings of the table, unless the number has changed: a page that gets more
than it can draw on a busy machine falls behind, and the slider with it."""

SETTLED = 0.2
"""Seconds after a change from which on the rate belongs to the new number."""


class InFlight:
    """Show it, then await `run`: that many requests are in flight at any moment, and the slider
    changes the number while it runs. Each that ends is followed by another; when the number
    falls, the newest are cancelled.
    """

    def __init__(self, stage: ServingStage, setup: Setup, some: Sequence[Question]) -> None:
        self.stage, self.setup, self.some = stage, setup, some
        self.n, self.touched = BY_ITSELF[0], False
        self.seen: dict[int, tuple[float, float]] = {}
        self._flying: list[Answer] = []
        self._box = self._shown = self._slider = None
        self._note, self._drawn = "not started", 0.0

    def want(self, n: int) -> None:
        """So many in flight from now on; the slider calls this."""
        self.n, self.touched = n, True
        if self._flying:
            self._fill()
            self.stage.driver.engine.ask()

    async def run(self, seconds: float) -> None:
        """Keep them in flight for so long. The panel draws meanwhile."""
        stage, driver = self.stage, self.stage.driver
        await driver.use(self.setup)
        self._next = itertools.cycle(self.some)
        stage.source.restart()
        stage.sampler.start()
        try:
            await self._fly(seconds)
        finally:
            stage.sampler.stop()
            for answer in self._flying:
                driver.engine.cancel(answer)
            for answer in self._flying:
                await answer
            self._flying = []
            self._note = "ended: run the cell again to go on"
            self._show()

    async def _fly(self, seconds: float) -> None:
        loop, engine = asyncio.get_running_loop(), self.stage.driver.engine
        began = loop.time()
        settled: Report | None = None
        last, since = 0, began
        while (passed := loop.time() - began) < seconds:
            turn = BY_ITSELF[int(passed / seconds * len(BY_ITSELF))]
            if not self.touched and turn != self.n:
                self._show(turn)
            if self.n != last:
                last, since, settled = self.n, loop.time(), None
            self._fill()
            await asyncio.sleep(TICK)
            now = engine.latest
            if now is None or self.n != last:
                continue
            if settled is None and loop.time() - since >= SETTLED:
                settled = now
            self._look(settled, now)

    def _fill(self) -> None:
        engine = self.stage.driver.engine
        self._flying = [a for a in self._flying if a.finished is None]
        while len(self._flying) > self.n:
            engine.cancel(self._flying.pop())
        while len(self._flying) < self.n:
            self._flying.append(engine.submit(*next(self._next).asked))

    def _look(self, settled: Report | None, now: Report) -> None:
        note = f"{now.running} in a step"
        same, self._note = note == self._note, note
        if settled and now.now > settled.now:
            tokens, steps = (now.totals[k] - settled.totals[k] for k in ("tokens", "steps"))
            seconds = now.now - settled.now
            self.seen[self.n] = (tokens / seconds, 1e3 * seconds / max(1.0, steps))
        if not same or now.now - self._drawn >= REDRAWN:
            self._drawn = now.now
            self._show()

    def html(self) -> str:
        """Every number tried: tokens a second as a bar, milliseconds a step."""
        most = max((rate for rate, _ in self.seen.values()), default=1.0)
        cell = '<td style="padding:1px 12px 1px 0;text-align:right">'
        rows = []
        for n, (rate, ms) in sorted(self.seen.items()):
            here = n == self.n
            bar = f'<div style="background:#8a919c;height:10px;width:{240 * rate / most:.0f}px">'
            rows.append(
                f'<tr style="font-weight:{700 if here else 400}">{cell}{n}{" ◀" if here else ""}'
                f"</td>{cell}{rate:,.0f} tok/s</td>{cell}{ms:.2f} ms</td><td>{bar}</div></td></tr>"
            )
        names = ("in flight", "throughput", "a step", "")
        th = cell.replace("<td", '<th scope="col"')
        head = "".join(f"{th}{name}</th>" for name in names)
        style = "font-variant-numeric:tabular-nums;margin-left:0"
        note = f'<div class="inflight-note" style="opacity:.75">{escape(self._note)}</div>'
        return f'{note}<table style="{style}"><tr>{head}</tr>{"".join(rows)}</table>'

    def widget(self):
        """The ipywidgets box."""
        import ipywidgets as w

        if self._box is None:
            self._shown = w.HTML(self.html())
            self._slider = w.SelectionSlider(
                options=SIZES, value=self.n, description="in flight", continuous_update=True
            )
            self._slider.observe(self._moved, "value")
            self._slider.add_class(CONTROLS[0])
            acknowledged(self._slider)
            self._box = w.VBox([self._slider, self._shown])
        return self._box

    def _moved(self, change: dict) -> None:
        if change["new"] != self.n:
            self.want(change["new"])

    def _show(self, n: int | None = None) -> None:
        """The table as it is now; n: the number it goes on with by itself."""
        if n is not None:
            self.n = n
        if self._box is not None:
            self._shown.value = self.html()
            if not self.touched:
                self._slider.value = self.n

    def _repr_mimebundle_(self, **kwargs) -> dict:
        bundle = self.widget()._repr_mimebundle_(**kwargs) or {}
        bundle["text/plain"] = "A slider for the requests in flight: open in JupyterLab to move it."
        bundle["text/html"] = self.html()
        return bundle
