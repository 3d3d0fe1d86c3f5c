"""`Ring`: the last half minute of samples, in the form in which the browser gets them."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Sequence

from constraintlab.panel.numbers import finite
from constraintlab.panel.palette import DASHES, kind
from constraintlab.panel.parts import Series

KEEP = 300
"""Samples kept for a page that reloads: 30 s at 10 Hz."""

KINDS = tuple(DASHES)
"""A source travels as its place in this list."""


class Ring:
    """Rows `[t, share of each series …, kind of each source …]` of 64-bit floats.

    `epoch` grows whenever the columns change, so that a row is never read under the wrong
    headings. Not for two threads at once: the panel locks.
    """

    def __init__(self, keep: int = KEEP) -> None:
        self.series: tuple[Series, ...] = ()
        self.epoch = 0
        self.sources: tuple[str, ...] = ()
        self._rows: deque[array] = deque(maxlen=keep)

    def __len__(self) -> int:
        return len(self._rows)

    def start(self, series: Sequence[Series]) -> None:
        """New columns; the rows so far go."""
        self.series = tuple(series)
        self.sources = ("n/a: no sample yet",) * len(self.series)
        self.epoch += 1
        self._rows.clear()

    def add(self, sample) -> bytes:
        """Keep a telemetry `Sample` as a row and return it; a clock that restarts empties the ring.

        What can't be drawn (None, NaN, infinite) becomes NaN.
        """
        row = array("d", [sample.t])
        sources = []
        for s in self.series:
            value = sample.values.get(s.key)
            share = value / s.full if finite(value) else math.nan
            row.append(share if finite(share) else math.nan)
            sources.append(sample.sources.get(s.key, f"n/a: {s.key} is not sampled"))
        row.extend(KINDS.index(kind(source)) for source in sources)
        self.sources = tuple(sources)
        if self._rows and row[0] < self._rows[-1][0]:
            self._rows.clear()
        self._rows.append(row)
        return row.tobytes()

    def shares(self) -> list[array]:
        """The rows without their sources: `[t, share …]`, oldest first."""
        return [row[: len(self.series) + 1] for row in self._rows]

    def tobytes(self) -> bytes:
        """All rows, one after the other."""
        return b"".join(row.tobytes() for row in self._rows)
