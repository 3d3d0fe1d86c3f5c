"""Where the constraint was, CPU beside GPU; a device without a recording says exactly that."""

from constraintlab.recordings import command, sides
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
    assert cpu.text == "KV capacity → host" and cpu.path == ("KV capacity", "host")
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
