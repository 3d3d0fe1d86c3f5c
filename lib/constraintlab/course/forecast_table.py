"""The table that every lab shows: each fix's prediction beside its measurement, the score below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from constraintlab.course.forecast import ONCE, Forecast, Score
from constraintlab.course.show import Table
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource


def beside(
    done: Mapping[str, Forecast],
    score: Score,
    columns: Mapping[str, Mapping[str, object]] | None = None,
    note: str = "",
) -> Table:
    """Prediction beside measurement, a row a fix, and the score below. columns: further ones,
    from heading to key to what stands there."""
    columns = dict(columns or {})
    rows = [
        (
            f.fix, _gain(f.predicted), _gain(f.measured), _off(f.error),
            "yes" if f.inside else "no", _names(f.then), _names(f.bound),
            *(str(cells.get(key, "")) for cells in columns.values()),
        )
        for key, f in done.items()
    ]  # fmt: skip
    heads = ("fix", "predicted", "measured", "off by", "inside", "to bind then", "bound", *columns)
    return Table(heads, rows, " ".join(filter(None, (note, str(score)))))


def _off(error: float) -> str:
    """Without a sign where nothing is left to say it of: `-0%` is no error."""
    text = f"{error:+.0%}"
    return "0%" if text in ("+0%", "-0%") else text


def _gain(e: Estimate) -> str:
    if e.source.startswith("measured: once"):
        return f"×{e.value:.2f} ±{ONCE:.0%}"
    if f"{e.low:.2f}" == f"{e.high:.2f}":
        return f"×{e.value:.2f}"
    return f"×{e.value:.2f} ({e.low:.2f}\u00a0…\u00a0{e.high:.2f})"


def _names(resources: Sequence[Resource]) -> str:
    return " and ".join(r.label for r in resources)
