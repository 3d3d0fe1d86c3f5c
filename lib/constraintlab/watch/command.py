"""`constraintlab diagnose`: one verdict on a server, or on a recording of one."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from constraintlab.load.preflight import Trouble
from constraintlab.load.slo import Slo
from constraintlab.telemetry import recording
from constraintlab.telemetry.replay import relabelled
from constraintlab.watch.attached import EVERY, Attached, Counted
from constraintlab.watch.diagnosis import Diagnosis
from constraintlab.watch.facts import Told
from constraintlab.watch.judge import judge
from constraintlab.watch.looks import Looker
from constraintlab.watch.probe import Probe
from constraintlab.watch.reach import place
from constraintlab.watch.window import Window
from constraintlab.watch.words import lines, sentence

VERDICT, TROUBLE, NO_VERDICT = 0, 2, 3
"""Exit statuses."""


@dataclass(frozen=True)
class Options:
    """What the command line gave; see its help."""

    url: str
    seconds: float | None = None
    every: float = EVERY
    timeout: float = 5.0
    key: str | None = None
    model: str | None = None
    probe: bool = True
    slots: float | None = None
    peak_flops: float | None = None
    peak_bandwidth: float | None = None
    slo: str = ""

    @property
    def told(self) -> Told:
        return Told(self.slots, self.peak_flops, self.peak_bandwidth)


def attach(options: Options, counted: Counted | None = None) -> Attached:
    """The server that they name; Trouble where that is no address. counted: see `Attached`; its
    ceilings are this machine's, so it is used for a server on this one alone."""
    slo = promised(options.slo)
    key = options.key or os.environ.get("OPENAI_API_KEY") or None
    where = place(options.url)
    looker = Looker(where.metrics, key, options.timeout)
    probe = Probe(where.api, options.model, key) if options.probe else None
    here = urlsplit(where.api).hostname in ("localhost", "127.0.0.1", "::1")
    return Attached(
        looker, probe, every=options.every, told=options.told, slo=slo,
        counted=counted if here else None,
    )  # fmt: skip


def diagnose(options: Options, as_json: bool = False, counted: Counted | None = None) -> int:
    """Exit status: 0 with a verdict, 3 without enough evidence, 2 where there is nothing to see."""
    say = Console(stderr=True, highlight=False)
    try:
        found = _recorded(options) if is_file(options.url) else _live(options, counted)
    except (ValueError, recording.RecordingError) as error:
        say.print(f"diagnose: {error}", markup=False, soft_wrap=True)
        return TROUBLE
    if as_json:
        print(json.dumps(found.as_dict(), indent=1))
    else:
        out = Console(highlight=False)
        for line in (sentence(found), *lines(found)):
            out.print(line, markup=False, soft_wrap=True)
    return VERDICT if found.known else NO_VERDICT


def promised(text: str) -> Slo:
    """An SLO of what histograms tell; Trouble for others."""
    slo = Slo.parse(text)
    if slo.tpot is not None:
        raise Trouble("no server's metrics tell each request's TPOT: give itl= for the gaps")
    return slo


def is_file(name: str) -> bool:
    """Whether somebody means a recording: there is such a file, or it looks like one's name. No
    address begins as a path does."""
    path = name.startswith(("/", "./", "../", "~")) or name.endswith((".jsonl", ".gz"))
    return "://" not in name and (path or Path(name).exists())


def _live(options: Options, counted: Counted | None = None) -> Diagnosis:
    with attach(options, counted) as attached:
        for _ in attached.watch(options.seconds or 15.0):
            pass
        return attached.diagnose()


def _recorded(options: Options) -> Diagnosis:
    found = recording.read(options.url)
    samples = [relabelled(s, found.header.origin) for s in found.samples]
    if not any(n.startswith("server.") for s in samples for n in s.values):
        raise Trouble(f"{options.url} has no look at a server: record one with "
                      "`constraintlab watch URL --record FILE`")  # fmt: skip
    family = found.header.machine.get("server", "")
    verdict = judge(Window.of(samples), family, options.told, promised(options.slo))
    return replace(verdict, notes=(*found.notes, *verdict.notes))
