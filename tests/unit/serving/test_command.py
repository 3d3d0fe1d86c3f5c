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
