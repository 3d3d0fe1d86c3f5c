"""The rules one by one, what one explains away, and what counted work adds."""

from dataclasses import replace
from statistics import fmean

import pytest

from constraintlab.limits.resource import Resource
from constraintlab.limits.verdict import Verdict
from constraintlab.load.record import Events, Record
from constraintlab.telemetry.source import Reading
from constraintlab.watch import delivery, room
from constraintlab.watch.advice import SWITCH_ON, TRY, to_switch_on, to_try
from constraintlab.watch.diagnosis import with_counted
from constraintlab.watch.facts import Facts
from constraintlab.watch.gather import gather
from constraintlab.watch.judge import strengths
from constraintlab.watch.probe import summary
from constraintlab.watch.rules import RULES
from constraintlab.watch.step import fitted
from constraintlab.watch.window import Window
from constraintlab.watch.words import sentence
from tests.unit.watch.servers import (
    EACH,
    FEW_SLOTS,
    KV_STARVED,
    QUIET,
    RATES,
    Hist,
    diagnosed,
    grown,
)

R = Resource


def facts(**values):
    return Facts({n: Reading.measured(v) for n, v in values.items()})


WAITING = {"waits": 1.0, "waiting": 6.0, "running": 8.0}


def test_every_row_of_the_table_says_when_and_needs_what_can_be_had():
    known = gather(Window.of([])).readings
    for rule in RULES:
        assert rule.when and rule.needs
        for need in rule.needs:
            assert {need} if isinstance(need, str) else set(need) <= known.keys()
        assert rule.lacks(Facts({})) and to_try(rule.resource, "vllm")
    assert set(SWITCH_ON) <= known.keys() and R.DEMAND in TRY
    assert to_switch_on("compute", "constraintlab") == "" != to_switch_on("compute", "other")


def test_a_pool_is_full_when_it_is_or_when_one_more_does_not_fit():
    assert room.kv(facts(**WAITING, kv=0.95)) > 0.8
    assert room.kv(facts(**WAITING, kv=0.7)) == 0
    assert room.kv(facts(**WAITING, kv=0.7, headroom=0.6)) > 0.8
    assert room.kv(facts(**WAITING, kv=0.72, preemptions=0.1)) > 0.9
    assert room.kv(facts(**(WAITING | {"waits": 0.4}), kv=0.99)) == 0
    assert room.kv(facts(**WAITING, kv=0.95, room=0.1)) < 0.5, "most wait for something else"
    assert room.kv(facts(**WAITING, kv=0.95, shared_most=0.2)) < 0.85, "more room buys little"


def test_a_lag_at_the_client_counts_only_where_it_can_be_told():
    seen = {"probe_itl": 0.05, "itl": 0.01, "probe_gaps": 62.0, "probes": 2.0}
    assert delivery.lag(facts(**seen)) == pytest.approx(5)
    assert delivery.lag(facts(**seen, probe_lag=0.01)) == pytest.approx(5)
    for spoilt in ({"probe_gaps": 10.0}, {"probe_lag": 2.0}, {"probe_itl": 0.011},
                   {"preemptions": 1.0, "requests": 4.0}):  # fmt: skip
        assert delivery.lag(facts(**(seen | spoilt))) == 1.0, spoilt


def test_slow_readers_are_the_client_s_where_others_keep_up_and_the_network_s_where_none_does():
    near = {"probe_itl": 0.01, "itl": 0.01, "probe_gaps": 62.0, "probes": 2.0}
    some, all_ = facts(**near, slow=0.25), facts(**near, slow=0.95)
    assert delivery.client(some) > 0.8 > 0.5 > delivery.network(some)
    assert delivery.network(all_) > 0.9 > delivery.client(all_)


def test_what_takes_tokens_away_explains_that_requests_stay():
    held = facts(**WAITING, kv=0.95, slow=0.9, headroom=0.2)
    found = {r.resource: s for r, s in strengths(held).items()}
    assert found[R.NETWORK] > 0.9 and found[R.KV_CAPACITY] < 0.5


def test_a_line_through_steps_has_what_they_cost_however_many_share_them():
    exact = [(n, 0.004 + 0.001 * n) for n in (2, 3, 5, 8, 9, 11, 12, 14)]
    step = fitted(exact)
    mean = fmean(n for n, _ in exact)
    assert step.share == pytest.approx(4 / (4 + mean)) == pytest.approx(step.low)
    assert (step.fixed, step.each) == (pytest.approx(0.004), pytest.approx(0.001))
    assert fitted(exact[:5]) is None and fitted([(8, 0.01)] * 20) is None
    noise = [(n, y * (3 if i % 2 else 0.3)) for i, (n, y) in enumerate(exact)]
    assert fitted(noise) is None, "they do not tell"


def counted(**changes):
    made = Verdict(
        "bound", (R.KV_CAPACITY,), (R.HOST,), {R.KV_CAPACITY: 0.7, R.HOST: 0.3},
        {R.KV_CAPACITY: 2.0, R.HOST: 1.2}, 400.0, None, evidence=("counted",),
    )  # fmt: skip
    return replace(made, **changes)


def test_counted_work_that_agrees_gives_shares_worth_and_what_comes_next():
    found = with_counted(diagnosed("vllm 0.11", KV_STARVED), counted())
    v = found.verdict
    assert v.constraint == (R.KV_CAPACITY,) and v.next == (R.HOST,)
    assert sum(v.shares.values()) == 1 and found.confidence == "high"
    assert "counted" in v.evidence and any("requests wait" in e for e in v.evidence)


def test_counted_work_that_disagrees_is_named_second_and_nobody_is_sure():
    shares = {R.HOST: 0.6, R.KV_CAPACITY: 0.2}
    other = counted(constraint=(R.HOST,), shares=shares, worth={R.KV_CAPACITY: 1.15})
    found = with_counted(diagnosed("vllm 0.11", KV_STARVED), other)
    assert found.verdict.constraint == (R.KV_CAPACITY, R.HOST) and found.confidence == "medium"
    assert any("host has the largest share, 60%; KV capacity has 20%" in e
               for e in found.verdict.evidence)  # fmt: skip
    assert any("--gpu-memory" in t for t in found.tries)
    assert any("--api-server-count" in t for t in found.tries)


def test_where_counted_work_has_room_left_the_load_is_no_second_constraint():
    before = diagnosed("vllm 0.11", KV_STARVED)
    found = with_counted(before, counted(constraint=(R.DEMAND,), shares={R.DEMAND: 1.0}))
    assert found.verdict.constraint == before.verdict.constraint == (R.KV_CAPACITY,)
    assert "the engine could do more than came" in found.verdict.evidence[-1]
    assert not any("without that limit" in e for e in found.verdict.evidence)


def test_counted_work_is_the_verdict_where_the_gauges_were_not_enough():
    blind = diagnosed("vllm 0.11", KV_STARVED, without=("waiting",))
    assert not blind.known and with_counted(blind, None) == blind
    found = with_counted(blind, counted())
    assert found.verdict.constraint == (R.KV_CAPACITY,) and found.confidence == "medium"
    short = diagnosed("vllm 0.11", KV_STARVED[:2])
    assert with_counted(short, counted()) == short


def test_a_model_that_is_far_from_the_measurement_is_left_out():
    before = diagnosed("vllm 0.11", FEW_SLOTS)
    far = counted(measured=before.verdict.measured, predicted=2000.0)
    found = with_counted(before, far)
    assert found.verdict == before.verdict
    assert found.notes[-1].startswith("the model of counted work is 400% away")


def test_the_first_sentence_says_how_sure_it_is():
    assert sentence(diagnosed("vllm 0.11", KV_STARVED)) == (
        "KV capacity binds. The server makes 400 tokens/s."
    )
    assert sentence(diagnosed("vllm 0.11", FEW_SLOTS)).startswith("Slots probably bind.")
    quiet = sentence(diagnosed("vllm 0.11", QUIET))
    assert quiet.startswith("Nothing in the server binds: it serves the load that is offered.")
    assert sentence(diagnosed("vllm 0.11", QUIET, without=("waiting", "queue"))).startswith(
        "Insufficient evidence: no verdict. waits: the server does not report"
    )


def record(times, tokens, status="ok"):
    events = Events((t, n, 100) for t, n in zip(times, tokens, strict=True))
    return Record(0, 0.0, 0.01, first=times[0], last=times[-1], events=events,
                  output_tokens=sum(tokens), status=status)  # fmt: skip


def test_a_probe_counts_tokens_that_come_together_in_an_event_or_at_once():
    even = record([0.5, 0.6, 0.7, 0.8], [1, 1, 1, 1])
    together = record([0.5, 0.8, 0.80001, 1.1], [1, 2, 1, 2])
    failed = record([0.5], [1], "cut")
    found = {n: r.value for n, r in summary([even, together, failed], waits=3.0).items()}
    assert found["probe.gaps"] == 3 + 5
    assert found["probe.itl_s"] == pytest.approx((0.3 + 0.6) / 8)
    assert found["probe.bunched_share"] == pytest.approx(3 / 8)
    assert found["probe.ttft_s"] == pytest.approx(0.49) and found["probe.ttft_max_s"] == 3.0
    assert (found["probe.ended"], found["probe.failed"], found["probe.tokens"]) == (2, 1, 11)
    none = summary([])
    assert none["probe.itl_s"].source == "n/a: no probe has ended since the last look"


def test_a_line_is_drawn_only_through_looks_without_preemption_or_pause():
    moments = grown(
        RATES | {"preempted": 0}, {"running": lambda t: 4 + t, "waiting": 1, "kv": 0.2}, each=EACH
    )
    moments = [
        replace(m, times=m.times | {"itl": Hist.of((0.02, 20 * t * t))})
        for t, m in enumerate(moments)
    ]
    shared = diagnosed("vllm 0.11", moments).facts
    assert shared["shared"] == pytest.approx(1.0), "a gap lasts as long however many there are"
    lost = [replace(m, preempted=t) for t, m in enumerate(moments)]
    assert "did not vary" in diagnosed("vllm 0.11", lost).facts.why("shared")
