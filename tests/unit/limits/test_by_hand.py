"""Verdicts on cases worked by hand."""

import math

import pytest

from constraintlab.limits.catalogue import counted, more
from constraintlab.limits.compose import throughput
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource as R
from constraintlab.limits.shares import elasticity, shares
from constraintlab.limits.stack import HostStage, Stack, Station, kv_room
from constraintlab.limits.whatif import whatif
from constraintlab.limits.work import Kernel, Work
from constraintlab.limits.worth import worth

from .cases import MEGA, TERA, exactly, machine


def decode(*, kv_room=math.inf, slots=math.inf, population=math.inf, weights=100 * MEGA, kv=MEGA):
    """Decode: weights read once a step (100 ms at 1 GB/s), 1 ms of KV for each sequence."""
    step = (Kernel("linear", Work(2e6), Work(0, weights)), Kernel("attention", Work(0, kv)))
    return Stack(step, population=population, slots=slots, kv_room=kv_room)


def test_kv_capped_decode_says_kv_capacity():
    # a = 100 ms, b = 1 ms, n = 8: step 108 ms, 74.07 tok/s, KV's share 100/108
    v = diagnose(decode(kv_room=8, slots=64), machine())
    assert v.constraint == (R.KV_CAPACITY,)
    assert v.predicted == pytest.approx(8 / 0.108)
    assert v.shares[R.KV_CAPACITY] == pytest.approx(100 / 108)
    assert v.shares[R.BANDWIDTH] == pytest.approx(8 / 108)
    assert v.worth[R.KV_CAPACITY] == pytest.approx((64 / 0.164) / (8 / 0.108))


def test_after_the_kv_fix_the_next_constraint_is_what_caps_then():
    assert diagnose(decode(kv_room=8, slots=64), machine()).next == (R.SLOTS,)
    assert diagnose(decode(kv_room=8, slots=640), machine()).next == (R.BANDWIDTH,)


def test_compute_bound_with_full_slots_does_not_say_slots():
    # 10 GFLOP a sequence: 10 ms each at 1 TFLOP/s; the weights' 1 ms is all that slots dilute
    step = (Kernel("linear", Work(1e10)), Kernel("weights", fixed=Work(0, MEGA)))
    v = diagnose(Stack(step, population=math.inf, slots=16), machine())
    assert v.constraint == (R.COMPUTE,)
    assert v.shares[R.SLOTS] == pytest.approx(1 / 161)


def test_a_kernel_that_turns_compute_bound_leaves_nothing_to_dilute():
    # the same kernel reads 100 MB of weights (100 ms) and multiplies 10 ms a sequence, n = 16
    step = (Kernel("linear", Work(1e10), Work(0, 100 * MEGA)),)
    parts = shares(Stack(step, population=math.inf, slots=16), machine())
    assert parts[R.COMPUTE] == 1


def prompts(n, *, slots=math.inf, population=math.inf, often=1 / 32):
    """Decode steps of 100 ms of weights; with n = 8 every fourth also computes a prompt: 300 ms."""
    usual = Kernel("usual", Work(1e3), Work(0, 100 * MEGA))
    longer = Kernel("prompt", fixed=Work(3e11), often=often, onto="usual")
    return Stack((usual, longer), slots=slots, population=population)


def test_a_step_that_arithmetic_makes_longer_hides_weights_that_the_room_pays():
    # 3/4 · 100 + 1/4 · 300 = 150 ms, of which each step would cost 100 whatever it holds
    v = diagnose(prompts(8, slots=8), machine())
    assert v.predicted == pytest.approx(8 / 0.150)
    assert v.shares[R.SLOTS] == pytest.approx(100 / 150)
    assert v.shares[R.COMPUTE] == pytest.approx(0.25 * 200 / 150)
    assert v.shares[R.BANDWIDTH] == pytest.approx(0, abs=1e-6)
    # with 6.4 slots every fifth: 140 ms
    after = elasticity(prompts(8, slots=8), machine(), R.SLOTS)
    assert after == pytest.approx(math.log((6.4 / 0.140) / (8 / 0.150)) / math.log(0.8))
    # the rates' elasticities sum to 1 all the same, and the room's comes on top
    rates = [elasticity(prompts(8, slots=8), machine(), r, 1e-4) for r in (R.COMPUTE, R.BANDWIDTH)]
    assert rates == [pytest.approx(0.5, abs=1e-3), pytest.approx(0.5, abs=1e-3)]


def test_where_nothing_waits_each_kind_of_step_is_who_spends_it():
    v = diagnose(prompts(8, population=8), machine())
    assert v.shares[R.COMPUTE] == pytest.approx(0.5) == v.shares[R.BANDWIDTH]


def test_more_prompts_than_steps_meet_in_one():
    # 64 sequences bring two prompts a step: 600 ms, and so on for ever
    assert throughput(prompts(64, slots=64), machine()) == pytest.approx(64 / 0.600, rel=1e-5)
    assert throughput(prompts(0), machine()) == pytest.approx(32 / 0.300, rel=1e-5)


def test_a_kernel_of_some_steps_says_which_it_is_added_to():
    for wrong in ({"often": 0.1}, {"onto": "usual"}, {"often": 0.1, "onto": "x", "each": Work(1)}):
        with pytest.raises(ValueError, match="a kernel of some steps has often="):
            Kernel("prompt", **wrong)


def test_nothing_waits_so_the_weights_are_charged_to_bandwidth():
    v = diagnose(decode(population=8, slots=64), machine())
    assert v.constraint == (R.BANDWIDTH,) and v.shares[R.BANDWIDTH] == pytest.approx(1)
    assert v.shares[R.SLOTS] == 0


def test_compute_just_over_bandwidth_names_both_and_says_that_the_fix_is_worth_little():
    # 1.00 ms of FLOPs over 0.95 ms of bytes: share 1, worth 1.05
    v = diagnose(Stack((Kernel("k", Work(1e9, 0.95 * MEGA)),)), machine())
    assert v.constraint == (R.COMPUTE, R.BANDWIDTH)
    assert v.worth[R.COMPUTE] == pytest.approx(1 / 0.95)
    assert any("right behind" in line for line in v.evidence)


def test_what_binds_next_may_be_a_near_tie_too():
    # without 1.00 ms of FLOPs, 0.50 of one pass and 0.45 of a host stage are left
    step = (Kernel("k", Work(1e9)), Kernel("pass", Work(0, 0.5 * MEGA)))
    v = diagnose(Stack(step, host=(HostStage("sample", each=0.45e-3),)), machine())
    assert v.constraint == (R.COMPUTE,) and v.next == (R.BANDWIDTH, R.HOST)


def test_clear_winner_is_named_alone():
    v = diagnose(Stack((Kernel("k", Work(1e9, 0.5 * MEGA)),)), machine())
    assert v.constraint == (R.COMPUTE,) and v.next == (R.BANDWIDTH,)


def test_two_equal_kernels_name_both_by_share():
    step = (Kernel("products", Work(1e9)), Kernel("passes", Work(0, 0.9 * MEGA)))
    v = diagnose(Stack(step), machine())
    assert v.constraint == (R.COMPUTE, R.BANDWIDTH)
    assert v.shares[R.COMPUTE] == pytest.approx(1 / 1.9)


def test_maxima_are_taken_kernel_by_kernel_not_over_phase_totals():
    # 2 ms compute-bound then 2 ms memory-bound take 4 ms, though each total is only 2.5 ms
    step = (Kernel("a", Work(2e9, 0.5 * MEGA)), Kernel("b", Work(0.5e9, 2 * MEGA)))
    assert throughput(Stack(step), machine()) == pytest.approx(1 / 0.004)


def test_fresh_pages_add_to_the_pass_that_touches_them():
    step = (Kernel("scale", Work(0, 2 * MEGA, MEGA)),)
    v = diagnose(Stack(step), machine())
    assert v.predicted == pytest.approx(1 / 0.003)
    assert v.shares[R.PAGES] == pytest.approx(1 / 3)


def test_synchronous_host_adds_to_the_step():
    stack = Stack((Kernel("k", Work(1e9)),), host=(HostStage("schedule", fixed=0.003),))
    v = diagnose(stack, machine())
    assert v.constraint == (R.HOST,) and v.predicted == pytest.approx(250)
    assert v.worth[R.HOST] == pytest.approx(4)


def test_slowest_station_sets_the_pace():
    stack = Stack(
        (Kernel("k", Work(1e9)),),
        stations=(Station("link", R.NETWORK, 0.002), Station("readers", R.CLIENT, 0.0015)),
    )
    v = diagnose(stack, machine())
    assert v.constraint == (R.NETWORK,) and v.next == (R.CLIENT,)
    assert v.predicted == pytest.approx(500)


def test_on_a_cpu_the_front_end_spends_the_cores_that_kernels_need():
    # kernels 1 ms on both of 2 cores, front end 1 ms of one core: (2 + 1) core-ms over 2 cores
    stack = Stack(
        (Kernel("k", Work(1e9)),),
        stations=(Station("front end", R.HOST, 0.001, cores=0.001),),
        shared_cores=2,
    )
    v = diagnose(stack, machine(cores=2))
    assert v.predicted == pytest.approx(1 / 0.0015)
    assert v.shares[R.COMPUTE] == pytest.approx(2 / 3)
    apart = Stack(stack.kernels, stations=stack.stations)
    assert diagnose(apart, machine(cores=2)).predicted == pytest.approx(1000)


def test_below_saturation_the_offered_load_is_the_limit():
    v = diagnose(Stack((Kernel("k", Work(1e9)),), offered=400), machine())
    assert v.outcome == "demand" and v.constraint == (R.DEMAND,) and v.predicted == 400
    assert v.worth[R.DEMAND] == pytest.approx(2.5) and v.next == (R.COMPUTE,)


def test_a_capacity_that_nobody_measured_gives_insufficient_evidence():
    caps = machine()
    blind = type(caps)(caps.compute, Estimate.absent("B/s", "not probed"), caps.pages)
    v = diagnose(decode(), blind)
    assert v.outcome == "insufficient evidence" and v.constraint == ()
    assert "bandwidth" in v.missing[0] and not v.sure


def test_a_capacity_that_nobody_measured_and_nobody_needs_is_no_matter():
    caps = machine()
    blind = type(caps)(caps.compute, caps.bandwidth, Estimate.absent("B/s", "not probed"))
    v = diagnose(decode(population=8), blind)
    assert v.constraint == (R.BANDWIDTH,) and v.worth[R.PAGES] == 1


def test_an_unknown_dtype_gives_insufficient_evidence():
    v = diagnose(Stack((Kernel("k", Work(1e9), unit="bfloat16"),)), machine())
    assert v.outcome == "insufficient evidence" and "compute.bfloat16" in v.missing[0]


def test_no_work_at_all_gives_insufficient_evidence():
    assert diagnose(Stack(()), machine()).outcome == "insufficient evidence"
    assert diagnose(Stack((Kernel("k"),)), machine()).outcome == "insufficient evidence"


def test_a_prediction_far_from_the_measurement_is_not_sure():
    stack = Stack((Kernel("k", Work(1e9)),))
    assert diagnose(stack, machine(), measured=exactly(900.0)).sure
    far = diagnose(stack, machine(), measured=exactly(500.0))
    assert not far.sure and any("misses something" in line for line in far.evidence)


def test_elasticities_agree_with_shares_for_room_and_where_nothing_waits():
    capped = decode(kv_room=8, slots=64)
    assert elasticity(capped, machine(), R.KV_CAPACITY, 0.001) == pytest.approx(100 / 108, rel=0.01)
    # a faster memory shrinks the diluted part too: more than its share
    assert elasticity(capped, machine(), R.BANDWIDTH) == pytest.approx(1)
    alone = decode(population=8)
    assert elasticity(alone, machine(), R.BANDWIDTH) == pytest.approx(1)


def test_what_if_predicts_the_gain_and_what_binds_then():
    stack = Stack((Kernel("k", Work(1e9, 0.5 * MEGA)),))
    out = whatif(diagnose(stack, machine()), more(R.COMPUTE, 4))
    assert out.gain.value == pytest.approx(2) and out.constraint == (R.BANDWIDTH,)
    decoy = whatif(diagnose(stack, machine()), more(R.BANDWIDTH, 4))
    assert decoy.gain.value == pytest.approx(1) and decoy.constraint == (R.COMPUTE,)


def test_a_fix_can_replace_the_demands():
    before = Stack((Kernel("k", Work(0, 2 * MEGA)),))
    after = Stack((Kernel("k", Work(0, MEGA)),))
    out = whatif(diagnose(before, machine()), counted("half the bytes", after))
    assert out.gain.value == pytest.approx(2)


def test_worth_is_infinite_when_nothing_else_limits():
    assert worth(Stack((Kernel("k", Work(TERA)),)), machine(), R.COMPUTE) == math.inf


def test_kv_room_is_length_biased():
    # one request holds 1,000 tokens for 1 s, another 10,000 for 9 s: C·ΣT/Σ∫ = 10 / 91,000 · C
    assert kv_room(91_000, [(1, 1_000), (9, 90_000)]) == pytest.approx(10)
    # C over the mean length would have said 16.5
    assert 91_000 / ((1_000 + 10_000) / 2) > 16
    with pytest.raises(ValueError, match="residence"):
        kv_room(100, [(1.0, 0.0)])
