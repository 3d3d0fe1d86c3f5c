"""The paged store of a decode tier: KV that was computed elsewhere is a prefix that is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.kv.paged_tally import PagedTally
from constraintlab.engine.kv.transfer import Parcel
from constraintlab.engine.request import Request


class ReceivingKV(PagedKV):
    """A `PagedKV` in which a request that enters has the KV of its parcel, if one was expected.

    unpack: writes a parcel to flat slots. A request that is preempted has lost its parcel too,
    and is computed anew, here.
    """

    def __init__(
        self, n_blocks: int, block_size: int, unpack: Callable[[Parcel, Sequence[int]], object]
    ) -> None:
        super().__init__(n_blocks, block_size)
        self._unpack = unpack
        self._parcels: WeakKeyDictionary[Request, Parcel] = WeakKeyDictionary()

    def expect(self, request: Request, parcel: Parcel) -> None:
        """The request, which is not here yet, brings this."""
        self.check_new(request)
        self._parcels[request] = parcel

    def prefix(self, request: Request) -> int:
        """See `KVStore`."""
        parcel = self._parcels.get(request)
        return parcel.length if parcel else 0

    def tally(self) -> PagedTally:
        """See `KVStore`."""
        return ReceivingTally(self)

    def need(self, request: Request, n: int) -> int:
        """See `KVStore`."""
        return ReceivingTally(self).need(request, n)

    def attach(self, request: Request) -> int:
        """See `KVStore`."""
        super().attach(request)
        parcel = self._parcels.pop(request, None)
        if parcel is None:
            return 0
        self._unpack(parcel, self.grow(request, parcel.length).slots)
        return parcel.length


class ReceivingTally(PagedTally):
    """A `PagedTally` in which a parcel takes blocks of its own: nothing of it is shared."""

    def need(self, request: Request, n: int) -> int:
        """See `PagedTally`."""
        if request in self._kv:
            return super().need(request, n)
        return self._kv.blocks_for(self._kv.prefix(request) + n)
