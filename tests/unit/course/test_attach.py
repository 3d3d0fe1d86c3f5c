"""The notebook's watch: a feed that a panel takes for a sampler, and a panel that rests."""

import threading
from contextlib import contextmanager

import pytest

from constraintlab.course import attach
from constraintlab.course.attach import Watch, html
from constraintlab.limits.resource import Resource
from constraintlab.load.preflight import Trouble
from tests.unit.watch.servers import KV_STARVED, diagnosed, text
from tests.unit.watch.test_command import serving


@contextmanager
def starved():
    """A server in which everything happens, a look later each time it is looked at."""
    seen = []

    def answer(page):
        seen.append(1)
        return 200, text("vllm 0.11", KV_STARVED[min(len(seen), 10)])

    with serving(answer) as url:
        yield url, seen


def test_a_watched_server_is_drawn_until_it_is_stopped():
    looked = threading.Event()
    with starved() as (url, seen):
        found = Watch(url, probe=False, every=0.02, slots=64, sink=lambda s: len(seen) > 9
                      and looked.set()).start()  # fmt: skip
        assert looked.wait(20)
        last = found.stop()
        count = len(seen)
        assert not found.feed.running and not found.feed.start().stop()
    assert last.verdict.constraint == (Resource.KV_CAPACITY,)
    assert len(seen) <= count + 2
    assert "KV capacity binds." in found.words.value
    said = found.panel.text()
    assert "KV capacity" in said and "400" not in said.split("KV capacity")[0]
    assert "slots" in {s.label for s in found.panel._ring.series}
    assert b"PNG" in found.panel.png()[:8]


def test_what_can_not_be_watched_is_told_at_once():
    with pytest.raises(Trouble, match="is it running"):
        Watch("http://127.0.0.1:9")
    assert attach.THREAD not in {t.name for t in threading.enumerate()}


def test_below_the_panel_it_says_how_far_to_trust_the_verdict_and_what_to_try():
    said = html(diagnosed("vllm 0.11", KV_STARVED))
    assert "KV capacity binds." in said and "(high confidence)" in said
    assert "--gpu-memory-utilization" in said
    said = html(diagnosed("vllm 0.11", KV_STARVED, without=("waiting",)))
    assert "Insufficient evidence" in said and "confidence)" not in said and "&#x27;" in said
