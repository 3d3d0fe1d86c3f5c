"""FlashAttention by its authors' package, in whichever generation fits the GPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec

import torch

from constraintlab.attention.rung import Shape, cuda_only

GENERATIONS = (
    ("FlashAttention-4 (CuTe)", "flash_attn.cute", (9, 10), "pip install flash-attn-4"),
    ("FlashAttention-3", "flash_attn_interface", (9,), "build hopper/ of its repository"),
    ("FlashAttention-2", "flash_attn", (8, 9, 10, 12), "pip install 'constraintlab[gpu]'"),
)
"""Name, module that has `flash_attn_func`, major compute capabilities that it supports, and how it
is had: docs/gpu.md."""


@cache
def function(major: int) -> tuple[str, Callable | None]:
    """(generation, its `flash_attn_func`) for a GPU's major capability; else (why not, None)."""
    reasons = []
    for name, module, supports, had in GENERATIONS:
        if major not in supports:
            reasons.append(f"{name} does not support compute capability {major}.x")
            continue
        try:
            if find_spec(module) is None:
                raise ModuleNotFoundError(f"no module {module}")
            return name, import_module(module).flash_attn_func
        except ModuleNotFoundError:
            reasons.append(f"{name} is not installed ({had})")
        except Exception as error:  # built for another torch or CUDA: whatever it raises, say it
            reasons.append(f"{name} does not load: {error}")
    return "; ".join(reasons), None


def lacks(shape: Shape) -> str:
    """What this problem needs that the package or the GPU has not, or nothing."""
    missing = cuda_only(shape)
    if missing:
        return missing
    if shape.dtype == torch.float32:
        return "flash-attn takes float16 and bfloat16"
    if shape.dim > 256:
        return f"head size {shape.dim}: flash-attn takes 256 at most"
    name, call = function(torch.cuda.get_device_capability()[0])
    return "" if call else name


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    *,
    causal: bool = True,
    scale: float | None = None,
) -> torch.Tensor:
    """As `naive.attend`; the package wants [batch, tokens, heads, dim] and aligns bottom-right."""
    _, call = function(torch.cuda.get_device_capability(q.device)[0])
    out = call(*(t.transpose(1, 2) for t in (q, k, v)), causal=causal, softmax_scale=scale)
    out = (out[0] if isinstance(out, tuple) else out).transpose(1, 2)
    if causal and q.shape[2] > k.shape[2]:
        out[:, :, : q.shape[2] - k.shape[2]] = 0
    return out
