"""The shipped recordings tell one story each, and rest on verdicts that the model explains."""

from dataclasses import replace

import pytest

from constraintlab.limits.diagnose import diagnose
from constraintlab.panel.sentence import sentence, text
from constraintlab.recordings import catalogue, tape
from tests.unit.course.test_story import found as verdict_on
from tests.unit.limits.cases import GIGA
from tests.unit.recordings import made
from tests.unit.recordings.verdicts import (
    DOUBT,
    contradictions,
    of,
    shown_otherwise,
    unexplained,
)

NARROW = "products of 64 columns ran at 74 to 88% of the large one that the ceiling is probed with"

KNOWN = {
    ("2026-12-01T17:18:55+00:00", "workspace"): NARROW,
    ("2026-12-01T17:19:42+00:00", "fused"): NARROW,
    ("2026-12-01T17:20:24+00:00", "workspace"): NARROW,
    ("2026-12-01T18:06:44+00:00", "8 an event"): "64 readers on two cores: not found out",
}
"""(when a recording was started, run) → why its verdict is one that the model does not explain. A
recording that takes the place of one of these has no such excuse: drop its lines here."""

SHIPPED = [tape.read(path) for path in catalogue.paths()]
shipped = pytest.mark.parametrize("recorded", SHIPPED, ids=lambda t: t.name)


@shipped
def test_no_run_ends_in_a_verdict_that_the_model_does_not_explain(recorded):
    at = recorded.head.started
    assert [n for n in unexplained(recorded) if (at, n) not in KNOWN] == []


def test_no_excuse_outlives_its_recording():
    there = {(t.head.started, name) for t in SHIPPED for name in unexplained(t)}
    assert KNOWN.keys() - there == set()


@shipped
def test_what_the_lab_says_binds_is_what_its_runs_verdicts_name(recorded):
    assert contradictions(recorded) == []


@shipped
def test_the_panel_showed_what_was_kept_of_each_run(recorded):
    assert shown_otherwise(recorded) == []


@pytest.fixture
def recorded(tmp_path):
    """A recording of a made-up lab, in which all is as it should be."""
    clock = made.Clock()
    recorder = made.recorder(tmp_path, clock)
    made.play(recorder, clock, tmp_path)
    return tape.read(recorder.finish())


def changed(recorded, do, **parts):
    """The same with every event of a kind changed."""
    return replace(recorded, events=tuple(
        {**e, **parts} if e["do"] == do else e for e in recorded.events))  # fmt: skip


def test_a_recording_without_a_fault_draws_no_complaint(recorded):
    assert of(recorded, "said") and of(recorded, "run")
    assert unexplained(recorded) == contradictions(recorded) == []


@pytest.mark.parametrize(
    ("do", "parts", "complaint"),
    [
        ("reveal", {"truth": "compute"}, "binds: says compute, where bandwidth bound"),
        ("reveal", {"because": "70% of a token's cost is host; x"}, "binds: says host"),
        ("strip", {"constraint": "slots"}, "the strip has slots, which bound no run"),
        ("said", {"text": "Here: compute. x"}, "names compute"),
        ("said", {"text": "It moved: host → client. Before, host bound."}, "names"),
        ("said", {"constraints": [["kv_capacity"]]}, "which is no run's"),
        ("run", {"text": "compute binds: 4 tok/s."}, "does not name bandwidth"),
    ],
)
def test_a_story_that_its_runs_contradict_is_found(recorded, do, parts, complaint):
    seen = contradictions(changed(recorded, do, **parts))
    assert seen and any(complaint in line for line in seen)


def test_a_panel_that_showed_something_else_is_found(recorded):
    other = shown_otherwise(changed(recorded, "run", text="x binds"))
    assert len(other) == 2 and "kept 'x binds'" in other[0]


@pytest.mark.parametrize("seen", [0.0, 0.6, 1.5])
def test_the_panel_s_words_of_doubt_are_known(seen, recorded):
    doubtful = verdict_on(nbytes=GIGA, seen=seen) if seen else None
    if doubtful is None:
        sure = verdict_on(nbytes=GIGA, seen=1.0)
        still = replace(sure.measured, value=0.0, low=0.0, high=0.0)
        doubtful = diagnose(sure.stack, sure.caps, measured=still)
    words = text(sentence(doubtful))
    assert DOUBT.search(words) and not DOUBT.search(text(sentence(verdict_on(nbytes=GIGA))))
    assert unexplained(changed(recorded, "run", text=words)) == ["one pass", "two passes"]
