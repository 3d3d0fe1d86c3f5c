"""A server whose front end can be made to cost more; `Server` starts this module as a process."""

from __future__ import annotations

import sys

from constraintlab.scenarios.real.rig import burn
from constraintlab.serving import front, launch, run


class Front(front.Front):
    """Spends `frame` core-seconds of a `Rig` more on each token that it sends."""

    def sent(self, size: int, tokens: int) -> None:
        """See `Owner`."""
        super().sent(size, tokens)
        burn(getattr(self.setup, "frame", 0.0) * tokens)


class Server(launch.Server):
    """`launch.Server` with that front end."""

    MODULE = "constraintlab.scenarios.real.front"


def main() -> int:
    """See `serving.run`."""
    run.Front = Front
    return run.main()


if __name__ == "__main__":
    sys.exit(main())
