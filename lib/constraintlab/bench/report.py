"""What every bench prints: metrics with their spread, and what was skipped and why."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field

from constraintlab.limits.estimate import Estimate


@dataclass
class Report:
    """One bench run on one machine; `add` metrics, `skip` those that can't be had."""

    bench: str
    machine: dict
    results: list[dict] = field(default_factory=list)
    skipped: list[dict] = field(default_factory=list)

    def add(self, metric: str, estimate: Estimate, context: str = "") -> None:
        """Add a metric; an absent or infinite one becomes a line in `skipped` with its reason."""
        if estimate.missing:
            self.skip(metric, estimate.source.removeprefix("n/a: "))
            return
        if not all(map(math.isfinite, (estimate.value, estimate.low, estimate.high))):
            self.skip(metric, f"not a finite number: {estimate.low} … {estimate.high}")
            return
        self.results.append(
            {
                "metric": metric,
                "value": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "unit": estimate.unit,
                "context": context,
            }
        )

    def skip(self, metric: str, reason: str) -> None:
        self.skipped.append({"metric": metric, "reason": reason})

    def json(self) -> str:
        """The report as one JSON document."""
        return json.dumps(
            {
                "bench": self.bench,
                "machine": self.machine,
                "results": self.results,
                "skipped": self.skipped,
            },
            indent=1,
            allow_nan=False,  # what Python would write for it is no JSON
        )

    def print(self) -> None:
        """The report in the terminal: a line of figures a metric, and what it stands for below."""
        from rich.console import Console
        from rich.padding import Padding
        from rich.text import Text

        console = Console(highlight=False)
        console.print(Text(f"bench {self.bench}", style="bold"))
        wide = max((len(r["metric"]) for r in self.results), default=0)
        for r in self.results:
            figures = f"{r['value']:>9.4g} {r['unit']:<3}  {r['low']:.4g} … {r['high']:.4g}"
            console.print(Text(f"{r['metric']:<{wide}}  {figures}"), soft_wrap=True)
            console.print(Padding(Text(r["context"], style="dim"), (0, 0, 0, 2)))
        for s in self.skipped:
            console.print(Text(f"skipped {s['metric']}: {s['reason']}"), soft_wrap=True)
