"""`constraintlab perturb`: one scenario's elasticities, perturbed beside predicted."""

from __future__ import annotations

import json as library
from collections.abc import Sequence

from constraintlab.course.elasticity import Elasticity
from constraintlab.course.judge import REAL, Seen, judge
from constraintlab.scenarios.draw import draw
from constraintlab.scenarios.perturb import CUT, STUDENT, Interval


def main(seed: int, number: int, workloads: int, json: bool, real: bool = False) -> int:
    """Prints the table, or JSON alone; the exit status. real: on a real stack, not on the virtual
    clock; its scenarios are other, smaller ones."""
    if workloads not in STUDENT:
        import sys

        print(
            f"perturb: --workloads {workloads}: use {', '.join(map(str, STUDENT))}", file=sys.stderr
        )
        return 2
    if real:
        from constraintlab.scenarios.real.bed import Bed
        from constraintlab.scenarios.real.draw import draw as drawn

        with Bed() as bed:
            tell(judge(drawn(seed, number, bed.own), range(workloads), bed.run, source=REAL), json)
    else:
        tell(judge(draw(seed, number), range(workloads)), json)
    return 0


def tell(seen: Seen, json: bool) -> None:
    """One of both."""
    if json:
        print(library.dumps(as_dict(seen), indent=1, allow_nan=False))
    else:
        show(seen)


def rows(
    seen: Seen,
) -> Sequence[tuple[str, Interval, Elasticity | None, Interval, float | None, bool]]:
    """capacity, perturbed elasticity, predicted, perturbed share, predicted, whether they agree."""
    shares = {r.value: share for r, share in seen.verdict.shares.items()}
    return [
        (
            name,
            seen.truth.elasticity(name),
            seen.predicted.get(name),
            seen.truth.share(name),
            shares.get(name),
            name not in seen.apart,
        )
        for name in seen.truth.elasticities
    ]


def as_dict(seen: Seen) -> dict:
    """Plain data."""
    return {
        "scenario": seen.scenario.name,
        "source": seen.verdict.measured.source,
        "x": [run.x for run in seen.truth.base],
        "predicted_x": seen.verdict.predicted,
        "named": list(seen.names),
        "next": [r.value for r in seen.verdict.next],
        "largest": seen.truth.largest,
        "right": seen.right,
        "capacities": [
            {
                "capacity": name, "factor": seen.truth.factors[name],
                "elasticity": [e.value, e.low, e.high],
                "predicted_elasticity": pe and pe.value, "may_be": pe and pe.between,
                "share": [s.value, s.low, s.high], "predicted_share": ps, "agrees": agrees,
            }
            for name, e, pe, s, ps, agrees in rows(seen)
        ],
    }  # fmt: skip


def show(seen: Seen) -> None:
    """The table, a sentence above it and one below."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console, x = Console(highlight=False), seen.verdict.x
    console.print(
        f"Scenario {seen.scenario.name} ({seen.verdict.measured.source}): {x:,.0f} tok/s, "
        f"predicted {seen.verdict.predicted:,.0f}. {len(seen.truth.seeds)} workloads, each "
        f"capacity cut by {CUT:.0%}."
    )
    table = Table(box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    table.add_column("capacity", no_wrap=True)
    for name in ("elasticity", "95%", "predicted", "may be", "share", "predicted"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for name, e, pe, s, ps, agrees in sorted(rows(seen), key=lambda r: -r[1].value):
        table.add_row(
            name, f"{e.value:.2f}", f"{e.low:.2f}…{e.high:.2f}", _number(pe and pe.value),
            _range(pe), f"{s.value:.2f}", _number(ps), "" if agrees else "apart",
        )  # fmt: skip
    console.print(table)
    console.print(
        f"The verdict names {' and '.join(seen.names) or 'nothing'}; the largest share by "
        f"perturbation is {seen.truth.largest}: {'right' if seen.right else 'wrong'}. Twice the "
        f"capacity of {seen.names[0] if seen.names else 'it'}: ×{seen.gain:.2f} predicted, "
        f"×{seen.real:.2f} seen."
    )


def _range(predicted: Elasticity | None) -> str:
    """What it may be, where that is more than one number."""
    low, high = (f"{end:.2f}" for end in predicted.between) if predicted else ("", "")
    return f"{low}…{high}" if low != high else ""


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
