"""A lab under a recorder: what its file holds, thin enough, whole or torn."""

import json
from base64 import b64decode

import pytest

from constraintlab.panel import Panel, widget
from constraintlab.recordings import recorder as recording
from constraintlab.recordings import start, tape
from constraintlab.recordings.thin import GAP, LIMIT, channel, fitted
from constraintlab.telemetry.recorded import RecordingError
from constraintlab.telemetry.sample import Sample
from tests.unit.panel.cases import SERIES, sample
from tests.unit.recordings import made


@pytest.fixture
def clock():
    return made.Clock()


@pytest.fixture
def recorded(tmp_path, clock):
    """(the panel, its recording) of a lab that was played."""
    r = made.recorder(tmp_path / "out", clock)
    panel = made.play(r, clock, tmp_path)
    return panel, tape.read(r.finish())


def of(found, do):
    return [e for e in found.events if e["do"] == do]


def test_a_recording_is_labelled_and_holds_what_the_lab_did(recorded):
    _, found = recorded
    assert found.notes == () and found.name == "04-cpu"
    assert found.head == made.head(sources=("measured", "counted", "modelled"))
    (reveal,) = of(found, "reveal")
    assert reveal["truth"] == "bandwidth" and reveal["value"] == 71.0
    assert reveal["options"] == ["bandwidth", "compute"]
    assert [r["name"] for r in of(found, "run")] == ["one pass", "two passes"]
    assert "bandwidth" in of(found, "run")[0]["text"]
    assert [c["holds"] for c in of(found, "claim")] == [True, False]
    assert of(found, "strip")[0]["constraint"] == "bandwidth"
    assert len(of(found, "question")) == 1


def test_the_last_frames_are_those_the_panel_rests_on(recorded):
    panel, found = recorded
    assert of(found, "view")[-1]["view"] == json.loads(json.dumps(panel.view))
    scene = {e["name"]: e for e in of(found, "scene")}
    assert set(scene) == {"lanes", "maps"}
    head, buffers = panel.get_state()["scene"]["maps"]
    assert scene["maps"]["head"] == json.loads(json.dumps(head))
    assert [b64decode(b) for b in scene["maps"]["buffers"]] == list(map(bytes, buffers))


def test_frames_are_at_least_half_a_second_apart_but_for_the_last_of_a_run(recorded):
    _, found = recorded
    last, early = {}, 0
    for event in found.events:
        kind = channel(event)
        if kind:
            early += event["t"] - last.get(kind, -1) < GAP - 0.03
            last[kind] = event["t"]
    rows = of(found, "row")
    assert 10 <= len(rows) <= 20, "60 samples in 6 s"
    assert early <= 12, "each of two runs, a question, claims and the end let the last through"
    assert rows[-1]["row"][0] == pytest.approx(2.9) and rows[-1]["t"] == pytest.approx(6.0)


def test_what_can_t_be_drawn_is_null(tmp_path, clock):
    r = made.recorder(tmp_path, clock)
    panel = Panel()
    panel.set_timeline(SERIES)
    panel.push(Sample(0.0, {}, {}))
    (row,) = of(tape.read(r.finish()), "row")
    assert row["row"] == [0.0, None, None, None, None, 4.0, 4.0, 4.0, 4.0]


def test_the_limit_holds_and_costs_frames_alone(tmp_path, clock):
    r = made.recorder(tmp_path / "out", clock)
    made.play(r, clock, tmp_path, seconds=240.0)
    whole = tape.read(r.finish())
    limit = r.path.stat().st_size * 2 // 3
    some = fitted(whole.head, list(whole.events), limit)
    assert len(tape.packed(whole.head, some)) <= limit < r.path.stat().st_size < LIMIT
    kept = [e for e in whole.events if channel(e) is None]
    assert [e for e in some if channel(e) is None] == kept
    assert some[-1] == whole.events[-1]


def test_a_recorder_keeps_its_limit(tmp_path, clock):
    r = made.recorder(tmp_path / "out", clock, limit=6_000)
    made.play(r, clock, tmp_path, seconds=30.0)
    found = tape.read(r.finish())
    assert r.path.stat().st_size <= 6_000 and len(of(found, "run")) == 2


def test_before_it_is_finished_all_but_a_torn_line_can_be_read(tmp_path, clock):
    r = made.recorder(tmp_path / "out", clock)
    made.play(r, clock, tmp_path)
    live = tape.read(r.part)
    assert len(of(live, "run")) == 2 and len(live.notes) == 1 and "cut off" in live.notes[0]
    raw = r.part.read_bytes()
    torn = tmp_path / f"torn{tape.SUFFIX}"
    torn.write_bytes(raw[:-40])
    found = tape.read(torn)
    assert live.events[: len(found.events)] == found.events
    assert len(live.events) - 4 <= len(found.events) < len(live.events)
    r.drop()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_recorder_that_ended_hears_nothing_and_its_lab_goes_on(tmp_path, clock):
    r = made.recorder(tmp_path, clock)
    assert [r.hear] == widget.LISTENERS
    path = r.finish()
    before = path.read_bytes()
    made.play(r, clock, tmp_path)
    assert widget.LISTENERS == [] and path.read_bytes() == before and r.finish() is None


def test_a_full_disk_ends_the_recording_and_not_the_lab(tmp_path, clock, capsys, monkeypatch):
    r = made.recorder(tmp_path, clock)
    panel = Panel()
    panel.set_timeline(SERIES)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(r._file, "write", full)
    panel.push(sample(0.0))
    panel.push(sample(1.0))
    assert "No space left" in capsys.readouterr().err
    assert r.finish() is None


def test_a_folder_that_is_a_file_is_named(tmp_path, clock):
    (tmp_path / "f").write_text("")
    with pytest.raises(RecordingError, match="name a folder that you can write"):
        made.recorder(tmp_path / "f", clock)


def test_a_lab_is_recorded_where_the_variable_says_so(tmp_path, monkeypatch):
    assert start.wanted("04", "cpu", "ci") is None
    monkeypatch.setenv(start.VARIABLE, str(tmp_path))
    first = start.wanted("04", "cpu", "ci")
    first.note("claim", text="of a run that was begun again", holds=True)
    second = start.wanted("04", "cpu", "ci")
    second.note("claim", text="of the last", holds=True)
    head = tape.read(second.finish()).head
    assert head.machine["cores"] and head.machine["cpu"] and head.versions["torch"]
    assert [e["text"] for e in tape.read(second.path).events] == ["of the last"]
    assert [p.name for p in tmp_path.iterdir()] == ["04-cpu.jsonl.gz"]
    assert recording.cell() is None
