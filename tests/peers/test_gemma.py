"""A real model: the 270 M Gemma 3, dequantised, against transformers with the same weights."""

import pytest
import torch

from constraintlab.engine.model.checkpoint import load
from constraintlab.engine.model.decoder import Decoder
from constraintlab.engine.model.pool import KVPool
from constraintlab.engine.model.step import Chunk, Step
from constraintlab.engine.tokenizer import Tokenizer

from .runs import BLOCK, ours, rms, theirs

PROSE = (
    "The tide came in slowly over the flats, and the children who had been digging since morning "
    "did not notice until the first channel filled behind them. Their grandmother did. "
)
ANSWER = 200
pytestmark = pytest.mark.timeout(400)
EVERY, WINDOW = 8, 512
"""Positions compared: one in so many (each has 262,144 logits), within the window and beyond."""


@pytest.fixture(scope="module")
def reference(transformers, gemma):
    """(fp32 model, how far transformers' own bf16 is from it, the tokens it was measured on)."""
    tokens = Tokenizer.load(gemma).encode(PROSE * 20)[:700]
    auto = transformers.AutoModelForCausalLM
    model = auto.from_pretrained(gemma, dtype=torch.float32).eval()
    exact = theirs(model, tokens, EVERY)
    low = theirs(auto.from_pretrained(gemma, dtype=torch.bfloat16).eval(), tokens, EVERY)
    return model, exact, low, tokens


@pytest.fixture(scope="module")
def decoder(gemma):
    config, weights = load(gemma)
    return config, Decoder(config, weights)


PARTS = (slice(0, WINDOW // EVERY), slice(WINDOW // EVERY, None))
CHUNKS = [[(0, 256)], [(0, 1)], [(0, 300)], [(0, 143)]]


def test_fp32_logits_are_transformers_beyond_the_window_and_in_chunks(reference, decoder):
    _, exact, low, tokens = reference
    config, model = decoder
    assert {w for w in config.windows if w} == {WINDOW} and len(tokens) > WINDOW + 100
    for plan in ([[(0, 700)]], CHUNKS):
        (found,) = ours(config, model, [tokens], plan, EVERY)
        for part in PARTS:
            assert rms(found[part], exact[part]) < rms(low[part], exact[part]) / 2**8


def test_bf16_errs_no_more_than_twice_what_transformers_bf16_does(reference, gemma):
    _, exact, low, tokens = reference
    config, weights = load(gemma, dtype="bfloat16")
    (found,) = ours(config, Decoder(config, weights), [tokens], CHUNKS, EVERY)
    for part in PARTS:
        assert rms(found[part], exact[part]) <= 2 * rms(low[part], exact[part])
        worst, allowed = ((x[part] - exact[part]).abs().max() for x in (found, low))
        assert worst <= 2 * allowed


def test_a_ragged_batch_of_prompts_and_decodes_gives_each_its_own_logits(reference, decoder):
    model, exact, low, tokens = reference
    config, mine = decoder
    sequences = [tokens[:560], tokens[100:140], tokens[300:353]]
    plan = [
        [(0, 540), (1, 30)],
        [(1, 1), (0, 5), (2, 40)],
        *[[(0, 1), (1, 1), (2, 1)]] * 9,
        [(2, 1), (0, 6)],
        [(2, 3)],
    ]
    found = ours(config, mine, sequences, plan, EVERY)
    allowed = rms(low, exact) / 2**8
    for mixed, alone in zip(found, sequences, strict=True):
        assert rms(mixed, theirs(model, alone, EVERY)) < allowed


def test_the_greedy_text_is_transformers_for_200_tokens(reference, decoder, gemma):
    model, *_ = reference
    config, mine = decoder
    tokenizer = Tokenizer.load(gemma)
    prompt = tokenizer.encode("An alphabet of animals: A is for Antelope, B is for")
    options = {"max_new_tokens": ANSWER, "min_new_tokens": ANSWER, "do_sample": False}
    ids = torch.tensor([prompt])
    whole = model.generate(ids, attention_mask=torch.ones_like(ids), **options)[0].tolist()

    blocks = tuple(range(-(-len(whole) // BLOCK)))
    pool = KVPool(config, len(blocks), BLOCK)
    out = torch.empty(1, config.vocab)
    answer, new, past = [], prompt, 0
    while len(answer) < ANSWER:
        logits = mine.forward(Step.of([Chunk(new, past, blocks)], BLOCK), pool, out)
        logits[0, list(config.eos)] = -torch.inf  # as min_new_tokens has it
        past, new = past + len(new), [int(logits[0].argmax())]
        answer += new
    assert answer == whole[len(prompt) :]
    stream = tokenizer.stream()
    text = "".join(map(stream.put, answer)) + stream.finish()
    assert text == tokenizer.decode(answer) and len(set(answer)) > 50


def test_the_tokenizer_reads_text_as_transformers_own_gguf_reader_does(
    transformers, gguf_file, gemma
):
    auto = transformers.AutoTokenizer.from_pretrained
    peers = [auto(gguf_file.parent, gguf_file=gguf_file.name), auto(gemma)]
    mine = Tokenizer.load(gemma)
    texts = [
        PROSE, "", " ", "  two   three    four\n\n\nlines\t\ttabs", "naïve café — 日本語 🤖👩‍👩‍👧",
        "def f(x):\n    return x ** 2  # no", "<start_of_turn>user\nhi<end_of_turn>", "1234 3.1",
        "<0x0A> </div> <unused9>", "\x00\x01\uffff", "﷽ ༁ ᚠᛇᚻ",
    ]  # fmt: skip
    ids = torch.randint(mine.vocab, (60, 12), generator=torch.Generator().manual_seed(0))
    texts += [mine.decode(row) for row in ids.tolist()]
    for text in texts:
        found = mine.encode(text)
        for peer in peers:
            assert found == peer(text)["input_ids"], text
            assert mine.decode(found) == peer.decode(found, skip_special_tokens=True)


def test_its_figures_are_those_of_the_real_model(decoder):
    config, _ = decoder
    assert config.parameters == 268_098_176
    assert config.kv_bytes == 2 * 18 * 256 * 4
    assert [w is None for w in config.windows].count(True) == 3
