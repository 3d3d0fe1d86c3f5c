"""One colour and one mark per resource, the same everywhere, used for nothing else.

Colours from Okabe and Ito's palette for colour-blind readers. The mark is the second cue.
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
    "dark": {"text": "#e8eaed", "quiet": "#9aa3ad", "line": "#30363d", "card": "#1c2127",
             "page": "#14171b"},
}  # fmt: skip


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: str, b: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def on(colour: str) -> str:
    """Black or white, whichever reads better on `colour`."""
    return max(("#111418", "#ffffff"), key=lambda ink: contrast(ink, colour))


def named(resource: Resource) -> str:
    """Mark and label: `◆ bandwidth`."""
    return f"{MARKS[resource]} {resource.label}"
