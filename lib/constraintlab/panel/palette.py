"""One colour and one mark per resource, the same everywhere, used for nothing else.

Colours from Okabe and Ito's palette for colour-blind readers; the mark is the second cue.
Names are never set in these colours (yellow on white would have contrast 1.3): the mark and an
underline carry the colour, the letters keep the text's.
"""

from __future__ import annotations

from constraintlab.limits.resource import Resource

COLOURS: dict[Resource, str] = {
    Resource.COMPUTE: "#0072B2",
    Resource.BANDWIDTH: "#D55E00",
    Resource.PAGES: "#8C564B",
    Resource.KV_CAPACITY: "#CC79A7",
    Resource.SLOTS: "#F0E442",
    Resource.HOST: "#E69F00",
    Resource.NETWORK: "#009E73",
    Resource.CLIENT: "#56B4E9",
    Resource.DEMAND: "#8A8F98",
}

MARKS: dict[Resource, str] = {
    Resource.COMPUTE: "●",
    Resource.BANDWIDTH: "◆",
    Resource.PAGES: "▼",
    Resource.KV_CAPACITY: "■",
    Resource.SLOTS: "⬟",
    Resource.HOST: "▲",
    Resource.NETWORK: "✚",
    Resource.CLIENT: "★",
    Resource.DEMAND: "–",
}

THEMES = {
    "light": {"text": "#1b1f24", "quiet": "#5b6470", "line": "#d9dee5", "card": "#f6f8fa",
              "page": "#ffffff"},
    "dark": {"text": "#e8eaed", "quiet": "#9aa3ad", "line": "#343b44", "card": "#1c2127",
             "page": "#14171b"},
}  # fmt: skip

TONES = {
    "light": ("#2b333d", "#5c6672", "#87919b"),
    "dark": ("#e6e9ed", "#aab3bd", "#76808b"),
}
"""What has no resource's colour: requests in turn in the KV map; prefill, decode and streaming."""

DASHES: dict[str, list[int]] = {
    "measured": [1, 0],
    "counted": [9, 2],
    "recorded": [5, 4],
    "modelled": [2, 3],
    "n/a": [1, 0],
}
"""Line style by source: the more a line is gaps, the further it is from a measurement."""

VISIBLE = 3.0
"""Contrast that a mark or line needs against its ground (WCAG 2.2, 1.4.11)."""


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: str, b: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def mix(a: str, b: str, part: float) -> str:
    """`a` with `part` (0 to 1) of `b` in it."""
    pairs = ((int(a[i : i + 2], 16), int(b[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(x + (y - x) * part):02x}" for x, y in pairs)


def edge(resource: Resource, theme: str) -> str:
    """What outlines a mark or bar: its own colour, or a visible shade where that is too faint."""
    ground, shade = THEMES[theme]["card"], COLOURS[resource]
    for part in range(5, 100, 5):
        if contrast(shade, ground) >= VISIBLE:
            break
        shade = mix(COLOURS[resource], THEMES[theme]["text"], part / 100)
    return shade


def on(colour: str) -> str:
    """Black or white, whichever reads better on `colour`."""
    return max(("#111418", "#ffffff"), key=lambda ink: contrast(ink, colour))


def named(resource: Resource) -> str:
    """Mark and label: `◆ bandwidth`."""
    return f"{MARKS[resource]} {resource.label}"


def kind(source: str) -> str:
    """`recorded: H100, 2026-11-01` → `recorded`."""
    head = source.split(":")[0]
    return head if head in DASHES else "n/a"


def inks(theme: str, ground: str = "card") -> dict:
    """The colours of the canvases: `faint` is a tone's hatching, `line` outlines what is free.

    looks: of the resources that streams pass through, each with its outline and its filling.
    """
    c = THEMES[theme]
    return {
        **{name: c[name] for name in ("text", "quiet", "line")},
        "ground": c[ground],
        "tones": list(TONES[theme]),
        "faint": [mix(tone, c[ground], 0.5) for tone in TONES[theme]],
        "pool": edge(Resource.KV_CAPACITY, theme),
        "looks": {
            "": {"colour": c["quiet"], "edge": c["quiet"], "faint": c["line"]},
            **{r.value: _look(r, theme, c[ground]) for r in ON_THE_WAY},
        },
    }


ON_THE_WAY = (Resource.NETWORK, Resource.HOST, Resource.CLIENT)
"""What a token passes after the engine."""


def _look(resource: Resource, theme: str, ground: str) -> dict[str, str]:
    colour = COLOURS[resource]
    return {"colour": colour, "edge": edge(resource, theme), "faint": mix(colour, ground, 0.6)}
