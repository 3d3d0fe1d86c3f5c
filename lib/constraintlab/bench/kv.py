"""`bench kv`: one engine, one model, the same requests and bytes: paged against contiguous KV."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import mean

from constraintlab.bench.interval import median_of
from constraintlab.bench.report import Report
from constraintlab.load.traces import Asked, NoTraces, azure

Say = Callable[[str], object]

SCALE = 8
"""All lengths of the trace, and the model's maximum, are divided by this."""

LONGEST = 8192 // SCALE
"""Tokens that a contiguous store reserves for a request; one of 19,366 is longer and left out."""

RESERVED = 4
"""Maximum-length reservations that the pool holds."""

BLOCK, SLOTS, TOKENS = 16, 32, 512
STORES = {
    "paged": {"kv": "paged"},
    "max": {"kv": "contiguous", "reserve": "max"},
    "pow2": {"kv": "contiguous", "reserve": "pow2"},
    "oracle": {"kv": "contiguous", "reserve": "oracle"},
}


@dataclass(frozen=True)
class Run:
    """One workload served to its end. waste: share of the reserved slots that held nothing, over
    time; spare: such slots a running sequence, in blocks; batch: sequences a step, on average."""

    seconds: float
    tokens: int
    waste: float
    spare: float
    batch: float
    preempted: int

    @property
    def rate(self) -> float:
        """Output tokens a second."""
        return self.tokens / self.seconds


def lengths(n: int, seed: int = 0) -> Sequence[Asked]:
    """n requests of Azure's conversation trace, drawn at random, with scaled lengths."""
    scaled = [
        replace(a, prompt=max(1, round(a.prompt / SCALE)), output=max(1, round(a.output / SCALE)))
        for a in azure()
    ]
    return Random(seed).sample([a for a in scaled if a.prompt + a.output <= LONGEST], n)


def serve(decoder, asked: Sequence[Asked], blocks: int, store: dict) -> Run:
    """All requests at once, until the last has its answer."""
    from constraintlab.engine.loop import Engine
    from constraintlab.engine.model.pool import KVPool
    from constraintlab.engine.model.runner import Runner
    from constraintlab.engine.request import Request, Sampling
    from constraintlab.engine.setup import Setup

    setup = Setup("nano", blocks=blocks, block_size=BLOCK, slots=SLOTS, tokens=TOKENS, **store)
    kv, random = setup.store(LONGEST), Random(1)
    runner = Runner(decoder, KVPool(decoder.config, blocks, BLOCK))
    engine = Engine(runner, setup.scheduler(), kv, setup.budget())
    for i, a in enumerate(asked):
        prompt = [random.randrange(decoder.config.vocab) for _ in range(a.prompt)]
        why = engine.submit(Request(i, prompt, Sampling(a.output)))
        assert not why, why
    waste, spare, batch, preempted, tokens = [], [], [], 0, 0
    start = time.perf_counter()
    while engine.busy:
        step = engine.step()
        tokens += step.tokens
        preempted += step.preempted
        waste.append(step.kv.waste)
        spare.append((step.kv.reserved - step.kv.used) / BLOCK / step.sequences)
        batch.append(step.sequences)
    seconds = time.perf_counter() - start
    return Run(seconds, tokens, mean(waste), mean(spare), mean(batch), preempted)


def interleaved(decoder, asked, blocks: int, names: Sequence[str], rounds: int) -> dict:
    """Store → its run of each round; the order turns round by round."""
    found: dict[str, list[Run]] = {name: [] for name in names}
    for name in names:  # once unmeasured: kernels are compiled, memory is touched
        serve(decoder, asked[:4], blocks, STORES[name])
    for i in range(rounds):
        for name in names if i % 2 == 0 else reversed(names):
            found[name].append(serve(decoder, asked, blocks, STORES[name]))
    return found


def fixed_share(decoder, n: int) -> tuple[float, float]:
    """(a, b) of step(n) ≈ a + b·n in seconds: decode steps of 1 and of n sequences."""
    from constraintlab.engine.loop import Engine
    from constraintlab.engine.model.pool import KVPool
    from constraintlab.engine.model.runner import Runner
    from constraintlab.engine.request import Request, Sampling
    from constraintlab.engine.setup import Setup

    def engine(count: int) -> Engine:
        setup = Setup("nano", blocks=16 * count, slots=count, tokens=256 * count)
        runner = Runner(decoder, KVPool(decoder.config, setup.blocks))
        made = Engine(runner, setup.scheduler(), setup.store(256), setup.budget())
        for i in range(count):
            made.submit(Request(i, [1 + i] * 128, Sampling(100)))
        made.step()
        return made

    pair, seconds = (engine(1), engine(n)), ([], [])
    for _ in range(90):
        for made, kept in zip(pair, seconds, strict=True):
            start = time.perf_counter()
            made.step()
            kept.append(time.perf_counter() - start)
    one, many = (median_of(kept[10:], "s").value for kept in seconds)
    each = (many - one) / (n - 1)
    return one - each, each


def run(rounds: int = 9, requests: int = 256, say: Say = lambda _: None) -> Report:
    """Every metric of the KV stores on this machine, in about three minutes."""
    from constraintlab.engine.model.decoder import Decoder
    from constraintlab.engine.model.presets import preset
    from constraintlab.limits.machine import describe

    report = Report("kv", describe())
    try:
        asked = lengths(requests)
    except NoTraces as missing:
        for metric in METRICS:
            report.skip(metric, str(missing))
        return report
    decoder, blocks = Decoder(*preset("nano")), RESERVED * LONGEST // BLOCK
    where = (
        f"{requests} requests of Azure's conversation trace, lengths ÷ {SCALE}, {SLOTS} slots, "
        f"{blocks * BLOCK} tokens of KV = {RESERVED} × {LONGEST}; nano"
    )
    say(f"{where} …")
    seen = interleaved(decoder, asked, blocks, tuple(STORES), rounds)
    for name, suffix in (("max", ""), ("pow2", "_pow2"), ("oracle", "_oracle")):
        ours, theirs = seen["paged"], seen[name]
        ratio = median_of([p.rate / c.rate for p, c in zip(ours, theirs, strict=True)], "×")
        batch = f"{ours[0].batch:.1f} sequences a step against {theirs[0].batch:.1f}"
        report.add(f"paged_over_contiguous_throughput{suffix}", ratio, f"{where}; {batch}")
    spare = median_of([r.spare for r in seen["paged"]], "blocks")
    report.add(
        "paged_waste_blocks_per_sequence", spare, "reserved and empty, on average over steps"
    )
    for name, suffix in (("max", ""), ("pow2", "_pow2"), ("oracle", "_oracle")):
        waste = median_of([r.waste for r in seen[name]], "")
        report.add(f"contiguous_waste_share{suffix}", waste, "of the reserved slots, over steps")
    a, b = fixed_share(decoder, SLOTS)
    report.add("fixed_share", _exact(a / (a + b * SLOTS)), _step(a, b, "nano"))

    say("memory that does not bind …")
    ample = SLOTS * LONGEST // BLOCK
    seen = interleaved(decoder, asked, ample, ("paged", "max"), rounds)
    ratio = [p.rate / c.rate for p, c in zip(seen["paged"], seen["max"], strict=True)]
    report.add("paged_over_contiguous_unbound", median_of(ratio, "×"), "room for every slot")

    say("a model whose step is all its sequences' own …")
    heavy = Decoder(*preset("small", dtype="float32"))
    a, b = fixed_share(heavy, SLOTS)
    few = asked[:16]
    seen = interleaved(heavy, few, blocks, ("paged", "max"), 3)
    ratio = [p.rate / c.rate for p, c in zip(seen["paged"], seen["max"], strict=True)]
    report.add(
        "paged_over_contiguous_where_it_vanishes",
        median_of(ratio, "×"),
        f"{_step(a, b, 'small, fp32')}: sharing a step saves little",
    )
    return report


METRICS = (
    "paged_over_contiguous_throughput", "paged_over_contiguous_throughput_pow2",
    "paged_over_contiguous_throughput_oracle", "paged_waste_blocks_per_sequence",
    "contiguous_waste_share", "paged_over_contiguous_unbound",
)  # fmt: skip


def _exact(value: float):
    return median_of([value], "")


def _step(a: float, b: float, model: str) -> str:
    share = a / (a + b * SLOTS)
    return (
        f"{model}: a decode step takes {1e3 * a:.2f} ms + {1e3 * b:.3f} ms a sequence, so "
        f"a/(a + b·n) = {share:.0%} at n = {SLOTS}"
    )
