"""Bundle src/panel.js with Vega for offline use: `python lib/constraintlab/panel/build.py`.

The bundle is committed, so that nobody who installs needs a bundler; its first line holds
the hash of the source it was made from, and a test compares the two.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

HERE = Path(__file__).parent
SOURCE, BUNDLE = HERE / "src" / "panel.js", HERE / "static" / "panel.js"


def stamp() -> str:
    """The bundle's first line for the source as it is now."""
    return f"// built from {hashlib.sha256(SOURCE.read_bytes()).hexdigest()}"


def main() -> None:
    import vl_convert

    BUNDLE.write_text(f"{stamp()}\n{vl_convert.javascript_bundle(SOURCE.read_text())}")
    print(f"{BUNDLE.name}: {BUNDLE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
