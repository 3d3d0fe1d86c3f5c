"""`Knobs`: a link's rate and delay, and a slow reader, to be turned while a server streams."""

from __future__ import annotations

import asyncio
import math
import time
from html import escape

from constraintlab.course.acknowledged import acknowledged
from constraintlab.course.line import Line, Plan
from constraintlab.course.streaming_stage import StreamingStage
from constraintlab.load.live import Counters
from constraintlab.load.workload import Workload
from constraintlab.panel.numbers import si
from constraintlab.panel.streamtitle import wait
from constraintlab.serving.link_settings import LinkStats

CONTROLS = ("link-rate", "link-delay", "link-slow-reader")
"""Controls a person uses here; each has a browser test that it reacts."""

RATES = (math.inf, 1e6, 500e3, 250e3, 125e3, 60e3)
DELAYS = (0.0, 0.02, 0.1, 0.3)
SLOW_RATE = 2000.0
"""Bytes/s of the reader that is slow: ten tokens, one an event."""

Setting = tuple[float, float, bool]
BY_ITSELF: tuple[Setting, ...] = (
    (math.inf, 0.0, False), (125e3, 0.0, False), (math.inf, 0.3, False), (math.inf, 0.0, True),
)  # fmt: skip
"""What it goes through until somebody turns a knob: bytes/s, seconds of delay, a slow reader."""

SETTLED = 1.5
"""Seconds after a change from which on the figures belong to it; half a turn of a short run."""


class Knobs:
    """Show it, then await `run`: a plan's workload streams, and what is turned acts at once.

    ValueError for a plan without a link: there is nothing to turn.
    """

    def __init__(self, stage: StreamingStage, plan: Plan, workload: Workload) -> None:
        if plan.link is None:
            raise ValueError(f"{plan.name}: it is the link that is turned, give link={{}}")
        self.stage, self.plan, self.workload = stage, plan, workload
        self.setting, self.touched = BY_ITSELF[0], False
        self.seen: dict[Setting, tuple[float, float | None, float | None]] = {}
        self._line: Line | None = None
        self._note, self._since, self._settled = "not started", 0.0, SETTLED
        self._box = self._shown = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def turn(self, setting: Setting) -> None:
        """The link as it is to be from now on; the controls call this."""
        self.setting, self.touched = setting, True
        self._apply()

    async def run(self, seconds: float) -> None:
        """Stream for so long. The panel draws meanwhile; what is open at the end is hung up on."""
        self._loop, stage = asyncio.get_running_loop(), self.stage
        self._settled = min(SETTLED, seconds / len(BY_ITSELF) / 2)
        stage.on_look = self._hear
        try:
            await stage.stream(self.plan, self.workload, lambda line: self._go(line, seconds))
        finally:
            stage.on_look = lambda counters: None
            self._line = None
            self._note = "ended: run the cell again to go on"
            self._show()

    async def _go(self, line: Line, seconds: float) -> None:
        self._line, began, last = line, time.monotonic(), None
        if self.touched:
            self._apply()
        while (passed := time.monotonic() - began) < seconds:
            turn = BY_ITSELF[int(passed / seconds * len(BY_ITSELF))]
            if not self.touched and turn != last:
                self.setting = last = turn
                self._apply()
            await asyncio.sleep(0.05)
        self._since = math.inf
        line.fleet.stop()

    def _apply(self) -> None:
        """Tell the link, and show what it says it is now."""
        self._since = time.monotonic()
        if self._line is not None:
            rate, delay, slow = self.setting
            link = self._line.link
            first = min((c.number for c in link.stats().connections), default=1)
            rate = None if math.isinf(rate) else rate
            link.set(rate=rate, delay=delay, slow=(first,) if slow else (), slow_rate=SLOW_RATE)
            self._note = told(link.stats(), delay)
        self._show()

    def _hear(self, counters: Counters) -> None:
        """From the thread that runs."""
        stream = self.stage.source.stream(counters.now)
        figures = self.stage.source.rate(), stream.client_itl, stream.server_itl
        self._loop.call_soon_threadsafe(self._note_down, figures)

    def _note_down(self, figures: tuple[float, float | None, float | None]) -> None:
        if time.monotonic() - self._since >= self._settled:
            self.seen[self.setting] = figures
            self._show()

    def html(self) -> str:
        """Every setting tried, and what came of it."""
        cell = '<td style="padding:1px 14px 1px 0;text-align:right">'
        names = ("link", "delay", "slow reader", "tok/s to the clients", "a client waits",
                 "the server makes a token in")  # fmt: skip
        th = cell.replace("<td", '<th scope="col"')
        head = "".join(f"{th}{name}</th>" for name in names)
        rows = []
        for setting, (rate, client, server) in self.seen.items():
            carries, delay, slow = setting
            here = setting == self.setting
            parts = (
                ("▶ " if here else "") + words(carries), f"{1e3 * delay:.0f} ms",
                "one" if slow else "none", f"{rate:,.0f}", wait(client), wait(server),
            )  # fmt: skip
            body = "".join(f"{cell}{escape(part)}</td>" for part in parts)
            rows.append(f'<tr style="font-weight:{700 if here else 400}">{body}</tr>')
        style = "font-variant-numeric:tabular-nums;margin-left:0"
        note = f'<div class="knob-note" style="opacity:.75">{escape(self._note)}</div>'
        return f'{note}<table style="{style}"><tr>{head}</tr>{"".join(rows)}</table>'

    def widget(self):
        """The ipywidgets box."""
        import ipywidgets as w

        if self._box is None:
            self._shown = w.HTML(self.html())
            self._rate = w.SelectionSlider(
                options=[(words(r), r) for r in RATES], value=self.setting[0], description="link"
            )
            self._delay = w.SelectionSlider(
                options=[(f"{1e3 * d:.0f} ms", d) for d in DELAYS], value=self.setting[1],
                description="delay",
            )  # fmt: skip
            self._slow = w.ToggleButton(
                value=self.setting[2], description="one slow reader", icon="hourglass-half"
            )
            controls = (self._rate, self._delay, self._slow)
            for control, name in zip(controls, CONTROLS, strict=True):
                control.observe(self._moved, "value")
                control.add_class(name)
            acknowledged(*controls)
            row = w.HBox(controls, layout=w.Layout(flex_flow="row wrap"))
            self._box = w.VBox([row, self._shown])
        return self._box

    def _moved(self, change: dict) -> None:
        wanted = (self._rate.value, self._delay.value, self._slow.value)
        if wanted != self.setting:
            self.turn(wanted)

    def _show(self) -> None:
        if self._box is not None:
            self._shown.value = self.html()
            if not self.touched:
                # Not by hand: the three change together, and nobody has turned anything.
                for control, value in zip(
                    (self._rate, self._delay, self._slow), self.setting, strict=True
                ):
                    control.unobserve(self._moved, "value")
                    control.value = value
                    control.observe(self._moved, "value")

    def _repr_mimebundle_(self, **kwargs) -> dict:
        bundle = self.widget()._repr_mimebundle_(**kwargs) or {}
        bundle["text/plain"] = "A link's rate, its delay, a slow reader: open in JupyterLab."
        bundle["text/html"] = self.html()
        return bundle


def words(rate: float | None) -> str:
    """`250 kB/s`, `no limit`."""
    return "no limit" if rate is None or math.isinf(rate) else si(rate, "B/s")


def told(link: LinkStats, delay: float) -> str:
    """The link's own words of how it is set."""
    slow = sum(c.slow for c in link.connections)
    return (
        f"the link carries {words(link.capacity)}, {1e3 * delay:.0f} ms late; "
        f"{slow or 'no'} slow reader{'' if slow == 1 else 's'} of {len(link.connections)}"
    )
