"""Where the constraint was, CPU beside GPU; a device without a recording says exactly that."""

import json

from constraintlab.limits.resource import Resource
from constraintlab.panel.palette import COLOURS
from constraintlab.recordings import command, sides, sides_chart
from constraintlab.recordings.tape import Head, Tape


def tape(lab, device, started, *events):
    head = Head(lab, device, started, {"cpu": "C", "cores": "2", "gpu": "G"}, {})
    return Tape(f"{lab}-{device}", head, tuple({"t": 0.0} | e for e in events))


def run(*constraint):
    return {"do": "run", "name": "", "text": "", "constraint": list(constraint)}


STRIP = {"do": "strip", "constraint": "host", "note": ""}


def test_what_bound_run_by_run_without_repeats_and_with_where_the_lab_ended():
    one = tape("05", "cpu", "2026", run("kv_capacity", "host"), run("kv_capacity"), run(), STRIP)
    cpu, gpu = sides.sides("05", [one])
    assert cpu.text == "KV capacity → host" and cpu.path == (Resource.KV_CAPACITY, Resource.HOST)
    assert gpu.path is None and gpu.text == "no GPU recording"


def test_both_sides_stand_beside_each_other_and_the_newest_counts():
    tapes = [
        tape("05", "gpu", "2026-02", run("bandwidth")), tape("05", "gpu", "2026-01", run("slots")),
        tape("05", "cpu", "2026-01", run("pages")), tape("06", "gpu", "2026-01"),
    ]  # fmt: skip
    assert sides.table(tapes) == [
        ("05", "fresh pages", "bandwidth"), ("06", "no CPU recording", "nothing bound"),
    ]  # fmt: skip


def test_the_command_prints_the_table_and_json_has_none(capsys, monkeypatch):
    one = tape("05", "cpu", "2026-01-01T00:00:00+00:00", run("kv_capacity"))
    monkeypatch.setattr(command.catalogue, "names", lambda: ["05-cpu"])
    monkeypatch.setattr(command.catalogue, "find", lambda name: one)
    assert command.listed(False) == 0
    said = capsys.readouterr().out
    assert "KV capacity" in said and "no GPU recording" in said
    assert command.listed(True) == 0 and "no GPU" not in capsys.readouterr().out


def test_a_resource_of_another_version_is_left_out():
    one = tape("05", "cpu", "2026", run("quantum"), run("slots"))
    assert sides.path(one) == (Resource.SLOTS,)


def test_the_chart_draws_a_mark_for_each_and_words_alone_where_nothing_was_recorded(tmp_path):
    one = tape("05", "cpu", "2026", run("kv_capacity"), run("host"))
    rows = sides.rows([one, tape("06", "gpu", "2026", run("network"))])
    told = "On a CPU: 2 constraints in 1 lab. On a GPU: 1 constraint in 1 lab"
    assert sides_chart.title(rows) == told
    for theme in ("light", "dark"):
        drawn = json.dumps(sides_chart.spec(rows, theme))
        for r in (Resource.KV_CAPACITY, Resource.HOST, Resource.NETWORK):
            assert COLOURS[r] in drawn
        assert COLOURS[Resource.SLOTS] not in drawn and "slots" not in drawn
        assert "KV capacity \\u00b7 \\u25b2 host" in drawn  # what the marks mean
        assert "no GPU recording" in drawn and "no CPU recording" in drawn
    assert "Lab 05: on a CPU KV capacity → host; on a GPU no GPU recording." in str(
        sides_chart.picture(rows)
    )


def test_without_a_gpu_s_recordings_the_title_says_so():
    rows = sides.rows([tape("05", "cpu", "2026", run("host"), run("demand"))])
    assert sides_chart.title(rows).startswith("On a CPU: 1 constraint in 1 lab")
    assert sides_chart.title(rows).endswith("On a GPU: nothing recorded yet")


def test_the_command_draws_a_picture_or_says_why_not(capsys, monkeypatch, tmp_path):
    one = tape("05", "cpu", "2026-01-01T00:00:00+00:00", run("kv_capacity"))
    monkeypatch.setattr(command.catalogue, "names", lambda: ["05-cpu"])
    monkeypatch.setattr(command.catalogue, "find", lambda name: one)
    made = tmp_path / "sides.png"
    assert command.listed(False, made) == 0 and made.read_bytes().startswith(b"\x89PNG")
    assert command.listed(False, tmp_path / "nowhere" / "sides.png") == 1
    assert "can't be written" in capsys.readouterr().err
