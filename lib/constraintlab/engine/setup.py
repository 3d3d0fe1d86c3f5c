"""`Setup`: an engine as plain data, which another process can build."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from constraintlab.engine import device, stub
from constraintlab.engine.kv.contiguous import ContiguousKV
from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.kv.prefix import PrefixKV
from constraintlab.engine.kv.store import KVStore
from constraintlab.engine.loop import Engine
from constraintlab.engine.plan import Budget, Policy
from constraintlab.engine.policies.chunked import Chunked
from constraintlab.engine.policies.classes import Classes
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.policies.mlfq import MLFQ
from constraintlab.engine.policies.shortest import Shortest
from constraintlab.engine.policies.static import Static
from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.voice import Voice
from constraintlab.limits.home import home
from constraintlab.limits.keeping import locked

POLICIES: Mapping[str, Callable[..., Policy]] = {
    "static": Static,
    "continuous": Continuous,
    "chunked": Chunked,
    "classes": Classes,
    "mlfq": MLFQ,
    "shortest": Shortest,
}
STORES = ("contiguous", "paged", "prefix")
REASONER = "reasoner"
"""The model that is shipped in `data/`."""


@dataclass(frozen=True)
class Setup:
    """What to run, and with how much room.

    model: `reasoner`, a preset's name, a checkpoint's folder, an id on the hub, or a `stub`.
    dtype: its own unless given. policy, kv: names in POLICIES and STORES; policy_options: e.g.
    `{"watermark": 0.05}`. reserve: what a contiguous store reserves. blocks, block_size: the KV
    pool. slots, tokens: a step's budget. max_length: tokens that a request may have, the model's
    own maximum unless given. attention: `decode` and `prefill` backends by name. threads: torch's,
    all cores of this process unless given. words: a preset has made-up words for its tokens.
    interval: tokens of a request that are detokenised and told together. device: `auto`, `cpu` or
    `cuda`; graphs: whether decode steps on a GPU are recorded once and replayed (`model.graphs`).
    Raises ValueError that names the fix.
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
    words: bool = False
    interval: int = 1
    device: str = device.AUTO
    graphs: bool = True

    def __post_init__(self) -> None:
        for name, value, known in (("policy", self.policy, POLICIES), ("kv", self.kv, STORES)):
            if value not in known:
                raise ValueError(f"{name}={value!r}: use {', '.join(known)}")
        if self.interval < 1:
            raise ValueError(f"interval={self.interval}: give 1 token or more")
        device.check(self.device)
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

    def stub(self) -> stub.Stub:
        """What runs where the model is a `stub`."""
        return stub.Stub(stub.pace(self.model))

    def check_change(self, other: Setup) -> None:
        """ValueError unless an engine of this setup can become one of the other in its process."""
        for name in ("model", "dtype", "threads", "device"):
            if getattr(other, name) != getattr(self, name):
                raise ValueError(
                    f"{name}={getattr(other, name)!r}, and this engine was started with "
                    f"{getattr(self, name)!r}: start another one"
                )

    def voice(self, tokenizer, request: Request) -> Voice:
        """How a request's tokens become text."""
        return Voice(request, tokenizer.stream(), self.interval)


def build(setup: Setup, loaded: tuple | None = None) -> Engine:
    """The engine. loaded: what `load` returned for its model, which takes seconds for a large one;
    loaded here unless given."""
    config, weights, tokenizer = loaded or load_for(setup)
    if weights is None:
        most, runner = stub.LONGEST, setup.stub()
    else:
        most, runner = config.max_positions, _runner(setup, config, weights)

    return Engine(
        runner,
        setup.scheduler(),
        setup.store(most),
        setup.budget(),
        longest=setup.max_length or most,
        voice=partial(setup.voice, tokenizer) if tokenizer else None,
        spent=getattr(runner, "spent", None),
    )


def warm(setup: Setup, loaded: tuple) -> int:
    """Run a small engine of the same model once, so that its kernels are compiled before anybody
    waits for them: seconds on a machine's first day, hundredths later. The steps it took.

    One prompt is short, and one long enough for the kernels that threads share.
    """
    config = loaded[0]
    if config is None:
        return 0
    from constraintlab.attention.compiled import SHARED, workers

    longest = config.max_positions - 8
    many = 3 if setup.threads == 1 or workers() == 1 else min(longest, -(-SHARED // config.hidden))
    room = {"blocks": 4 + -(-(many + 8) // setup.block_size), "max_length": many + 8}
    small = replace(setup, slots=2, tokens=many + 8, interval=1, reserve="oracle", **room)
    # Processes that start side by side would each compile the same: one does, others then load it.
    with locked(home().path / "numba" / "warm"):
        engine, steps = build(small, loaded), 0
        for number, n in enumerate((3, many)):
            engine.submit(Request(number, [1] * n, Sampling(4)))
        while engine.busy:
            engine.step()
            steps += 1
    return steps


def _runner(setup: Setup, config, weights):
    import torch

    from constraintlab.engine.model.decoder import Decoder
    from constraintlab.engine.model.pool import KVPool
    from constraintlab.engine.model.runner import Runner

    if setup.threads:
        torch.set_num_threads(setup.threads)
    decoder = Decoder(config, weights, **setup.attention)
    where = weights.embedding.device.type
    if setup.device not in (device.AUTO, where):
        raise ValueError(
            f"device={setup.device!r}, and the model was loaded on {where}: load it with "
            f"device={setup.device!r}"
        )
    if where == "cpu":
        return Runner(decoder, KVPool(config, setup.blocks, setup.block_size))
    from constraintlab.engine.model.device_runner import on_gpu

    return on_gpu(decoder, setup, setup.max_length or config.max_positions)


def load_for(setup: Setup):
    """What `load` returns for this setup."""
    return load(setup.model, setup.dtype, setup.words, setup.device)


def load(model: str, dtype: str | None = None, words: bool = False, where: str = "cpu"):
    """(configuration, weights, tokenizer) of a model by name; a preset has no tokenizer, unless
    `words` is set, and a stub has no configuration and no weights. where: `device.DEVICES`."""
    if stub.pace(model) is not None:
        return None, None, speech(model, stub.VOCAB)
    from constraintlab.engine.model import checkpoint, presets
    from constraintlab.engine.reasoner import weights as reasoner

    where = device.resolve(where)
    if model in presets.PRESETS and not Path(model).is_dir():
        config, weights = presets.preset(model, dtype=dtype, device=where)
        return config, weights, speech(model, config.vocab) if words else None
    if model == REASONER:
        config, weights = checkpoint.load(reasoner.folder(), dtype=dtype, device=where)
        return config, weights, speech(model, config.vocab)
    if "/" not in model and not Path(model).exists():
        raise ValueError(
            f"there is no model {model!r}: give `{REASONER}`, a preset "
            f"({', '.join(presets.PRESETS)}), a checkpoint's folder, or an id on the hub such as "
            "Qwen/Qwen3-0.6B"
        )
    config, weights = checkpoint.load(model, dtype=dtype, device=where)
    return config, weights, speech(model, config.vocab)


def vocabulary(loaded: tuple) -> int:
    """How many token ids what `load` returned knows."""
    return loaded[0].vocab if loaded[0] else stub.VOCAB


def speech(model: str, vocab: int):
    """The tokenizer of a model that exists; made-up words for a preset or a stub. No tensors."""
    from constraintlab.engine.model.folder import folder_of
    from constraintlab.engine.reasoner import weights as reasoner
    from constraintlab.engine.tokenizer import Tokenizer
    from constraintlab.engine.words import words

    if model == REASONER:
        return reasoner.Characters()
    if "/" in model or Path(model).is_dir():
        return Tokenizer.load(folder_of(model))
    return words(vocab)
