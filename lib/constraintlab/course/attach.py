"""`watch`: a server that runs somewhere under the panel, in a notebook, as the terminal shows it.

w = watch("http://127.0.0.1:8000")    # draws from now on, while other cells run
w.diagnosis                           # the newest, with its facts and what to try
w.stop()
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from html import escape

from ipywidgets import HTML

from constraintlab.course.lab import strip
from constraintlab.course.own_server import counted
from constraintlab.course.progress import Progress
from constraintlab.limits.resource import Resource
from constraintlab.panel import Panel, Series
from constraintlab.telemetry.sample import Sample
from constraintlab.telemetry.sinks import Sink, Sinks, to_stderr
from constraintlab.watch.attached import Attached
from constraintlab.watch.command import Options, attach
from constraintlab.watch.diagnosis import Diagnosis
from constraintlab.watch.live import WINDOW
from constraintlab.watch.words import lines, sentence

THREAD = "constraintlab-watch"


class Feed:
    """Looks at an attached server in a thread, with a sampler's methods: a panel takes it for one.

    on_look: called after each look, from the thread.
    """

    def __init__(self, attached: Attached, on_look: Callable[[], object]) -> None:
        self.attached, self._on_look = attached, on_look
        self.latest: Sample | None = None
        self._sinks = Sinks((), to_stderr)
        self.add_sink, self.remove_sink = self._sinks.add, self._sinks.remove
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        attached.wait = self._stopping.wait

    @property
    def notes(self) -> tuple[str, ...]:
        """What went wrong on the way."""
        return (*self._sinks.notes, *self.attached.notes)

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> Feed:
        """Begin to look; nothing happens when it does already."""
        if not self.running:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """End it; may be called twice, and by a sink."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(self.attached.looker.timeout + 1)

    def _run(self) -> None:
        for sample in self.attached.watch(patient=True):
            self.latest = sample
            self._sinks.send(sample)
            self._on_look()
            if self._stopping.is_set():
                return


class Words(HTML):
    """What a diagnosis says, on a page; elsewhere a line that says where to see it."""

    def __repr__(self) -> str:
        return "What binds, the evidence, what to try: open in JupyterLab."


class Watch:
    """A panel on a server. url and options: as `constraintlab watch` takes them; window: seconds
    that the verdict is on. Raises Trouble, which names the fix, where nothing can be looked at."""

    def __init__(self, url: str, window: float = WINDOW, sink: Sink | None = None, **options):
        self.window = window
        self.attached = attach(Options(url, **options), counted)
        if sink:
            self.attached.sinks.append(sink)
        self.attached.__enter__()
        first = self.attached.look()
        self.diagnosis: Diagnosis = self.attached.diagnose(window)
        self.feed = Feed(self.attached, self._looked)
        place = self.attached.looker.url.removesuffix("/metrics")
        chips = (f"measured · {self.attached.family} at {place.partition('://')[2]}",)
        self.panel = Panel(title="Your own server", chips=chips, sampler=self.feed)
        self.panel.set_timeline(timeline(first, self.attached))
        self.panel.set_strip(strip(Progress(say=lambda note: None)))
        self.words = Words()
        self._say()

    def start(self) -> Watch:
        """Look, and draw."""
        self.feed.start()
        return self

    def stop(self) -> Diagnosis:
        """Look no more; the panel rests on what it showed last. Returns the last diagnosis."""
        self.panel.close()
        self.attached.close()
        return self.diagnosis

    def _looked(self) -> None:
        self.diagnosis = self.attached.diagnose(self.window)
        self._say()

    def _say(self) -> None:
        self.panel.set_verdict(self.diagnosis.verdict)
        self.words.value = html(self.diagnosis)


def watch(url: str, **options) -> Watch:
    """Watch a server in a notebook: shows the panel and returns at once; see `Watch`."""
    from IPython.display import display

    found = Watch(url, **options).start()
    display(found.words, found.panel)
    return found


def html(found: Diagnosis) -> str:
    """What a panel does not say: how far to trust the verdict, its evidence, what to try."""
    sure = f" ({found.confidence} confidence)" if found.confidence else ""
    told = "\n".join([sentence(found) + sure, *lines(found)])
    return f'<div style="white-space: pre-wrap; line-height: 1.5">{escape(told)}</div>'


def timeline(first: Sample, attached: Attached) -> list[Series]:
    """Room and cores as shares of what there is of them; slots only where their number is known."""
    told = attached.told.slots if attached.told else None
    slots = told or first.values.get("server.slots")
    lines = [Series("server.kv_used_share", "KV pool", Resource.KV_CAPACITY)]
    if slots:
        lines.append(Series("server.running", "slots", Resource.SLOTS, slots))
    cores = "server.front_end_cores" if attached.family == "constraintlab" else "server.api_cores"
    lines.append(Series(cores, "front end's core", Resource.HOST))
    if attached.family == "sglang":
        lines.append(Series("server.device_busy_share", "GPU busy", None))
    return lines
