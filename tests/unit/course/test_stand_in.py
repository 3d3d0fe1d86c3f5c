"""What a learner is told who gives an address at which there is nothing to attach to."""

import asyncio

import pytest

from constraintlab.course import stand_in


@pytest.fixture
def told(monkeypatch):
    found = []
    monkeypatch.setattr("IPython.display.display", found.append)
    return found


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:9", "can't connect"),
        ("ftp://somewhere", "http"),
        ("not an address", "address"),
    ],
)
def test_a_wrong_address_is_a_line_and_no_traceback(told, url, why):
    assert asyncio.run(stand_in.attached(url, seconds=1)) is None
    (line,) = map(str, told)
    assert line.startswith("Not attached.") and why in line


def test_a_server_of_ones_own_starts_no_stand_in(told, monkeypatch):
    monkeypatch.setattr(stand_in, "StandIn", lambda seconds: pytest.fail("it was started"))
    assert asyncio.run(stand_in.attached("http://127.0.0.1:9", seconds=1)) is None


def test_a_stand_in_ends_whatever_happens(monkeypatch):
    ended = []

    class Fake:
        url = "http://127.0.0.1:9"

        def __init__(self, seconds):
            pass

        def close(self):
            ended.append(True)

    monkeypatch.setattr(stand_in, "StandIn", Fake)
    monkeypatch.setattr("IPython.display.display", lambda what: None)
    assert asyncio.run(stand_in.attached("", seconds=1)) is None and ended == [True]
