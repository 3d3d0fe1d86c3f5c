"""What stands behind the engine, token by token, by hand; and a step's cost kernel by kernel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.engine.kv.counted import CountedKV
from constraintlab.engine.plan import Budget
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.virtual.cost import StepCost
from constraintlab.engine.virtual.counts import Counts, Kinds, Steps, kind
from constraintlab.engine.virtual.roofline import Roofline
from constraintlab.engine.virtual.service import Service
from constraintlab.engine.virtual.stations import Stations, Stream, Tandem


def stream(id=0, gap=0.0):
    return Stream(id, 5, 9, gap=gap)


def test_tokens_queue_at_the_front_end_then_on_the_link_then_for_their_reader():
    # two tokens at 0: framed at 1 and 2, on the wire 1 … 4 and 4 … 7; the second reader takes 5
    tandem = Tandem(Stations(frame=1.0, wire=3.0))
    tandem.take(0.0, [stream(0), stream(1, gap=5.0)])
    assert tandem.reads == [4.0, 12.0]
    # a token that comes when nobody is ahead waits for nobody
    tandem.take(20.0, [stream(2)])
    assert tandem.reads[-1] == 24.0


def test_a_reader_takes_its_own_tokens_one_after_the_other():
    slow, tandem = stream(gap=2.0), Tandem(Stations(window=4))
    for at in (1.0, 2.0, 3.0):
        tandem.take(at, [slow])
    assert tandem.reads == [3.0, 5.0, 7.0] and slow.read == 7.0
    assert tandem.room(slow, now=3.0) == 2, "one is read, two are under way"


def test_a_stream_is_free_again_when_half_of_its_window_is_read():
    slow, tandem = stream(gap=1.0), Tandem(Stations(window=4))
    for _ in range(4):
        tandem.take(0.0, [slow])
    assert tandem.room(slow, 0.0) == 0 and tandem.free(slow) == 2.0
    assert tandem.room(slow, 2.0) == 2


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Stations(frame=-1.0), "give seconds, 0 or more"),
        (lambda: Stations(window=1), "window=1: give 2"),
        (lambda: stream(gap=-1.0), "gap=-1.0"),
        (lambda: Roofline(0, 1, 1, 1, 1), "compute=0: give a rate"),
        (lambda: Roofline(1, 1, -1, 1, 1), "weights=-1: give 0 or more"),
        (lambda: Roofline(1, 1, 0, 0, 1), "never ends"),
    ],
)
def test_what_can_not_be_is_said(make, says):
    with pytest.raises(ValueError, match=says):
        make()


COST = Roofline(compute=100.0, bandwidth=10.0, weights=20.0, flops=50.0, kv=1.0, look=5.0,
                schedule=0.25, sample=0.125)  # fmt: skip


def test_a_step_is_the_longer_side_of_each_kernel_and_the_host_after_it():
    # weights 2 s over products of 3 tokens 1.5 s; 7 keys at 0.1 s of bytes over 0.05 of FLOPs
    assert COST.step(3, 7) == pytest.approx(2.0 + 0.7 + 0.25 + 3 * 0.125)
    # 6 more tokens of a prompt after 2: 9 tokens are 4.5 s; pairs 6·2 + 21 = 33, 1.65 s over 0.8
    assert COST.step(3, 7, [(6, 2)]) == pytest.approx(4.5 + 0.7 + 1.65 + 0.25 + 4 * 0.125)


@given(st.integers(1, 50), st.integers(1, 9), st.integers(1, 500), st.floats(0, 300))
def test_many_steps_cost_what_they_cost_one_by_one(n, decodes, keys, seconds):
    one_by_one = sum(COST.step(decodes, keys + decodes * i) for i in range(n))
    assert COST.steps(n, decodes, keys) == pytest.approx(one_by_one)
    fits = COST.within(seconds, n, decodes, keys)
    assert fits == n or COST.steps(fits, decodes, keys) >= seconds
    assert fits == 1 or COST.steps(fits - 1, decodes, keys) < seconds


def service(stations, cost=None, slots=4, users=4, last=40, gap=0.0, answer=20):
    made = iter(range(users, 1000))

    def after(done, at):
        return Stream(next(made), 4, answer, at, gap)

    clock = Service(
        Continuous(), CountedKV(1000), Budget(slots, 64), cost or StepCost(fixed=1.0), stations,
        after,
    )  # fmt: skip
    first = [Stream(i, 4, answer, 0.0, gap) for i in range(users)]
    take, clock.most = clock.tandem.take, 0

    def watched(at, streams):
        take(at, streams)
        clock.most = max([clock.most, *(sum(t > at for t in s.under) for s in streams)])

    clock.tandem.take = watched
    before, end = clock.serve(first, last, [users + 8])
    read = sum(before.seconds < t <= end.seconds for t in clock.tandem.reads)
    return clock, end - before, read / (end.seconds - before.seconds)


def test_with_nothing_behind_it_the_engine_sets_the_pace():
    # four sequences a step of one second
    _, counts, x = service(Stations())
    assert x == pytest.approx(4.0, rel=0.02)
    assert counts.resident / counts.seconds == pytest.approx(4.0, rel=0.02)


@pytest.mark.parametrize(
    ("stations", "gap", "x"),
    [
        (Stations(frame=0.5, window=8), 0.0, 2.0),  # two tokens/s of the front end
        (Stations(wire=1.0, window=8), 0.0, 1.0),  # one on the link
        (Stations(frame=0.5, wire=1.0, window=8), 0.0, 1.0),  # the slower of both
        (Stations(window=8), 2.0, 2.0),  # four readers, half a token/s each
    ],
)
def test_the_slowest_behind_the_engine_holds_it_back(stations, gap, x):
    clock, counts, seen = service(stations, gap=gap)
    assert seen == pytest.approx(x, rel=0.03)
    assert clock.most == 8, "a stream fills its window, and no more than that"
    assert counts.drawn / counts.seconds == pytest.approx(x, rel=0.1), "the engine is held back"


def test_an_open_load_comes_when_it_comes():
    clock = Service(Continuous(), CountedKV(100), Budget(4, 64), StepCost(1.0), Stations())
    coming = [Stream(i, 4, 3, 10.0 * i) for i in range(11)]
    (end,) = clock.serve(coming, 11, [])
    assert end.seconds == pytest.approx(100.0, abs=1.0) and end.drawn == 30
    assert end.waiting == 0 and end.resident == pytest.approx(30.0)


def test_answers_that_ended_can_be_counted_instead_of_requests_that_came():
    clock = Service(Continuous(), CountedKV(100), Budget(4, 64), StepCost(1.0), Stations())
    coming = [Stream(i, 4, 3, 10.0 * i) for i in range(11)]
    begun, end = clock.serve(coming, 5, [2], ended=True)
    assert begun.answers.total() == 2 and begun.seconds == pytest.approx(13.0)
    assert end.answers.total() == 5 and end.seconds == pytest.approx(43.0)


def test_who_waits_and_what_for_is_counted():
    _, counts, _ = service(Stations(), slots=2)
    assert counts.lacks["slots"] == pytest.approx(counts.seconds, rel=0.05)
    assert counts.beside["slots"] / counts.lacks["slots"] == pytest.approx(2.0, rel=0.05)
    assert counts.waiting / counts.seconds == pytest.approx(2.0, rel=0.05)
    assert counts.open / counts.seconds == pytest.approx(4.0, rel=0.05)
    # 4 tokens of prompt and up to 19 more lie in one or two blocks of 16
    assert 16 < counts.held / counts.resident < 32


def test_steps_are_counted_by_their_tokens_and_counts_are_differences():
    assert kind(7, 0) == 0 and kind(1, 1) == 3 and kind(4, 28) == kind(3, 30) == 11
    _, counts, _ = service(Stations())
    assert counts.steps.decodes + counts.steps.tokens / 4 == pytest.approx(counts.drawn, abs=4)
    a, b = Kinds({0: Steps(3.0), 2: Steps(1.0)}), Kinds({0: Steps(1.0)})
    assert (a - b)[0].steps == 2.0 and (a + b)[0].steps == 4.0 and (a - b)[2].steps == 1.0


def test_answers_are_counted_by_reader_and_length_with_what_they_held():
    counts = Counts()
    for gap, prompt, tokens in ((0.0, 10, 20), (0.1, 10, 20), (0.1, 30, 40)):
        counts.answered(gap, prompt, tokens)
    assert counts.answers == {(0.0, 20): 1, (0.1, 20): 1, (0.1, 40): 1}
    # 10 to 30 tokens over 20 steps twice, 30 to 70 over 40: means of 20, 20 and 50 tokens
    assert counts.held_steps == 20 * 20 + 20 * 20 + 40 * 50
    mean = (40 * 20 + 40 * 50) / 80
    squares = (40 * (20**2 + 20**2 / 12) + 40 * (50**2 + 40**2 / 12)) / 80
    assert counts.held_deviation == pytest.approx((squares - mean**2) ** 0.5 / mean)
    assert (counts - counts).held_deviation == 0
