"""Canvases on their way to the page: at most some ten messages a second, the newest never lost."""

import threading

import pytest

from constraintlab.panel import Curve, KVMap, Lanes, Latency, Panel, Stream
from constraintlab.panel.scene import GAP, Scene
from tests.unit.panel.wire import Wire


class Later:
    """A timer that runs when the test says so."""

    made: list

    def __init__(self, wait, call, args):
        self.wait, self.call, self.args, self.off = wait, call, args, False
        self.daemon = False

    def start(self):
        pass

    def cancel(self):
        self.off = True

    def ring(self):
        self.call(*self.args)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def stage():
    """(scene, clock, messages, timers)"""
    clock, messages, timers = Clock(), [], []

    def timer(*args):
        timers.append(Later(*args))
        return timers[-1]

    def send(content, buffers):
        messages.append((content, buffers))

    return Scene(send, threading.RLock(), clock, timer), clock, messages, timers


def one(*filled):
    return [KVMap("paged", 4, [1] * len(filled), filled)]


def at(now, waiting=0):
    return Lanes(now, (), waiting, 1, 8)


def fillings(messages):
    return [list(buffers[1]) for content, buffers in messages if "maps" in content]


def test_the_first_is_sent_at_once(stage):
    scene, _, messages, timers = stage
    scene.set_maps(one(1, 2))
    assert fillings(messages) == [[1, 2]] and timers == []


def test_what_comes_too_early_is_sent_when_the_gap_is_over_and_only_the_newest(stage):
    scene, clock, messages, timers = stage
    for n in range(4):
        scene.set_maps(one(n))
        clock.now += GAP / 10
    assert fillings(messages) == [[0]] and len(timers) == 1
    assert timers[0].wait == pytest.approx(GAP * 0.9) and timers[0].daemon
    timers[0].ring()
    assert fillings(messages) == [[0], [3]]
    scene.set_maps(one(4))
    assert len(timers) == 2


def test_after_the_gap_it_is_sent_at_once_again(stage):
    scene, clock, messages, timers = stage
    scene.set_maps(one(1))
    clock.now = GAP
    scene.set_maps(one(2))
    assert fillings(messages) == [[1], [2]] and timers == []


def test_what_did_not_change_is_not_sent_again(stage):
    scene, clock, messages, _ = stage
    for _ in range(3):
        scene.set_maps(one(1))
        clock.now += 1
    assert fillings(messages) == [[1]]


def test_the_views_do_not_wait_for_each_other(stage):
    scene, _, messages, timers = stage
    scene.set_maps(one(1))
    scene.set_lanes(at(0.0))
    scene.set_stream(Stream(0.0, client_itl=0.01))
    scene.set_latency(Latency("TTFT", [Curve("all", [0.1])]))
    sent = [list(content) for content, _ in messages]
    assert sent == [["maps"], ["lanes"], ["stream"], ["latency"]] and timers == []


def test_a_flush_sends_what_waits_and_stops_the_timer(stage):
    scene, _, messages, timers = stage
    scene.set_maps(one(1))
    scene.set_maps(one(2))
    scene.flush()
    assert fillings(messages) == [[1], [2]] and timers[0].off
    timers[0].ring()
    scene.flush()
    assert len(messages) == 2


def test_none_takes_a_view_away(stage):
    scene, clock, messages, _ = stage
    scene.set_maps(one(1))
    scene.set_lanes(at(1.0, waiting=3))
    clock.now = 1
    scene.set_stream(Stream(1.0, client_itl=0.01))
    clock.now = 2
    scene.set_maps(None)
    scene.set_lanes(None)
    scene.set_stream(None)
    assert messages[3:] == [({"maps": {}}, []), ({"lanes": {}}, []), ({"stream": {}}, [])]
    assert scene.state() == {v: [{}, []] for v in ("maps", "lanes", "stream", "latency")}
    assert scene.trail.points() == scene.flow.points() == []


def test_a_page_that_reloads_gets_the_newest_sent_or_not(stage):
    scene, _, _, _ = stage
    scene.set_maps(one(1))
    scene.set_maps(one(2))
    scene.set_lanes(at(1.0))
    scene.set_lanes(at(1.5, waiting=3))
    state = scene.state()
    assert list(state["maps"][1][1]) == [2] and state["lanes"][0]["waiting"] == "3"
    assert scene.trail.points() == [(1.0, 1, 0), (1.5, 1, 3)]


def test_three_pools_are_refused(stage):
    with pytest.raises(ValueError, match="3 pools: the map draws one, or two"):
        stage[0].set_maps(one(1) * 3)


@pytest.fixture
def panel():
    made = Panel()
    made.comm = Wire()
    return made


def test_a_panel_sends_maps_as_bytes_and_keeps_them_for_a_reload(panel):
    panel.set_maps(one(1, 2))
    ((content, buffers),) = panel.comm.frames
    assert content["maps"]["finding"].startswith("paged: 1 request") and buffers[1] == b"\1\2"
    assert panel.get_state()["scene"]["maps"][1] == buffers


def test_nothing_is_packed_for_a_page_that_asks_for_something_else(panel, monkeypatch):
    asked = []
    monkeypatch.setattr(panel._scene, "state", lambda: asked.append(1) or {})
    panel.set_strip([])
    assert panel.get_state(key="view").keys() == {"view"} and asked == []
    panel.get_state()
    assert asked == [1]


def test_closing_sends_what_was_set_last(panel):
    panel.set_maps(one(1))
    panel.set_maps(one(3))
    panel.close()
    assert [b[1] for _, b in panel.comm.frames] == [b"\1", b"\3"]


def test_a_timer_of_its_own_sends_what_nobody_sets_again(panel):
    sent = threading.Event()
    panel.set_maps(one(1))
    panel.comm.send = lambda *_, **__: sent.set()
    panel.set_maps(one(2))
    assert sent.wait(5)


def test_many_threads_may_set_at_once(panel):
    errors, begin = [], threading.Barrier(4)

    def feed(which):
        try:
            begin.wait(5)
            for i in range(100):
                panel.set_maps(one(which, i % 5))
                panel.set_lanes(at(float(i)))
                panel.set_stream(Stream(float(i), client_itl=0.01))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=feed, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    panel.close()
    assert errors == []
    last = [b for content, b in panel.comm.frames if "maps" in content][-1]
    assert last == panel.get_state()["scene"]["maps"][1]
