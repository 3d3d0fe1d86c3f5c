"""What a learner is told who gives an address at which there is nothing to attach to."""

import asyncio
from types import SimpleNamespace

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
    monkeypatch.setattr(stand_in, "StandIn", lambda *_: pytest.fail("it was started"))
    assert asyncio.run(stand_in.attached("http://127.0.0.1:9", seconds=1)) is None


def test_a_stand_in_ends_whatever_happens(monkeypatch):
    ended = []

    class Fake:
        url = "http://127.0.0.1:9"

        def __init__(self, seconds, server):
            pass

        def close(self):
            ended.append(True)

    monkeypatch.setattr(stand_in, "StandIn", Fake)
    monkeypatch.setattr("IPython.display.display", lambda what: None)
    assert asyncio.run(stand_in.attached("", seconds=1)) is None and ended == [True]


class Served:
    """A server of one process; over: it has ended."""

    url = "http://127.0.0.1:9"

    def __init__(self, over=False):
        self.running, self.setup = not over, None

    def change(self, setup):
        self.setup = setup

    def close(self):
        self.running = False


@pytest.mark.parametrize("over", [False, True])
def test_a_server_that_nobody_needs_any_more_is_taken_over_while_it_runs(monkeypatch, over):
    other = Served()
    monkeypatch.setattr(stand_in, "Server", lambda setup: other)
    monkeypatch.setattr(stand_in, "Fleet", lambda target, work: SimpleNamespace(close=lambda: 0))
    given = Served(over)
    with stand_in.StandIn(1, given) as made:
        assert made._server is (other if over else given)
        assert given.setup is (None if over else stand_in.SETUP)
    assert not given.running and other.running is not over
