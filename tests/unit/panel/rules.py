"""What every chart owes its reader, as functions of a Vega-Lite spec that return complaints."""

from __future__ import annotations

import re
from collections.abc import Iterator

from constraintlab.limits.resource import Resource
from constraintlab.panel.palette import COLOURS, ON_THE_WAY, THEMES, edge, inks

UNIT = re.compile(r"%|×|\bs\b|seconds|FLOP|KiB|bytes|keys|mean services")
"""What an axis is in. A title that names none leaves the reader with bare numbers."""

VIVID = 48
"""Between a colour's largest and smallest part: below this it is a grey."""


def views(spec: dict, over: dict | None = None) -> Iterator[list[dict]]:
    """The encodings of each single plot: those of its layers, with what they have in common."""
    shared = {**(over or {}), **spec.get("encoding", {})}
    for key in ("hconcat", "vconcat", "concat"):
        for part in spec.get(key, []):
            yield from views(part)
    if "layer" in spec:
        yield [e for layer in spec["layer"] for plot in views(layer, shared) for e in plot]
    elif "mark" in spec:
        yield [shared]


def titles_of(encodings: list[dict], channel: str) -> tuple[bool, set[str]]:
    """(whether a channel has a scale that a reader needs an axis for, the titles of that axis)."""
    scaled, found = False, set()
    for encoding in encodings:
        e = encoding.get(channel, {})
        if "field" not in e or ("scale" in e and e["scale"] is None):
            continue
        axis = e.get("axis", {})
        scaled |= axis is not None
        title = e.get("title", (axis or {}).get("title"))
        found |= {title} if title else set()
    return scaled, found


def axes(spec: dict) -> list[str]:
    """Plots with an axis that has no title, or one of numbers without a unit. A plot that has no
    axis at all is a table, whose words stand in it."""
    found, plots, names = [], 0, set()
    for encodings in views(spec):
        for channel in "xy":
            scaled, titles = titles_of(encodings, channel)
            plots += scaled
            kinds = {e.get(channel, {}).get("type") for e in encodings}
            if not scaled:
                continue
            if "quantitative" not in kinds or placed(encodings, channel):
                names |= titles or {""}
            elif not titles:
                found.append(f"an axis of {channel} has no title")
            elif not all(UNIT.search(t) for t in titles):
                found.append(f"no unit in {', '.join(sorted(titles))}")
    if names == {""}:
        found.append("an axis of names says of nothing what they are")
    return found if plots else [*found, "no plot has an axis"]


def placed(encodings: list[dict], channel: str) -> bool:
    """Whether numbers are no more than places of rows: their axis has no labels and no domain."""
    own = [e[channel].get("axis") for e in encodings if "axis" in e.get(channel, {})]
    return bool(own) and all(a and not a.get("labels", True) and a.get("titleAngle") == 0
                             for a in own)  # fmt: skip


def title(spec: dict) -> str:
    """The title's words, empty if there is none."""
    said = spec.get("title", "")
    said = said.get("text", "") if isinstance(said, dict) else said
    return " ".join(said) if isinstance(said, list) else said


def strings(node: object) -> Iterator[str]:
    if isinstance(node, dict | list):
        for part in node.values() if isinstance(node, dict) else node:
            yield from strings(part)
    elif isinstance(node, str):
        yield node


def vivid(colour: str) -> bool:
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return max(parts) - min(parts) > VIVID


def colours(spec: dict, theme: str) -> list[str]:
    """Colours that are no grey and no resource's."""
    known = {c.lower() for c in COLOURS.values()} | {edge(r, theme).lower() for r in Resource}
    for ground in THEMES[theme]:
        looks = inks(theme, ground)["looks"] if ground in ("card", "page") else {}
        known |= {looks[r.value]["faint"].lower() for r in ON_THE_WAY if looks}
    seen = {s.lower() for s in strings(spec) if re.fullmatch("#[0-9a-fA-F]{6}", s)}
    return [f"{c} is no resource's colour" for c in sorted(seen - known) if vivid(c)]
