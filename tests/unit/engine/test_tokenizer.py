"""Tokenizers built from a GGUF's vocabulary, and text that streams in whole characters."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers

from constraintlab.engine.model.gguf_vocab import implied_merges, tokenizer
from constraintlab.engine.tokenizer import Tokenizer

from .make_gguf import sentencepiece


def fields(v, architecture="llama", **other):
    keys = {"model": "model", "tokens": "tokens", "types": "token_type", "scores": "scores",
            "merges": "merges", "pre": "pre"}  # fmt: skip
    found = {f"tokenizer.ggml.{keys[k]}": x for k, x in v.items() if k in keys}
    ends = {"tokenizer.ggml.bos_token_id": 2, "tokenizer.ggml.eos_token_id": 1}
    more = {f"tokenizer.ggml.{k}": x for k, x in other.items()}
    return {"general.architecture": architecture} | found | ends | more


def byte_level(v=None):
    """Bytes as single tokens, plus two merges and a special token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, "th", "the", "<|end|>"]
    types = [1] * (len(tokens) - 1) + [3]
    base = {"model": "gpt2", "tokens": tokens, "types": types, "merges": ["t h", "th e"]}
    return base | {"pre": "qwen2"} | (v or {})


SPM = Tokenizer(tokenizer(fields(sentencepiece(96), add_space_prefix=False)), [1])
BYTES = Tokenizer(tokenizer(fields(byte_level())), [258])


def pieces(t, text):
    return [t.backend.id_to_token(i) for i in t.encode(text, special=False)]


def test_the_best_scored_merge_comes_first():
    # "the": th (rank 6) before he (rank 9), and so ▁th + e, not ▁t + he
    assert pieces(SPM, " the") == ["\u2581the"]
    assert pieces(SPM, "thee") == ["th", "e", "e"]
    assert pieces(SPM, "  a") == ["\u2581\u2581", "a"]


def test_implied_merges_are_every_split_into_two_tokens_best_first():
    tokens, types = ["a", "b", "ab", "ba", "aba", "<s>"], [1, 1, 1, 1, 1, 3]
    assert implied_merges(tokens, types, [0, 0, -2, -1, -3, 0]) == [
        ("b", "a"), ("a", "b"), ("a", "ba"), ("ab", "a"),
    ]  # fmt: skip


def test_gemma_merges_by_id_whatever_its_scores_say():
    v = sentencepiece(96)
    v["scores"] = v["scores"][::-1]
    by_id = Tokenizer(tokenizer(fields(v, "gemma3", add_space_prefix=False)))
    by_score = Tokenizer(tokenizer(fields(v, add_space_prefix=False)))
    assert pieces(by_id, "thee") == ["th", "e", "e"]
    assert pieces(by_score, "thee") == ["t", "he", "e"]


def test_what_no_token_spells_is_spelled_in_bytes_or_unknown():
    assert pieces(SPM, "€") == ["<0xE2>", "<0x82>", "<0xAC>"]
    assert SPM.decode(SPM.encode("a€b")) == "a€b"
    assert pieces(SPM, "a猫") == ["a", "<unk>"]


def test_a_space_before_the_first_word_is_added_and_taken_away():
    t = Tokenizer(tokenizer(fields(sentencepiece(96))))
    assert pieces(t, "the") == ["\u2581the"] and t.decode(t.encode("the th")) == "the th"


def test_the_first_token_is_added_unless_it_is_there_already():
    assert SPM.encode("a")[0] == 2 and SPM.encode("a", special=False)[0] != 2
    assert SPM.decode([2, *SPM.encode("a", special=False), 1]) == "a"
    assert SPM.decode([2], special=True) == "<s>"
    no = Tokenizer(tokenizer(fields(sentencepiece(96), add_bos_token=False)))
    assert no.encode("a")[0] != 2


def test_special_tokens_in_text_are_whole():
    assert pieces(BYTES, "the<|end|>") == ["the", "<|end|>"]


@given(st.text(max_size=30))
def test_byte_level_text_survives(text):
    assert BYTES.decode(BYTES.encode(text)) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("v", "says"),
    [
        (byte_level({"pre": "klingon"}), "klingon"),
        (byte_level({"merges": None}), "no merges"),
        ({"model": "bert", "tokens": ["a"], "types": [1]}, "tokenizer 'bert'"),
        ({"model": "llama"}, "no vocabulary"),
    ],
)
def test_vocabularies_that_are_not_supported_are_named(v, says):
    with pytest.raises(ValueError, match=says):
        tokenizer(fields({k: x for k, x in v.items() if x is not None}))


@given(st.text(max_size=40))
def test_a_stream_adds_up_to_the_text_and_never_shows_half_a_character(text):
    stream, shown = BYTES.stream(), []
    ids = BYTES.encode(text)
    for token in ids:
        shown.append(stream.put(token))
    whole = BYTES.decode(ids)
    assert "".join(shown) + stream.finish() == whole
    if "\ufffd" not in whole:
        assert not any("\ufffd" in part for part in shown)


@given(st.lists(st.integers(0, 95), max_size=40))
def test_a_stream_of_any_tokens_at_all_adds_up(ids):
    stream = SPM.stream()
    shown = "".join(stream.put(i) for i in ids) + stream.finish()
    whole = SPM.decode(ids)
    assert "\ufffd" in whole or shown == whole


def test_text_is_shown_as_soon_as_it_is_whole():
    stream = BYTES.stream()
    euro = BYTES.encode("€")
    assert [stream.put(i) for i in (*BYTES.encode("the"), *euro, *BYTES.encode("x"))] == [
        "the", "", "", "€", "x",
    ]  # fmt: skip
    assert stream.finish() == ""


def test_broken_bytes_are_not_held_for_ever():
    stream = BYTES.stream()
    bad = BYTES.backend.token_to_id(sorted(pre_tokenizers.ByteLevel.alphabet())[-1])
    shown = [stream.put(bad) for _ in range(20)]
    assert any(shown) and "".join(shown) + stream.finish() == BYTES.decode([bad] * 20)


def test_a_long_answer_costs_no_more_a_token_than_a_short_one():
    decoded = []

    class Counting(Tokenizer):
        def decode(self, ids, **options):
            decoded.append(len(ids))
            return super().decode(ids, **options)

    stream = Counting(BYTES.backend).stream()
    for token in [*BYTES.encode("the ") * 100, *[258] * 100, *BYTES.encode("€")]:
        stream.put(token)
    assert max(decoded) <= 5


@pytest.fixture
def folder(tmp_path):
    BYTES.backend.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_a_folder_s_ends_and_template_are_read(folder):
    (folder / "config.json").write_text(json.dumps({"eos_token_id": 3}))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [3, 258]}))
    template = "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"
    about = {"chat_template": template, "bos_token": {"content": "<|end|>"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    t = Tokenizer.load(folder)
    assert t.eos == {3, 258} and t.vocab == 259
    assert t.chat([{"role": "user", "content": "hi"}]) == "<|end|>[user] hi"
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no system here') }}")
    with pytest.raises(ValueError, match="no system here"):
        Tokenizer.load(folder).chat([])


def test_a_template_cannot_reach_python(folder):
    (folder / "chat_template.jinja").write_text("{{ messages.__class__.__mro__ }}")
    with pytest.raises(ValueError, match=r"refuses these messages.*unsafe"):
        Tokenizer.load(folder).chat([])


def test_without_a_template_or_a_tokenizer_the_fix_is_named(folder, tmp_path_factory):
    with pytest.raises(ValueError, match="give it plain text"):
        Tokenizer.load(folder).chat([])
    with pytest.raises(ValueError, match=r"no tokenizer\.json"):
        Tokenizer.load(tmp_path_factory.mktemp("empty"))
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer\.json can't be read"):
        Tokenizer.load(folder)


def test_a_space_that_a_decoder_strips_is_lost_only_once():
    made = Backend(models.BPE(vocab={"\u2581a": 0, "\u2581b": 1}, merges=[]))
    made.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.Fuse(),
                                      decoders.Strip(" ", 1, 0)])  # fmt: skip
    stream = Tokenizer(made).stream()
    assert [stream.put(i) for i in (0, 1, 1, 0)] == ["a", " b", " b", " a"]
