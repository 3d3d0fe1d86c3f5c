"""`constraintlab serve` while it starts: silent if that is quick, and else it says why."""

import time

import pytest

from constraintlab.serving import command


@pytest.mark.parametrize(
    ("patience", "takes", "serves", "told"), [(1.0, 0.0, 1.3, False), (0.1, 0.5, 0.0, True)]
)
def test_a_start_that_takes_its_time_says_why(monkeypatch, capsys, patience, takes, serves, told):
    def run(setup, options, ready):
        time.sleep(takes)
        ready("http://127.0.0.1:1")
        time.sleep(serves)

    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(command, "PATIENCE", patience)
    assert command.main({"model": "stub"}, {}) == 0
    out, err = capsys.readouterr()
    assert out == "serving stub at http://127.0.0.1:1\n"
    assert (command.STARTING in err) == told


def test_a_gpu_that_is_not_there_is_refused_with_the_fix(monkeypatch, capsys):
    """Through the whole of it: the engine's process says so, and the server passes it on."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert command.main({"model": "nano", "device": "cuda"}, {"port": 0}) == 2
    assert "device='cuda': this torch" in capsys.readouterr().err


def test_the_device_asked_for_on_the_command_line_is_the_setups(monkeypatch):
    from typer.testing import CliRunner

    from constraintlab.cli import app

    asked = []
    monkeypatch.setattr(command, "main", lambda setup, options: asked.append(setup) or 0)
    for words in ([], ["--device", "cpu"]):
        assert CliRunner().invoke(app, ["serve", *words]).exit_code == 0
    assert [setup["device"] for setup in asked] == ["auto", "cpu"]
