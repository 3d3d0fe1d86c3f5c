"""The doctor: what it says of good, poor and broken machines, and that it always has a fix."""

import io
import json
import subprocess
import sys
from collections import namedtuple
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from constraintlab.course import doctor, looks
from constraintlab.course.looks import GIB, Check
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.home import Home


def raises(error):
    def call(*_):
        raise error

    return call


def absent(*_):
    return None


def rate(value, unit="FLOP/s"):
    return Estimate(value, value * 0.9, value * 1.1, unit, "measured")


def caps(bfloat16):
    flops = {"float32": rate(1e11), "bfloat16": bfloat16, "float16": rate(9e10), "exp": rate(1e9)}
    return Capacities(
        flops, rate(2e10, "B/s"), rate(2e9, "B/s"), rate(4e-6, "s"), rate(1e5, "1/s"),
        rate(2e9, "B/s"), cores=2.0, machine={}, date="2026-01-01",
    )  # fmt: skip


def only(checks):
    return [c for c in checks if c.state != "ok"]


Usage = namedtuple("Usage", "free")
FREE = {"plenty": lambda folder: Usage(9 * GIB), "little": lambda folder: Usage(GIB // 8)}

GOOD = {
    "Python": lambda: looks.python((3, 13, 0)),
    "torch": looks.torch_build,
    "two cores": lambda: looks.cores(2),
    "memory": lambda: looks.memory(8 * GIB, 4 * GIB),
    "a usable GPU": lambda: looks.gpu(lambda: ["H100"], lambda: (True, "13.0")),
    "no GPU": lambda: looks.gpu(raises(RuntimeError("NVML Shared Library Not Found"))),
    "Triton": lambda: looks.triton(lambda name: object(), "Linux"),
    "ipykernel": lambda: looks.ipykernel(lambda name: "7.4.0"),
    "home": lambda: looks.writable_home(Home(Path("/somewhere/else"))),
    "disk": lambda: looks.disk(Path(), FREE["plenty"]),
}

POOR = {
    "old Python": (lambda: looks.python((3, 10, 4)), "problem", "install Python 3.11"),
    "one core": (lambda: looks.cores(1), "note", "run on one core"),
    "half a core": (lambda: looks.cores(0.5), "note", "one core"),
    "1 GB": (lambda: looks.memory(10**9, int(0.7 * GIB)), "note", "CONSTRAINTLAB_PRESET=ci"),
    "0.3 GiB": (lambda: looks.memory(10**9, int(0.3 * GIB)), "problem", "close other programs"),
    "torch without CUDA": (
        lambda: looks.gpu(lambda: ["H100"], lambda: (False, None)), "note", "`make clean lab`",
    ),
    "an old driver": (
        lambda: looks.gpu(lambda: ["H100"], lambda: (False, "13.0")), "note", "driver to one for",
    ),
    "macOS": (lambda: looks.triton(absent, "Darwin"), "note", "use Linux"),
    "Windows": (lambda: looks.triton(absent, "Windows"), "note", "use Linux"),
    "Linux without Triton": (lambda: looks.triton(absent, "Linux"), "note", "x86-64"),
    "ipykernel 7.3": (lambda: looks.ipykernel(lambda name: "7.3.0"), "note", "ipykernel>=7.4"),
    "no ipykernel": (
        lambda: looks.ipykernel(raises(PackageNotFoundError("ipykernel"))), "problem", "make clean",
    ),
    "read-only home": (
        lambda: looks.writable_home(Home(Path("/y"), "/x can't be written. Set CONSTRAINTLAB_H")),
        "note", "CONSTRAINTLAB_H",
    ),
    "full disk": (lambda: looks.disk(Path(), FREE["little"]), "note", "free 0.25 GiB"),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_is_fine_says_what_was_found(name):
    check = GOOD[name]()
    assert check.state == "ok" and check.found


@pytest.mark.parametrize("name", POOR)
def test_what_is_amiss_comes_with_one_line_that_names_the_fix(name):
    look, state, fix = POOR[name]
    check = look()
    assert check.state == state and check.found
    assert fix in check.fix and "\n" not in check.fix


def test_the_machine_s_reason_is_passed_on():
    assert "Library Not Found" in GOOD["no GPU"]().found
    assert "macOS" in POOR["macOS"][0]().found and "Windows" in POOR["Windows"][0]().found
    assert "no Triton for" not in POOR["Linux without Triton"][0]().found


def test_home_is_shown_from_the_user_s_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(looks.Path, "home", lambda: tmp_path)
    assert looks.writable_home(Home(tmp_path / "a" / "b")).found.startswith("~/a/b can")


def test_ceilings_that_were_never_probed():
    (check,) = looks.ceilings(lambda: (None, None))
    assert check.state == "ok" and "doctor --probe" in check.found


@pytest.mark.parametrize("left", [None, caps(rate(9e10))])
def test_a_damaged_probe_cache_is_told_once_with_the_way_on(left):
    (check,) = only(looks.ceilings(lambda: (left, "probes.json was unreadable")))
    assert check.found == "probes.json was unreadable" and "doctor --probe" in check.fix


def test_an_emulated_type_is_noted_and_one_that_is_only_slower_is_not():
    (check,) = only(looks.ceilings(lambda: (caps(rate(1e9)), None)))
    assert check.what == "compute.bfloat16" and "emulates bfloat16" in check.fix
    assert only(looks.ceilings(lambda: (caps(rate(5e10)), None))) == []
    missing = Estimate.absent("FLOP/s", "this torch has no bfloat16")
    assert only(looks.ceilings(lambda: (caps(missing), None))) == []


def test_a_look_that_raises_is_a_finding_with_its_own_fix():
    (broken,) = doctor.looked("torch", raises(ImportError("libcudart.so [13]")))
    assert broken.state == "problem" and "libcudart.so [13]" in broken.found
    assert "make clean lab" in broken.fix
    (unwritable,) = doctor.looked("home", raises(PermissionError(13, "Permission denied", "/x")))
    assert "CONSTRAINTLAB_HOME" in unwritable.fix


def run(monkeypatch, capsys, *found, **options):
    monkeypatch.setattr(doctor, "LOOKS", {c.what: lambda c=c: c for c in found})
    status = doctor.main(**options)
    return status, capsys.readouterr().out


FINE = Check("cores", "2")
NOTE = Check("memory", "1 [GB]", "note", "use [small] sizes, " * 9)
PROBLEM = Check("torch", "broken", "problem", "`make clean lab`")


@pytest.mark.parametrize(("found", "status"), [((FINE, NOTE), 0), ((FINE, NOTE, PROBLEM), 1)])
def test_only_a_problem_fails(monkeypatch, capsys, found, status):
    got, said = run(monkeypatch, capsys, *found)
    assert got == status
    assert ("can't run yet" in said) == bool(status) and ("Ready" in said) != bool(status)


def test_a_fix_is_one_line_as_it_was_written_brackets_and_all(monkeypatch, capsys):
    _, said = run(monkeypatch, capsys, NOTE)
    assert f"• memory: {NOTE.fix}".strip() in [line.strip() for line in said.splitlines()]
    assert "1 [GB]" in said


def test_json_is_alone_on_stdout(monkeypatch, capsys):
    status, said = run(monkeypatch, capsys, FINE, PROBLEM, as_json=True)
    whole = json.loads(said)
    assert status == 1 and whole["ok"] is False
    assert whole["checks"][1] == {
        "what": "torch", "found": "broken", "state": "problem", "fix": "`make clean lab`",
    }  # fmt: skip


def test_probing_tells_its_steps_on_stderr(monkeypatch, capsys):
    monkeypatch.setattr(doctor.probe, "capacities", lambda again, say: say("memory bandwidth"))
    monkeypatch.setattr(doctor, "LOOKS", {})
    assert doctor.main(as_json=True, measure=True) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["ok"] and err == "memory bandwidth\n"


def test_a_terminal_without_our_signs_gets_plain_ones(monkeypatch):
    plain = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", plain)
    doctor.show([FINE, Check("compute", "1 GFLOP/s (±3%)", "problem", "none")])
    plain.flush()
    said = plain.buffer.getvalue().decode("cp1252")
    assert "+  cores" in said and "! compute: none" in said and "±" in said


def test_the_real_thing_here_is_json_with_every_look(tmp_path):
    """One run as a user would: a home that can't be made, a broken torch, JSON alone."""
    (tmp_path / "file").write_text("")
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ImportError('no libtorch')")
    code = "from constraintlab.course import doctor as d; raise SystemExit(d.main(as_json=True))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        env={
            "CONSTRAINTLAB_HOME": str(tmp_path / "file" / "x"), "PYTHONPATH": str(tmp_path),
            "TMPDIR": str(tmp_path), "PATH": "",
        },
    )  # fmt: skip
    assert done.returncode == 1
    found = {c["what"]: c for c in json.loads(done.stdout)["checks"]}
    assert found.keys() >= looks.LOOKS.keys()
    assert found["torch"]["state"] == "problem" and "no libtorch" in found["torch"]["found"]
    assert found["home"]["state"] == "note" and str(tmp_path) in found["home"]["fix"]
    assert all(c["fix"] for c in found.values() if c["state"] != "ok")
