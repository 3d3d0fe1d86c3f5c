"""A page of its own for recordings: one file, which asks nothing of any other machine."""

from __future__ import annotations

import base64
import json
from html import escape

from constraintlab.panel.palette import THEMES
from constraintlab.panel.widget import STATIC

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0 auto; max-width: 1280px; padding: 8px; background: {light}; }}
@media (prefers-color-scheme: dark) {{ body {{ background: {dark}; }} }}
{css}
</style></head>
<body><main id="replay"></main>
<script type="module">
import panel from {module};
const tape = Uint8Array.from(atob({tape}), (c) => c.charCodeAt(0));
const model = {{ get: (name) => (name === "tape" ? tape : undefined), on() {{}}, off() {{}} }};
panel().render({{ model, el: document.getElementById("replay") }});
</script></body></html>
"""


def html(title: str, tape: bytes) -> str:
    """The page. tape: as `play.packed` makes it."""
    script = base64.b64encode((STATIC / "panel.js").read_bytes()).decode()
    return PAGE.format(
        title=escape(title),
        css=(STATIC / "panel.css").read_text("utf-8"),
        module=json.dumps(f"data:text/javascript;base64,{script}"),
        tape=json.dumps(base64.b64encode(tape).decode()),
        light=THEMES["light"]["page"],
        dark=THEMES["dark"]["page"],
    )
