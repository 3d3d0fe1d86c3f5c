"""Verdicts on streams worked by hand: the link, the front end, the readers, and near-ties."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.limits.catalogue import counted, more
from constraintlab.limits.compose import slowest, throughput
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.readers import Readers, flow, readers
from constraintlab.limits.resource import Resource as R
from constraintlab.limits.shares import elasticity, shares
from constraintlab.limits.stack import HostStage, Stack, scale
from constraintlab.limits.stations import front_end, link
from constraintlab.limits.whatif import whatif
from constraintlab.limits.work import Kernel, Work
from constraintlab.limits.worth import worth

from .cases import MEGA, machine

SSE = 300
"""Bytes of a token on the wire, framing included."""

STAGES = {"receive": 2e-6, "frame": 5e-6, "write": 13e-6}
"""20 µs of a core for a token: 50,000 tokens/s of one process."""


def engine(*stations, n=64, fixed=0.0, each=0.1, slow=(), **options):
    """64 streams at 10 tokens a ms: `fixed` ms of weights a step, `each` ms of FLOPs a sequence."""
    step = (Kernel("weights", fixed=Work(0, fixed * MEGA)), Kernel("linear", Work(each * 1e9)))
    return Stack(step, stations=stations, population=n, readers=tuple(slow), **options)


def test_a_starved_link_says_network_and_the_engine_stands_next():
    # 300 bytes over 1 MB/s are 0.3 ms, where the engine takes 0.1 ms
    v = diagnose(engine(link(SSE, MEGA)), machine())
    assert v.constraint == (R.NETWORK,) and v.next == (R.COMPUTE,)
    assert v.predicted == pytest.approx(MEGA / SSE)
    assert v.shares[R.NETWORK] == 1 and v.worth[R.NETWORK] == pytest.approx(3)


def test_a_fat_link_and_many_tiny_events_say_host_and_which_stage():
    # a device of its own makes 100,000 tokens/s, one front end process frames and writes 50,000
    v = diagnose(engine(link(SSE, 1e9), front_end(STAGES), each=0.01), machine())
    assert v.constraint == (R.HOST,) and v.next == (R.COMPUTE,)
    assert v.predicted == pytest.approx(50_000)
    assert "65% of the host's time is write" in v.evidence


def test_eight_tokens_an_event_move_it_from_the_host_back_to_compute():
    eight = {"receive": 2e-6} | {name: STAGES[name] / 8 for name in ("frame", "write")}
    before = engine(link(SSE, 1e9), front_end(STAGES), each=0.01)
    after = engine(link(40, 1e9), front_end(eight), each=0.01)
    out = whatif(diagnose(before, machine()), counted("eight tokens an event", after))
    assert out.gain.value == pytest.approx(2) and out.constraint == (R.COMPUTE,)


def test_two_front_end_processes_do_twice_the_tokens_for_the_same_core_seconds():
    one, two = front_end(STAGES), front_end(STAGES, processes=2)
    assert two.seconds == pytest.approx(one.seconds / 2) and two.cores == one.cores
    assert throughput(engine(two, each=0.001), machine()) == pytest.approx(100_000)


def test_on_one_cpu_engine_and_front_end_share_the_cores_and_the_largest_part_is_named():
    # 2 cores; kernels 10 µs on both, 20 µs of a core in the front end: 40 core-µs, 20 µs a token
    stack = engine(link(SSE, 1e9), front_end(STAGES), each=0.01, shared_cores=2)
    v = diagnose(stack, machine(cores=2))
    assert v.predicted == pytest.approx(50_000)
    assert v.shares[R.COMPUTE] == pytest.approx(0.5) and v.shares[R.HOST] == pytest.approx(0.5)
    assert v.shares[R.NETWORK] == 0
    # 20 core-µs of kernels, 40 of the front end, which has a process for each core
    busy = front_end({**STAGES, "frame": 25e-6}, processes=2)
    v = diagnose(engine(busy, each=0.01, shared_cores=2), machine(cores=2))
    assert v.constraint == (R.HOST,) and v.predicted == pytest.approx(1e6 / 30)
    assert "62% of the host's time is frame" in v.evidence


def test_the_engine_s_stages_and_the_front_end_s_are_one_host_on_a_cpu():
    stack = engine(front_end({"write": 3e-6}), each=0.001, n=1, shared_cores=1,
                   host=(HostStage("schedule", each=1e-6),))  # fmt: skip
    v = diagnose(stack, machine())
    # 1 µs of FLOPs, 1 of scheduling, 3 of writing
    assert v.predicted == pytest.approx(2e5) and v.shares[R.HOST] == pytest.approx(0.8)
    assert "75% of the host's time is write" in v.evidence


def test_readers_slower_than_their_streams_say_client():
    # 64 streams at 10,000 tokens/s are 156 each; the readers take 100
    v = diagnose(engine(slow=[Readers(1, 100)]), machine())
    assert v.constraint == (R.CLIENT,) and v.next == (R.COMPUTE,)
    assert v.predicted == pytest.approx(6400) and v.shares[R.CLIENT] == 1
    assert v.worth[R.CLIENT] == pytest.approx(10_000 / 6400)


def test_a_slow_reader_keeps_a_slot_that_others_wait_for_and_both_pay():
    # 64 slots of readers at 100: faster readers and more slots would each buy the same
    stack = engine(n=math.inf, slots=64, slow=[Readers(1, 100)])
    v = diagnose(stack, machine())
    assert set(v.constraint) == {R.CLIENT, R.SLOTS} and v.predicted == pytest.approx(6400)
    assert v.shares[R.CLIENT] == v.shares[R.SLOTS] == pytest.approx(0.5)
    for r in (R.CLIENT, R.SLOTS):
        assert elasticity(stack, machine(), r) == pytest.approx(1)
    # where nobody waits it is the readers alone
    assert diagnose(engine(slots=65, slow=[Readers(1, 100)]), machine()).constraint == (R.CLIENT,)


def test_readers_that_keep_up_are_no_constraint():
    assert diagnose(engine(slow=[Readers(1, 200)]), machine()).constraint == (R.COMPUTE,)
    assert shares(engine(slow=[Readers(1, math.inf)]), machine()) == {R.COMPUTE: 1}


def test_one_slow_reader_among_many_is_not_the_constraint():
    # a: 6.4 ms of weights, b: 0.1 ms: without it 64 / 12.8 ms = 5,000, 78 a stream
    stack = engine(fixed=6.4, slow=readers([1.0] + [math.inf] * 63))
    v = diagnose(stack, machine())
    # s = (1 − 0.1 ms · 1/s) / (6.4 ms + 63 · 0.1 ms), X = 63 s + 1
    assert v.predicted == pytest.approx(63 * 0.9999 / 0.0127 + 1)
    assert v.shares[R.CLIENT] == pytest.approx(0.0064 / (63 + 0.0064)) and R.CLIENT not in v.next
    assert v.constraint == (R.BANDWIDTH, R.COMPUTE)


def test_a_link_s_room_that_slow_readers_leave_is_taken_by_the_others():
    # 1 MB/s are 3,333 tokens/s, 52 a stream: half the readers take 10
    stack = engine(link(SSE, MEGA), slow=[Readers(0.5, 10)])
    v = diagnose(stack, machine())
    assert v.predicted == pytest.approx(MEGA / SSE) and v.constraint == (R.NETWORK,)
    assert slowest(stack, machine()).batch == pytest.approx(3333.3 / ((3333.3 - 320) / 32), 1e-4)


def test_what_each_step_pays_once_is_lost_on_readers_that_sit_steps_out():
    # a: 6.4 ms, b: nothing; half the readers take 10 of 156 tokens/s
    v = diagnose(engine(fixed=6.4, each=0, slow=[Readers(0.5, 10)]), machine())
    assert v.predicted == pytest.approx(32 / 0.0064 + 320)
    assert v.shares[R.CLIENT] == pytest.approx(320 / 5320)
    assert v.worth[R.CLIENT] == pytest.approx(10_000 / 5320)


@pytest.mark.parametrize("rate", [0.9, 0.95])
def test_a_near_tie_of_link_and_engine_names_both(rate):
    # 0.1 ms a token on the link, 0.09 and 0.095 in the engine
    v = diagnose(engine(link(100, MEGA), each=0.1 * rate), machine())
    wanted = (R.NETWORK, R.COMPUTE) if rate > 0.92 else (R.NETWORK,)
    assert v.constraint == wanted and v.worth[R.NETWORK] == pytest.approx(1 / rate)


def test_a_station_right_behind_an_engine_of_two_parts_is_named_before_the_second_part():
    # 0.056 ms of FLOPs and 0.045 of a host stage a token; without the FLOPs the link's 0.1 binds
    stack = engine(link(100, MEGA), each=0.056, host=(HostStage("sample", each=0.045e-3),))
    v = diagnose(stack, machine())
    assert v.constraint == (R.COMPUTE, R.NETWORK) and v.worth[R.COMPUTE] == pytest.approx(1.01)
    assert v.shares[R.HOST] > 0.8 * v.shares[R.COMPUTE]


def test_a_near_tie_of_readers_and_link_names_both():
    # readers take 64 · 150 = 9,600, the link 10,000
    v = diagnose(engine(link(100, MEGA), each=0.05, slow=[Readers(1, 150)]), machine())
    assert v.constraint == (R.CLIENT, R.NETWORK) and v.worth[R.CLIENT] == pytest.approx(
        1.0417, 1e-3
    )
    assert any("network stands right behind" in line for line in v.evidence)


def test_a_near_tie_of_kernels_and_front_end_on_one_cpu_names_both():
    writes = front_end({"write": 18e-6}, processes=2)
    v = diagnose(engine(writes, each=0.01, shared_cores=2), machine(cores=2))
    # 20 core-µs of kernels, 18 of writing
    assert v.constraint == (R.COMPUTE, R.HOST)
    assert any("host is close, with 47%" in line for line in v.evidence)


def test_faster_readers_move_the_constraint_to_what_stands_behind():
    stack = engine(link(SSE, 2 * MEGA), slow=[Readers(1, 50)])
    v = diagnose(stack, machine())
    assert v.constraint == (R.CLIENT,) and v.next == (R.NETWORK,)
    faster = whatif(v, more(R.CLIENT, 4))
    assert faster.constraint == (R.NETWORK,) and faster.x.value == pytest.approx(2 * MEGA / SSE)


def test_offered_load_below_what_the_readers_take_stays_the_limit():
    v = diagnose(engine(offered=1000, slow=[Readers(1, 100)]), machine())
    assert v.outcome == "demand" and v.predicted == pytest.approx(1000)
    nothing = diagnose(engine(offered=0, slow=[Readers(1, 100)]), machine())
    assert nothing.outcome == "demand" and nothing.predicted == 0


def test_when_every_reader_is_slow_the_engine_s_speed_does_not_matter():
    stack = engine(slow=[Readers(0.5, 20), Readers(0.5, 30)])
    assert throughput(stack, machine()) == pytest.approx(1600)
    assert worth(stack, machine(), R.COMPUTE) == 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Readers(1.2, 5), "share=1.2"),
        (lambda: Readers(0.5, 0), "rate=0"),
        (lambda: engine(slow=[Readers(0.6, 5), Readers(0.6, 9)]), "120% of the streams"),
        (lambda: link(300, 0), "give a rate above 0"),
        (lambda: front_end({"write": -1.0}), "core-seconds of 0 or more"),
        (lambda: front_end(STAGES, processes=0), "at least one process"),
    ],
)
def test_what_can_not_be_is_refused_with_the_fix(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_equal_readers_are_one_group():
    assert readers([5.0, 5.0, math.inf, math.inf]) == (Readers(0.5, 5.0), Readers(0.5, math.inf))


rates = st.floats(0.5, 500)
slow = st.lists(rates, min_size=1, max_size=6).map(readers)


@given(slow, st.integers(1, 64), st.floats(1e-6, 1e-2), st.floats(1e-6, 1e-3))
def test_a_flow_is_the_sum_over_streams_of_the_smaller_rate_and_no_faster_than_it_is_paid(
    slow, n, fixed, each
):
    found = flow(slow, n, fixed, each)
    smaller = sum(n * r.share * min(r.rate, found.speed) for r in slow)
    assert found.x == pytest.approx(smaller)
    paid = found.speed * fixed + each * found.x
    assert paid == pytest.approx(1)


@given(slow, st.integers(2, 64), st.floats(0.1, 9), st.floats(0.01, 1))
def test_where_nothing_waits_shares_are_elasticities_with_slow_readers_too(slow, n, fixed, each):
    stack, caps = engine(n=n, fixed=fixed, each=each, slow=slow), machine()
    found = shares(stack, caps)
    speed = slowest(stack, caps).x / slowest(stack, caps).batch
    # at a kink the two sides differ
    if all(abs(r.rate / speed - 1) > 0.01 for r in slow):
        for r in (R.CLIENT, R.BANDWIDTH, R.COMPUTE):
            assert elasticity(stack, caps, r, 1e-4) == pytest.approx(found.get(r, 0), abs=2e-3)


def test_taking_the_readers_limit_away_leaves_none():
    after, _ = scale(engine(slow=[Readers(1, 5)]), machine(), R.CLIENT, math.inf)
    assert throughput(after, machine()) == pytest.approx(10_000)
