"""Real traces: read where they are, and named where they are not."""

import csv
import os
from collections import Counter
from random import Random

import numpy as np
import pytest

from constraintlab.load import profiles, traces


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(traces.VARIABLE, str(tmp_path))
    return tmp_path


def test_a_trace_is_read_with_seconds_since_its_first_request(folder):
    (folder / traces.CONVERSATION).write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"
    )
    first, second = traces.azure()
    assert first == traces.Asked(0.0, 374, 44)
    assert second.at == pytest.approx(4.314579) and second.output == 109


def test_a_bad_line_is_named(folder):
    (folder / traces.CONVERSATION).write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\nyesterday,1,2\n"
    )
    with pytest.raises(ValueError, match="request 2"):
        traces.azure()


def test_an_empty_file_is_no_trace(folder):
    for name, read in ((traces.CONVERSATION, traces.azure), (traces.MOONCAKE, traces.mooncake)):
        (folder / name).touch()
        with pytest.raises(ValueError, match=f"{name} has no request in it"):
            read()


def test_a_trace_that_is_not_there_says_where_to_get_it(folder, monkeypatch):
    with pytest.raises(traces.NoTraces, match=r"has none\. Get it from github\.com/Azure"):
        traces.azure()
    monkeypatch.delenv(traces.VARIABLE)
    with pytest.raises(traces.NoTraces, match="CONSTRAINTLAB_TRACES is not set"):
        traces.azure()


@pytest.mark.skipif(not os.environ.get(traces.VARIABLE), reason="CONSTRAINTLAB_TRACES is not set")
def test_the_published_conversation_trace_has_its_published_size():
    found = traces.azure()
    assert len(found) == 19_366
    assert sum(a.prompt for a in found) / len(found) == pytest.approx(1155, abs=1)
    assert sum(a.output for a in found) / len(found) == pytest.approx(211, abs=1)


@pytest.mark.skipif(not os.environ.get(traces.VARIABLE), reason="CONSTRAINTLAB_TRACES is not set")
def test_the_published_mooncake_trace_has_its_published_size_and_sharing():
    found = traces.mooncake()
    assert len(found) == 12_031
    assert sum(a.prompt for a in found) / len(found) == pytest.approx(12_035, abs=1)
    seen, shared = set(), 0
    for a in found:
        new = next((i for i, b in enumerate(a.blocks) if b not in seen), len(a.blocks))
        shared += new
        seen.update(a.blocks)
    assert shared / sum(len(a.blocks) for a in found) == pytest.approx(0.366, abs=0.001)


@pytest.mark.skipif(not os.environ.get(traces.VARIABLE), reason="CONSTRAINTLAB_TRACES is not set")
def test_the_shipped_profiles_are_what_the_fit_makes_of_the_traces():
    import json

    from constraintlab.load import fit

    shipped = json.loads((profiles.folder() / "code.json").read_text("utf-8"))
    made = fit.azure(traces.CODE, shipped["about"])
    for part in ("prompt", "output"):
        assert made[part]["error"] == pytest.approx(shipped[part]["error"], abs=1e-3)
    assert made["arrivals"] == shipped["arrivals"] and made["source"] == shipped["source"]


def published(name, part):
    """(tokens, shares) of a trace's prompts or answers, read without the code that fits them."""
    if name == "reasoning":
        file = f"servegen_deepseek-r1_{'input' if part == 'prompt' else 'output'}_tokens_pooled_pmf"
        rows = list(csv.DictReader(traces.path(f"{file}.csv").open(newline="")))
        pairs = [tuple(map(float, row.values())) for row in rows]
        tokens, weights = zip(*pairs, strict=True)
    else:
        file = traces.CONVERSATION if name == "chat" else traces.CODE
        column = {"prompt": "ContextTokens", "output": "GeneratedTokens"}[part]
        rows = csv.DictReader(traces.path(file).open(newline=""))
        tokens, weights = zip(*Counter(int(r[column]) for r in rows).items(), strict=True)
    order = np.argsort(tokens)
    return np.maximum(np.array(tokens)[order], 1), np.array(weights)[order] / sum(weights)


@pytest.mark.skipif(not os.environ.get(traces.VARIABLE), reason="CONSTRAINTLAB_TRACES is not set")
@pytest.mark.parametrize("part", ["prompt", "output"])
@pytest.mark.parametrize("name", ["chat", "code", "reasoning"])
def test_draws_of_a_profile_are_as_far_from_its_trace_as_it_says(name, part, record_property):
    """Kolmogorov-Smirnov; draws are 1.63/√n off by chance, once in a hundred times."""
    lengths, n = getattr(profiles.load(name), part), 20_000
    random = Random(7)
    drawn = np.sort([lengths.draw(random) for _ in range(n)])
    tokens, weights = published(name, part)
    ours = np.searchsorted(drawn, tokens, side="right") / n
    distance = float(np.abs(ours - np.cumsum(weights)).max())
    record_property("ks", distance)
    print(f"{name}, {part}: KS distance {distance:.4f}; the profile says {lengths.error['ks']}")
    assert distance == pytest.approx(lengths.error["ks"], abs=1.63 / n**0.5)
    assert lengths.error["ks"] < 0.05
