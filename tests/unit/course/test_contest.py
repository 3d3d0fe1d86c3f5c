"""The load that policies are held against: a clock's own numbers, idle slots, and a bound."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.course.contest import BOUND, LONG, SETUP, SHORT, Contest
from constraintlab.course.ordered import BadOrder, Ordered
from constraintlab.course.watched import Watched
from constraintlab.engine.kv.counted import CountedKV
from constraintlab.engine.plan import Budget
from constraintlab.engine.policies.classes import Classes
from constraintlab.engine.policies.continuous import Continuous
from constraintlab.engine.policies.mlfq import MLFQ
from constraintlab.engine.policies.shortest import Shortest
from constraintlab.engine.policies.static import Static
from constraintlab.engine.virtual.clock import Clock
from constraintlab.engine.virtual.cost import StepCost
from constraintlab.engine.virtual.ghost import Ghost
from constraintlab.load.metrics import Distribution

SMALL = Contest(requests=80, seeds=2)


def levels(requests):
    """`MLFQ(prompt=0)`, written as an order."""
    requests = sorted(requests, key=lambda r: r.arrival)
    rest = sorted(requests[1:], key=lambda r: (r.served // 32 + 1).bit_length())
    return requests[:1] + rest


def test_a_run_is_what_the_clock_alone_says():
    due, setup = SMALL.due()[1], SMALL.setup
    ghosts = [Ghost(i, d.prompt, d.output, d.at) for i, d in enumerate(due)]
    clock = Clock(MLFQ(), CountedKV(setup.blocks, setup.block_size), setup.budget(), SMALL.cost)
    clock.run(ghosts)
    ran = SMALL.run(MLFQ(), due)
    middle = sorted(d.output for d in due)
    middle = (middle[39] + middle[40]) / 2
    short = [g.first - g.arrival for g in ghosts if g.wanted <= middle]
    assert ran.short == Distribution.of(short) and ran.short.n + ran.long.n == 80
    assert ran.e2e == pytest.approx(sum(g.ended - g.arrival for g in ghosts) / 80)
    assert ran.rate == clock.tokens / clock.now and ran.lost == clock.lost


def test_mlfq_written_as_an_order_is_mlfq():
    for due in SMALL.due():
        ours = SMALL.run(Ordered(levels, every=1), due)
        engines = SMALL.run(MLFQ(prompt=0), due)
        assert ours.short[99.0] == pytest.approx(engines.short[99.0])
        assert ours.long[99.0] == pytest.approx(engines.long[99.0])
        assert ours.e2e == pytest.approx(engines.e2e) and ours.lost == engines.lost


def test_the_load_is_seeded_and_as_high_as_it_says():
    contest = replace(SMALL, requests=2000, seeds=1)
    (due,) = contest.due()
    assert contest.due() == [due]
    offered = sum(d.output for d in due) / due[-1].at
    burst = [replace(d, at=0.0) for d in due]
    full = contest.run(Continuous(), burst).rate
    assert offered / full == pytest.approx(0.8, rel=0.1)


def trial(policy, ghosts, slots=2, blocks=1000):
    """A watched run of these on a clock whose steps take a second."""
    watched = Watched(policy)
    budget, cost = Budget(slots, 64), StepCost(1.0)
    watched.clock = Clock(watched, CountedKV(blocks, 4), budget, cost)
    watched.clock.run(ghosts)
    return watched


def test_a_slot_that_somebody_could_have_had_is_counted_for_as_long_as_it_is_empty():
    watched = trial(Classes(long=10, reserved=0.5), [Ghost(0, 1, 20), Ghost(1, 1, 20)])
    assert watched.clock.steps == 40 and watched.lost == 20
    step, who = watched.first
    assert (step, who.id) == (1, 1)


def test_a_batch_that_waits_for_its_longest_leaves_slots_empty():
    watched = trial(Static(), [Ghost(0, 1, 5), Ghost(1, 1, 20), Ghost(2, 1, 3), Ghost(3, 1, 3)])
    assert watched.lost == 15 and watched.first[0] == 6 and watched.first[1].id == 2


def test_no_room_is_no_idleness():
    # The first two need 3 blocks each, and there are 4; the third, of 1, overtakes nobody.
    watched = trial(Continuous(), [Ghost(0, 9, 4), Ghost(1, 9, 4), Ghost(2, 2, 2)], blocks=4)
    assert watched.clock.steps == 8 and watched.lost == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(6, 40), st.integers(1, 4))
def test_whatever_the_order_no_slot_stands_idle(seed, blocks, slots):
    random = Random(seed)
    ghosts = [
        Ghost(i, random.randint(1, 9), random.randint(1, 12), 3.0 * i + random.randrange(3))
        for i in range(20)
    ]
    policy = Ordered(lambda rs: random.sample(rs, len(rs)), every=2)
    assert trial(policy, ghosts, slots, blocks).lost == 0
    assert all(g.finish_reason == "length" for g in ghosts)


def test_an_order_that_is_none_is_told_in_which_step():
    def order(requests):
        return [r for r in requests if r.served < 7]

    with pytest.raises(BadOrder, match=r"in step 8: request 0, .* Idle meanwhile: 1 of 2 slots"):
        trial(Ordered(order, every=1), [Ghost(i, 1, n) for i, n in enumerate((20, 9, 5))])


@pytest.mark.parametrize("size", [SHORT, LONG])
@pytest.mark.parametrize("policy", [Continuous(), MLFQ(), Classes(long=200), Ordered(levels)])
def test_who_lets_nobody_starve(policy, size):
    assert SMALL.starved(policy, size) is None


@pytest.mark.parametrize("policy", [Shortest(), MLFQ(elders=0)])
def test_who_lets_a_long_request_starve(policy):
    long = SMALL.starved(policy, SHORT)
    assert long.wanted == LONG and 0 < long.output.n < LONG / 2


@pytest.mark.parametrize("size", [SHORT, LONG])
def test_the_bound_is_exact(size):
    """One that leaves the long request waiting, beside whole batches, and then has it run."""

    def lazy(steps):
        """Where all but it compute in each of the first so many steps."""
        had = {}

        def order(requests):
            had.update((r.id, r.served) for r in requests)
            first = sum(n for name, n in had.items() if name != "C") >= 4 * steps
            return sorted(requests, key=lambda r: ((r.id == "C") != first, r.arrival))

        return Ordered(order, every=1)

    assert SMALL.starved(lazy(BOUND - 2 * LONG), size) is None
    late = SMALL.starved(lazy(BOUND - LONG + 50), size)
    assert LONG // 2 < late.output.n < LONG, "it has what it had after exactly so many steps"
    assert not late.finish_reason


@pytest.mark.parametrize(
    ("options", "said"),
    [({"requests": 3}, "requests=3"), ({"seeds": 0}, "seeds=0"), ({"load": 1.0}, "load=1.0")],
)
def test_what_is_no_load_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        Contest(**options)


def test_the_engines_room_is_the_callers():
    contest = replace(SMALL, setup=replace(SETUP, slots=2), seeds=1)
    (due,), (wide,) = contest.due(), SMALL.due()[:1]
    assert due[-1].at > 2 * wide[-1].at, "a quarter of the slots, not a quarter of the throughput"
