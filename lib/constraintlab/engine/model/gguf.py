"""A GGUF file as a checkpoint: weights dequantised, configuration and tokenizer rebuilt."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from safetensors.torch import save_file

from constraintlab.engine.model import gguf_config, gguf_vocab, hf
from constraintlab.engine.model.weights import check

SHARD = 2 * 1024**3
"""Bytes of a weights file, about: a larger model is written in several, so that it need not fit
in memory at once."""

DTYPES = ("bfloat16", "float32")


@dataclass(frozen=True)
class Gguf:
    """An open file: its metadata by key, and its tensors by their GGUF names."""

    path: Path
    fields: Mapping
    tensors: Mapping[str, object]

    @classmethod
    def open(cls, path: str | Path) -> Gguf:
        """Raises ValueError for a path that is no whole GGUF file, saying what it is."""
        path = Path(path)
        try:
            with path.open("rb") as file:
                start = file.read(4)
        except OSError as error:
            raise ValueError(f"{path} can't be read: {error.strerror}") from None
        if start != b"GGUF":
            raise ValueError(f"{path} is not a GGUF file: it starts with {start!r}")
        try:
            reader = GGUFReader(path)
            fields = {name: field.contents() for name, field in reader.fields.items()}
        except (ValueError, IndexError, KeyError, OverflowError, MemoryError, TypeError) as error:
            raise ValueError(f"{path} is truncated or damaged: {error}") from None
        return cls(path, fields, {t.name: t for t in reader.tensors})

    @property
    def architecture(self) -> str:
        return self.fields["general.architecture"]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes in torch's order, outputs first: GGUF lists the innermost dimension first."""
        return {n: tuple(int(d) for d in reversed(t.shape)) for n, t in self.tensors.items()}

    def values(self, name: str) -> np.ndarray:
        """A tensor dequantised to fp32, in the order and convention of Hugging Face's files."""
        tensor = self.tensors[name]
        try:
            values = dequantize(tensor.data, tensor.tensor_type)
        except NotImplementedError:
            kind = tensor.tensor_type.name
            raise ValueError(f"{name}: {kind} can't be dequantised by the gguf package") from None
        if self.architecture == "gemma3" and "norm" in name:
            return values - np.float32(1)
        if self.architecture == "llama" and (".attn_q." in name or ".attn_k." in name):
            count = "head_count" if ".attn_q." in name else "head_count_kv"
            return unpermuted(values, self.fields[f"llama.attention.{count}"])
        return values


def unpermuted(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a Llama's q or k in the order that halves of a head are turned in.

    GGUF interleaves the halves (row 0 of the first, row 0 of the second, …), as Meta's own files.
    """
    return rows.reshape(heads, -1, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def convert(
    path: str | Path,
    folder: str | Path,
    *,
    dtype: str = "bfloat16",
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Write `folder` with safetensors, config.json and tokenizer.json from the GGUF at `path`.

    dtype: `bfloat16` or `float32`. report: called with a line about each stage. The folder
    appears when it is whole, or not at all. Raises ValueError for a folder that exists already, a
    file that is no whole GGUF, or a model that is not supported.
    """
    folder = Path(folder)
    if dtype not in DTYPES:
        raise ValueError(f"dtype {dtype!r}: use {' or '.join(DTYPES)}")
    if folder.exists():
        raise ValueError(f"{folder} exists already: remove it, or name another folder")
    report(f"reading {path}")
    source = Gguf.open(path)
    freqs = source.tensors.get(gguf_config.ROPE_FREQS)
    config = gguf_config.config_dict(
        source.fields, source.shapes, None if freqs is None else freqs.data.tolist()
    )
    config["dtype"] = dtype
    names = {
        gguf_config.hf_name(name, source.architecture): name
        for name in source.tensors
        if name != gguf_config.ROPE_FREQS
    }
    check(hf.from_dict(config), {hf_: source.shapes[name] for hf_, name in names.items()})
    report("building the tokenizer")
    tokenizer = gguf_vocab.tokenizer(source.fields)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        _write_json(partial / "config.json", config)
        _write_json(partial / "tokenizer_config.json", _tokenizer_config(source.fields))
        tokenizer.save(str(partial / "tokenizer.json"))
        _write_tensors(source, names, partial, dtype, report)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return folder


def _write_tensors(source: Gguf, names, folder: Path, dtype: str, report) -> None:
    shards = list(_shards(names, source.shapes, getattr(torch, dtype).itemsize))
    where, done = {}, 0
    for i, shard in enumerate(shards, 1):
        several = f"-{i:05}-of-{len(shards):05}" if len(shards) > 1 else ""
        file = f"model{several}.safetensors"
        tensors = {}
        for name in shard:
            values = torch.from_numpy(np.require(source.values(names[name]), requirements="CW"))
            tensors[name] = values.to(getattr(torch, dtype))
            done += 1
            if done % 50 == 0 or done == len(names):
                report(f"tensor {done} of {len(names)}")
        save_file(tensors, folder / file, metadata={"format": "pt"})
        # safetensors makes files that only their owner can read.
        shutil.copymode(folder / "config.json", folder / file)
        where |= dict.fromkeys(shard, file)
    if len(shards) > 1:
        _write_json(folder / "model.safetensors.index.json", {"weight_map": where})


def _shards(names: Mapping[str, str], shapes: Mapping, width: int) -> Iterator[list[str]]:
    shard: list[str] = []
    size = 0
    for name, stored in names.items():
        more = prod(shapes[stored]) * width
        if shard and size + more > SHARD:
            yield shard
            shard, size = [], 0
        shard.append(name)
        size += more
    yield shard


def _tokenizer_config(fields: Mapping) -> dict:
    """What transformers wants beside tokenizer.json: special tokens by their text, the template."""
    found = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    tokens = fields["tokenizer.ggml.tokens"]
    for name, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        number = fields.get(f"tokenizer.ggml.{key}_token_id")
        if number is not None:
            found[f"{name}_token"] = tokens[number]
    if "tokenizer.chat_template" in fields:
        found["chat_template"] = fields["tokenizer.chat_template"]
    return found


def _write_json(path: Path, what: Mapping) -> None:
    path.write_text(json.dumps(what, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
