"""A server whose exporter lost a metric: `python -m constraintlab.gameday.exporter`.

As exporters do between two versions: the number of waiting requests has a new name, and the old
one is still there and says zero.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from prometheus_client.core import Metric

from constraintlab.serving import launch, metrics, run

WAITING, RENAMED = "vllm:num_requests_waiting", "vllm:num_requests_waiting_by_reason"


class Renamed(metrics.Collector):
    """Everything as it is, but for one name."""

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        for metric in super().collect():
            if metric.name == WAITING:
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
