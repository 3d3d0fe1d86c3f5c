"""What queueing theory says of one server whose requests come independently of each other."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean


def variation(services: Sequence[float]) -> float:
    """CV² of service times: their variance over the square of their mean."""
    mean = fmean(services)
    return fmean(s * s for s in services) / mean**2 - 1


def mean_wait(load: float, services: Sequence[float]) -> float:
    """M/G/1: seconds in the queue on average at a load of 0 to below 1, with service times like
    these. Pollaczek (1930) and Khinchine (1932): ρ/(1 − ρ) · E[S] · (1 + CV²)/2.

    ValueError for a load at which the queue never ends.
    """
    if not 0 <= load < 1:
        raise ValueError(f"load={load}: from 1 on the queue grows for ever, give 0 to below 1")
    return load / (1 - load) * fmean(services) * (1 + variation(services)) / 2
