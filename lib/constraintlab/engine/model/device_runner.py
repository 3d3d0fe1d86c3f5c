"""`DeviceRunner`: a `Runner` whose decoder lives on a GPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch

from constraintlab.attention.paged import PagedShape, choice
from constraintlab.engine.model import device_draw
from constraintlab.engine.model.decoder import Decoder
from constraintlab.engine.model.graphs import CudaRecorder, Graphs
from constraintlab.engine.model.pool import KVPool
from constraintlab.engine.model.runner import Runner
from constraintlab.engine.model.staging import Cuda, Staging
from constraintlab.engine.request import Request
from constraintlab.engine.sample import Sampler
from constraintlab.engine.step import Piece, Spent


class DeviceRunner(Runner):
    """As `Runner`, with what `staging` says of host and device.

    graphs: of decode steps; without them `why` says why there are none. passes: how many forward
    passes ran as a graph, and how many eagerly, by the reason.
    """

    def __init__(
        self,
        decoder: Decoder,
        pool: KVPool,
        sampler: Sampler | None = None,
        *,
        staging: Staging,
        graphs: Graphs | None = None,
        why: str = "",
    ) -> None:
        super().__init__(decoder, pool, sampler)
        self.passes: Counter[str] = Counter()
        self._staging, self._graphs, self._why = staging, graphs, why
        self._logits = torch.empty(0, decoder.config.vocab, device=decoder.embedding.device)

    @property
    def device(self) -> str:
        """Where its kernels run."""
        return self._logits.device.type

    def copy(self, pairs: Sequence[tuple[int, int]]) -> None:
        """See `loop.Model`."""
        self.pool.copy(pairs, self._staging.send)

    def forward(self, pieces: Sequence[Piece]) -> torch.Tensor:
        """See `loop.Model`. Returns when all is queued."""
        self.last = step = self._step(pieces)
        self._staging.begin()
        refusal = self._graphs.refusal(step) if self._graphs else self._why
        if refusal:
            self.passes[f"eager: {refusal}"] += 1
            logits = self.decoder.forward(
                self._staging.down(step), self.pool, self._room(len(step.wanted))
            )
        else:
            self.passes["graph"] += 1
            logits = self._graphs.forward(step, self._staging)
        if not len(step.wanted):
            self._staging.end()
        return logits

    def draw(self, logits: torch.Tensor, requests: Sequence[Request]) -> list[int]:
        """See `loop.Model`. Waits for the device."""
        drawn = device_draw.draw(logits, requests, self.sampler.uniform, self._staging.send)
        return self._staging.up(drawn)

    def spent(self) -> Spent:
        """What the device took, and the wait for it, since this was asked last."""
        return self._staging.spent()


def on_gpu(decoder: Decoder, setup, longest: int) -> DeviceRunner:
    """The runner of a setup whose decoder is on a GPU. longest: tokens of a request at most."""
    pool = KVPool(decoder.config, setup.blocks, setup.block_size, device="cuda", spare=1)
    why = "" if setup.graphs else "graphs=False"
    why = why or eager(decoder, pool)
    graphs = None
    if not why:
        width = min(setup.blocks, -(-longest // setup.block_size))
        graphs = Graphs(decoder, pool, setup.slots, width, CudaRecorder())
    return DeviceRunner(decoder, pool, staging=Staging(Cuda()), graphs=graphs, why=why)


def eager(decoder: Decoder, pool: KVPool) -> str:
    """Why no step of this decoder can be a graph; empty where decode steps can."""
    c = decoder.config
    shape = PagedShape(
        1, 1, c.heads, c.kv_heads, c.head_dim, pool.k[0].dtype, pool.k[0].device.type
    )
    name = choice(shape, decoder.layers[0].decode).backend.name
    return "" if name == "triton" else f"decode={name!r} reads lengths on the host"
