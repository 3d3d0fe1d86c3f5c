"""Checkpoints: safetensors in, everything else refused with the fix, wrong tensors all listed."""

import builtins
import json

import pytest
import torch
from safetensors.torch import save_file

from constraintlab.engine.model import hf, linear
from constraintlab.engine.model.checkpoint import load
from constraintlab.engine.model.linear import Linear
from constraintlab.engine.model.presets import preset, random_tensors
from constraintlab.engine.model.weights import Weights

from .tiny import FAMILIES


@pytest.fixture
def folder(tmp_path):
    """A whole checkpoint of a tiny Qwen3, in one file."""
    (tmp_path / "config.json").write_text(json.dumps(FAMILIES["qwen3"]))
    save_file(tensors(), tmp_path / "model.safetensors")
    return tmp_path


def tensors(family="qwen3", **changes):
    return random_tensors(hf.from_dict(FAMILIES[family] | changes))


def test_a_folder_loads_in_its_own_dtype_or_the_one_asked_for(folder):
    config, weights = load(folder)
    assert config.dtype == "float32" and weights.embedding.dtype == torch.float32
    config, weights = load(folder, dtype="bfloat16")
    assert config.dtype == "bfloat16" and weights.layers[0].qkv.dtype == torch.bfloat16
    assert weights.norm.dtype == torch.float32  # norms are computed in fp32


def test_shards_are_one_model(folder):
    parts = list(tensors().items())
    (folder / "model.safetensors").unlink()
    files = {"a.safetensors": parts[:7], "b.safetensors": parts[7:]}
    for name, part in files.items():
        save_file(dict(part), folder / name)
    with pytest.raises(ValueError, match=r"2 safetensors files and no model\.safetensors\.index"):
        load(folder)
    where = {key: name for name, part in files.items() for key, _ in part}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": where}))
    found, whole = load(folder)[1], Weights.of(hf.config_of(folder), tensors())
    assert torch.equal(found.layers[2].gate_up, whole.layers[2].gate_up)
    (folder / "b.safetensors").unlink()
    with pytest.raises(ValueError, match=r"lacks b\.safetensors"):
        load(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "last.ckpt"])
def test_pickle_files_are_refused_with_the_fix(folder, name):
    (folder / "model.safetensors").rename(folder / name)
    for where in (folder, folder / name):
        with pytest.raises(ValueError, match=rf"{name}: pickle files run code.*safetensors"):
            load(where)


def test_what_is_no_checkpoint_is_refused(folder, tmp_path_factory):
    with pytest.raises(ValueError, match="give the checkpoint's folder"):
        load(folder / "model.safetensors")
    gguf = folder / "model.gguf"
    with pytest.raises(ValueError, match=r"constraintlab convert .*model\.gguf"):
        load(gguf)
    with pytest.raises(ValueError, match=r"there is no folder \./nowhere"):
        load("./nowhere")
    empty = tmp_path_factory.mktemp("empty")
    (empty / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(ValueError, match="no safetensors file"):
        load(empty)


def test_a_file_cut_short_is_named(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"model\.safetensors is not a whole"):
        load(folder)


def test_the_hub_is_asked_for_an_id_and_its_extra_named(monkeypatch):
    import huggingface_hub

    asked = []

    def snapshot(name, allow_patterns):
        asked.append((name, allow_patterns))
        raise OSError("no network here")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    with pytest.raises(OSError, match="no network"):
        load("Qwen/Qwen3-0.6B")
    assert asked[0][0] == "Qwen/Qwen3-0.6B" and not any(".bin" in p for p in asked[0][1])
    really = builtins.__import__

    def without(name, *rest):
        if name == "huggingface_hub":
            raise ImportError(name)
        return really(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=r"constraintlab\[hub-models\]"):
        load("Qwen/Qwen3-0.6B")


def test_every_wrong_tensor_is_listed_at_once(folder):
    found = tensors()
    del found["model.layers.1.self_attn.k_norm.weight"]
    found["model.norm.weight"] = torch.ones(63)
    found["model.layers.0.self_attn.q_proj.lora_A"] = torch.ones(2, 2)
    save_file(found, folder / "model.safetensors")
    with pytest.raises(ValueError) as error:
        load(folder)
    said = str(error.value)
    assert "missing: model.layers.1.self_attn.k_norm.weight [32]" in said
    assert "misshapen: model.norm.weight is [63], not [64]" in said
    assert "unknown: model.layers.0.self_attn.q_proj.lora_A" in said
    assert said.count("\n") == 3


def test_a_long_list_of_wrong_tensors_is_cut(folder):
    save_file({"odd": torch.ones(1)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"and \d+ more") as error:
        load(folder)
    assert str(error.value).count("\n") == 21


def test_tensors_that_follow_from_the_configuration_are_left_alone():
    config = hf.from_dict(FAMILIES["gemma3"])
    extra = {
        "lm_head.weight": torch.zeros(96, 64), "model.rotary_emb.inv_freq": torch.zeros(16),
    }  # fmt: skip
    weights = Weights.of(config, tensors("gemma3") | extra)
    assert weights.head is weights.embedding


def test_parts_are_joined_in_order_and_norms_have_their_offset():
    config = hf.from_dict(FAMILIES["gemma3"])
    given = tensors("gemma3")
    layer = Weights.of(config, given).layers[1]
    at = "model.layers.1."
    q, k = (given[f"{at}self_attn.{p}_proj.weight"] for p in "qk")
    assert torch.equal(layer.qkv[: len(q)], q) and torch.equal(layer.qkv[len(q) :][: len(k)], k)
    assert torch.equal(layer.gate_up[80:], given[at + "mlp.up_proj.weight"])
    assert torch.equal(layer.before_mlp, given[at + "pre_feedforward_layernorm.weight"] + 1)
    assert torch.equal(layer.q_norm, given[at + "self_attn.q_norm.weight"] + 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("rows", [0, 1, 3, 40])
def test_a_packed_product_is_torch_s_own(dtype, rows):
    g = torch.Generator().manual_seed(rows)
    weight, bias, x = (torch.randn(s, generator=g).to(dtype) for s in ((48, 33), (48,), (rows, 33)))
    found = Linear(weight, bias)(x)
    exact = x.double() @ weight.double().T + bias.double()
    plain = torch.nn.functional.linear(x, weight, bias)
    assert found.shape == (rows, 48) and found.dtype == dtype
    if rows:
        most = max(float((plain - exact).abs().max()), 1e-6)
        assert float((found - exact).abs().max()) <= 2 * most


def test_prompts_of_all_lengths_meet_few_numbers_of_rows(monkeypatch):
    real, seen = linear._product(), set()

    def spy(x, *rest):
        seen.add(len(x))
        return real(x, *rest)

    product = Linear(torch.eye(16))
    monkeypatch.setattr(linear, "_product", lambda: spy)
    for rows in range(1, 200):
        x = torch.full((rows, 16), float(rows))
        assert torch.equal(product(x), x)
    assert seen == {*range(1, 33), 64, 96, 128, 160, 192, 224}


def test_a_product_that_cannot_be_packed_says_why_and_still_runs(monkeypatch):
    from constraintlab.engine.model import linear

    linear._lacks.cache_clear()
    monkeypatch.delattr(torch.ops.mkldnn, "_reorder_linear_weight")
    monkeypatch.setattr(type(torch.ops.mkldnn), "__getattr__", _absent)
    try:
        plain = Linear(torch.eye(4))
        assert not plain.packed and "no packed torch.float32 products" in plain.reason
        assert torch.equal(plain(torch.ones(2, 4)), torch.ones(2, 4))
    finally:
        linear._lacks.cache_clear()


def _absent(self, name):
    raise AttributeError(name)


def test_presets_are_the_same_for_the_same_seed():
    (config, a), (_, b), (_, c) = preset("nano"), preset("nano"), preset("nano", seed=1)
    assert torch.equal(a.layers[1].down, b.layers[1].down)
    assert not torch.equal(a.layers[1].down, c.layers[1].down)
    assert config.dtype == "float32" and a.head is a.embedding
    with pytest.raises(ValueError, match=r"no preset 'huge': use nano, slim, small"):
        preset("huge")
