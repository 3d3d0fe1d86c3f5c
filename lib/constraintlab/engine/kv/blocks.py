"""The allocator of the paged stores: block ids with reference counts."""

from __future__ import annotations

from collections import OrderedDict


class Blocks:
    """Ids 0 … n − 1. A block with references is held; the others are idle, in a queue.

    `take` gives the block in front. A block that nobody holds any more goes to the front
    (written last, so most likely still in the processor's cache) or, on request, to the back:
    there lie blocks whose contents may be wanted again, and the one at the back longest is
    taken first, so the queue is also an LRU list. `hold` fetches an idle block out of it.
    """

    def __init__(self, n: int) -> None:
        self.refs = [0] * n
        self._idle = OrderedDict.fromkeys(range(n))

    @property
    def free(self) -> int:
        """Blocks without references."""
        return len(self._idle)

    def take(self) -> int:
        """An idle block, now with one reference. The caller knows that there is one."""
        assert self._idle, "take from an empty pool: ask `free` first"
        block, _ = self._idle.popitem(last=False)
        self.refs[block] = 1
        return block

    def hold(self, block: int) -> None:
        """One reference more; the block may have been idle."""
        if not self.refs[block]:
            del self._idle[block]
        self.refs[block] += 1

    def drop(self, block: int, back: bool = False) -> bool:
        """One reference less. Returns whether that was the last, and the block is idle now."""
        assert self.refs[block] > 0, f"block {block} is dropped more often than held"
        self.refs[block] -= 1
        if self.refs[block]:
            return False
        self._idle[block] = None
        if not back:
            self._idle.move_to_end(block, last=False)
        return True

    def assert_consistent(self, expected: dict[int, int]) -> None:
        """Each block has the references in `expected`, 0 where it is not named, and is in the
        queue exactly if it has none."""
        for block, refs in enumerate(self.refs):
            assert refs == expected.get(block, 0), (
                f"block {block} counts {refs} references: {expected.get(block, 0)} tables have it"
            )
            assert (block in self._idle) == (refs == 0), f"block {block}: {refs} references, queue"
