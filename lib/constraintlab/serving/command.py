"""`constraintlab serve`: from options on the command line to a server."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import Any

from constraintlab.engine.child import EngineDied
from constraintlab.engine.setup import Setup
from constraintlab.serving.options import Options
from constraintlab.serving.run import run

PATIENCE = 3.0
"""Seconds after which a start that takes its time says why."""

STARTING = "loading the model; on a machine's first start its kernels are compiled, ten seconds"


def main(setup: Mapping[str, Any], options: Mapping[str, Any]) -> int:
    """Serve until a signal; says on stdout where, once it does. Returns the exit status."""
    waiting = threading.Timer(PATIENCE, _say, (STARTING,))
    waiting.daemon = True

    def ready(url: str) -> None:
        waiting.cancel()
        print(f"serving {setup.model} at {url}", flush=True)

    try:
        setup, options = Setup(**setup), Options(**options)
        if options.exposed:
            _say(f"anyone who reaches {options.host} can use this server: give --api-key")
        waiting.start()
        run(setup, options, ready)
    except (ValueError, OSError, EngineDied) as error:
        _say(str(error))
        return 2
    except KeyboardInterrupt:
        pass
    finally:
        waiting.cancel()
    return 0


def _say(line: str) -> None:
    print(f"serve: {line}", file=sys.stderr, flush=True)
