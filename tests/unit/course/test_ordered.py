"""A policy that is an order: what its function sees, what it may answer, and that it is done."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.course.ordered import HIDDEN, BadOrder, Ordered, Unknown
from constraintlab.engine.kv.paged import PagedKV
from constraintlab.engine.plan import Budget
from constraintlab.engine.request import Request, Sampling

from ..engine.mock import Engine, answer, workload


def engine(order, slots=2, blocks=64):
    return Engine(Ordered(order), PagedKV(blocks, 4), Budget(slots, 64))


def asked(*sizes):
    return [Request(i, [i] * 4, Sampling(n), arrival=float(i)) for i, n in enumerate(sizes)]


def first_come(requests):
    return sorted(requests, key=lambda r: r.arrival)


def test_it_sees_what_is_known_and_the_same_object_each_time():
    seen = []

    def order(requests):
        seen.append([(r, r.id, r.arrival, r.prompt, r.served, r.running) for r in requests])
        return first_come(requests)

    one = engine(order, slots=1)
    one.submit(*asked(3, 2))
    for _ in range(3):
        one.step()
    one.step()
    (a, *first), (b, *second) = seen[0]
    assert first == [0, 0.0, 4, 0, False] and second == [1, 1.0, 4, 0, False]
    assert seen[1] == [(a, 0, 0.0, 4, 1, True), (b, 1, 1.0, 4, 0, False)]
    assert [r[0] for r in seen[3]] == [b]


@pytest.mark.parametrize("name", sorted(HIDDEN))
def test_the_length_to_come_is_hidden_and_no_default_hides_that(name):
    one = engine(lambda requests: sorted(requests, key=lambda r: getattr(r, name, 0)))
    one.submit(*asked(3))
    with pytest.raises(Unknown, match=f"r.{name}: the answer's length is not known when it is"):
        one.step()


def test_nothing_else_of_an_engine_can_be_reached_from_what_it_sees():
    one = engine(first_come)
    one.submit(*asked(3))
    one.plan()
    (seen,) = one.policy._seen.values()
    held = [getattr(seen, name) for name in type(seen).__slots__]
    assert all(isinstance(value, str | int | float | bool) for value in held)
    assert not hasattr(seen, "__dict__")


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (lambda rs: None, "returns nothing yet"),
        (lambda rs: ..., "returns nothing yet"),
        (lambda rs: 3, "return a list of the requests, the most urgent first, not this of type in"),
        (lambda rs: (r for r in rs), "of type generator"),
        (lambda rs: {r: 0 for r in rs}, "of type dict"),
        (lambda rs: [r.id for r in rs], "^0 is in your list, which is none of the requests"),
        (lambda rs: [[r] for r in rs], "which is none of the requests"),
        (lambda rs: [*rs, rs[1]], "request 1 is in your list 2 times"),
        (lambda rs: rs[:2], "request 2, which came at 2.00 s, waits and is not .*Return all 3"),
        (lambda rs: rs[:1], "request 1, which came at 1.00 s, .* Idle meanwhile: 1 of 2 slots"),
        (lambda rs: [], "request 0, .* Idle meanwhile: 2 of 2 slots"),
        (lambda rs: 1 / 0, "it raised ZeroDivisionError"),
        (lambda rs: sorted(rs, key=lambda r: r.arival), "has arrival, .* and no 'arival'"),
    ],
)
def test_what_is_no_order_is_told_why(order, said):
    one = engine(order)
    one.submit(*asked(3, 3, 3))
    with pytest.raises(BadOrder, match=said):
        one.step()
    assert not one.running and len(one.waiting) == 3, "nothing was done"


def test_a_request_of_another_run_is_none_that_was_given():
    kept = []

    def order(requests):
        kept.extend(requests)
        return kept

    for one, said in ((engine(order), ""), (engine(order), "none of the requests")):
        one.submit(*asked(3))
        if not said:
            one.step()
            continue
        with pytest.raises(BadOrder, match=said):
            one.step()


@pytest.mark.parametrize("answer", [None, 3, "fcfs"])
def test_no_function_is_no_order(answer):
    with pytest.raises(BadOrder, match="give a function"):
        Ordered(answer)


def test_its_list_and_what_it_writes_on_requests_change_nothing():
    def order(requests):
        found = list(requests)
        for r in found:
            r.served, r.arrival = 99, r.arrival
        requests.clear()
        return found

    one, requests = engine(order), asked(3, 2)
    one.submit(*requests)
    while one.busy:
        one.step()
    assert all(r.output == answer(r) for r in requests)


def test_who_is_held_is_not_asked_about():
    one, requests = engine(first_come), asked(3, 3)
    one.submit(*requests)
    one.step()
    one.hold(requests[0])
    assert [r.id for r, _ in one.step().chunks] == [1]


def test_it_is_asked_again_in_time_and_only_where_the_order_matters():
    one = Engine(Ordered(first_come, every=5), PagedKV(64, 4), Budget(2, 64))
    one.submit(*asked(30, 30))
    one.step()
    assert one.plan().horizon == 29, "both compute, whatever the order"
    one.submit(Request(2, [1], Sampling(9), arrival=2.0))
    assert one.plan().horizon == 5
    with pytest.raises(ValueError, match="every=0"):
        Ordered(first_come, every=0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_whatever_the_order_all_answers_are_right_in_the_end(seed):
    random = Random(seed)
    one = engine(lambda rs: random.sample(rs, len(rs)), slots=3, blocks=12)
    requests = workload(seed, 12)
    for request in requests:
        one.submit(request)
        one.step()
    while one.busy:
        one.step()
    assert all(r.output == answer(r) for r in requests) and one.kv.free == 12
