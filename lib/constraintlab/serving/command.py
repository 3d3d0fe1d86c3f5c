"""`constraintlab serve`: from options on the command line to a server."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from constraintlab.engine.child import EngineDied
from constraintlab.engine.setup import Setup
from constraintlab.serving.options import Options
from constraintlab.serving.run import run


def main(setup: Mapping[str, Any], options: Mapping[str, Any]) -> int:
    """Serve until a signal; says on stdout where, once it does. Returns the exit status."""
    try:
        setup, options = Setup(**setup), Options(**options)
        if options.exposed:
            _say(f"anyone who reaches {options.host} can use this server: give --api-key")
        run(setup, options, lambda url: print(f"serving {setup.model} at {url}", flush=True))
    except (ValueError, OSError, EngineDied) as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        pass
    return 0


def _say(line: str) -> None:
    print(f"serve: {line}", file=sys.stderr, flush=True)
