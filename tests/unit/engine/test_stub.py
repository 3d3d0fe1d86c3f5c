"""The stub that echoes, the made-up words it may say, and messages in pieces."""

import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.engine import stub
from constraintlab.engine.process import EngineProcess
from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.setup import Setup, build, speech, vocabulary
from constraintlab.engine.wire import Splitter, pack
from constraintlab.engine.words import words


@pytest.fixture(scope="module")
def tokenizer():
    return words(4096)


def test_words_are_six_bytes_each_and_any_other_text_is_spelled_in_bytes(tokenizer):
    assert tokenizer.vocab == 4096
    texts = [tokenizer.decode([i]) for i in range(256, 4096)]
    assert len(set(texts)) == len(texts) and {len(t.encode()) for t in texts} == {6}
    assert tokenizer.encode(texts[0] + texts[-1]) == [256, 4095]
    assert len(tokenizer.encode("naïve 😀")) == len("naïve 😀".encode())


@given(st.text())
def test_any_text_comes_back_from_its_tokens_one_by_one(text):
    tokenizer = words(300)
    stream, ids = tokenizer.stream(), tokenizer.encode(text)
    assert "".join([stream.put(i) for i in ids] + [stream.finish()]) == text


def test_a_stub_says_its_prompt_again_and_again():
    engine = build(Setup(model="stub"))
    request = Request(0, [300, 301, 302], Sampling(7))
    engine.submit(request)
    text = "".join(e.text for _ in range(7) for e in engine.step().emitted)
    assert request.output == [300, 301, 302, 300, 301, 302, 300]
    assert text == speech("stub", stub.VOCAB).decode(request.output)


def test_a_stub_keeps_the_pace_its_name_asks_for_and_makes_up_for_no_late_step():
    now, slept = [0.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    paced = stub.Stub(stub.pace("stub@10"), lambda: now[0], sleep)
    for late in (0, 0, 0, 0.35, 0):
        now[0] += late
        paced.forward([])
    assert slept == pytest.approx([0.1, 0.1, 0.1, 0.1]) and now[0] == pytest.approx(0.75)


def test_a_stub_with_a_pace_that_is_none_is_an_error_and_other_names_are_no_stubs():
    for name in ("stub@", "stub@fast", "stub@0", "stub@-1"):
        with pytest.raises(ValueError, match="stub@50 for 50 steps a second"):
            stub.pace(name)
    assert stub.pace("reasoner") is None and stub.pace("stub") == 0


@pytest.mark.long
def test_a_preset_has_words_only_where_they_are_asked_for():
    with EngineProcess(Setup(model="nano", words=True, blocks=8, threads=1)) as engine:
        assert engine.run([([1, 2], Sampling(6))])[0].text
    with EngineProcess(Setup(model="nano", blocks=8, threads=1)) as engine:
        assert engine.run([([1, 2], Sampling(6))])[0].text == ""


def test_a_stub_and_its_text_need_no_tensors():
    code = (
        "from constraintlab.engine.setup import *; build(Setup(model='stub')); "
        "import constraintlab.engine.worker, sys; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout.split()


def test_the_vocabulary_of_what_was_loaded():
    assert vocabulary((None, None, None)) == stub.VOCAB


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(1, 50), min_size=1))
def test_messages_are_the_same_however_the_bytes_are_cut(messages, cuts):
    data, splitter, found, i = b"".join(map(pack, messages)), Splitter(), [], 0
    while data:
        n = cuts[i % len(cuts)]
        found += splitter.feed(data[:n])
        data, i = data[n:], i + 1
    assert found == messages


def test_a_message_that_is_not_whole_stays_inside():
    splitter, data = Splitter(), pack("hello")
    assert list(splitter.feed(data[:-1])) == [] and list(splitter.feed(data[-1:])) == ["hello"]
    assert pickle.loads(data[4:]) == "hello"
