"""`constraintlab plan`: from options on the command line to how many replicas a promise takes."""

from __future__ import annotations

import json
import sys

from constraintlab.course import planning
from constraintlab.engine.ledger import CAUSES
from constraintlab.engine.setup import Setup
from constraintlab.engine.virtual.machines import H100_BLOCKS, h100
from constraintlab.load import profiles
from constraintlab.load.slo import Slo
from constraintlab.watch.numbers import amount

COST = h100()
PERCENTILES = (90.0, 99.0)
METRICS = {"ttft": "first token", "e2e": "whole answer"}


def main(
    profile: str, rate: float, slo: str, p: float, slots: int, policy: str, tokens: int,
    as_json: bool,
) -> int:  # fmt: skip
    """Exit status: 0 with an answer, 2 where there is none; stderr says why, and what was tried."""
    try:
        if p not in PERCENTILES:
            raise ValueError(f"p={p:g}: give 90 or 99")
        setup = Setup(policy=policy, slots=slots, tokens=tokens, blocks=H100_BLOCKS)
        found = planning.size(
            profiles.load(profile), rate, Slo.parse(slo), setup, COST, p,
            say=lambda tried: print(line(tried, p), file=sys.stderr, flush=True),
        )  # fmt: skip
    except ValueError as error:
        print(f"plan: {error}", file=sys.stderr)
        return 2
    print(json.dumps(as_dict(found), indent=1) if as_json else text(found))
    return 0


def line(tried: planning.Sized, p: float) -> str:
    """What was tried, as it is."""
    told = []
    for metric, name in METRICS.items():
        said, spread = tried.all(metric), tried.spread(metric, p)
        low, high = (amount(x, "s") for x in spread)
        told.append(
            f"{name} {amount(said.mean, 's')}, p{p:g} {amount(said[p], 's')} ({low}-{high})"
        )
    idle = " (nearly idle)" if tried.replicas == planning.MOST else ""
    many = "replica " if tried.replicas == 1 else "replicas"
    return f"  {tried.replicas:5d} {many}: {'; '.join(told)}{idle}"


def text(found: planning.Sizes) -> str:
    """The answer for a person."""
    mean, tail = found.by_mean, found.by_tail
    told = [
        f"{tail.replicas} replicas keep {found.slo} at p{found.p:g}; "
        f"by the mean {mean.replicas} seem enough.",
    ]
    for metric in mean.broken(found.slo, found.p):
        missed = mean.all(metric)[found.p]
        spent = mean.spent(metric)
        cause = next(iter(spent))
        told.append(
            f"With {mean.replicas} the p{found.p:g} of {METRICS[metric]} is {amount(missed, 's')}; "
            f"most of the slowest ones' goes to {CAUSES[cause]}, {amount(spent[cause], 's')} each."
        )
    told.append(f"Costs are {COST.source}; real engines do less: measure yours before you buy.")
    return "\n".join(told)


def as_dict(found: planning.Sizes) -> dict:
    """The answer for a program."""
    return {
        "slo": str(found.slo), "p": found.p, "source": COST.source,
        "by_mean": found.by_mean.replicas, "by_tail": found.by_tail.replicas,
        "tried": [
            {
                "replicas": s.replicas, "output_tokens_per_s": s.rate,
                **{m: s.all(m).json() for m in planning.METRICS},
                "slowest_spent": {m: s.spent(m) for m in planning.METRICS},
            }
            for s in found.tried
        ],
    }  # fmt: skip
