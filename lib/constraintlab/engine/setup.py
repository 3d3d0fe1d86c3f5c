"""`Setup`: an engine as plain data, which another process can build."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from constraintlab.engine.kv.contiguous import ContiguousKV
from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.kv.prefix import PrefixKV
from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.loop import Engine
from constraintlab.engine.plan import Budget, Policy
from constraintlab.engine.policies.chunked import Chunked
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.policies.static import Static
from constraintlab.engine.request import Request
from constraintlab.engine.voice import Voice

POLICIES: Mapping[str, Callable[..., Policy]] = {
    "static": Static,
    "continuous": Continuous,
    "chunked": Chunked,
}
STORES = ("contiguous", "paged", "prefix")
REASONER = "reasoner"
"""The model that is shipped in `data/`."""


@dataclass(frozen=True)
class Setup:
    """What to run, and with how much room.

    model: `reasoner`, a preset's name, a checkpoint's folder, or an id on the hub. dtype: its
    own unless given. policy, kv: names in POLICIES and STORES; policy_options: e.g.
    `{"watermark": 0.05}`. reserve: what a contiguous store reserves. blocks, block_size: the KV
    pool. slots, tokens: a step's budget. max_length: tokens that a request may have, the model's
    own maximum unless given. attention: `decode` and `prefill` backends by name. threads: torch's,
    all cores of this process unless given. Raises ValueError that names the fix.
    """

    model: str = REASONER
    kv: str = "paged"
    policy: str = "chunked"
    blocks: int = 256
    block_size: int = 16
    slots: int = 32
    tokens: int = 512
    dtype: str | None = None
    policy_options: Mapping[str, float] = field(default_factory=dict)
    reserve: str = "max"
    max_length: int | None = None
    attention: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None

    def __post_init__(self) -> None:
        for name, value, known in (("policy", self.policy, POLICIES), ("kv", self.kv, STORES)):
            if value not in known:
                raise ValueError(f"{name}={value!r}: use {', '.join(known)}")
        self.scheduler()
        self.budget()

    def scheduler(self) -> Policy:
        """The policy."""
        return POLICIES[self.policy](**self.policy_options)

    def budget(self) -> Budget:
        """A step's budget."""
        return Budget(self.slots, self.tokens)

    def store(self, max_length: int) -> KVStore:
        """The KV store; max_length: the model's, unless this setup names one."""
        if self.kv == "paged":
            return PagedKV(self.blocks, self.block_size)
        if self.kv == "prefix":
            return PrefixKV(self.blocks, self.block_size)
        longest = self.max_length or max_length
        return ContiguousKV(self.blocks, self.block_size, max_length=longest, reserve=self.reserve)


def build(setup: Setup, loaded: tuple | None = None) -> Engine:
    """The engine. loaded: what `load` returned for its model, which takes seconds for a large one;
    loaded here unless given."""
    import torch

    from constraintlab.engine.model.decoder import Decoder
    from constraintlab.engine.model.pool import KVPool
    from constraintlab.engine.model.runner import Runner

    if setup.threads:
        torch.set_num_threads(setup.threads)
    config, weights, tokenizer = loaded or load(setup.model, setup.dtype)
    decoder = Decoder(config, weights, **setup.attention)
    kv = setup.store(config.max_positions)
    runner = Runner(decoder, KVPool(config, setup.blocks, setup.block_size))

    def voice(request: Request) -> Voice:
        return Voice(request, tokenizer.stream())

    return Engine(runner, setup.scheduler(), kv, setup.budget(), voice=voice if tokenizer else None)


def load(model: str, dtype: str | None = None):
    """(configuration, weights, tokenizer) of a model by name; a preset has no tokenizer."""
    from pathlib import Path

    from constraintlab.engine.model import checkpoint, presets
    from constraintlab.engine.reasoner import weights as reasoner

    if model in presets.PRESETS and not Path(model).is_dir():
        config, weights = presets.preset(model, dtype=dtype)
        return config, weights, None
    if model == REASONER:
        config, weights = checkpoint.load(reasoner.folder(), dtype=dtype)
        return config, weights, reasoner.Characters()
    from constraintlab.engine.tokenizer import Tokenizer

    if "/" not in model and not Path(model).exists():
        raise ValueError(
            f"there is no model {model!r}: give `{REASONER}`, a preset "
            f"({', '.join(presets.PRESETS)}), a checkpoint's folder, or an id on the hub such as "
            "Qwen/Qwen3-0.6B"
        )
    folder = checkpoint.folder_of(model)
    config, weights = checkpoint.load(folder, dtype=dtype)
    return config, weights, Tokenizer.load(folder)
