"""Workloads: equal for equal seeds, in parts that are the whole, with the lengths asked for."""

import math
import statistics
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.engine.reasoner import collatz
from constraintlab.load import profiles, replay, traces
from constraintlab.load.arrivals import Poisson, Uniform
from constraintlab.load.checkable import Collatz
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.text import WORDS, Text
from constraintlab.load.workload import Sizes, Workload

FIXED = Profile("fixed", Lengths.exactly(12), Lengths.exactly(5))


def test_parts_are_the_whole_and_seeds_matter():
    load = Workload(Poisson(50), profiles.load("chat", 20, 200), duration=2.0, seed=4)
    whole = list(load.asks())
    parts = [list(load.asks(i, 3)) for i in range(3)]
    assert sorted((a for part in parts for a in part), key=lambda a: a.index) == whole
    assert [a.index for a in whole] == list(range(len(whole))) and whole[-1].at < 2.0
    other = list(Workload(Poisson(50), load.source, duration=2.0, seed=5).asks())
    assert [a.at for a in other] != [a.at for a in whole]


def test_other_arrivals_ask_the_same():
    a, b = (list(Workload(x, profiles.load("chat"), limit=20).asks())
            for x in (Poisson(1), Uniform(9)))  # fmt: skip
    assert [x.prompt for x in a] == [x.prompt for x in b]


def test_a_workload_ends_by_time_or_by_number():
    assert len(list(Workload(Uniform(10), FIXED, limit=7).asks())) == 7
    assert len(list(Workload(Uniform(10), FIXED, duration=0.95).asks())) == 10
    for wrong in ({}, {"duration": 0}, {"limit": 0}):
        with pytest.raises(ValueError, match="give"):
            Workload(Uniform(10), FIXED, **wrong)


@given(st.integers(1, 9000), st.integers(1, 9000), st.floats(1, 50), st.integers(2, 3000))
def test_scaled_lengths_fit_and_are_never_empty(prompt, output, k, cap):
    found = Sizes(prompt, output).scaled(k, cap)
    assert found.prompt >= 1 and found.output >= 1 and found.prompt + found.output <= cap
    free = Sizes(prompt, output).scaled(k, None)
    if free.prompt + free.output <= cap:
        assert found == free


@pytest.mark.parametrize("name", profiles.names())
def test_a_shipped_profile_draws_what_its_file_says(name):
    profile = profiles.load(name)
    drawn = list(islice(profile.draws(Random(2)), 4000))
    for lengths, values in ((profile.prompt, [d.prompt for d in drawn]),
                            (profile.output, [d.output for d in drawn])):  # fmt: skip
        assert min(values) >= lengths.low and max(values) <= lengths.high
        total = sum(w for w, _, _ in lengths.parts)
        mean = sum(w * math.exp(m + s * s / 2) for w, m, s in lengths.parts) / total
        assert statistics.mean(values) == pytest.approx(mean, rel=0.15)
        assert total == pytest.approx(1, abs=0.01)
        assert not lengths.error or lengths.error["ks"] < 0.05


def test_stress_is_the_mix_that_can_be_computed_by_hand():
    outputs = [d.output for d in islice(profiles.load("stress").draws(Random(1)), 5000)]
    assert set(outputs) == {2048, 32768}
    cv2 = statistics.pvariance(outputs) / statistics.mean(outputs) ** 2
    assert cv2 == pytest.approx(3.24, rel=0.1)


def test_wrong_profiles_are_named():
    with pytest.raises(ValueError, match=r"no profile 'talk': use chat, code, reasoning, stress"):
        profiles.load("talk")
    with pytest.raises(ValueError, match="scale=0"):
        profiles.load("chat", scale=0)
    with pytest.raises(ValueError, match="cap=1"):
        profiles.load("chat", cap=1)
    with pytest.raises(ValueError, match="install constraintlab from a clone"):
        profiles.folder(profiles.ROOT / "lib")
    with pytest.raises(ValueError, match="none of its parts reaches"):
        Lengths(((1.0, 20.0, 0.1),), 1, 10)


def test_prompts_have_about_as_many_tokens_as_the_server_will_count():
    assert len(Text().make(30, Random(1)).split()) == 30
    assert len(Text(ratio=1.5).make(30, Random(1)).split()) == 20
    assert len(Text("digits").make(30, Random(1))) == 30
    assert len(set(WORDS)) == len(WORDS)
    for wrong in ({"kind": "noise"}, {"ratio": 0}):
        with pytest.raises(ValueError, match=r"use words or digits|above 0"):
            Text(**wrong)


def test_prompts_that_share_blocks_begin_alike_and_then_differ():
    a = Text().shared(1000, (1, 2), 512, Random(7)).split()
    b = Text().shared(1300, (1, 2, 5), 512, Random(8)).split()
    c = Text().shared(600, (1, 3), 512, Random(9)).split()
    assert (len(a), len(b), len(c)) == (1000, 1300, 600)
    assert a == b[:1000], "a block that is not full is its block's beginning"
    assert a[:512] == c[:512] and a[512:600] != c[512:]


def test_questions_can_be_checked_and_have_the_cap():
    source = Collatz(400)
    starts = list(islice(source.draws(Random(1)), 3000))
    asks = [source.ask(s, i, 0.0, Text(), Random(0)) for i, s in enumerate(starts[:200])]
    for ask in asks:
        assert collatz.verify(ask.prompt, ask.answer + ";")
        assert len(ask.prompt) + len(ask.answer) + 1 <= 400 and ask.output == 390
        assert not ask.exact, "its answer ends by itself"
    lengths = [collatz.starts()[s] for s in starts]
    assert statistics.median(lengths) == pytest.approx(46, rel=0.15)
    with pytest.raises(ValueError, match="cap=10"):
        Collatz(10)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(traces.VARIABLE, str(tmp_path))
    return tmp_path


LINE = '{{"timestamp": {}, "input_length": {}, "output_length": {}, "hash_ids": {}}}\n'


def test_mooncake_is_read_with_its_blocks(folder):
    lines = LINE.format(3000, 600, 9, [0, 1]) + LINE.format(6000, 512, 0, [0])
    (folder / traces.MOONCAKE).write_text(lines)
    first, second = traces.mooncake()
    assert first == traces.Asked(0.0, 600, 9, (0, 1)) and second.at == 3.0
    source = replay.source("mooncake", scale=4)
    draws = list(source.draws(Random(0)))
    assert draws[0] == Sizes(150, 2, (0, 1), 128) and draws[1].output == 1
    a, b = (source.ask(d, 0, 0.0, Text(), Random(i)).prompt.split() for i, d in enumerate(draws))
    assert a[:128] == b[:128] and len(a) == 150
    assert replay.arrivals("mooncake").spread == 3.0


@pytest.mark.parametrize(
    ("line", "said"),
    [("{", "request 2"), (LINE.format(0, 600, 1, [1]), "1 blocks for 600 tokens"),
     (LINE.format(0, '"x"', 1, [1]), "input_length")],
)  # fmt: skip
def test_a_bad_line_of_mooncake_is_named(folder, line, said):
    (folder / traces.MOONCAKE).write_text(LINE.format(0, 5, 1, [0]) + line)
    with pytest.raises(ValueError, match=said):
        traces.mooncake()


def test_a_trace_that_is_not_there_names_its_own_origin(folder):
    with pytest.raises(traces.NoTraces, match=r"github\.com/kvcache-ai/Mooncake"):
        replay.source("mooncake")
    with pytest.raises(ValueError, match="no trace 'x': use azure-conv, azure-code, mooncake"):
        replay.source("x")
