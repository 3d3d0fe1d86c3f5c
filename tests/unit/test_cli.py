"""The command line as a user meets it: help, wrong arguments, exit statuses."""

import json
import re

import pytest
from typer.testing import CliRunner

from constraintlab.bench import cli as bench
from constraintlab.bench.report import Report
from constraintlab.cli import app
from constraintlab.limits.estimate import Estimate


def call(*words):
    return CliRunner().invoke(app, words)


def plain(text):
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def test_without_a_command_it_lists_them():
    said = plain(call().output)
    assert all(command in said for command in ("doctor", "bench", "version"))


def test_version_is_the_package_s():
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", call("version").stdout)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("doctr",), "doctr"),
        (("doctor", "--jsn"), "--jsn"),
        (("doctor", "now"), "now"),
        (("bench", "nope"), "nope"),
        (("bench", "panel", "--pairs"), "--pairs"),
    ],
)
def test_a_wrong_word_is_named_and_nothing_runs(words, named):
    done = call(*words)
    assert done.exit_code == 2
    assert named in plain(done.output) and "Traceback" not in done.output


@pytest.mark.parametrize("status", [0, 1])
@pytest.mark.parametrize("flags", [(), ("--json",), ("--probe",), ("--json", "--probe")])
def test_doctor_passes_its_flags_and_its_status_on(monkeypatch, flags, status):
    from constraintlab.course import doctor

    seen = {}
    monkeypatch.setattr(doctor, "main", lambda **options: seen.update(options) or status)
    assert call("doctor", *flags).exit_code == status
    assert seen == {"as_json": "--json" in flags, "measure": "--probe" in flags}


def test_doctor_s_code_is_alone_and_is_read_by_another(monkeypatch):
    from constraintlab.course import doctor, looks

    amiss = looks.Check("Triton", "not installed", "problem", "use Linux")
    monkeypatch.setattr(doctor, "LOOKS", {"Triton": lambda: amiss})
    code = call("doctor", "--code").stdout
    assert re.fullmatch(r"([0-9A-Z]{5}-){3}[0-9A-Z]{5}\n", code)
    done = call("doctor", "--read", code.strip())
    assert done.exit_code == 0 and "can't run there yet" in done.stdout
    assert "Triton" in done.stdout and "tier" in done.stdout
    assert code.strip() in call("doctor").stdout
    assert json.loads(call("doctor", "--json").stdout)["code"] == code.strip()


@pytest.mark.parametrize("flags", [(), ("--real",)])
def test_perturb_says_which_stack_it_means(monkeypatch, flags):
    from constraintlab.course import perturbing

    seen = []
    monkeypatch.setattr(perturbing, "main", lambda *given: seen.append(given) or 0)
    assert call("perturb", "3", "--seed", "7", *flags).exit_code == 0
    assert seen == [(7, 3, 5, False, bool(flags))]


def test_a_mistyped_code_is_no_machine():
    done = call("doctor", "--read", "AAAAA-AAAAA-AAAAA-AAAAA")
    assert done.exit_code == 2 and "mistyped" in done.stderr and done.stdout == ""


def test_passport_and_reset_work_on_the_learner_s_file(monkeypatch, tmp_path):
    from constraintlab.course import progress
    from constraintlab.limits.home import Home

    monkeypatch.setattr(progress, "home", lambda: Home(tmp_path))
    assert "Nothing is kept yet" in call("passport").stdout
    progress.Progress().put("04", "checks", "fits", True)
    assert "✓ fits" in call("passport").stdout
    page = tmp_path / "page.html"
    assert call("passport", "--html", str(page)).exit_code == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    refused = CliRunner().invoke(app, ["reset", "4"], input="n\n")
    assert refused.exit_code == 1 and "1 exercise" in refused.stdout
    assert progress.Progress().lab("04")
    assert call("reset", "4", "--yes").exit_code == 0 and not progress.Progress().lab("04")
    assert call("reset", "lab4").exit_code == 2


@pytest.mark.parametrize("flags", [(), ("--full",)])
def test_bench_prints_json_alone_and_full_takes_more_pairs(monkeypatch, flags):
    panel = pytest.importorskip("constraintlab.bench.panel")
    asked = []

    def run(pairs, say=lambda line: None):
        say("a step under way")
        asked.append(pairs)
        report = Report("panel", {})
        report.add("panel_throughput_ratio", Estimate(1, 1, 1, "×"))
        return report

    monkeypatch.setattr(panel, "run", run)
    done = call("bench", "panel", "--json", *flags)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["results"][0]["metric"] == "panel_throughput_ratio"
    call("bench", "panel")
    assert (asked[0] > asked[1]) == bool(flags)


def test_a_sign_that_the_terminal_lacks_is_no_error(monkeypatch):
    from constraintlab.course import doctor, looks

    noted = looks.Check("compute", "1 GFLOP/s (±3%)", "note", "×2")
    monkeypatch.setattr(doctor, "LOOKS", {"compute": lambda: noted})
    done = CliRunner(charset="ascii").invoke(app, ["doctor"])
    assert done.exit_code == 0 and "- compute: ?2" in done.stdout


def test_bench_s_help_names_each_bench():
    said = plain(call("bench", "--help").output)
    names = [c.name or c.callback.__name__ for c in bench.app.registered_commands]
    assert names and all(name in said for name in names)
