"""Every family against transformers' own class, with the same random weights."""

import json

import pytest
import torch

from constraintlab.engine.model.checkpoint import load
from constraintlab.engine.model.decoder import Decoder
from tests.unit.engine.tiny import FAMILIES, tokens_of

from .runs import ours, rms, theirs

TOKENS = 40


@pytest.fixture(params=FAMILIES)
def folder(request, transformers, tmp_path):
    """A checkpoint that transformers itself made and saved."""
    given = dict(FAMILIES[request.param])
    kind = transformers.AutoConfig.for_model(given.pop("model_type"), **given)
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(kind)
    for name, weight in model.named_parameters():
        if name.endswith("norm.weight") or name.endswith("bias"):
            torch.nn.init.normal_(weight, 0.5, 0.2)
        else:
            torch.nn.init.normal_(weight, 0.0, weight.shape[-1] ** -0.5)
    model.save_pretrained(tmp_path)
    return tmp_path


def model_of(transformers, folder, dtype):
    auto = transformers.AutoModelForCausalLM
    return auto.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()


def test_logits_are_transformers_prompt_chunks_and_decode(transformers, folder):
    config, weights = load(folder)
    decoder = Decoder(config, weights, decode="gather")
    tokens = tokens_of(config, TOKENS)
    exact = theirs(model_of(transformers, folder, torch.float32), tokens)
    rough = rms(theirs(model_of(transformers, folder, torch.bfloat16), tokens), exact)
    assert rough > 1e-4  # else the bound below would ask for nothing
    plans = {
        "whole": [[(0, TOKENS)]],
        "chunks": [[(0, 7)], [(0, 20)], [(0, 13)]],
        "decode": [[(0, 30)]] + [[(0, 1)]] * 10,
    }
    for name, plan in plans.items():
        (found,) = ours(config, decoder, [tokens], plan)
        assert rms(found, exact) < rough / 2**8, name  # fp32 has 16 more bits than bf16
    low_config, low_weights = load(folder, dtype="bfloat16")
    low = Decoder(low_config, low_weights, decode="gather")
    (found,) = ours(low_config, low, [tokens], plans["chunks"])
    assert rms(found, exact) <= 2 * rough


def test_the_configuration_s_figures_are_transformers(transformers, folder):
    config, _ = load(folder)
    model = model_of(transformers, folder, torch.float32)
    assert config.parameters == sum(p.numel() for p in model.parameters())
    assert json.loads((folder / "config.json").read_text())["vocab_size"] == config.vocab
