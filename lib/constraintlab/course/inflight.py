"""`InFlight`: a slider for how many requests are in flight, while an engine answers them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from html import escape

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

TICK = 0.1
"""Seconds between two looks at the engine."""

SETTLED = 3
"""Ticks after a change from which on the rate belongs to the new number."""


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
        self._box = self._shown = None
        self._note = "not started"

    def want(self, n: int) -> None:
        """So many in flight from now on; the slider calls this."""
        self.n, self.touched = n, True
        if self._flying:
            self._fill()

    async def run(self, seconds: float) -> None:
        """Keep them in flight for so long. The panel draws meanwhile."""
        stage, driver = self.stage, self.stage.driver
        await driver.use(self.setup)
        await driver.run(self.some[:1])
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
            self._note = "over"
            self._show()

    async def _fly(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began, ticks, last = loop.time(), 0, 0
        before: Report | None = None
        while (passed := loop.time() - began) < seconds:
            if not self.touched:
                self.n = BY_ITSELF[int(passed / seconds * len(BY_ITSELF))]
            self._fill()
            await asyncio.sleep(TICK)
            now = self.stage.driver.engine.latest
            ticks, last = (ticks + 1 if self.n == last else 0), self.n
            if before and now and now.now > before.now:
                self._look(before, now, ticks >= SETTLED)
            before = now

    def _fill(self) -> None:
        engine = self.stage.driver.engine
        self._flying = [a for a in self._flying if a.finished is None]
        while len(self._flying) > self.n:
            engine.cancel(self._flying.pop())
        while len(self._flying) < self.n:
            self._flying.append(engine.submit(*next(self._next).asked))

    def _look(self, before: Report, now: Report, settled: bool) -> None:
        grown = {k: now.totals[k] - before.totals[k] for k in ("tokens", "steps")}
        seconds = now.now - before.now
        self._note = f"{now.running} in a step"
        if settled and grown["steps"]:
            self.seen[self.n] = (grown["tokens"] / seconds, 1e3 * seconds / grown["steps"])
        self._show()

    def html(self) -> str:
        """Every number tried: tokens a second as a bar, milliseconds a step."""
        most = max((rate for rate, _ in self.seen.values()), default=1.0)
        rows = []
        for n, (rate, ms) in sorted(self.seen.items()):
            here = n == self.n
            bar = f'<div style="background:#8a919c;height:10px;width:{240 * rate / most:.0f}px">'
            rows.append(
                f'<tr style="font-weight:{700 if here else 400}"><td>{n}{" ◀" if here else ""}</td>'
                f"<td>{rate:,.0f} tok/s</td><td>{ms:.2f} ms</td><td>{bar}</div></td></tr>"
            )
        head = "<tr><th>in flight</th><th>throughput</th><th>a step</th><th></th></tr>"
        style = "font-variant-numeric:tabular-nums;margin-left:0"
        note = f'<div class="inflight-note" style="opacity:.75">{escape(self._note)}</div>'
        return f'{note}<table style="{style}">{head}{"".join(rows)}</table>'

    def widget(self):
        """The ipywidgets box."""
        import ipywidgets as w

        if self._box is None:
            self._shown = w.HTML(self.html())
            slider = w.SelectionSlider(
                options=SIZES, value=self.n, description="in flight", continuous_update=True
            )
            slider.observe(lambda change: self.want(change["new"]), "value")
            slider.add_class(CONTROLS[0])
            self._box = w.VBox([slider, self._shown])
        return self._box

    def _show(self) -> None:
        if self._shown is not None:
            self._shown.value = self.html()

    def _repr_mimebundle_(self, **kwargs) -> dict:
        bundle = self.widget()._repr_mimebundle_(**kwargs) or {}
        bundle["text/plain"] = "A slider for the requests in flight: open in JupyterLab to move it."
        return bundle
