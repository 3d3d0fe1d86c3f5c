"""Where two limits are close, by hand: answers at both sides of a bend, a room that varies, a soft
bend of two stations, windows that disagree."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.limits import blend
from constraintlab.limits.answers import MOST, VARIES, Answers, Read, lengths, longer
from constraintlab.limits.compose import sharpened, slowest, throughput
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.resource import Resource as R
from constraintlab.limits.room import Room, placed
from constraintlab.limits.shares import elasticity, shares
from constraintlab.limits.stack import Stack, scale
from constraintlab.limits.stations import link
from constraintlab.limits.verdict import Verdict
from constraintlab.limits.work import Kernel, Work

from .cases import MEGA, exactly, machine


def engine(*stations, fixed=1.0, each=0.1, **options):
    """A step of `fixed` ms of weights and `each` ms of FLOPs for a sequence."""
    step = (Kernel("weights", fixed=Work(0, fixed * MEGA)), Kernel("linear", Work(each * 1e9)))
    return Stack(step, stations=stations, **options)


def all_of(*read, rate=100.0, **options):
    return Answers((Read(1.0, rate, read),), **options)


def test_a_short_answer_is_not_held_up_by_a_reader_that_a_long_one_waits_for():
    # a token a 10 ms is read, one a 5 ms drawn, 24 may be unread: 40 tokens take 200 ms to draw and
    # 16 readings; 100 tokens take a step and 76 readings
    short, long = all_of((40.0, 1.0), ahead=24), all_of((100.0, 1.0), ahead=24)
    assert short.x(0.005, 8, math.inf) == pytest.approx(8 * 40 / 0.2, rel=2e-3)
    assert long.x(0.005, 8, math.inf) == pytest.approx(8 * 100 / 0.765)
    # each kind of answer keeps its place for its own time
    both = all_of((40.0, 0.5), (100.0, 0.5), ahead=24)
    assert both.x(0.005, 8, math.inf) == pytest.approx(8 * 140 / 0.965, rel=2e-3)


def test_where_an_answer_takes_as_long_to_draw_as_to_read_the_longer_is_longer_than_both():
    # a normal of deviation 0.1 is 0.1 ÷ √(2π) above its mean where what is below is cut off
    assert longer(1.0, 1.0) == pytest.approx(1 + VARIES / math.sqrt(2 * math.pi))
    assert longer(2.0, 1.0) == pytest.approx(2, abs=1e-6) and longer(1.0, 2.0) == 2
    assert longer(0.0, 1.0) == 1 and longer(1.0, 0.0) == 1, "infinitely fast"


@given(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3), st.floats(1, 3))
def test_the_longer_of_two_times_is_no_shorter_than_either_and_grows_with_both(a, b, factor):
    assert longer(a, b) >= max(a, b) * (1 - 1e-9)
    assert longer(a * factor, b) >= longer(a, b) * (1 - 1e-9)
    assert longer(a, b * factor) >= longer(a, b) * (1 - 1e-9)
    assert longer(a * factor, b * factor) == pytest.approx(longer(a, b) * factor)


def test_a_user_asks_again_when_all_is_read():
    # 2 prompt steps, the first token's step, 40 readings, and the half of a step that is under way
    # when they ask: 0.4175 s; 5 users in 8 places
    found = all_of((40.0, 1.0), ahead=24, prompts=2)
    assert found.x(0.005, 8, 5) == pytest.approx(5 * 40 / 0.4175)
    # with 50 users all of the 8 places are taken: 0.21 s each
    assert found.x(0.005, 8, 50) == pytest.approx(8 * 40 / 0.21, rel=2e-3)


def test_who_reads_fast_asks_more_often_but_all_wait_in_one_queue():
    kinds = Read(0.5, 100.0, ((40.0, 1.0),)), Read(0.5, math.inf, ((40.0, 1.0),))
    found = Answers(kinds, ahead=40)
    # none waits: 0.4075 s and 0.2 s
    assert found.x(0.005, 99, 10) == pytest.approx(5 * 40 / 0.4075 + 5 * 40 / 0.2)
    # 100 users for 4 places of 0.2 s each: 20 answers a second, whoever asks
    assert found.x(0.005, 4, 100) == pytest.approx(20 * 40)


def test_a_pool_is_short_of_more_where_long_answers_stay_longer():
    # 20 and 100 tokens, without prompts: at 5 ms a step they hold 10 and 50 in the mean, over 0.1
    # and 0.765 s; a place is (0.05 · 10 + 0.3825 · 50) ÷ 0.4325 tokens
    plain = all_of((20.0, 0.5), (100.0, 0.5), ahead=24)
    found = plain.holding(0.0, 0.005)
    assert found.each == pytest.approx(0.5 * 0.4325 / (0.05 * 10 + 0.3825 * 50))
    assert found.x(0.005, 8, math.inf, 1.0) == pytest.approx(plain.x(0.005, 8, math.inf))
    slow, even = (a.faster(0.8).x(0.005, 8, math.inf, 1.0) for a in (found, plain))
    assert slow < even


@given(
    st.lists(st.tuples(st.floats(1, 200), st.floats(5, 500)), min_size=1, max_size=4),
    st.floats(1, 64), st.floats(1, 200) | st.just(math.inf), st.floats(0, 40),
)  # fmt: skip
def test_the_engine_holds_no_more_than_its_places_and_never_makes_more_than_they_can(
    read, places, users, ahead
):
    kinds = tuple(Read(1 / len(read), rate, ((tokens, 1.0),)) for tokens, rate in read)
    found, step = Answers(kinds, ahead), 0.01
    x = found.x(step, places, users)
    assert 0 < x <= min(places, users) / step * (1 + 1e-9)
    # half as fast at the slowest, but for what varies where an answer begins to be held up
    assert found.x(2 * step, places, users) >= x / 2 / (1 + VARIES / math.sqrt(2 * math.pi))
    # a faster engine and faster readers together make as much more
    assert found.faster(2).x(step / 2, places, users) == pytest.approx(2 * x)


def test_the_engine_s_speed_is_where_its_step_is_paid():
    # a kernel of 1 ms and 0.1 ms a sequence; 8 answers of 100 tokens, 24 ahead of 100 tokens/s
    stack = engine(slots=8, population=math.inf, answers=all_of((100.0, 1.0), ahead=24))
    part = slowest(stack, machine())
    step = 1 / (part.x / part.batch)
    assert step == pytest.approx(0.001 + 0.0001 * part.batch)
    assert part.x == pytest.approx(8 * 100 / (step + 0.76))
    found = shares(stack, machine())
    assert sum(found.values()) == pytest.approx(1) and found[R.CLIENT] > 0.45
    assert elasticity(stack, machine(), R.CLIENT) == pytest.approx(1, abs=0.05)
    free, _ = scale(stack, machine(), R.CLIENT, math.inf)
    assert throughput(free, machine()) == pytest.approx(8 / 0.0018)


def test_elasticities_follow_the_share_of_answers_that_are_held_up():
    # at 1.8 ms a step and 500 tokens/s, 24 ahead: answers above 240 tokens are held up
    def slope(*read):
        held = engine(slots=8, population=math.inf, answers=all_of(*read, rate=500.0, ahead=24))
        return elasticity(held, machine(), R.CLIENT, 0.01)

    none, half = slope((50.0, 1.0)), slope((50.0, 0.5), (400.0, 0.5))
    assert none == pytest.approx(0, abs=1e-3) and 0.1 < half < slope((400.0, 1.0))


def test_lengths_are_told_apart_by_equal_parts():
    assert lengths({10: 3, 20: 1}) == ((10.0, 0.75), (20.0, 0.25))
    many = lengths({n: 1 for n in range(1, 161)})
    assert len(many) == MOST and sum(s for _, s in many) == pytest.approx(1)
    assert sum(n * s for n, s in many) == pytest.approx(80.5)


def test_a_pool_that_varies_takes_places_where_it_holds_as_many_as_there_are_slots():
    # ln K deviates by 0.198: the mean of min(10, K) is 20 · Φ(−0.099), half of it K's
    even = Room(10, 10, 0.2)
    assert even.places == pytest.approx(20 * 0.46056, abs=1e-3) and even.pool == pytest.approx(0.5)
    assert Room(10, 10).places == 10 and Room(10, 10).pool == 1 and Room(9, 10).pool == 0
    assert Room(math.inf, 7, 0.2).places == 7


@given(st.floats(1, 100), st.floats(1, 100), st.floats(0.01, 0.3), st.floats(1, 2))
def test_more_slots_or_a_larger_pool_never_leave_fewer_places(slots, kv, spread, factor):
    now = Room(slots, kv, spread)
    assert now.places <= min(slots, kv) + 1e-9
    for more in (Room(slots * factor, kv, spread), Room(slots, kv * factor, spread)):
        assert more.places >= now.places - 1e-9


def test_a_room_is_placed_where_the_places_that_were_counted_say():
    found = placed(Room(10, 20, 0.2), 9.0, 0.6)
    assert found.places == pytest.approx(9.0) and found.slots == 10
    # a pool that was never short is no smaller than that says
    assert placed(Room(10, 8, 0.1), 10.0, 0.0).kv > 12
    assert placed(Room(10, 30, 0.1), 10.0, 0.0).kv == 30


def test_slots_and_pool_share_what_keeps_others_out():
    stack = engine(fixed=4.0, each=0.0, population=math.inf, slots=10, kv_room=10, kv_spread=0.2)
    found = shares(stack, machine())
    assert found[R.SLOTS] + found[R.KV_CAPACITY] == pytest.approx(1)
    assert found[R.KV_CAPACITY] == pytest.approx(Room(10, 10, 0.2).pool)
    assert elasticity(stack, machine(), R.SLOTS, 1e-4) == pytest.approx(found[R.SLOTS], abs=1e-3)


def test_two_stations_as_fast_as_each_other_share_what_they_lose():
    # p = 10: 2^(−1/10) of either
    assert blend.together([100.0, 100.0], 10) == pytest.approx(100 * 2**-0.1)
    assert blend.parts([100.0, 100.0], 10) == pytest.approx([0.5, 0.5])
    assert blend.parts([100.0, 90.0], math.inf) == [0.0, 1.0]
    assert blend.sharpness([100.0, 100.0], 100 * 2**-0.1) == pytest.approx(10, rel=0.01)
    assert blend.sharpness([100.0, 90.0], 90.0) == math.inf, "nothing is lost"
    assert blend.sharpness([100.0, 90.0], 10.0) == blend.LEAST, "a model that is wrong is no bend"


def test_a_bend_that_was_measured_gives_both_sides_a_share():
    # the engine makes 8 ÷ 1.8 ms, the link 4,500 tokens/s
    stack = engine(link(100, 450_000), population=8)
    assert shares(stack, machine()).get(R.NETWORK, 0) == 0
    soft = sharpened(stack, machine(), 4000.0)
    assert throughput(soft, machine()) == pytest.approx(4000, rel=1e-3)
    found = shares(soft, machine())
    assert sum(found.values()) == pytest.approx(1) and 0.4 < found[R.NETWORK] < 0.5
    assert elasticity(soft, machine(), R.NETWORK, 1e-4) == pytest.approx(found[R.NETWORK], abs=1e-3)
    for r in R:
        assert throughput(*scale(soft, machine(), r, 1.5)) >= throughput(soft, machine()) - 1e-6


def test_windows_that_would_name_something_else_leave_a_doubt():
    whole, other = engine(population=16), engine(population=4)
    measured = exactly(throughput(whole, machine()), "tok/s")
    sure = diagnose(whole, machine(), measured=measured, windows=[whole, whole])
    assert sure.constraint == (R.COMPUTE,) and sure.sure and not sure.doubts
    torn = diagnose(whole, machine(), measured=measured, windows=[whole, other, other])
    assert torn.constraint == sure.constraint and torn.fits and not torn.sure
    assert torn.doubts == (
        "2 of 3 windows alone would name bandwidth: the order is not settled",
    )  # fmt: skip
    assert Verdict.from_dict(torn.as_dict()) == torn


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Read(1.5, 1.0, ((1.0, 1.0),)), "share=1.5"),
        (lambda: Read(1.0, 1.0, ()), "0 lengths"),
        (lambda: Answers((Read(0.5, 1.0, ((1.0, 1.0),)),)), "they add to 1"),
    ],
)
def test_what_can_not_be_is_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
