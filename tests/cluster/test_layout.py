"""A layout as plain data."""

import pickle
from dataclasses import replace

import pytest


@pytest.fixture
def layout():
    from constraintlab.cluster.layout import Layout
    from constraintlab.engine.setup import Setup

    return Layout(setup=Setup(slots=8))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"decode": 0}, "decode=0: give 1 replica or more"),
        ({"gateway": -1}, "gateway=-1"),
        ({"simulated_ms": -1.0}, "give 0 or more"),
        ({"cpus": -0.5}, "give 0 or more"),
    ],
)
def test_mistakes_name_their_fix(layout, wrong, why):
    with pytest.raises(ValueError, match=why):
        replace(layout, **wrong)


def test_answers_of_a_simulated_device_say_so_in_the_model_s_name(layout):
    assert layout.name == "reasoner"
    assert replace(layout, simulated_ms=12.5).name == "reasoner-simulated-12.5ms"


def test_a_gateway_admits_by_its_share_of_all_decode_slots(layout):
    assert replace(layout, decode=3).slots == 24
    assert replace(layout, decode=3, gateway=2).slots == 12
    assert replace(layout, gateway=16).slots == 1


def test_replicas_know_nothing_of_how_many_they_are(layout):
    many = replace(layout, gateway=2, prefill=3, decode=4)
    assert many.single == layout and pickle.loads(pickle.dumps(many)) == many
