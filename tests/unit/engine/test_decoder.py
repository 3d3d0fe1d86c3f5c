"""The decoder against an fp64 one, and against itself: batched, chunked, in any blocks."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.engine.model.decoder import Decoder
from constraintlab.engine.model.pool import KVPool
from constraintlab.engine.model.step import Chunk, Step
from constraintlab.engine.model.weights import Weights

from . import model_reference
from .tiny import FAMILIES, Runner, tiny, tokens_of

every_family = pytest.mark.parametrize("family", FAMILIES)


def error(found, exact):
    return float((found.double() - exact).abs().max())


def bound(config, tensors, tokens, exact):
    """What rounding the weights alone to half of fp32's digits changes, a hundredth of it."""
    coarse = {n: t.bfloat16().float() for n, t in tensors.items()}
    return error(model_reference.logits(config, coarse, tokens), exact) / 100


@every_family
def test_it_agrees_with_fp64_prompt_and_decode(family):
    config, tensors, decoder = tiny(family)
    tokens = tokens_of(config, 23)
    exact = model_reference.logits(config, tensors, tokens)
    limit = bound(config, tensors, tokens, exact)
    runner = Runner(config, decoder)
    step = replace(runner.step([("a", tokens[:17])]), wanted=torch.arange(17))
    assert error(decoder.forward(step, runner.pool), exact[:17]) < limit
    for i in range(17, 23):
        assert error(runner.run([("a", tokens[i : i + 1])])[0], exact[i]) < limit


@every_family
def test_bf16_errs_no_more_than_rounding_does(family):
    config, tensors, _ = tiny(family)
    low = replace(config, dtype="bfloat16")
    tokens = tokens_of(config, 23)
    decoder = Decoder(low, Weights.of(low, tensors), decode="gather")
    coarse = {n: t.bfloat16().float() for n, t in tensors.items()}
    exact = model_reference.logits(config, coarse, tokens)
    found = Runner(low, decoder).run([("a", tokens)])
    assert found.dtype == torch.float32
    rounding = error(exact, model_reference.logits(config, tensors, tokens))
    assert error(found[0], exact[-1]) < 2 * rounding


@every_family
@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(1, 9), min_size=1, max_size=6), seed=st.integers(0, 9))
def test_a_prompt_in_chunks_gives_what_the_whole_gives(family, cuts, seed):
    config, _, decoder = tiny(family)
    tokens = tokens_of(config, sum(cuts), seed)
    whole = Runner(config, decoder).run([("a", tokens)])
    runner, at = Runner(config, decoder, seed=seed), 0
    for n in cuts:
        last = runner.run([("a", tokens[at : at + n])])
        at += n
    assert torch.allclose(last, whole, atol=2e-5)


@every_family
def test_each_sequence_of_a_mixed_batch_gives_what_it_gives_alone(family):
    config, _, decoder = tiny(family)
    prompts = {name: tokens_of(config, n, n) for name, n in (("a", 13), ("b", 4), ("c", 9))}
    alone = {}
    for name, tokens in prompts.items():
        runner = Runner(config, decoder)
        alone[name] = [runner.run([(name, tokens)])[0], runner.run([(name, [5])])[0]]
    runner = Runner(config, decoder, block_size=3)
    both = runner.run([("a", prompts["a"]), ("b", prompts["b"])])
    mixed = runner.run([("b", [5]), ("a", [5]), ("c", prompts["c"])])
    wanted = [alone["a"][0], alone["b"][0], alone["b"][1], alone["a"][1], alone["c"][0]]
    for found, expected in zip((*both, *mixed), wanted, strict=True):
        assert torch.allclose(found, expected, atol=2e-5)


def test_the_compiled_decode_kernel_gives_the_same_for_heads_of_an_odd_size():
    """As for 64, 128 and 256, which the kernel's own tests try: it is compiled for any size."""
    config, tensors, slow = tiny("gemma3", head_dim=20)
    fast = Decoder(config, Weights.of(config, tensors))
    tokens = tokens_of(config, 12)
    for decoder in (slow, fast):
        runner = Runner(config, decoder)
        runner.run([("a", tokens), ("b", tokens[:5])])
        decoder.found = runner.run([("a", [3]), ("b", [4])])
    assert torch.allclose(slow.found, fast.found, atol=2e-5)


def test_only_wanted_rows_give_logits_in_the_chunks_order():
    config, _, decoder = tiny("llama")
    blocks = [[0, 1], [2, 3], [4, 5]]
    chunks = [Chunk([7, 8, 9], 0, b, wanted=b != blocks[1]) for b in blocks]
    pool = KVPool(config, 6, 4)
    found = decoder.forward(Step.of(chunks, 4), pool)
    assert found.shape == (2, config.vocab)
    none = decoder.forward(Step.of([replace(chunks[0], wanted=False)], 4), pool)
    assert none.shape == (0, config.vocab)


def test_logits_go_into_the_caller_s_tensor():
    config, _, decoder = tiny("llama")
    out = torch.full((3, config.vocab), torch.nan)
    runner = Runner(config, decoder)
    expected = Runner(config, decoder).run([("a", [1, 2])])
    found = decoder.forward(runner.step([("a", [1, 2])]), runner.pool, out)
    assert found.data_ptr() == out.data_ptr() and torch.equal(found, expected)
    assert out[1:].isnan().all()


def test_what_a_layer_sees_is_bounded_by_its_window_alone():
    """With every layer sliding, a token far enough back can't reach the logits any more."""
    config, _, decoder = tiny("gemma3", layer_types=["sliding_attention"] * 3)
    tokens = tokens_of(config, 20)
    reach = 3 * (5 - 1)
    for changed, same in ((20 - 1 - reach - 1, True), (20 - 1 - reach, False)):
        other = list(tokens)
        other[changed] = (other[changed] + 1) % config.vocab
        a, b = (Runner(config, decoder).run([("a", t)]) for t in (tokens, other))
        assert torch.equal(a, b) == same


def test_work_counts_weights_once_and_tokens_each():
    config, _, decoder = tiny("llama")
    runner = Runner(config, decoder)
    runner.run([("a", [1] * 9), ("b", [1] * 4)])
    kernels = decoder.work(runner.step([("a", [1]), ("b", [1])]))
    layers = next(k for k in kernels if k.name == "layers")
    assert layers.fixed.bytes == 3 * config.layer_matrices * 4
    assert layers.work(2).flops == 2 * 2 * 3 * config.layer_matrices
    attention = next(k for k in kernels if k.name == "attention")
    assert attention.work(2).flops == 4 * 3 * (10 + 5) * config.heads * config.head_dim
