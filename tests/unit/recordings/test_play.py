"""What a browser gets of a recording, and the commands: labels, steps, names, errors."""

import gzip
import json

import pytest
from typer.testing import CliRunner

from constraintlab.cli import app
from constraintlab.recordings import catalogue, labels, page, play, show, tape
from constraintlab.recordings.thin import LIMIT
from constraintlab.telemetry.recorded import RecordingError
from tests.unit.recordings import made

GPU = "There is no GPU recording of lab 04 yet. One is made by `make execute ONLY=04` on a"


@pytest.fixture
def folder(tmp_path):
    """A folder of recordings with one of lab 04 in it."""
    clock = made.Clock()
    r = made.recorder(tmp_path / "recordings", clock)
    made.play(r, clock, tmp_path)
    return r.finish().parent


@pytest.fixture
def shipped(folder, monkeypatch):
    """That folder as the one that is shipped; returns what calls the command line."""
    for function in (catalogue.paths, catalogue.names, catalogue.find, catalogue.of_lab):
        monkeypatch.setattr(function, "__defaults__", (folder,))
    return lambda *words: CliRunner().invoke(app, words)


def test_every_source_says_that_it_was_recorded(folder):
    (tab, _) = play.tabs("04", catalogue.of_lab("04", folder))
    assert tab["tab"] == "CPU, recorded" and made.ORIGIN in tab["about"]
    assert "preset ci, small sizes" in tab["about"]
    assert labels.kinds(tab["frames"]) <= {"recorded", "modelled", "n/a"}
    view = [f["view"] for f in tab["frames"] if f["do"] == "view"][-1]
    assert view["chips"] == [f"recorded · {made.ORIGIN}", "fp32"]
    assert view["shows"] == f"recorded ({made.ORIGIN})"
    assert {s["source"] for s in view["series"]} == {f"recorded ({made.ORIGIN})"}
    chips = {c["kind"]: c["what"] for c in view["sources"]}
    assert chips["recorded"].startswith(f"({made.ORIGIN}) throughput now")
    assert chips["modelled"].endswith(f"recorded ({made.ORIGIN})")
    rows = [f["row"] for f in tab["frames"] if f["do"] == "row"]
    assert {k for row in rows for k in row[5:]} == {float(labels.RECORDED)}


def test_a_lab_that_was_not_run_yet_asks_nobody_for_a_prediction(folder):
    (tab, _) = play.tabs("04", catalogue.of_lab("04", folder))
    first = next(f["view"] for f in tab["frames"] if f["do"] == "view")
    notes = {c["lab"]: c["note"] for c in first["strip"]}
    assert notes["04"] == labels.HERE and notes["05"] == labels.LATER
    kept = {"do": "view", "view": {"strip": [{"lab": "00", "done": True, "note": "×3"}]}}
    assert labels.labelled(kept, "X")["view"]["strip"][0]["note"] == "×3"


def test_values_are_as_they_were_recorded(folder):
    (found,) = catalogue.of_lab("04", folder)
    frames = [e for e in found.events if e["do"] in ("view", "row", "scene")]
    (tab, _) = play.tabs("04", [found])
    for event, frame in zip(frames, tab["frames"], strict=True):
        if event["do"] == "row":
            assert frame["row"][:5] == event["row"][:5]
        elif event["do"] == "scene":
            assert frame["buffers"] == event["buffers"]
        else:
            assert frame["view"]["worth"] == event["view"]["worth"]
            assert frame["view"]["sentence"] == event["view"]["sentence"]


@pytest.mark.parametrize(
    ("source", "label"),
    [
        ("measured", "recorded (X)"),
        ("counted", "recorded (X)"),
        ("modelled: H100", "modelled: H100, recorded (X)"),
        ("recorded: H100, 2026-02-01", "recorded: H100, 2026-02-01"),
        ("n/a: no GPU", "n/a: no GPU"),
    ],
)
def test_a_source_keeps_what_it_can_t_lose(source, label):
    assert labels.said(source, "X") == label


def test_a_stream_s_table_lines_and_chips_are_labelled():
    head = {
        "rows": [["client", "1 ms", "measured"]],
        "lines": [{"dash": [1, 0]}, {"dash": [2, 3]}],
        "sources": [{"kind": "counted", "what": "link"}, {"kind": "n/a", "what": "x"}],
    }
    shown = labels.labelled({"do": "scene", "head": head}, "X")["head"]
    assert shown["rows"] == [["client", "1 ms", "recorded (X)"]]
    assert [line["dash"] for line in shown["lines"]] == [[5, 4], [2, 3]]
    assert [c["what"] for c in shown["sources"]] == ["(X) link", "x"]


def test_the_steps_are_what_the_lab_asked_ran_and_found(folder):
    (tab, _) = play.tabs("04", catalogue.of_lab("04", folder))
    steps = tab["steps"]
    assert [s["kind"] for s in steps] == ["ask", "run", "run", "found", "found", "claims", "strip"]
    assert [s["title"] for s in steps][1:3] == ["one pass", "two passes"]
    assert [s["title"] for s in steps][3:5] == ["In words", "Measured: bandwidth"]
    assert "after, bandwidth binds" in steps[3]["text"]
    assert ("bandwidth", "yes") in steps[4]["lines"] and ("compute", "") in steps[4]["lines"]
    assert [mark for _, mark in steps[5]["lines"]] == ["yes", "no"]
    at = [s["moment"] for s in steps]
    assert at == sorted(at) and at[0] == 0 and at[1] < at[2] == len(tab["moments"]) - 1
    assert tab["moments"][-1][1] == len(tab["frames"])


def test_without_a_gpu_s_recording_its_tab_says_so_and_how_one_is_made(folder):
    cpu, gpu = play.tabs("04", catalogue.of_lab("04", folder))
    assert gpu["tab"] == "GPU, recorded" and gpu["missing"].startswith(GPU)
    assert "missing" not in cpu
    none = play.tabs("05", catalogue.of_lab("05", folder))
    assert [list(t) for t in none] == [["tab", "missing"]] * 2


def test_a_gpu_s_recording_gets_its_tab(tmp_path):
    clock = made.Clock()
    machine = {**made.MACHINE, "gpu": "NVIDIA H100", "driver": "570.1"}
    r = made.recorder(tmp_path, clock, head={"device": "gpu", "machine": machine})
    made.play(r, clock, tmp_path)
    tab = play.tabs("04", [tape.read(r.finish())])[1]
    assert tab["about"].startswith("recorded (NVIDIA H100, 2026-03-01), driver 570.1")


def test_a_notebook_without_a_page_says_the_same_words_everywhere(folder):
    one, none = show.replay("04", folder), show.replay("05", folder)
    said = one._repr_mimebundle_()[0]["text/plain"]
    assert said.replace("04", "05") == none._repr_mimebundle_()[0]["text/plain"]
    assert json.loads(gzip.decompress(one.tape))[0]["frames"]


def test_recordings_are_listed(shipped):
    done = shipped("recordings", "--json")
    (one,) = json.loads(done.stdout)
    assert done.exit_code == 0
    assert {k: one[k] for k in ("name", "lab", "date", "device", "sources")} == {
        "name": "04-cpu", "lab": "04", "date": "2026-03-01",
        "device": {"kind": "cpu", "name": "AMD EPYC"},
        "sources": ["measured", "counted", "modelled"],
    }  # fmt: skip
    assert "04-cpu: lab 04, CPU, AMD EPYC, 2026-03-01" in shipped("recordings").stdout


def test_a_replay_is_a_page_that_needs_nothing_else(shipped, tmp_path):
    out = tmp_path / "page.html"
    done = shipped("replay", "04-cpu", "--html", str(out))
    assert done.exit_code == 0 and done.stdout.strip() == str(out)
    text = out.read_text("utf-8")
    assert "src=" not in text and "https://" not in text.split("<script")[0]
    assert "</script" not in page.html("</script>", b"").split("<script")[0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda raw: b"", "is empty"),
        (lambda raw: raw[:9], "is empty"),
        (lambda raw: b"no recording\n", "is no Constraint Lab lab recording"),
        (lambda raw: gzip.compress(gzip.decompress(raw).replace(b'"version":1', b'"version":9', 1)),
         "version 9, and this constraintlab reads version 1: upgrade"),
        (lambda raw: gzip.compress(gzip.decompress(raw).replace(b'"lab"', b'"lob"', 1)), "lacks"),
        (lambda raw: gzip.compress(gzip.decompress(raw).replace(b'"cpu"', b'"tpu"', 1)), "lacks"),
    ],
)  # fmt: skip
def test_a_file_that_can_t_be_read_is_named_with_what_to_do(shipped, folder, change, why):
    path = folder / "04-cpu.jsonl.gz"
    path.write_bytes(change(path.read_bytes()))
    for words in (("replay", "04-cpu"), ("recordings", "--json")):
        done = shipped(*words)
        assert done.exit_code == 1 and done.stdout == "" and why in done.stderr
        assert "04-cpu" in done.stderr and "Traceback" not in done.output


def test_a_damaged_line_is_skipped_and_told(folder):
    path = folder / "04-cpu.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    lines[2], lines[3] = b'{"t":1,"do":"row","panel":0}\n', b"\xff\n"
    path.write_bytes(gzip.compress(b"".join(lines)))
    found = tape.read(path)
    assert len(found.events) == len(lines) - 3 and len(found.notes) == 2
    assert "row without epoch, row" in found.notes[0]
    assert play.tabs("04", [found])[0]["notes"] == list(found.notes)


def test_an_unknown_name_lists_those_there_are(shipped):
    done = shipped("replay", "04-tpu")
    assert done.exit_code == 1 and "no recording '04-tpu': use 04-cpu" in done.stderr
    assert "there is no file" in shipped("replay", "none.jsonl.gz").stderr


def test_without_any_recording_the_list_is_empty(tmp_path):
    assert catalogue.paths(tmp_path / "none") == []
    with pytest.raises(RecordingError, match="none is shipped yet"):
        catalogue.find("04-cpu", tmp_path)


def test_each_shipped_recording_loads_and_is_small_and_labelled():
    for path in catalogue.paths():
        found = tape.read(path)
        assert path.stat().st_size <= LIMIT and found.notes == (), path.name
        assert found.name == f"{found.head.lab}-{found.head.device}" and found.head.preset == "full"
        assert found.head.machine["cpu"] and found.head.versions["torch"] and found.head.command
        assert found.head.sources and [e for e in found.events if e["do"] == "view"], path.name
