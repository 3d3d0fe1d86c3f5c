"""A server whose exporter may lose a metric: `python -m constraintlab.gameday.exporter`.

As exporters do between two versions: the number of waiting requests has a new name, and the old
one is still there and says zero. So it is while the engine's setup is one with `renamed`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from prometheus_client.core import Metric

from constraintlab.serving import launch, metrics, run

WAITING, RENAMED = "vllm:num_requests_waiting", "vllm:num_requests_waiting_by_reason"


class Renamed(metrics.Collector):
    """Everything as it is, but for that name."""

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        for metric in super().collect():
            if metric.name == WAITING and getattr(self._front.setup, "renamed", False):
                _, waiting, _ = self._front.engine_now()
                yield self._gauge(RENAMED, metric.documentation, waiting, {"reason": "capacity"})
                metric = self._gauge(WAITING, metric.documentation, 0)
            yield metric


class Server(launch.Server):
    """`launch.Server` with that exporter."""

    MODULE = "constraintlab.gameday.exporter"


def main() -> int:
    """See `serving.run`."""
    metrics.Collector = Renamed
    return run.main()


if __name__ == "__main__":
    sys.exit(main())
