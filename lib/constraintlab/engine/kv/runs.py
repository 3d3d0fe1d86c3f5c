"""The allocator of the contiguous store: free runs of neighbouring blocks, first fit."""

from __future__ import annotations

from bisect import bisect_left


class Runs:
    """The free runs among blocks 0 … n − 1, by start; two runs never touch."""

    def __init__(self, n: int) -> None:
        self._starts, self._sizes = [0], [n]

    def copy(self) -> Runs:
        """The same runs, to try something on."""
        twin = Runs(0)
        twin._starts, twin._sizes = self._starts.copy(), self._sizes.copy()
        return twin

    @property
    def free(self) -> int:
        """Free blocks, of all runs together."""
        return sum(self._sizes)

    @property
    def largest(self) -> int:
        """Blocks of the largest run: what one more reservation can get at most."""
        return max(self._sizes, default=0)

    def take(self, n: int) -> int | None:
        """The start of `n` blocks from the first run that has so many; None if there is none."""
        for i, size in enumerate(self._sizes):
            if size >= n:
                start = self._starts[i]
                if size == n:
                    del self._starts[i], self._sizes[i]
                else:
                    self._starts[i], self._sizes[i] = start + n, size - n
                return start
        return None

    def give(self, start: int, n: int) -> None:
        """`n` blocks from `start` are free again, and join the free runs beside them."""
        i = bisect_left(self._starts, start)
        if i < len(self._starts) and self._starts[i] == start + n:
            n += self._sizes[i]
            del self._starts[i], self._sizes[i]
        if i and self._starts[i - 1] + self._sizes[i - 1] == start:
            self._sizes[i - 1] += n
        else:
            self._starts.insert(i, start)
            self._sizes.insert(i, n)

    def blocks(self) -> list[int]:
        """All free blocks, in order."""
        pairs = zip(self._starts, self._sizes, strict=True)
        return [b for start, size in pairs for b in range(start, start + size)]

    def assert_consistent(self) -> None:
        """Runs are not empty, lie in order and don't touch."""
        end = -1
        for start, size in zip(self._starts, self._sizes, strict=True):
            assert size > 0, f"the free run at {start} is empty"
            assert start > end, f"the free run at {start} touches the one before, up to {end}"
            end = start + size
