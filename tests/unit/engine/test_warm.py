"""An engine's kernels run before anybody waits for them, on every store and policy."""

from dataclasses import replace

import pytest

from constraintlab.attention import compiled
from constraintlab.engine import setup as module
from constraintlab.engine.loop import Engine
from constraintlab.engine.setup import POLICIES, STORES, Setup, load, warm

TINY = Setup(model="nano", blocks=64, slots=4, tokens=64, threads=1)


@pytest.fixture(scope="module")
def loaded():
    return load("nano")


@pytest.mark.parametrize("kv", STORES)
@pytest.mark.parametrize("policy", POLICIES)
def test_prompts_and_decodes_of_two_sequences_are_run(loaded, kv, policy):
    options = {"policy": policy, "kv": kv, "max_length": 16}
    steps = warm(replace(TINY, **options), loaded)
    assert 4 <= steps <= 8, "a prompt and three more tokens, one request after the other at most"


def test_it_is_an_engine_of_its_own_with_the_same_kernels(loaded, monkeypatch):
    built = []

    def build(setup, loaded):
        built.append((setup, loaded))
        return real(setup, loaded)

    real = module.build
    monkeypatch.setattr(module, "build", build)
    large = replace(TINY, blocks=4096, interval=8, attention={"prefill": "naive"})
    warm(large, loaded)
    ((small, same),) = built
    assert small.blocks < 16 and small.interval == 1 and same is loaded
    assert small.attention == large.attention and small.block_size == large.block_size


def test_where_threads_share_a_prompt_is_long_enough_for_them(loaded, monkeypatch):
    asked, submit = [], Engine.submit

    def seen(engine, request):
        asked.append(len(request.prompt))
        return submit(engine, request)

    monkeypatch.setattr(Engine, "submit", seen)
    monkeypatch.setattr(compiled, "workers", lambda: 2)
    monkeypatch.setattr(compiled, "SHARED", 1 << 13)  # a shorter prompt: the rule is the same
    hidden = loaded[0].hidden
    warm(replace(TINY, threads=None, tokens=16), loaded)
    assert asked[0] == 3 and (asked[1] - 1) * hidden < compiled.SHARED <= asked[1] * hidden


def test_a_stub_needs_none():
    assert warm(Setup("stub"), load("stub")) == 0
