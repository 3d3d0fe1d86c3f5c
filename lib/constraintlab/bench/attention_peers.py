"""Who races our Triton flash on a GPU: the libraries that are there, and the earlier rungs.

Each runs once before anything counts; one that is missing or raises is left out with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

SHARE = 0.45
"""Of the free memory that textbook attention may need; a longer prompt is left out."""


def peers(shape) -> tuple[dict[str, Callable], dict[str, str]]:
    """(name → attend of each library that takes `shape` here, name → why another does not)."""
    from constraintlab.attention import flash_library, flash_sdpa

    found: dict[str, Callable] = {}
    why = {"flash-attn": flash_library.lacks(shape), "sdpa flash": flash_sdpa.lacks(shape)}
    if not why["flash-attn"]:
        found["flash-attn"] = flash_library.attend
    if not why["sdpa flash"]:
        found["sdpa flash"] = flash_sdpa.attend
    why["sdpa cudnn"] = "" if shape.device == "cuda" else "cuDNN runs on an NVIDIA GPU"
    if not why["sdpa cudnn"]:
        found["sdpa cudnn"] = _cudnn
    return found, {name: reason for name, reason in why.items() if reason}


def _cudnn(q, k, v, *, causal: bool = True):
    """torch's cuDNN backend, the fastest of its own on Hopper; RuntimeError where it is not."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)


def beside(shape, free: int) -> tuple[dict[str, Callable], dict[str, str]]:
    """(the ladder's earlier rungs that can run `shape`, why one can't)."""
    from constraintlab.attention import fused, naive

    found, why = {}, {}
    needs = naive.peak_bytes(shape)
    if needs <= SHARE * free:
        found["naive"] = naive.attend
    else:
        why["naive"] = f"{needs / 1e9:.0f} GB of S×S matrices, {free / 1e9:.0f} GB are free"
    try:
        fused.choice(shape)
        found["fused"] = fused.attend
    except ValueError as error:
        why["fused"] = str(error)
    return found, why


def checked(calls: Mapping[str, Callable], tensors) -> tuple[dict[str, Callable], dict[str, str]]:
    """(name → the call on `tensors`, why one is left out): each ran once before anything counts."""
    ready, why = {}, {}
    for name, call in calls.items():
        bound = partial(call, *tensors, causal=True)
        try:
            bound()
            ready[name] = bound
        except Exception as error:  # a library built for another GPU raises whatever it likes
            why[name] = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return ready, why
