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
        """The report as a table in the terminal."""
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        console, table = Console(), Table(title=f"bench {self.bench}", title_justify="left")
        for name, justify in (
            ("metric", "left"), ("value", "right"), ("low … high", "right"), ("context", "left"),
        ):  # fmt: skip
            table.add_column(name, justify=justify)
        for r in self.results:
            value, spread = f"{r['value']:.4g} {r['unit']}", f"{r['low']:.4g} … {r['high']:.4g}"
            table.add_row(r["metric"], value, spread, Text(r["context"]))
        console.print(table)
        for s in self.skipped:
            console.print(Text(f"skipped {s['metric']}: {s['reason']}"))
