"""KV from one engine to another, through bytes: what goes on there is what one engine would say."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from constraintlab.engine.asked import Asked
from constraintlab.engine.reasoner import collatz
from constraintlab.engine.request import Phase, Request, Sampling
from constraintlab.engine.setup import Setup, build, load
from constraintlab.engine.tiers import Prefilled, adopt, decode, prefill

SETUP = Setup(blocks=64, slots=8, tokens=64, threads=1)
STARTS = (6, 27, 97, 871, 9_999)


@pytest.fixture(scope="module")
def loaded():
    return load("reasoner")


def asked(n, most=60, **sampling):
    return Asked(tuple(collatz.tokens(collatz.prompt(n))),
                 Sampling(most, stop_tokens=(collatz.END,), **sampling))  # fmt: skip


def alone(jobs, loaded, setup=SETUP):
    """Tokens of each, from one engine."""
    engine = build(setup, loaded)
    requests = [Request(i, j.prompt, j.sampling) for i, j in enumerate(jobs)]
    for request in requests:
        assert engine.submit(request) == ""
    while engine.busy:
        engine.step()
    return [r.output for r in requests]


def filled(jobs, loaded, setup=SETUP):
    """What a prefill engine has for each, as bytes that could go anywhere."""
    engine, _ = prefill(setup, loaded)
    requests = [job.prompted() for job in jobs]
    for request in requests:
        assert engine.submit(request) == ""
    while engine.busy:
        engine.step()
        engine.kv.assert_consistent()
    assert engine.kv.stats().used == 0
    made = [Prefilled(r.output[-1], engine.kv.parcel(r)) for r in requests]
    return [pickle.loads(pickle.dumps(m)) for m in made]


def go_on(jobs, parcels, loaded, setup=SETUP):
    """(requests, texts, steps) of a decode engine that adopts them."""
    engine, identity = decode(setup, loaded)
    requests, texts, steps = [job.continued() for job in jobs], {}, []
    for request, parcel in zip(requests, parcels, strict=True):
        texts[request] = adopt(engine, identity, request, parcel).text
    while engine.busy:
        steps.append(engine.step())
        engine.kv.assert_consistent()
        for emitted in steps[-1].emitted:
            texts[emitted.request] += emitted.text
    assert engine.kv.stats().used == 0
    return requests, [texts[r] for r in requests], steps


def test_a_request_that_goes_on_elsewhere_says_what_one_engine_says(loaded):
    jobs = [asked(n) for n in STARTS]
    requests, texts, steps = go_on(jobs, filled(jobs, loaded), loaded)
    assert [r.output for r in requests] == alone(jobs, loaded)
    assert requests[0].finish_reason == "length" or requests[0].output[-1] == collatz.END
    assert texts[1] == collatz.text(requests[1].output)
    # Nothing of a prompt is computed where it is decoded.
    assert sum(s.prefill for s in steps) == 0


def test_blocks_of_another_size_and_a_drawn_answer_with_a_seed(loaded):
    jobs = [asked(n, temperature=1.5, seed=n) for n in STARTS]
    elsewhere = replace(SETUP, block_size=5, blocks=120)
    requests, _, _ = go_on(jobs, filled(jobs, loaded), loaded, elsewhere)
    assert [r.output for r in requests] == alone(jobs, loaded)


def test_one_that_lost_its_decode_engine_goes_on_where_it_was(loaded):
    whole = alone([asked(27)], loaded)[0]
    job = replace(asked(27), output=tuple(whole[:20]))
    (parcel,) = filled([job], loaded)
    assert parcel.parcel.length == len(job.prompt) + 20
    (request,), (text,), _ = go_on([job], [parcel], loaded)
    assert request.output == whole and text == collatz.text(whole[20:])


def test_a_pool_that_runs_dry_preempts_and_computes_anew(loaded):
    jobs = [asked(n, most=40) for n in (27, 97, 871)]
    small = replace(SETUP, blocks=8, block_size=8)
    requests, _, steps = go_on(jobs, filled(jobs, loaded), loaded, small)
    assert sum(s.preempted for s in steps) > 0 and sum(s.lost for s in steps) > 0
    assert [r.output for r in requests] == alone(jobs, loaded)


@pytest.mark.parametrize(
    ("job", "reason", "text"),
    [
        (asked(27, most=1), "length", "2"),
        (replace(asked(27), sampling=Sampling(9, stop=("2",))), "stop", ""),
        (replace(asked(27), sampling=Sampling(9, stop_tokens=(2,))), "stop", ""),
    ],
)
def test_an_answer_that_ends_with_its_first_token_never_enters_the_pool(loaded, job, reason, text):
    (request,), (said,), steps = go_on([job], filled([job], loaded), loaded)
    assert (request.finish_reason, said, steps) == (reason, text, [])
    assert request.phase is Phase.FINISHED


@pytest.fixture(scope="module")
def parcel(loaded):
    return filled([asked(27)], loaded)[0]


@pytest.mark.parametrize(
    ("model", "changes", "why"),
    [
        ("nano", {}, "give both tiers the same model"),
        (
            "reasoner",
            {"dtype": "bfloat16"},
            "in bfloat16: give both tiers the same model and dtype",
        ),
    ],
)
def test_another_shape_is_refused(parcel, model, changes, why):
    setup = replace(SETUP, model=model, **changes)
    engine, identity = decode(setup)
    with pytest.raises(ValueError, match=why):
        adopt(engine, identity, asked(27).continued(), parcel)
    assert not engine.busy


def test_other_weights_of_the_same_shape_are_refused(parcel, loaded):
    config, weights, tokenizer = loaded
    other = replace(weights, embedding=weights.embedding.clone())
    other.embedding[0, 0] += 1
    engine, identity = decode(SETUP, (config, other, tokenizer))
    with pytest.raises(ValueError, match="another model's of the same shape"):
        adopt(engine, identity, asked(27).continued(), parcel)


@pytest.mark.parametrize(
    ("damage", "job", "why"),
    [
        (lambda p: replace(p, data=p.data[:-2]), asked(27), "cut or damaged"),
        (lambda p: p, asked(97), "does not begin with"),
        (lambda p: p, replace(asked(27), output=(2,)), "KV of 10 tokens and the request has 11"),
    ],
)
def test_a_parcel_that_is_not_this_request_s_is_refused(parcel, loaded, damage, job, why):
    engine, identity = decode(SETUP, loaded)
    wrong = replace(parcel, parcel=damage(parcel.parcel))
    with pytest.raises(ValueError, match=why):
        adopt(engine, identity, job.continued(), wrong)
    assert not engine.busy


def test_one_too_long_for_this_pool_is_refused(parcel, loaded):
    engine, identity = decode(replace(SETUP, blocks=2), loaded)
    with pytest.raises(ValueError, match="the pool has"):
        adopt(engine, identity, asked(27, most=600).continued(), parcel)


def test_a_parcel_may_be_read_only(parcel, loaded):
    data = np.frombuffer(parcel.parcel.data.tobytes(), np.uint8)
    assert not data.flags.writeable
    shared = replace(parcel, parcel=replace(parcel.parcel, data=data))
    (request,), _, _ = go_on([asked(27)], [shared], loaded)
    assert request.output == alone([asked(27)], loaded)[0]


def test_setups_that_have_no_blocks_to_send_say_so():
    with pytest.raises(ValueError, match="use kv='paged'"):
        prefill(replace(SETUP, kv="contiguous"))
    with pytest.raises(ValueError, match="no keys and values to send"):
        decode(replace(SETUP, model="stub"))
