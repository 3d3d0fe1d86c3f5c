"""What a browser plays: tabs of recordings, each with its moments, steps and frames."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence

from constraintlab.limits.resource import Resource
from constraintlab.panel.palette import named
from constraintlab.recordings.labels import labelled
from constraintlab.recordings.tape import DEVICES, Tape
from constraintlab.recordings.thin import FRAMES

TICK = 0.2
"""Seconds: what happens within them is one moment of the slider. Where nothing happens there is
no moment, so the slider spends no way on it."""

AFTER = 0.25
"""Seconds after a step in which its last frames may still come."""

NAMES = {"cpu": "CPU, recorded", "gpu": "GPU, recorded"}
MISSING = {
    "cpu": "There is no CPU recording of lab {lab} yet. One is made by `make execute ONLY={lab}`.",
    "gpu": "There is no GPU recording of lab {lab} yet. One is made by `make execute ONLY={lab}` "
           "on a machine with an NVIDIA GPU.",
}  # fmt: skip


def tabs(lab: str, tapes: Sequence[Tape]) -> list[dict]:
    """One tab a recording, CPU before GPU, and one that says how it is made for what there is none
    of."""
    out = []
    for device in DEVICES:
        of = [tape for tape in tapes if tape.head.device == device]
        if not of:
            missing = MISSING[device].format(lab=lab)
            out.append({"tab": NAMES[device], "missing": missing})
        for tape in of:
            name = f"{NAMES[device]}: {tape.name}" if of[1:] else NAMES[device]
            out.append({"tab": name, **_played(tape)})
    return out


def packed(lab: str, tapes: Sequence[Tape]) -> bytes:
    """The tabs as the page takes them: JSON, compressed with gzip."""
    return gzip.compress(json.dumps(tabs(lab, tapes)).encode(), 6, mtime=0)


def about(tape: Tape) -> str:
    """The machine, software and run, in a line."""
    head = tape.head
    driver = f", driver {head.machine['driver']}" if "driver" in head.machine else ""
    versions = ", ".join(f"{name} {number}" for name, number in head.versions.items())
    size = "" if head.preset == "full" else f"; preset {head.preset}, small sizes"
    return f"recorded ({head.origin}){driver}; {versions}; made by: {head.command}{size}"


def _played(tape: Tape) -> dict:
    frames = [e for e in tape.events if e["do"] in FRAMES]
    shown = [labelled(e, tape.head.origin) for e in frames]
    at = _moments(frames)
    return {
        "about": about(tape), "notes": list(tape.notes), "moments": at,
        "steps": [{**s, "moment": _moment(at, s.pop("t"))} for s in steps(tape)],
        "frames": [{k: v for k, v in e.items() if k not in ("cell", "t")} for e in shown],
    }  # fmt: skip


def _moments(frames: Sequence[dict]) -> list[list]:
    """[t, how many frames there are by then] of each moment, in order."""
    out: list[list] = []
    begun = 0.0
    for i, event in enumerate(frames, 1):
        if not out or event["t"] - begun > TICK:
            begun = event["t"]
            out.append([event["t"], i])
        out[-1] = [event["t"], i]
    return out


def _moment(moments: Sequence[Sequence], t: float) -> int:
    """The last moment by then; the first one for what came before all."""
    return max([i for i, (at, _) in enumerate(moments) if at <= t + AFTER], default=0)


def steps(tape: Tape) -> list[dict]:
    """What the lab asked, ran and found, in order: t, kind, title, and lines of text.

    kind: `ask`, `run`, `found`, `claims` or `strip`. A line is (text, mark), mark `yes` for what
    was measured or held, `no` for a claim that did not, else empty.
    """
    out: list[dict] = []
    for event in tape.events:
        t, do = event["t"], event["do"]
        if do == "question":
            lines = [(o, "") for o in event["options"]]
            out.append(_step(t, "ask", "Predict", event["question"], lines))
        elif do == "reveal":
            lines = [(o, "yes" if o == event["truth"] else "") for o in event["options"]]
            if event["truth"] not in event["options"]:
                lines.append((event["truth"], "yes"))
            lines.append((event["because"], ""))
            out.append(_step(t, "found", f"Measured: {event['truth']}", event["question"], lines))
        elif do == "run":
            out.append(_step(t, "run", event["name"], event["text"], []))
        elif do == "said":
            out.append(_step(t, "found", "In words", event["text"], []))
        elif do == "claim":
            if not out or out[-1]["kind"] != "claims":
                out.append(_step(t, "claims", "Claims", "Held to at the end of the lab:", []))
            held = bool(event["holds"])
            seen = event.get("seen")
            text = event["text"] if held else f"{event['text']} (does not hold: {seen})"
            out[-1]["lines"].append((text, "yes" if held else "no"))
        elif do == "strip":
            known = event["constraint"] in set(Resource)
            where = f"{named(Resource(event['constraint']))}: " if known else ""
            out.append(_step(t, "strip", "Where it went", f"{where}{event['note']}", []))
    return out


def _step(t: float, kind: str, title: str, text: str, lines: list[tuple[str, str]]) -> dict:
    return {"t": t, "kind": kind, "title": title, "text": text, "lines": lines}
