"""Configurations: what a config.json means, what is refused by name, and what is derived."""

import json
import math

import pytest

from constraintlab.engine.model import hf, names
from constraintlab.engine.model.hf import config_of, from_dict
from constraintlab.engine.model.presets import PRESETS
from constraintlab.engine.model.rope import Rope

from .tiny import FAMILIES, SIZES

LLAMA_8B = {
    "model_type": "llama", "vocab_size": 128256, "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
    "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "torch_dtype": "bfloat16",
    "tie_word_embeddings": False, "eos_token_id": [128001, 128009],
}  # fmt: skip


def test_llama_8b_s_figures_by_hand():
    config = from_dict(LLAMA_8B)
    assert config.parameters == 8_030_261_248
    assert config.kv_bytes == 131_072
    assert config.step_bytes == 2 * (config.parameters - 128256 * 4096)
    assert config.head_dim == 128 and config.scale == 128**-0.5
    assert config.eos == (128001, 128009) and not config.tied


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_are_those_of_a_checkpoint_s_tensors(family):
    config = from_dict(FAMILIES[family])
    assert config.parameters == sum(math.prod(s) for s in names.shapes(config).values())


@pytest.mark.parametrize("name", PRESETS)
def test_presets_fit_together(name):
    assert PRESETS[name].parameters > 0


def test_gemma_s_pattern_and_bases_where_the_file_leaves_them_out():
    g = {k: v for k, v in FAMILIES["gemma3"].items() if k not in ("layer_types", "rope_parameters")}
    config = from_dict(g | {"num_hidden_layers": 7})
    assert config.windows == (5,) * 5 + (None, 5)
    assert (config.rope.theta, config.local_rope.theta) == (1e6, 1e4)
    assert config.tied and config.embed_scale == 8.0 and config.norm_offset == 1.0
    assert config.scale == 48**-0.5


def test_the_older_and_the_newer_way_to_write_rope_mean_the_same():
    scaling = FAMILIES["llama"]["rope_scaling"]
    newer = {k: v for k, v in FAMILIES["llama"].items() if not k.startswith("rope")}
    newer["rope_parameters"] = scaling | {"rope_theta": 500.0}
    assert from_dict(newer) == from_dict(FAMILIES["llama"])


def test_qwen2_slides_only_where_it_says_so():
    g = FAMILIES["qwen2"] | {"sliding_window": 7, "max_window_layers": 1}
    assert from_dict(g).windows == (None,) * 3
    assert from_dict(g | {"use_sliding_window": True}).windows == (None, 7, 7)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model_type": "mixtral"}, "mixtral"),
        ({"model_type": "gemma3"}, "gemma3_text are"),
        ({"model_type": None}, "None"),
        ({"quantization_config": {"bits": 4}}, "quantised"),
        ({"num_local_experts": 8}, "mixture of experts"),
        ({"attention_bias": True}, "attention_bias"),
        ({"mlp_bias": True}, "mlp_bias"),
        ({"final_logit_softcapping": 30.0}, "soft-capped logits"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "yarn"),
        ({"rope_scaling": {"type": "dynamic", "factor": 4.0}}, "dynamic"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 4.0}}, "low_freq_factor"),
        ({"rope_scaling": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
        ({"hidden_act": "relu"}, "relu"),
        ({"num_key_value_heads": 3}, "can't share 3"),
        ({"head_dim": 7}, "make it even"),
        ({"vocab_size": 0}, "vocab is 0"),
        ({"vocab_size": "many"}, "vocab is 'many'"),
        ({"dtype": "float8"}, "float8"),
        ({"use_sliding_window": True, "sliding_window": 0, "max_window_layers": 0}, "windows"),
        ({"use_sliding_window": True, "sliding_window": 4, "layer_types": ["linear"]}, "linear"),
        ({"use_sliding_window": True, "sliding_window": 4, "layer_types": []}, "0 entries for 3"),
    ],
)
def test_what_is_not_supported_is_named(change, named):
    with pytest.raises(ValueError, match=named):
        from_dict(SIZES | {"model_type": "llama"} | change)


def test_missing_sizes_are_all_named():
    with pytest.raises(ValueError, match="lacks vocab_size, intermediate_size"):
        from_dict(
            {k: v for k, v in LLAMA_8B.items() if k not in ("vocab_size", "intermediate_size")}
        )


def test_a_folder_s_file_is_read_and_named_when_wrong(tmp_path):
    with pytest.raises(ValueError, match=r"has no config\.json"):
        config_of(tmp_path)
    file = tmp_path / "config.json"
    file.write_text("{")
    with pytest.raises(ValueError, match=r"config\.json is not JSON"):
        config_of(tmp_path)
    file.write_text(json.dumps({"model_type": "opt"}))
    with pytest.raises(ValueError, match=r"config\.json: model_type 'opt'"):
        config_of(tmp_path)
    file.write_text(json.dumps(LLAMA_8B))
    assert config_of(tmp_path) == from_dict(LLAMA_8B)


def test_llama3_stretches_slow_pairs_whole_fast_ones_not_and_those_between_in_part():
    plain, found = Rope(10_000.0), Rope(10_000.0, "llama3", 8.0, 1.0, 4.0, 64)
    ratios = [p / s for p, s in zip(plain.speeds(64), found.speeds(64), strict=True)]
    assert ratios[0] == 1 and ratios[-1] == 8
    assert ratios == sorted(ratios) and any(1 < r < 8 for r in ratios)


@pytest.mark.parametrize(
    "rope", [Rope(1e4), Rope(1e6, "linear", 8.0), Rope(5e5, "llama3", 8.0, 1.0, 4.0, 8192)]
)
def test_a_rope_survives_a_round_trip(rope):
    assert Rope.from_dict(rope.as_dict(), 1.0) == rope


def test_every_family_s_defaults_are_only_what_a_file_may_leave_out():
    assert all(not set(hf.NEEDED) & set(defaults) for defaults in hf.FAMILIES.values())
