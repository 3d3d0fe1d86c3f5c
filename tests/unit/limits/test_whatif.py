"""What-if: fixes worked by hand, and how sure a prediction is."""

import math
from dataclasses import replace

import pytest

from constraintlab.limits.catalogue import (
    CATALOGUE,
    batch_cap,
    chunked_prefill,
    counted,
    flash,
    front_ends,
    low_bit_kv,
    more,
    paged,
    stream_interval,
    wider_link,
)
from constraintlab.limits.changes import Capacity, Demand
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.fixes import Fix
from constraintlab.limits.resource import Resource as R
from constraintlab.limits.resource import bind
from constraintlab.limits.sizes import size
from constraintlab.limits.stack import HostStage, Stack
from constraintlab.limits.stations import front_end, link
from constraintlab.limits.uncertainty import MODEL, itself
from constraintlab.limits.verdict import Verdict
from constraintlab.limits.whatif import whatif
from constraintlab.limits.work import Kernel, Work

from .cases import GIGA, MEGA, exactly, machine

STAGES = {"receive": 2e-6, "frame": 5e-6, "write": 13e-6}


def engine(*stations, weights=8.0, own=1.0, cache=0.0, **options):
    """A step of `weights` ms for all, and of `own` ms of arithmetic, `cache` of reading for each.

    1 TFLOP/s and 1 GB/s: a ms is 1 GFLOP or 1 MB. The products take the longer of two."""
    kernels = (
        Kernel("layers", fixed=Work(bytes=weights * MEGA)),
        Kernel("head", Work(flops=own * GIGA)),
        Kernel("attention", Work(bytes=cache * MEGA)),
    )
    return Stack(kernels, stations=stations, **options)


def bare(gain):
    """The interval without what the model itself may be off."""
    return gain.low * itself(gain.value), gain.high / itself(gain.value)


def ask(stack, fix, caps=None, measured=None):
    return whatif(diagnose(stack, caps or machine(), measured=measured), fix)


def test_paging_a_pool_that_is_three_quarters_empty():
    # 4 fit: (8 + 4·1) ms for 4 tokens. 16 fit: (8 + 16) for 16. 3.0 ms → 1.5 ms a token
    out = ask(engine(population=math.inf, kv_room=4, slots=64), paged(size(0.75), left=0.0))
    assert out.gain.value == pytest.approx(2) and out.x.value == pytest.approx(1 / 1.5e-3)
    assert out.constraint == (R.COMPUTE,) and out.binds == "compute"
    assert str(out) == "×2.00 (1.80 … 2.22), then compute binds"
    # the room makes way for what is paid for each; without it, slots would be next
    assert ask(engine(population=math.inf, kv_room=4, slots=6), paged(size(0.75), left=0.0)).after.x


def test_half_the_kv_bytes_give_room_and_take_traffic():
    # 4 fit, each reads 2 ms of cache: (8 + 4·(1+2)) / 4 = 5. 8 fit and read 1 ms: (8 + 8·2) / 8 = 3
    stack = engine(population=math.inf, kv_room=4, slots=64, cache=2.0)
    out = ask(stack, low_bit_kv("int8", scales=0.0))
    assert out.gain.value == pytest.approx(5 / 3) and out.fix.name == "int8 KV"
    assert ask(stack, low_bit_kv()).gain.low < 5 / 3


def test_two_names_where_two_are_close():
    # (8 + 8·1) ms for 8: what is shared and what is each's own are equal then
    out = ask(engine(population=math.inf, kv_room=4, slots=64), more(R.KV_CAPACITY, 2))
    assert set(out.constraint) == {R.KV_CAPACITY, R.COMPUTE} and "bind" in str(out)


def test_more_slots_where_requests_lack_room_are_a_decoy():
    stack = engine(population=math.inf, kv_room=4, slots=64)
    out = ask(stack, batch_cap(4))
    assert out.gain == Estimate(1.0, 1.0, 1.0, "×", "modelled") and not out.note
    assert ask(engine(population=math.inf, slots=4), batch_cap(4)).gain.value == pytest.approx(2)
    assert ask(engine(population=math.inf, slots=4), batch_cap(0.5)).gain.value < 1


def test_flash_takes_the_passes_and_leaves_the_products():
    # products 1 ms of arithmetic each, three passes of 2 ms of traffic: 8 ms → 2 ms
    textbook = Stack(
        (
            Kernel("q·kᵀ", Work(GIGA, 0.5 * MEGA)),
            *(Kernel(name, Work(0, 2 * MEGA)) for name in ("scale", "mask", "softmax")),
            Kernel("·v", Work(GIGA, 0.5 * MEGA)),
        )
    )
    out = ask(textbook, flash(size(0.0)))
    assert out.gain.value == pytest.approx(4) and out.constraint == (R.COMPUTE,)
    # a tenth left: 2 ms and 0.6
    assert ask(textbook, flash(size(0.1))).gain.value == pytest.approx(8 / 2.6)


def test_eight_tokens_an_event_take_the_link_s_load_and_the_front_end_s():
    # 206 bytes a token over 1 MB/s: 206 µs; 8 to an event: 200/8 + 6 = 31 µs
    starved = engine(link(206, MEGA), weights=0, own=0.001)
    out = ask(starved, stream_interval(8, frame=size(200 / 6)))
    assert out.gain.value == pytest.approx(206 / 31) and out.constraint == (R.NETWORK,)
    # and 2 + (5 + 13)/8 µs of the front end instead of 20; twice that for the text at most
    busy = engine(front_end(STAGES), weights=0, own=0.001)
    out = ask(busy, stream_interval(8))
    assert out.gain.value == pytest.approx(20 / (2 + 18 / 8)) and out.constraint == (R.HOST,)
    low, high = bare(out.gain)
    assert 20 / (2 + 18 / 4) < low < out.gain.value == pytest.approx(high)


def test_more_front_ends_share_out_time_but_spend_the_same_cores():
    alone = engine(front_end(STAGES), weights=0, own=0.001)
    assert ask(alone, front_ends(2)).gain.value == pytest.approx(2)
    shared = replace(alone, shared_cores=1.0)
    assert ask(shared, front_ends(2)).gain.value == pytest.approx(1)


def test_a_wider_link_moves_the_constraint_to_the_engine():
    out = ask(engine(link(206, MEGA), weights=0, own=0.1), wider_link(4))
    assert out.gain.value == pytest.approx(2.06) and out.constraint == (R.COMPUTE,)
    assert out.note == ""


def test_a_fix_to_what_is_not_there_is_worth_nothing_and_says_so():
    out = ask(engine(), wider_link(4))
    assert out.gain.value == out.gain.low == out.gain.high == 1.0
    assert "nothing here that it would change" in str(out)


def test_prompts_in_pieces_hide_under_the_weights():
    # weights 8 ms a step; one step in four adds a prompt of 16 ms of arithmetic: 8, 8, 8, 16 ms.
    # In quarters every step has 4 ms of it, hidden: 8 ms each
    stack = Stack(
        (
            Kernel("layers", fixed=Work(bytes=8 * MEGA)),
            Kernel("prompts", fixed=Work(flops=16 * GIGA), often=0.25, onto="layers"),
        )
    )
    assert ask(stack, chunked_prefill(4)).gain.value == pytest.approx(40 / 32)
    assert ask(engine(), chunked_prefill(4)).note


def test_host_time_saved_by_stage():
    stack = replace(engine(weights=0), host=(HostStage("dispatch", fixed=3e-3), HostStage("draw")))
    fix = Fix("graphs", (Demand("seconds", ("disp*",), size(0.0)),))
    assert ask(stack, fix).gain.value == pytest.approx(4)


def test_what_was_counted_takes_the_stack_s_place():
    out = ask(engine(), counted("half the weights", engine(weights=4)))
    assert out.gain.value == pytest.approx(9 / 5) and out.fix.sizes == ()


def test_a_size_s_spread_becomes_the_gain_s():
    stack = engine(population=math.inf, kv_room=4, slots=64)
    out = ask(stack, paged())
    assert out.gain.low < out.gain.value < out.gain.high
    # what 60% and 80% of waste would give are the ends of what can be
    ends = [ask(stack, paged(size(w))).gain.value for w in (0.6, 0.8)]
    low, high = bare(out.gain)
    assert ends[0] < low and high < ends[1]
    assert "…" in str(out) and out == ask(stack, paged())


def test_a_capacity_s_spread_counts_where_it_matters():
    shaky = replace(machine(), bandwidth=Estimate(1e9, 0.5e9, 2e9, "B/s"))
    # 8 ms of weights, or 4 to 16; 1 ms of arithmetic: what twice the arithmetic gives depends on it
    out = ask(engine(), more(R.COMPUTE, 2), shaky)
    low, high = bare(out.gain)
    assert 17 / 16.5 < low < 9 / 8.5 < high < 5 / 4.5
    # without arithmetic it is ×2 at any speed of memory
    out = ask(engine(own=0), more(R.BANDWIDTH, 2), shaky)
    assert bare(out.gain) == pytest.approx((2, 2))
    # ... but for what the model itself may be off
    assert (out.gain.low, out.gain.high) == pytest.approx((2 ** (1 - MODEL), 2 ** (1 + MODEL)))


def test_what_the_model_leaves_out_widens_the_interval_but_not_of_a_fix_that_changes_nothing():
    # predicted 9 ms a token, 10 were seen. Half the weights: 5; if the odd ms stays, 10/6
    seen = exactly(100.0)
    out = ask(engine(), counted("half", engine(weights=4)), measured=seen)
    assert out.gain.value == pytest.approx(9 / 5)
    assert bare(out.gain) == pytest.approx((10 / 6, (9 / 5) ** 2 / (10 / 6)))
    # throughput starts from what was measured
    assert out.x.value == pytest.approx(180)
    for rate in (100.0, 300.0, 20.0):
        idle = ask(engine(), more(R.SLOTS, 2), measured=exactly(rate))
        assert idle.gain.low == idle.gain.high == 1.0


def test_no_fix_is_predicted_on_a_verdict_without_a_ground():
    unknown = replace(machine(), bandwidth=Estimate.absent("B/s", "not probed"))
    with pytest.raises(ValueError, match=r"no what-if on this verdict: bandwidth.*not probed"):
        ask(engine(), more(R.COMPUTE, 2), unknown)
    kept = Verdict.from_dict(diagnose(engine(), machine()).as_dict())
    with pytest.raises(ValueError, match="one from a file"):
        whatif(kept, more(R.COMPUTE, 2))


def test_a_fix_to_a_unit_that_nobody_measured_is_told():
    eight = counted("fp8", Stack((Kernel("layers", Work(GIGA), unit="float8"),)))
    with pytest.raises(ValueError, match=r"fp8: can't be predicted .*compute.float8"):
        ask(engine(), eight)


def test_without_any_limit_the_gain_is_infinite():
    out = ask(Stack((Kernel("k", Work(GIGA)),)), more(R.COMPUTE, math.inf))
    assert math.isinf(out.gain.value) and out.constraint == ()
    assert ask(engine(offered=0.0), more(R.COMPUTE, 2)).gain.value == 1.0


def test_sizes_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="above 0"):
        Capacity(R.SLOTS, size(0.0))
    with pytest.raises(ValueError, match="finite factor"):
        Demand("bytes", ("*",), size(math.inf))
    with pytest.raises(ValueError, match="at least one change"):
        Fix("nothing", ())


def test_every_fix_of_the_catalogue_says_what_it_costs_and_where_its_sizes_are_from():
    for name, fix in CATALOGUE.items():
        assert fix.sizes and all(s.unit == "×" for s in fix.sizes), name
        assert fix.when or fix.costs or name == "link", name
    assert str(CATALOGUE["paged"]).splitlines()[:2] == [
        "paged KV",
        "  KV capacity (tokens) × 3.2 (2.4 … 4.8), recorded: 60 to 80% of KV memory wasted, vLLM's "
        "blog, 2023-06-20",
    ]
    assert "core-seconds of frame, write, for each" in str(CATALOGUE["stream_interval"])
    assert "drafts of 4 tokens, accepted × 0.7 (0.5 … 0.9)" in str(CATALOGUE["speculative"])
    assert "as they were counted" in str(counted("x", engine()))


def test_the_verb_goes_with_what_binds():
    assert [bind(R.COMPUTE), bind(R.SLOTS), bind(R.PAGES)] == ["binds", "bind", "bind"]
    assert bind(R.HOST, R.CLIENT) == "bind"
