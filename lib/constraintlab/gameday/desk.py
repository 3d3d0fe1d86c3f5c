"""`Desk`: where a game day is played in a notebook: what the server's metrics say, and suspects.

The tool's own verdict comes when a round is over.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from html import escape

from constraintlab.course.attach import Watch
from constraintlab.gameday import gauges
from constraintlab.gameday.day import Day
from constraintlab.gameday.fault import BY_NAME, FAULTS
from constraintlab.gameday.round import Round
from constraintlab.gameday.score import Outcome
from constraintlab.watch.words import sentence

CONTROLS = ("suspect",)
"""Controls a person uses here; each has a browser test that it reacts."""

WINDOW = 8.0
"""Seconds that means, percentiles and the tool's verdict are on."""

STALE = 0.5
"""Seconds between two settings of the clock and the gauges."""


class Desk:
    """Show it, then await `play` for each round; a click on a suspect accuses.

    diagnoses: what the tool said of each round when it was over: it is told no more than who plays.
    """

    def __init__(self, day: Day) -> None:
        self.day, self.diagnoses = day, []
        self.watch: Watch | None = None
        self._note, self._box = "not started: run the next cell", None
        self._gauges = "What the server's metrics say comes here, while a round is under way."
        day.on_round = self._round

    async def play(self) -> Outcome:
        """The next round. A server starts first, and on a day's first round one is measured."""
        self._say("a server starts …")
        ticking = asyncio.ensure_future(self._tick())
        try:
            outcome = await self.day.play()
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking
            self._close()
        self._say("over: run the next cell" if self.day.left else "all rounds are over")
        return outcome

    def accuse(self, name: str) -> None:
        """What a click does."""
        try:
            right = self.day.accuse(name)
        except ValueError as error:
            self._say(str(error))
            return
        accused = BY_NAME[name].accused
        self._say(f"{accused}: {'that is it' if right else 'no, and a false alarm costs points'}")

    def _round(self, shown: Round | None) -> None:
        if shown is None:
            self._close()
            return
        self.watch = Watch(shown.inside, window=WINDOW, probe=False).start()
        self._say(
            f"round {len(self.day.outcomes) + 1}: the load's makers say that users come one by one "
            f"whatever the server does, {shown.said:.1f} a second. What is wrong?"
        )

    def _close(self) -> None:
        if self.watch is not None:
            self.diagnoses.append(self.watch.stop())
            self.watch = None

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(STALE)
            self._show()

    def html(self) -> str:
        """The clock, the note, and the rounds so far."""
        left = f"{max(0.0, self.day.seconds - self.day.passed):.0f} s left · "
        head = f"{left if self.day.passed else ''}{self.day.points} points"
        rows = "".join(
            f'<div style="opacity:.75;margin-top:4px;line-height:1.5">{i}. {escape(str(outcome))}'
            f"<br>The tool: {escape(sentence(said))}</div>"
            for i, (outcome, said) in enumerate(
                zip(self.day.outcomes, self.diagnoses, strict=False), 1
            )
        )
        return f"<b>{head}</b> · <span class='desk-note'>{escape(self._note)}</span>{rows}"

    def widget(self):
        """The ipywidgets box."""
        import ipywidgets as w

        if self._box is None:
            self._words = w.HTML(self.html())
            buttons = [w.Button(description=f.accused, layout=w.Layout(width="auto"))
                       for f in FAULTS]  # fmt: skip
            for button, fault in zip(buttons, FAULTS, strict=True):
                button.on_click(lambda _, name=fault.name: self.accuse(name))
                button.add_class(CONTROLS[0])
            row = w.HBox(buttons, layout=w.Layout(flex_flow="row wrap"))
            self._table = w.HTML(self._gauges)
            self._box = w.VBox([self._table, row, self._words])
        return self._box

    def _say(self, note: str) -> None:
        self._note = note
        self._show()

    def _show(self) -> None:
        if self.watch is not None:
            self._gauges = gauges.html(list(self.watch.attached.samples), WINDOW)
        if self._box is not None:
            self._words.value, self._table.value = self.html(), self._gauges

    def _repr_mimebundle_(self, **kwargs) -> dict:
        bundle = self.widget()._repr_mimebundle_(**kwargs) or {}
        bundle["text/plain"] = "A game day: open in JupyterLab to name what is wrong."
        bundle["text/html"] = self.html()
        return bundle
