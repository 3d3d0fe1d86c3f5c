"""Replays: the samples of a recording, in order and in time, under labels that say so."""

import inspect
import threading

import pytest

from constraintlab.panel import Panel, Series
from constraintlab.telemetry.recording import Header, Recorder, Recording, read
from constraintlab.telemetry.replay import THREAD, Replay, relabelled
from constraintlab.telemetry.sample import Sample
from constraintlab.telemetry.sampler import Sampler
from tests.unit.telemetry.fakes import Clock

HEADER = Header({"gpu": "NVIDIA H100"}, "2026-03-01T12:00:00+00:00", {})
LABEL = "recorded: NVIDIA H100, 2026-03-01"


def sample(t, value=1.0, source="measured"):
    return Sample(t, {"work.tokens_per_s": value}, {"work.tokens_per_s": source})


def played(times, clock=None, **kwargs):
    """(clock's moment, sample) of each sample that a replay sends, once it has ended."""
    clock, got = clock or Clock(50.0), []
    samples = tuple(sample(t, float(i)) for i, t in enumerate(times))
    replay = Replay(
        Recording(HEADER, samples),
        clock=clock,
        wait=clock.wait,
        sinks=[lambda s: got.append((clock.now, s))],
        **kwargs,
    )
    replay.start()
    assert replay.join(5)
    replay.stop()
    return got


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("measured", LABEL),
        ("counted", LABEL),
        ("modelled", f"{LABEL}, modelled"),
        ("recorded: A100, 2025-01-01", "recorded: A100, 2025-01-01"),
    ],
)
def test_each_source_says_where_and_when(source, expected):
    before = sample(3.0, 7.0, source)
    after = relabelled(before, HEADER.origin)
    assert after == sample(3.0, 7.0, expected)
    assert before.sources["work.tokens_per_s"] == source


def test_what_was_absent_stays_absent_with_its_reason():
    absent = sample(0.0, None, "n/a: no driver")
    assert relabelled(absent, HEADER.origin) == absent


def test_samples_come_in_order_at_the_moments_they_were_taken():
    got = played([0.5, 0.6, 0.9, 2.0])
    assert [t for t, _ in got] == pytest.approx([50.0, 50.1, 50.4, 51.5])
    assert [s.values["work.tokens_per_s"] for _, s in got] == [0, 1, 2, 3]
    assert [s.t for _, s in got] == [0.5, 0.6, 0.9, 2.0]
    assert {s.sources["work.tokens_per_s"] for _, s in got} == {LABEL}


def test_twice_the_speed_takes_half_the_time():
    assert [t for t, _ in played([0.0, 1.0, 3.0], speed=2)] == pytest.approx([50.0, 50.5, 51.5])


def test_where_the_sampler_was_started_anew_the_next_follows_at_once():
    assert [t for t, _ in played([0.0, 5.0, 0.0, 1.0])] == pytest.approx([50, 55, 55, 56])


def test_a_slow_sink_gets_every_sample_late():
    clock, got = Clock(0.0), []

    def slow(s):
        got.append((clock.now, s.t))
        clock.now += 0.3

    recording = Recording(HEADER, tuple(sample(t / 10) for t in range(0, 8, 2)))
    replay = Replay(recording, clock=clock, wait=clock.wait, sinks=[slow]).start()
    assert replay.join(5)
    assert [t for _, t in got] == [0.0, 0.2, 0.4, 0.6]
    assert [t for t, _ in got] == pytest.approx([0.0, 0.3, 0.6, 0.9])


def test_an_empty_recording_ends_at_once():
    assert played([]) == []


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan")])
def test_a_speed_that_makes_no_sense(speed):
    with pytest.raises(ValueError, match="speed must be above 0"):
        Replay(Recording(HEADER, ()), speed=speed)


def threads():
    return [t for t in threading.enumerate() if t.name == THREAD]


def test_stop_ends_it_in_the_middle_and_start_begins_anew():
    got = []
    replay = Replay(Recording(HEADER, (sample(0.0), sample(60.0))), sinks=[got.append])
    first = threading.Event()
    replay.add_sink(lambda s: first.set())
    with replay:
        assert first.wait(5) and replay.running
    assert not replay.running and threads() == []
    replay.stop()
    first.clear()
    with replay:
        assert first.wait(5)
    assert [s.t for s in got] == [0.0, 0.0]


@pytest.mark.parametrize("apart", [0.001, 0.0])
def test_a_sink_may_stop_it(apart):
    got = []
    replay = Replay(Recording(HEADER, tuple(sample(i * apart) for i in range(50))))
    replay.add_sink(lambda s: (got.append(s), replay.stop()))
    replay.start()
    assert replay.join(5)
    for thread in threads():
        thread.join(5)
    assert len(got) == 1 and threads() == [] and replay.notes == ()


def test_a_sink_that_raises_is_removed_and_the_others_go_on():
    notes, got = [], []

    def bad(_):
        raise RuntimeError("no")

    recording = Recording(HEADER, (sample(0.0), sample(0.001)), ("line 7 is damaged",))
    replay = Replay(recording, sinks=[bad, got.append], on_note=notes.append).start()
    assert replay.join(5)
    assert len(got) == 2
    assert replay.notes == tuple(notes) and notes[0] == "line 7 is damaged"
    assert "bad gets no more samples" in notes[1] and len(notes) == 2


def test_a_removed_sink_gets_nothing():
    got = []
    replay = Replay(Recording(HEADER, (sample(0.0),)), sinks=[got.append])
    replay.remove_sink(got.append)
    replay.start().join(5)
    assert got == [] and replay.latest == sample(0.0, 1.0, LABEL)


def test_it_has_what_a_panel_and_a_course_use_of_a_sampler():
    used = ("start", "stop", "add_sink", "remove_sink", "running", "notes", "__enter__", "__exit__")
    for name in used:
        ours, theirs = getattr(Replay, name), getattr(Sampler, name)
        if callable(theirs):
            assert list(inspect.signature(ours).parameters) == list(
                inspect.signature(theirs).parameters
            )


def test_a_panel_draws_a_recording_as_it_draws_a_live_run(tmp_path):
    path = tmp_path / "r.jsonl"
    with Recorder(path, HEADER.machine) as recorder:
        for i in range(3):
            recorder(sample(i / 1000, float(i)))
    replay = Replay(read(path))
    panel = Panel(sampler=replay)
    panel.set_timeline([Series("work.tokens_per_s", "tokens", None, 2.0)])
    with panel:
        assert replay.join(5)
    assert [list(row)[1:] for row in panel._ring.shares()] == [[0.0], [0.5], [1.0]]
    assert panel._ring.sources[0].startswith("recorded: NVIDIA H100, ")
