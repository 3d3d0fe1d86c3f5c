"""An engine in a thread: commands between steps, its end, its death."""

import threading

import pytest

from constraintlab.engine.request import Request, Sampling
from constraintlab.engine.setup import Setup, build
from constraintlab.engine.step import Emitted
from constraintlab.engine.threaded import EngineThread

SETUP = Setup(model="stub", blocks=64, slots=4, tokens=16)


class Ear:
    """What was heard, and whether all of so many requests have ended."""

    def __init__(self, requests=1):
        self.heard, self.error, self.over = [], None, threading.Event()
        self._left = requests

    def __call__(self, emitted):
        self.heard += emitted
        self._left -= sum(e.finished is not None for e in emitted)
        if not self._left:
            self.over.set()

    def died(self, error):
        self.error = error
        self.over.set()


def submit(request):
    return lambda engine: engine.submit(request) and ()


def test_requests_run_beside_the_caller_and_all_that_is_emitted_is_heard():
    ear = Ear(requests=6)
    thread = EngineThread(build(SETUP), ear)
    requests = [Request(i, [5, 6, 7], Sampling(20)) for i in range(6)]
    for request in requests:
        thread.do(submit(request))
    assert ear.over.wait(20)
    thread.close()
    for request in requests:
        assert [e.token for e in ear.heard if e.request is request] == request.output
        assert request.finish_reason == "length"


def test_a_command_acts_between_two_steps():
    ear = Ear()
    thread = EngineThread(build(Setup(model="stub@200", blocks=64, slots=4, tokens=16)), ear)
    request = Request(0, [5], Sampling(900))

    def cancel(engine):
        engine.cancel(request)
        return [Emitted(request, None, "", "cancelled")]

    thread.do(submit(request))
    thread.do(cancel)
    assert ear.over.wait(20)
    thread.close()
    assert request.finish_reason == "cancelled" and len(request.output) < 900


def test_an_engine_that_fails_says_so_once_and_takes_nothing_more():
    ear, engine = Ear(), build(SETUP)
    engine.model.forward = lambda pieces: 1 / 0
    thread = EngineThread(engine, ear, ear.died)
    thread.do(submit(Request(0, [5], Sampling(9))))
    assert ear.over.wait(20) and isinstance(ear.error, ZeroDivisionError)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        thread.do(submit(Request(1, [5], Sampling(9))))
    thread.close()
