"""Sources as a replay shows them: every one says that it was recorded, on what machine and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from constraintlab.panel.palette import DASHES, kind
from constraintlab.panel.ring import KINDS

SEEN = ("measured", "counted")
"""What becomes `recorded`; `modelled` stays so, and says that it was recorded besides."""

MESSAGES = ("view", "head")

HERE, LATER = "under way", "not run yet"
"""Of labs that the strip had no cell for: live they ask for a prediction, and here nobody can."""

RECORDED = KINDS.index("recorded")


def labelled(event: dict, origin: str) -> dict:
    """The event as it is drawn again. origin: the machine and the day."""
    if event["do"] == "row":
        return {**event, "row": _row(event["row"])}
    parts = {k: _walk(event[k], origin) for k in MESSAGES if k in event}
    if "view" in parts:
        view = parts["view"]
        strip = [
            c if c.get("done") else {**c, "note": HERE if c.get("here") else LATER}
            for c in view.get("strip", [])
        ]
        parts["view"] = {**view, "shows": f"recorded ({origin})", "strip": strip}
    return {**event, **parts}


def kinds(events: Iterable[dict]) -> set[str]:
    """The kinds of source of what the events show."""
    found = set()
    for event in events:
        for message in (event[k] for k in MESSAGES if k in event):
            found |= {node["kind"] for node in _nodes(message) if node.get("kind") in DASHES}
            found |= {kind(str(row[2])) for row in message.get("rows", []) if len(row) == 3}
    return found


def _nodes(node: object) -> Iterator[dict]:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _nodes(part)


def _walk(node: object, origin: str) -> object:
    if isinstance(node, list):
        return [_walk(part, origin) for part in node]
    if not isinstance(node, dict):
        return node
    out = {k: _walk(v, origin) for k, v in node.items()}
    if isinstance(out.get("sources"), list):
        out["sources"] = _chips(out["sources"], origin)
    if isinstance(out.get("chips"), list):
        out["chips"] = [_chip(str(c), origin) for c in out["chips"]]
    if isinstance(out.get("source"), str):
        out["source"] = said(out["source"], origin)
        if out.get("kind") in SEEN:
            out["kind"] = "recorded"
    if out.get("dash") in [DASHES[k] for k in SEEN]:
        out["dash"] = DASHES["recorded"]
    if isinstance(out.get("rows"), list):  # of streams: [name, value, source]
        out["rows"] = [[*r[:2], said(r[2], origin)] if isinstance(r, list) and len(r) == 3 else r
                       for r in out["rows"]]  # fmt: skip
    return out


def said(source: str, origin: str) -> str:
    """A value's source: `measured` → `recorded (AMD EPYC, 2 cores, 2026-03-01)`."""
    if kind(source) in SEEN:
        return f"recorded ({origin})"
    return f"{source}, recorded ({origin})" if kind(source) == "modelled" else source


def _chips(chips: list[dict], origin: str) -> list[dict]:
    """Measured and counted become one chip, at the place of the first."""
    held: dict[str, list[str]] = {}
    for chip in chips:
        name = "recorded" if chip["kind"] in SEEN else chip["kind"]
        held.setdefault(name, []).append(chip["what"])
    return [{"kind": k, "what": _what(k, ", ".join(w), origin)} for k, w in held.items()]


def _what(name: str, what: str, origin: str) -> str:
    if name == "recorded":
        return f"({origin}) {what}"
    return f"{what}, recorded ({origin})" if name == "modelled" else what


def _chip(text: str, origin: str) -> str:
    """A chip beside the title that names a source does so first: `measured · this machine`."""
    name = text.split(" · ")[0]
    if name in SEEN:
        return f"recorded · {origin}"
    return f"{text}, recorded ({origin})" if name == "modelled" else text


def _row(row: list) -> list:
    """[t, share …, kind of source …], where a measured one's kind becomes that of a recording."""
    half = 1 + (len(row) - 1) // 2
    seen = [KINDS.index(name) for name in SEEN]
    return [*row[:half], *(RECORDED if k in seen else k for k in row[half:])]
