"""The page's colours, from the panel's palette, as CSS variables for light and dark."""

from __future__ import annotations

from functools import cache

from constraintlab.limits.resource import Resource
from constraintlab.panel.palette import COLOURS, MARKS, THEMES, TONES, edge


@cache
def css() -> str:
    """`:root` for light, `[data-theme=dark]` for dark; `.r-…` for each resource, with its mark."""
    rules = [f":root{_block('light')}", f'[data-theme="dark"]{_block("dark")}']
    for r in Resource:
        name = r.value
        rules.append(f".r-{name}{{--fill:{COLOURS[r]};--edge:var(--edge-{name})}}")
        rules.append(f'.r-{name}::before{{content:"{MARKS[r]}"}}')
    return "\n".join(rules)


def _block(theme: str) -> str:
    inks = [f"--{name}:{colour}" for name, colour in THEMES[theme].items()]
    inks += [f"--tone{i}:{tone}" for i, tone in enumerate(TONES[theme])]
    inks += [f"--edge-{r.value}:{edge(r, theme)}" for r in Resource]
    return "{" + ";".join([*inks, f"color-scheme:{theme}"]) + "}"
