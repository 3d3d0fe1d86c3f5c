"""The paged store of a prefill tier: who has finished leaves its KV behind, to be sent on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.request import Request

ENDS = ("stop", "length")
"""How a request ends whose KV somebody wants."""


class SendingKV(PagedKV):
    """A `PagedKV` that packs a finished request's KV before its blocks are free.

    pack: makes a parcel of flat slots and the tokens whose KV is in them.
    """

    def __init__(
        self, n_blocks: int, block_size: int, pack: Callable[[Sequence[int], tuple], object]
    ) -> None:
        super().__init__(n_blocks, block_size)
        self._pack = pack
        self._parcels: WeakKeyDictionary[Request, object] = WeakKeyDictionary()

    def release(self, request: Request) -> None:
        """See `KVStore`."""
        if request.finish_reason in ENDS:
            n, table = request.computed, self.holding(request).table
            self._parcels[request] = self._pack(self.slots(table, 0, n), request.span(0, n))
        super().release(request)

    def parcel(self, request: Request) -> object:
        """What was packed when it finished; once."""
        return self._parcels.pop(request)
