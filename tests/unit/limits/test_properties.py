"""What must hold for every stack on every machine."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.limits.catalogue import CATALOGUE, more
from constraintlab.limits.compose import throughput
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.readers import readers
from constraintlab.limits.resource import Resource
from constraintlab.limits.shares import elasticity, shares
from constraintlab.limits.sizes import size
from constraintlab.limits.stack import HostStage, Stack, Station, scale
from constraintlab.limits.verdict import Verdict
from constraintlab.limits.whatif import whatif
from constraintlab.limits.work import Kernel, Work

from .cases import machine

amount = st.floats(1e3, 1e12)
works = st.builds(Work, amount, amount, st.just(0.0) | amount)
kernels = st.builds(Kernel, st.just("k"), works, st.just(Work()) | works)
seldom = st.builds(
    Kernel, st.just("prompts"), fixed=works, often=st.floats(1e-3, 1.0), onto=st.just("k")
)
seconds = st.floats(1e-6, 1.0)
hosts = st.builds(HostStage, st.just("stage"), seconds, seconds)
stations = st.builds(
    Station,
    st.just("s"),
    st.sampled_from([Resource.HOST, Resource.NETWORK, Resource.CLIENT]),
    st.floats(1e-7, 1e-2),
    st.floats(1e-7, 1e-2),
)
room = st.just(math.inf) | st.floats(1, 4096)
stacks = st.builds(
    Stack,
    kernels=st.lists(kernels, min_size=1, max_size=4).map(tuple) | st.tuples(kernels, seldom),
    host=st.lists(hosts, max_size=2).map(tuple),
    stations=st.lists(stations, max_size=2).map(tuple),
    readers=st.just(()) | st.lists(st.floats(1e-3, 1e4), min_size=1, max_size=5).map(readers),
    population=room,
    slots=room,
    kv_room=room,
    offered=st.just(math.inf) | st.floats(1, 1e6),
    shared_cores=st.none() | st.floats(1, 64),
)
machines = st.builds(
    machine, st.floats(1e9, 1e15), st.floats(1e8, 1e13), st.floats(1e8, 1e13), st.floats(1, 64)
)


@given(stacks, machines)
def test_shares_sum_to_one(stack, caps):
    assert math.isclose(sum(shares(stack, caps).values()), 1, rel_tol=1e-9)


@given(stacks, machines, st.sampled_from(list(Resource)), st.floats(1, 100) | st.just(math.inf))
def test_raising_a_capacity_never_lowers_throughput(stack, caps, resource, factor):
    before = throughput(stack, caps)
    assert throughput(*scale(stack, caps, resource, factor)) >= before * (1 - 1e-9)


@given(stacks, machines, st.sampled_from(list(Resource)))
def test_elasticities_lie_between_none_and_proportional(stack, caps, resource):
    assert -1e-9 <= elasticity(stack, caps, resource) <= 1 + 1e-9


@given(stacks, machines)
def test_a_resource_with_a_share_is_worth_fixing_or_has_another_right_behind(stack, caps):
    v = diagnose(stack, caps)
    assert 1 <= len(v.constraint) <= 2
    assert all(w >= 1 - 1e-9 for w in v.worth.values())
    assert v.shares[v.constraint[0]] == max(v.shares.values())
    assert v.next != v.constraint[:1] or v.worth[v.constraint[0]] == math.inf


@given(stacks, machines)
def test_a_verdict_survives_the_way_to_json_and_back(stack, caps):
    import json

    v = diagnose(stack, caps)
    assert Verdict.from_dict(json.loads(json.dumps(v.as_dict()))) == v


@settings(max_examples=40, deadline=None)
@given(stacks, machines, st.sampled_from(list(Resource)), st.floats(1, 100))
def test_more_of_a_capacity_gains_at_most_its_worth(stack, caps, resource, factor):
    v = diagnose(stack, caps)
    gain = whatif(v, more(resource, size(factor, 1.0, 100.0))).gain
    assert 1 - 1e-9 <= gain.value <= min(factor, v.worth[resource]) * (1 + 1e-6)
    assert gain.low <= gain.value <= gain.high
    if v.worth[resource] == 1:
        assert math.isclose(gain.high, 1, rel_tol=1e-9)


@settings(max_examples=40, deadline=None)
@given(stacks, machines, st.sampled_from(sorted(CATALOGUE)))
def test_no_fix_but_speculation_is_predicted_to_hurt(stack, caps, name):
    out = whatif(diagnose(stack, caps), CATALOGUE[name])
    assert out.gain.low <= out.gain.value <= out.gain.high
    if name != "speculative":
        assert out.gain.value >= 1 - 1e-9
