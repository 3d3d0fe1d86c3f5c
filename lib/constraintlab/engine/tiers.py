"""The two halves of an engine: one computes prompts, the other goes on from their keys and values.

parcel, token = what a `prefill` engine has for a request that ended there
adopt(engine, request, token, parcel)          # in a `decode` engine, perhaps far away
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from constraintlab.engine.kv.receiving import ReceivingKV
from constraintlab.engine.kv.sending import SendingKV
from constraintlab.engine.kv.transfer import Identity, Parcel, pack, unpack
from constraintlab.engine.loop import Engine
from constraintlab.engine.request import Request
from constraintlab.engine.setup import Setup, build, load_for
from constraintlab.engine.step import Emitted, Model, Piece


@dataclass(frozen=True)
class Prefilled:
    """What a prefill engine made of a request: its next token, and the KV of all before it."""

    token: int
    parcel: Parcel


class Simulated:
    """A `loop.Model` whose steps take as long as a device's would: what is left of `seconds` after
    the real computation is slept through, so that the host's cores are free meanwhile.

    The tokens are real; the time is not, and whatever is measured with it is `simulated`.
    """

    def __init__(self, model: Model, seconds: float) -> None:
        if not seconds > 0:
            raise ValueError(f"seconds={seconds}: give more than 0, or leave the simulation out")
        self._model, self._seconds = model, seconds

    def __getattr__(self, name: str):
        return getattr(self._model, name)

    def forward(self, pieces: Sequence[Piece]):
        """See `loop.Model`."""
        due = time.monotonic() + self._seconds
        logits = self._model.forward(pieces)
        time.sleep(max(0.0, due - time.monotonic()))
        return logits


def prefill(setup: Setup, loaded: tuple | None = None) -> tuple[Engine, Identity]:
    """An engine whose finished requests leave a parcel in its store (`SendingKV.parcel`)."""
    engine, identity = _engine(setup, loaded)
    pool = engine.model.pool

    def packed(slots: Sequence[int], tokens: Sequence[int]) -> Parcel:
        return pack(identity, pool, slots, tokens)

    engine.kv = SendingKV(setup.blocks, setup.block_size, packed)
    return engine, identity


def decode(setup: Setup, loaded: tuple | None = None) -> tuple[Engine, Identity]:
    """An engine that adopts requests with the KV of a parcel (`adopt`)."""
    engine, identity = _engine(setup, loaded)
    pool = engine.model.pool

    def unpacked(parcel: Parcel, slots: Sequence[int]) -> None:
        unpack(parcel, identity, pool, slots)

    engine.kv = ReceivingKV(setup.blocks, setup.block_size, unpacked)
    return engine, identity


def adopt(engine: Engine, identity: Identity, request: Request, filled: Prefilled) -> Emitted:
    """Go on with a request in a `decode` engine; what it says of the token that came with it.

    ValueError for a parcel of another model, or of another request, and for a request that can
    never run here.
    """
    filled.parcel.check(identity, request.tokens)
    if filled.parcel.length != request.length:
        raise ValueError(
            f"the parcel has KV of {filled.parcel.length} tokens and the request has "
            f"{request.length}: give the one that was packed for it"
        )
    emitted = engine.adopt(request, filled.token)
    if not emitted.finished:
        engine.kv.expect(request, filled.parcel)
    return emitted


def _engine(setup: Setup, loaded: tuple | None) -> tuple[Engine, Identity]:
    if setup.kv != "paged":
        raise ValueError(f"kv={setup.kv!r}: tiers exchange blocks of a paged pool; use kv='paged'")
    config, weights, tokenizer = loaded or load_for(setup)
    if weights is None:
        raise ValueError(
            f"model={setup.model!r} has no keys and values to send: give `reasoner`, a preset or a "
            "checkpoint"
        )
    return build(setup, (config, weights, tokenizer)), Identity.of(config, weights)
