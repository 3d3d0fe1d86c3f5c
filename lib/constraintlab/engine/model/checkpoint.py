"""Checkpoints on disk or on the hub: safetensors only, checked before anything is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from constraintlab.engine.model.config import ModelConfig
from constraintlab.engine.model.folder import PICKLES, folder_of, no_pickle
from constraintlab.engine.model.hf import config_of
from constraintlab.engine.model.weights import Weights, check


def load(
    where: str | Path, *, dtype: str | None = None, device: str = "cpu"
) -> tuple[ModelConfig, Weights]:
    """The model in a folder, or on the Hugging Face hub under an id like `Qwen/Qwen3-0.6B`.

    dtype: `bfloat16` or `float32`; the checkpoint's own unless given. Raises ValueError for a
    folder without safetensors, a family that is not supported, or tensors that do not fit.
    """
    folder = folder_of(where)
    config = config_of(folder)
    if dtype is not None:
        config = replace(config, dtype=dtype)
    tensors = _tensors(folder, config)
    return config, Weights.of(config, tensors, device)


def _files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint: those its index lists, or the only one."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        listed = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        files = [folder / name for name in sorted(set(listed.values()))]
        lost = [f.name for f in files if not f.exists()]
        if lost:
            raise ValueError(f"{folder} lacks {', '.join(lost)}, which {index.name} lists")
        return files
    files = sorted(folder.glob("*.safetensors"))
    if len(files) == 1:
        return files
    if files:
        raise ValueError(
            f"{folder} has {len(files)} safetensors files and no {index.name}: add it, or keep one"
        )
    pickles = [f.name for f in sorted(folder.iterdir()) if f.suffix in PICKLES]
    if pickles:
        raise ValueError(no_pickle(", ".join(pickles)))
    raise ValueError(f"{folder} has no safetensors file")


def _tensors(folder: Path, config: ModelConfig) -> Mapping[str, torch.Tensor]:
    """Every tensor, mapped from the files: pages are read when they are used."""
    found: dict[str, torch.Tensor] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    opened = []
    for file in _files(folder):
        try:
            part = safe_open(file, framework="pt")
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{file} is not a whole safetensors file: {error}") from None
        opened.append(part)
        shapes |= {name: tuple(part.get_slice(name).get_shape()) for name in part.keys()}  # noqa: SIM118
    check(config, shapes)
    for part in opened:
        found |= {name: part.get_tensor(name) for name in part.keys()}  # noqa: SIM118
    return found
