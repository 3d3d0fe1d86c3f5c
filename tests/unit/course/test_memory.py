"""Memory, observed: peaks, faults, and a limit that a child runs into."""

import sys
import time

import pytest
import torch

from constraintlab.attention import naive
from constraintlab.attention.rung import Shape
from constraintlab.course import memory
from constraintlab.course.peaks import peaks

MIB = 2**20


@pytest.mark.parametrize("watch", [memory.peak, memory._peak_polled])
def test_the_peak_of_a_known_allocation_is_seen(watch):
    def call():
        block = torch.ones(64 * MIB // 4)
        del block

    assert 0.8 * 64 * MIB <= watch(call) <= 1.5 * 64 * MIB


def test_largest_prompt_is_the_last_one_that_fits():
    shape = Shape.square(1, heads=4)
    s = memory.largest_s(64 * MIB, shape)
    assert naive.peak_bytes(shape.at(s)) <= 64 * MIB < naive.peak_bytes(shape.at(s + 1))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux to cap a process")
def test_a_capped_child_runs_out_where_predicted():
    shape, limit = Shape.square(1, heads=4), 128 * MIB
    s = memory.largest_s(limit, shape)
    tried = memory.ceiling(limit, shape, [int(0.9 * s), int(1.1 * s)])
    assert tried.why == "" and tried.ran == (int(0.9 * s),) and tried.failed == (int(1.1 * s),)


def test_where_a_process_cannot_be_capped_the_reason_is_given(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "Linux" in memory.ceiling(1, Shape.square(1), [1]).why


def test_a_trial_that_crashes_gives_its_reason(monkeypatch):
    monkeypatch.setattr(memory, "_CHILD", "raise SystemExit('no torch here')")
    assert "no torch here" in memory.ceiling(1, Shape.square(1), [1]).why


def test_a_library_s_pages_taken_back_meanwhile_do_not_hide_the_peak(monkeypatch):
    """VmRSS before the call counts 80 MB of mapped files, of which 60 are gone by its peak."""
    seen = iter([500 * 2**20, 470 * 2**20])
    monkeypatch.setattr(memory, "_status", lambda field: next(seen))
    monkeypatch.setattr(memory, "_CLEAR", type("Mark", (), {"write_text": lambda self, x: 0})())
    held = []

    def call():
        held.append(bytearray(b"x") * (30 * 2**20))
        time.sleep(0.05)

    assert memory.peak(call) == pytest.approx(30 * 2**20, rel=0.2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_process_of_its_own_sees_what_was_counted_at_every_length(dtype):
    # Long enough that a megabyte of an allocator of its own is within the tolerance.
    shape, lengths = Shape.square(64, heads=2, dtype=dtype), (1536, 2304)
    for s, seen in zip(lengths, peaks(shape, lengths), strict=True):
        assert seen == pytest.approx(naive.peak_bytes(shape.at(s)), rel=0.12)


def test_a_process_that_fails_leaves_its_last_words():
    with pytest.raises(RuntimeError, match=r"measures memory failed: \w+Error"):
        peaks(Shape.square(64, heads=2), [-1])
