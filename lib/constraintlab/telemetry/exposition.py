"""Prometheus' text of one moment, and what has grown between two of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

Labels = frozenset[tuple[str, str]]
"""What tells the series of one name apart."""

V = TypeVar("V")

SAMPLES = {"counter": ("_total", ""), "histogram": ("_sum", "_count"), "gauge": ("",)}
"""The samples that a family of this type has, by their ending."""


RANKS = ("tp_rank", "pp_rank", "moe_ep_rank")
"""SGLang's labels of processes that share one scheduler's work: each may tell the same requests."""


@dataclass(frozen=True)
class Scrape:
    """All series that a server told at `t`, by name and labels; what is told twice counts once.

    declared: names that it knows, also those that have no series yet. buckets: of histograms, by
    name, labels and upper bound, as cumulative as they came.
    """

    t: float
    series: Mapping[str, Mapping[Labels, float]]
    declared: frozenset[str]
    buckets: Mapping[str, Mapping[Labels, Mapping[float, float]]] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, t: float) -> Scrape:
        """Read Prometheus' text format. ValueError for what is none."""
        from prometheus_client.parser import text_string_to_metric_families

        series: dict[str, dict[Labels, float]] = {}
        buckets: dict[str, dict[Labels, dict[float, float]]] = {}
        declared = set()
        for family in text_string_to_metric_families(text):
            declared.update(family.name + end for end in SAMPLES.get(family.type, ("",)))
            for sample in family.samples:
                labels = dict(sample.labels)
                if sample.name.endswith("_bucket"):
                    bound = float(labels.pop("le"))
                    found = buckets.setdefault(family.name, {})
                    found.setdefault(frozenset(labels.items()), {})[bound] = sample.value
                else:
                    series.setdefault(sample.name, {})[frozenset(labels.items())] = sample.value
        return cls(
            t,
            {name: _once(found) for name, found in series.items()},
            frozenset(declared),
            {name: _once(found) for name, found in buckets.items()},
        )

    def values(self, name: str, labels: Labels = frozenset()) -> list[float]:
        """The series of this name that have these labels, and perhaps others."""
        return [v for own, v in self.series.get(name, {}).items() if labels <= own]

    def lacks(self, name: str, labels: Labels = frozenset()) -> str:
        """Why there is no value; empty if there is one."""
        if self.values(name, labels):
            return ""
        which = ", ".join(f'{k}="{v}"' for k, v in sorted(labels))
        shown = f"{name}{{{which}}}" if labels else name
        known = name in self.declared or name in self.series
        return f"{shown} has no value yet" if known else f"the server does not report {shown}"


def _once(series: dict[Labels, V]) -> dict[Labels, V]:
    """Without ranks that repeat rank 0, and without parts of a sum that is there (priorities)."""
    kept = {}
    for own, value in series.items():
        labels = dict(own)
        first = {k: "0" if k in RANKS else v for k, v in labels.items()}
        whole = first | ({"priority": ""} if labels.get("priority") else {})
        if whole == labels or frozenset(whole.items()) not in series:
            kept[own] = value
    return kept


def observed(before: Scrape, after: Scrape, name: str) -> dict[float, float] | None:
    """A histogram's observations between two scrapes by upper bound, each in one bucket alone.

    Resets as in `growth`; None if the server has no such histogram or `before` knew none.
    """
    if name not in after.buckets or not any(n in before.declared for n in (name, f"{name}_count")):
        return None
    found: dict[float, float] = {}
    for own, now in after.buckets[name].items():
        then = before.buckets.get(name, {}).get(own, {})
        anew = _made(after, name, own) != _made(before, name, own)
        if anew or any(now.get(bound, 0.0) < n for bound, n in then.items()):
            then = {}
        below = 0.0
        for bound in sorted(now):
            upto = now[bound] - then.get(bound, 0.0)
            found[bound] = found.get(bound, 0.0) + upto - below
            below = upto
    return found


def quantile(found: Mapping[float, float], q: float) -> tuple[float, float] | None:
    """The bounds of the bucket in which the q-quantile lies; None without an observation.

    The upper one is infinite where it lies beyond all bounds.
    """
    total = sum(found.values())
    if total <= 0:
        return None
    lower, upto = 0.0, 0.0
    for bound in sorted(found):
        upto += found[bound]
        if upto >= q * total * (1 - 1e-12):
            return lower, bound
        lower = bound
    return lower, math.inf


def growth(
    before: Scrape, after: Scrape, names: tuple[str, ...], labels: Labels = frozenset()
) -> tuple[float, ...] | None:
    """How much counters have grown, each summed over its series; None if `before` knew none.

    A counter that fell back, or says that it was made anew (`_created`), began at 0 in between,
    and with it the others of `names` that have its labels: a sum belongs to its count.
    """
    if not all(name in before.declared or name in before.series for name in names):
        return None
    grown = [0.0] * len(names)
    for own in {own for name in names for own in after.series.get(name, {}) if labels <= own}:
        now, then = ([s.series.get(n, {}).get(own, 0.0) for n in names] for s in (after, before))
        anew = any(a < b for a, b in zip(now, then, strict=True))
        if anew or any(_made(after, n, own) != _made(before, n, own) for n in names):
            then = [0.0] * len(names)
        grown = [g + a - b for g, a, b in zip(grown, now, then, strict=True)]
    return tuple(grown)


def _made(scrape: Scrape, name: str, own: Labels) -> float | None:
    """When a series was made, as it says itself, or None."""
    for end in ("_total", "_sum", "_count"):
        name = name.removesuffix(end)
    return scrape.series.get(f"{name}_created", {}).get(own)
