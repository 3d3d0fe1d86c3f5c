"""`bench engine`: our engine against `transformers`' `generate`, on a real 270 M model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from constraintlab.bench.engine_peers import (
    DTYPE,
    Asked,
    MatrixVector,
    Theirs,
    batch,
    llama_cpp,
    model_folder,
    ragged,
)
from constraintlab.bench.interval import median_of
from constraintlab.bench.report import Report

Say = Callable[[str], object]

SLOTS, TOKENS, BLOCK = 32, 2048, 16
PEERS = (
    "engine_over_transformers_b1", "engine_over_transformers_b32",
    "engine_over_transformers_ragged",
)  # fmt: skip

SHORT = "engine_over_transformers_b32_short"
"""As the one before, with answers so short that half of the time is the prompts' arithmetic."""


@dataclass(frozen=True)
class Ours:
    """Seconds of a workload and of its decode steps, by stage."""

    seconds: float
    tokens: int
    decode: tuple
    contexts: tuple[int, ...]

    @property
    def rate(self) -> float:
        return self.tokens / self.seconds


def ours(decoder, pool, asked: Sequence[Asked]) -> Ours:
    """All requests at once through the engine, in this process."""
    from constraintlab.engine.kv.paged import PagedKV
    from constraintlab.engine.loop import Engine
    from constraintlab.engine.model.runner import Runner
    from constraintlab.engine.plan import Budget
    from constraintlab.engine.policies.chunked import Chunked
    from constraintlab.engine.request import Request, Sampling

    kv = PagedKV(pool.n_blocks, pool.block_size)
    engine = Engine(Runner(decoder, pool), Chunked(), kv, Budget(SLOTS, TOKENS))
    start = time.perf_counter()
    for i, a in enumerate(asked):
        why = engine.submit(Request(i, a.prompt, Sampling(a.output)))
        assert not why, why
    decode, contexts, tokens = [], [], 0
    while engine.busy:
        step = engine.step()
        tokens += step.tokens
        if not step.prefill:
            decode.append((step.sequences, step.seconds))
            contexts.append(step.kv.used)
    return Ours(time.perf_counter() - start, tokens, tuple(decode), tuple(contexts))


def run(rounds: int = 5, say: Say = lambda _: None) -> Report:
    """Every metric of the engine on this CPU, in about six minutes."""
    from constraintlab.limits.machine import describe

    report = Report("engine", describe())
    try:
        folder = model_folder(say)
    except ModuleNotFoundError:
        for metric in (*PEERS, "bandwidth_share_b1", "host_us_per_sequence_step"):
            report.skip(metric, "no 270 M model here: pip install constraintlab[peers]")
        return report
    from constraintlab.engine.model import checkpoint
    from constraintlab.engine.model.decoder import Decoder
    from constraintlab.engine.model.pool import KVPool

    config, weights = checkpoint.load(folder)
    decoder, pool = Decoder(config, weights), KVPool(config, 1024, BLOCK)
    say("decode at batch 1, against the bandwidth limit …")
    _alone(report, decoder, pool, rounds, say)
    try:
        theirs = Theirs(folder)
    except ModuleNotFoundError:
        for metric in PEERS:
            report.skip(metric, "transformers is not installed: pip install constraintlab[peers]")
        return report
    cases = (
        (PEERS[0], batch(1, 64, (64,), config.vocab), 1, rounds),
        (PEERS[1], batch(32, 64, (128,), config.vocab), 32, max(3, rounds - 2)),
        (SHORT, batch(32, 64, (32,), config.vocab), 32, max(3, rounds - 2)),
        (PEERS[2], ragged(48, config.vocab), 16, max(3, rounds - 2)),
    )
    host = []
    for metric, asked, size, times in cases:
        say(f"{metric}: {len(asked)} requests …")
        ratios, ms = [], []
        ours(decoder, pool, asked[:size]), theirs.seconds(asked[:1], 1)
        for i in range(times):
            order = (0, 1) if i % 2 else (1, 0)
            found = {k: (ours(decoder, pool, asked) if k == 0 else theirs.seconds(asked, size))
                     for k in order}  # fmt: skip
            ratios.append(found[1] / found[0].seconds)
            ms.append((found[0].rate, found[0].tokens / found[1]))
            host += found[0].decode
        mine, peer = (median(column) for column in zip(*ms, strict=True))
        report.add(
            metric, median_of(ratios, "×"),
            f"gemma-3-270m, {DTYPE}; {len(asked)} prompts of {len(asked[0].prompt)} tokens, "
            f"{min(a.output for a in asked)} … {max(a.output for a in asked)} new; "
            f"{mine:.0f} tok/s against {peer:.0f} (batches of {size}, each to its longest answer)",
        )  # fmt: skip
        say(f"  ×{median(ratios):.2f}, {mine:.0f} tok/s against {peer:.0f}")
    each = [1e6 * (s.schedule + s.draw + s.emit) / n for n, s in host if n > 1]
    report.add(
        "host_us_per_sequence_step", median_of(each, "µs"),
        "schedule, sampling and bookkeeping of a decode step, for each sequence in it",
    )  # fmt: skip
    llama_cpp(report)
    return report


def _alone(report: Report, decoder, pool, rounds: int, say: Say) -> None:
    """Batch 1: bytes that a step must read, over its time, against how fast they can be read."""
    from constraintlab.engine.model import work
    from constraintlab.limits.drift import brief

    config, asked = decoder.config, batch(1, 64, (64,), decoder.config.vocab)
    ours(decoder, pool, asked)
    shares, plain, rates, probe, best = [], [], [], MatrixVector(), []
    for _ in range(max(5, rounds)):
        before = probe.rates()
        run = ours(decoder, pool, asked)
        after = probe.rates()
        fastest = max(before, key=before.get)
        best.append(fastest)
        kernels = work.kernels(config, [1], [round(median(run.contexts))], 1)
        moved = sum(k.work(1).bytes for k in kernels)
        rate = moved / median(sum(s) for _, s in run.decode)
        rates.append(rate)
        shares.append(rate / ((before[fastest] + after[fastest]) / 2))
        plain.append(rate / brief("bandwidth").value)
    report.add(
        "bandwidth_share_b1", median_of(shares, ""),
        f"weights and KV, {median(rates) / 1e9:.1f} GB/s, of what a bf16 matrix-vector product "
        "reads, probed between: the faster of torch's own and packed, which is "
        f"{max(best, key=best.count)}",
    )  # fmt: skip
    say(f"  {median(shares):.2f} of the matrix-vector rate")
    report.add("bandwidth_share_b1_of_plain_reading", median_of(plain, ""), "of reading alone")
