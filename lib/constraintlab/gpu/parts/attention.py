"""The flash race: our Triton kernel against the fastest library, fused and naive beside."""

from __future__ import annotations

from constraintlab.bench.report import Report
from constraintlab.gpu.here import Here, Say

WHAT = "bench attention: our Triton flash ÷ the best of flash-attn and SDPA, D 64/128, S 1K–16K"
LEAST, MOST = 30.0, 120.0


def run(here: Here, say: Say) -> Report:
    from constraintlab.bench import attention_gpu

    if here.dry:
        return attention_gpu.run(3, say, "cpu", attention_gpu.TINY)
    return attention_gpu.run(say=say)
