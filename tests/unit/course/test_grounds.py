"""What a verdict on a served engine rests on: probed once where that is recent enough."""

import asyncio

from constraintlab.course import calibrate
from constraintlab.course.calibrate import CEILINGS, Grounds
from constraintlab.engine.setup import Setup
from constraintlab.engine.window import Between


def test_ceilings_are_probed_again_unless_they_are_recent_enough(monkeypatch):
    asked = []
    monkeypatch.setattr(calibrate, "probed", lambda *a: asked.append(a[1:]) or len(asked))
    grounds, one, two = Grounds(None), Setup("nano", threads=1), Setup("nano", threads=2)
    assert [grounds.now(one), grounds.now(one, 60.0), grounds.now(one)] == [1, 1, 2]
    assert grounds.now(two, 60.0) == 3, "those of other threads are others"
    assert asked == [(list(CEILINGS), s) for s in (one, one, two)]


def test_a_stub_needs_no_ceiling_and_has_no_gap(monkeypatch):
    asked = []
    monkeypatch.setattr(calibrate, "probed", lambda *a: asked.append(a[1:]))
    grounds = Grounds(None)
    grounds.now(Setup("stub@50"))
    assert asked == [([], Setup("stub@50"))]
    assert asyncio.run(grounds.gap(Setup("stub"))) == Between()
