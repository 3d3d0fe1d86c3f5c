"""Replicas of both engines in this process: what one asks of the other, and what it refuses."""

import asyncio
from dataclasses import replace

import pytest

from constraintlab.engine.asked import Asked
from constraintlab.engine.reasoner import collatz
from constraintlab.engine.request import Sampling
from constraintlab.engine.setup import Setup

ASKED = Asked(tuple(collatz.tokens(collatz.prompt(6))), Sampling(90, stop_tokens=(collatz.END,)))


@pytest.fixture(scope="module")
def tiers():
    from constraintlab.cluster.decode import Decode
    from constraintlab.cluster.layout import Layout
    from constraintlab.cluster.prefill import Prefill

    layout = Layout(setup=Setup(threads=1, blocks=64, slots=4, words=True))
    return Prefill(layout), Decode(layout)


async def answer(tiers, asked=ASKED, change=lambda filled: filled):
    prefill, decode = tiers
    filled = change(await prefill(asked))
    return "".join([said.text async for said in decode(asked, filled)])


def test_one_goes_on_from_what_the_other_computed_and_both_are_empty_afterwards(tiers):
    assert asyncio.run(answer(tiers)) + ";" == collatz.answer(6)
    for tier in tiers:
        seen = asyncio.run(tier.look())
        assert (seen["running"], seen["waiting"], seen["kv_reserved"]) == (0, 0, 0)


def test_a_parcel_that_does_not_fit_is_refused_and_the_replica_goes_on(tiers):
    def spoil(filled):
        return replace(filled, parcel=replace(filled.parcel, data=filled.parcel.data[:-1]))

    with pytest.raises(ValueError, match="cut or damaged"):
        asyncio.run(answer(tiers, change=spoil))
    tiers[1].check_health()
    assert asyncio.run(answer(tiers)) + ";" == collatz.answer(6)


def test_a_request_too_long_for_a_replica_is_refused_by_it(tiers):
    long = replace(ASKED, sampling=Sampling(2000))
    with pytest.raises(ValueError, match="the pool has"):
        asyncio.run(answer(tiers, long))
    tiers[1].check_health()


def test_who_leaves_in_mid_answer_leaves_no_kv_behind(tiers):
    async def leave():
        asked = replace(ASKED, sampling=Sampling(900))
        saying = tiers[1](asked, await tiers[0](asked))
        await anext(saying)
        await saying.aclose()
        for _ in range(500):
            if not (await tiers[1].look())["kv_reserved"]:
                return True
            await asyncio.sleep(0.01)

    assert asyncio.run(leave())


def test_an_engine_that_stops_fails_its_requests_and_the_replica_s_health():
    from constraintlab.cluster.decode import Decode
    from constraintlab.cluster.layout import Layout
    from constraintlab.cluster.prefill import Prefill

    layout = Layout(setup=Setup(threads=1, blocks=64, slots=4, words=True))
    tiers = Prefill(layout), Decode(layout)
    tiers[1].engine.model.forward = lambda pieces: 1 / 0
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        asyncio.run(answer(tiers))
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        tiers[1].check_health()
