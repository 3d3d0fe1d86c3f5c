"""GGUF files: written as llama.cpp does, read back as the checkpoint they came from."""

import gguf as library
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from constraintlab.cli import app
from constraintlab.engine.model import gguf, hf
from constraintlab.engine.model.checkpoint import load
from constraintlab.engine.model.rope import Rope
from constraintlab.engine.tokenizer import Tokenizer

from . import make_gguf
from .make_gguf import write
from .tiny import FAMILIES

every_family = pytest.mark.parametrize("family", FAMILIES)


@every_family
def test_a_file_becomes_the_checkpoint_it_was_made_from(family, tmp_path):
    given, tensors = write(tmp_path / "m.gguf", family)
    folder = gguf.convert(tmp_path / "m.gguf", tmp_path / "m", dtype="float32")
    found = load_file(folder / "model.safetensors")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.allclose(found[name], tensor, atol=1e-6), name
    expected = hf.from_dict(given | {"eos_token_id": [1]})
    assert hf.config_of(folder) == expected
    assert load(folder)[0] == expected


def test_bf16_is_the_same_rounded(tmp_path):
    write(tmp_path / "m.gguf", "qwen3")
    wide, narrow = (
        load_file(gguf.convert(tmp_path / "m.gguf", tmp_path / d, dtype=d) / "model.safetensors")
        for d in gguf.DTYPES[::-1]
    )
    assert all(torch.equal(narrow[n], t.bfloat16()) for n, t in wide.items())


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "F16"])
def test_quantised_tensors_are_what_their_bits_say(kind, tmp_path):
    quantise = library.GGMLQuantizationType[kind]
    _, tensors = write(tmp_path / "m.gguf", "qwen2", quantise=quantise)
    folder = gguf.convert(tmp_path / "m.gguf", tmp_path / "m", dtype="float32")
    found = load_file(folder / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    bits = library.quantize(tensors[name].numpy(), quantise)
    assert np.array_equal(found[name].numpy(), library.dequantize(bits, quantise))
    assert not torch.equal(found[name], tensors[name])


def test_a_large_model_is_written_in_several_files(tmp_path, monkeypatch):
    monkeypatch.setattr(gguf, "SHARD", 40_000)
    _, tensors = write(tmp_path / "m.gguf", "llama")
    folder = gguf.convert(tmp_path / "m.gguf", tmp_path / "m", dtype="float32")
    files = sorted(f.name for f in folder.glob("*.safetensors"))
    assert len(files) > 2 and files[0] == f"model-00001-of-{len(files):05}.safetensors"
    config, weights = load(folder)
    assert torch.equal(weights.norm, tensors["model.norm.weight"]) and config.layers == 2


def llama3_freqs(writer, rope):
    plain, slow = Rope(rope.theta).speeds(32), rope.speeds(32)
    ratios = [p / s for p, s in zip(plain, slow, strict=True)]
    writer.add_tensor("rope_freqs.weight", np.array(ratios, np.float32))


def test_llama_3_s_stretching_is_told_from_its_factors(tmp_path):
    rope = Rope(5e5, "llama3", 8.0, 1.0, 4.0, 8192)
    write(tmp_path / "m.gguf", "llama", change=lambda w: llama3_freqs(w, rope))
    folder = gguf.convert(tmp_path / "m.gguf", tmp_path / "m")
    assert hf.config_of(folder).rope == rope
    odd = Rope(5e5, "llama3", 8.0, 1.0, 4.0, 128)
    write(tmp_path / "odd.gguf", "llama", change=lambda w: llama3_freqs(w, odd))
    with pytest.raises(ValueError, match=r"not Llama 3\.1's stretching"):
        gguf.convert(tmp_path / "odd.gguf", tmp_path / "odd")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda w: w.add_expert_count(8), "mixture of experts"),
        (lambda w: w.add_rope_scaling_type(library.RopeScalingType.YARN), "yarn"),
        (lambda w: w.add_rope_dimension_count(4), "part of each head"),
        (lambda w: w.add_tensor("blk.0.ssm_a", np.ones(4, np.float32)), "blk.0.ssm_a"),
        (lambda w: w.add_tensor("blk.9.attn_norm.weight", np.ones(64, np.float32)), "unknown: "),
    ],
)
def test_what_is_not_supported_is_named_and_nothing_is_left(change, says, tmp_path):
    write(tmp_path / "m.gguf", "qwen3", change=change)
    with pytest.raises(ValueError, match=says):
        gguf.convert(tmp_path / "m.gguf", tmp_path / "m")
    assert [f.name for f in tmp_path.iterdir()] == ["m.gguf"]


def test_another_architecture_is_named(tmp_path):
    writer = library.GGUFWriter(tmp_path / "m.gguf", "mamba")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ValueError, match="architecture 'mamba' is not supported: llama"):
        gguf.convert(tmp_path / "m.gguf", tmp_path / "m")


@pytest.mark.parametrize("keep", [0, 3, 10, 100, 1000, 5000, 0.5, 0.999])
def test_a_file_cut_short_anywhere_is_refused(keep, tmp_path):
    write(tmp_path / "m.gguf", "qwen3")
    whole = (tmp_path / "m.gguf").read_bytes()
    (tmp_path / "m.gguf").write_bytes(
        whole[: int(keep if keep >= 3 or not keep else keep * len(whole))]
    )
    with pytest.raises(ValueError, match=r"m\.gguf is (truncated or damaged|not a GGUF)"):
        gguf.convert(tmp_path / "m.gguf", tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_failure_half_way_leaves_nothing(tmp_path, monkeypatch):
    write(tmp_path / "m.gguf", "qwen3")

    def full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(gguf, "save_file", full)
    with pytest.raises(OSError, match="no space"):
        gguf.convert(tmp_path / "m.gguf", tmp_path / "m")
    assert [f.name for f in tmp_path.iterdir()] == ["m.gguf"]


def call(*words):
    return CliRunner().invoke(app, ["convert", *map(str, words)])


def test_the_command_says_what_it_does_on_stderr_and_where_on_stdout(tmp_path, monkeypatch):
    write(tmp_path / "m.gguf", "gemma3")
    monkeypatch.chdir(tmp_path)
    done = call("m.gguf")
    assert done.exit_code == 0 and done.stdout == "m\n" and "tensor 28 of 28" in done.stderr
    assert Tokenizer.load("m").decode(Tokenizer.load("m").encode("the")) == "the"
    again = call("m.gguf")
    assert again.exit_code == 2 and "m exists already" in again.stderr
    other = call("m.gguf", "--out", tmp_path / "deep" / "n", "--dtype", "float32")
    assert other.exit_code == 0 and hf.config_of(tmp_path / "deep" / "n").dtype == "float32"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nothing.gguf",), "can't be read: No such file"),
        (("text.gguf",), "is not a GGUF file: it starts with b'hell'"),
        (("m.gguf", "--dtype", "int8"), "use bfloat16 or float32"),
    ],
)
def test_the_command_refuses_with_one_line(words, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.gguf").write_text("hello")
    write(tmp_path / "m.gguf", "qwen2")
    done = call(*words)
    assert done.exit_code == 2 and says in done.stderr and "Traceback" not in done.output
    assert done.stdout == ""


def test_unpermuting_undoes_llama_cpp_s_order():
    rows = np.arange(24 * 3, dtype=np.float32).reshape(24, 3)
    for heads in (1, 2, 3):
        assert np.array_equal(gguf.unpermuted(make_gguf.permuted(rows, heads), heads), rows)
        if heads < 4:
            assert not np.array_equal(make_gguf.permuted(rows, heads), rows)
