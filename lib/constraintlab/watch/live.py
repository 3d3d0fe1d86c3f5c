"""`constraintlab watch`: a server in the terminal until Ctrl-C, recorded if you like."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext

from rich.console import Console
from rich.live import Live

from constraintlab.telemetry.recording import Recorder, RecordingError
from constraintlab.watch.attached import Attached, Counted
from constraintlab.watch.command import NO_VERDICT, TROUBLE, VERDICT, Options, attach
from constraintlab.watch.diagnosis import Diagnosis
from constraintlab.watch.numbers import amount
from constraintlab.watch.view import view
from constraintlab.watch.words import lines, sentence

WINDOW = 30.0
"""Seconds that a live verdict is on."""


def watch(
    options: Options,
    record: str | None = None,
    once: bool = False,
    window: float = WINDOW,
    console: Console | None = None,
    counted: Counted | None = None,
) -> int:
    """Exit status as `command.diagnose`. once: look for a moment, print, and leave."""
    say = Console(stderr=True, highlight=False)
    out = console or Console(highlight=False)
    seconds = options.seconds or (5.0 if once else None)
    try:
        with ExitStack() as stack:
            attached = stack.enter_context(attach(options, counted))
            if record:
                attached.sinks.append(stack.enter_context(_recorder(record, attached)))
            found = _watch(attached, out, seconds, window, quiet=once)
    except (ValueError, RecordingError) as error:
        say.print(f"watch: {error}", markup=False, soft_wrap=True)
        return TROUBLE
    if record:
        say.print(f"recorded: constraintlab diagnose {record}", markup=False, soft_wrap=True)
    return VERDICT if found.known else NO_VERDICT


def _watch(
    attached: Attached, out: Console, seconds: float | None, window: float, quiet: bool
) -> Diagnosis:
    place = attached.looker.url.removesuffix("/metrics")
    terminal = out.is_terminal and not quiet
    live = Live(console=out, transient=True, auto_refresh=False) if terminal else nullcontext()
    try:
        with live:
            for sample in attached.watch(seconds, patient=True):
                found = attached.diagnose(window)
                if terminal:
                    live.update(view(found, list(attached.samples), place), refresh=True)
                elif not quiet:
                    out.print(_line(sample, found), markup=False, soft_wrap=True)
    except KeyboardInterrupt:
        pass
    found = attached.diagnose(window)
    if out.is_terminal:
        out.print(view(found, list(attached.samples), place))
    else:
        for line in (sentence(found), *lines(found)):
            out.print(line, markup=False, soft_wrap=True)
    return found


def _line(sample, found: Diagnosis) -> str:
    values = sample.values
    told = [
        f"{label} {amount(values[name], unit)}"
        for label, name, unit in (("running", "server.running", ""),
                                  ("waiting", "server.waiting", ""),
                                  ("KV", "server.kv_used_share", "%"))
        if values.get(name) is not None
    ]  # fmt: skip
    return f"{sample.t:6.1f} s  {'  '.join(told) or 'no answer'}  {sentence(found)}"


def _recorder(path: str, attached: Attached) -> Recorder:
    host = attached.looker.url.partition("://")[2].partition("/")[0]
    machine = {"cpu": f"{attached.family} at {host}", "server": attached.family}
    return Recorder(path, machine, note="looks at a server: constraintlab diagnose reads them")
