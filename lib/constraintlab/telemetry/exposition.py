"""Prometheus' text of one moment, and what has grown between two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Labels = frozenset[tuple[str, str]]
"""What tells the series of one name apart."""

SAMPLES = {"counter": ("_total", ""), "histogram": ("_sum", "_count"), "gauge": ("",)}
"""The samples that a family of this type has, by their ending."""


@dataclass(frozen=True)
class Scrape:
    """All series that a server told at `t`, by name and labels; buckets are left out.

    declared: names that it knows, also those that have no series yet.
    """

    t: float
    series: Mapping[str, Mapping[Labels, float]]
    declared: frozenset[str]

    @classmethod
    def of(cls, text: str, t: float) -> Scrape:
        """Read Prometheus' text format. ValueError for what is none."""
        from prometheus_client.parser import text_string_to_metric_families

        series: dict[str, dict[Labels, float]] = {}
        declared = set()
        for family in text_string_to_metric_families(text):
            declared.update(family.name + end for end in SAMPLES.get(family.type, ("",)))
            for sample in family.samples:
                if not sample.name.endswith("_bucket"):
                    found = series.setdefault(sample.name, {})
                    found[frozenset(sample.labels.items())] = sample.value
        return cls(t, series, frozenset(declared))

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
