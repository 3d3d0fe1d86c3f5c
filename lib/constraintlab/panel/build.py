"""Build static/: `python -m constraintlab.panel.build` after a change to charts/ or src/.

It authors the specs with Altair and bundles src/*.js with Vega for offline use. The result is
committed, so that nobody who installs needs a bundler; the bundle's first line holds the hash
of what it was made from, and a test compares.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from constraintlab.panel import specs

HERE = Path(__file__).parent
BUNDLE = HERE / "static" / "panel.js"
SOURCES = ("dom", "theme", "feed", "charts", "lines", "canvas", "kvmap", "lanes", "streaming",
           "latency", "view", "player", "main")  # fmt: skip
"""Read in this order, as one scope: the bundler takes a single snippet."""


def snippet() -> str:
    """The hand-written JavaScript with the specs in front."""
    parts = [(HERE / "src" / f"{name}.js").read_text(encoding="utf-8") for name in SOURCES]
    return f"const SPECS = {specs.FILE.read_text(encoding='utf-8')};\n" + "\n".join(parts)


def stamp() -> str:
    """The bundle's first line for the sources as they are now."""
    return f"// built from {hashlib.sha256(snippet().encode()).hexdigest()}"


def main() -> None:
    import vl_convert

    specs.FILE.write_text(json.dumps(specs.author(), separators=(",", ":")), encoding="utf-8")
    print(f"{specs.FILE.name}: {specs.FILE.stat().st_size / 1e3:.0f} kB")
    text = f"{stamp()}\n{vl_convert.javascript_bundle(snippet())}"
    BUNDLE.write_text(text, encoding="utf-8")
    print(f"{BUNDLE.name}: {BUNDLE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
