"""A journal's lines, by hand: what counts when, and what of a step was the host's."""

import pytest

from constraintlab.engine.virtual.counts import kind
from constraintlab.scenarios.real.journal import PACKED, WAITS, Line, between, host, read


def line(at, **values):
    plain = dict.fromkeys(Line._fields, 0.0) | {"ready": 2.0, "decodes": 2.0, "busy": 1.0}
    return Line(**(plain | values | {"at": at}))


def test_time_is_cut_at_both_ends_and_steps_are_not():
    lines = [
        line(0.0, resident=4.0, held=3.0),
        line(1.0, resident=2.0, held=5.0, waits=float(WAITS.index("kv")), waiting=1.0, drawn=2.0),
        line(3.0, resident=1.0, drawn=1.0),
    ]
    found = between(lines, 0.5, 3.5, block_size=16)
    assert found.seconds == 3.0 and found.drawn == 3.0
    assert found.resident == pytest.approx(0.5 * 4 + 2 * 2 + 0.5 * 1)
    assert found.held == pytest.approx(16 * (0.5 * 3 + 2 * 5))
    assert found.waiting == pytest.approx(2.0) and found.lacks == {"kv": 2.0}
    assert found.beside == {"kv": pytest.approx(2 * 2)}, "two ran meanwhile"
    assert found.steps.steps == 2, "the one at 0.0 was planned before"


def test_steps_are_told_apart_by_their_prompts():
    lines = [line(1.0, keys=20.0), line(2.0, tokens=30.0, looked=30.0, pairs=465.0, ready=3.0)]
    found = between(lines, 0.0, 3.0, 16).kinds
    assert found[0].keys == 20.0 and found[0].tokens == 0
    assert found[kind(2, 30)].pairs == 465.0 and found[kind(2, 30)].sequences == 3


def test_a_plan_that_computes_nothing_is_no_step():
    assert between([line(1.0, ready=0.0, decodes=0.0)], 0.0, 2.0, 16).steps.steps == 0


def test_the_hosts_part_is_its_stages_and_what_the_device_leaves_of_the_time_between_steps():
    # Stages of 2 ms a step and 0.5 ms a sequence, 1 ms beside them; every third step is followed by
    # idle time, which is none's.
    lines, at = [], 0.0
    for i in range(40):
        n = 2 + i % 2
        took = {"schedule": 2e-3, "sample": 0.5e-3 * n}
        lines.append(line(at, device=0.01, ready=float(n), busy=float(i % 3 != 1), **took))
        at += 0.01 + 3e-3 + 0.5e-3 * n + (1.0 if i % 3 == 0 else 0.0)
    found, all_ = host(lines, -1.0, at, 0.75e-3), host(lines, -1.0, at)
    assert all_.step == pytest.approx(3e-3) and all_.sequence == pytest.approx(0.5e-3)
    assert found.step == pytest.approx(2.75e-3)
    assert found.sequence == pytest.approx(0.5e-3 + 0.25e-3 / 2.5, rel=0.02)


def test_no_part_is_below_nothing_and_too_few_steps_are_refused():
    lines = [line(5e-3 * i, ready=2.0, schedule=6e-3) for i in range(31)]
    assert host(lines, -1.0, 1.0, own=1e-3).sequence == 0
    with pytest.raises(ValueError, match="longer run"):
        host(lines[:8], -1.0, 1.0)


def test_a_file_that_was_cut_short_loses_its_last_line_only(tmp_path):
    path = tmp_path / "j"
    whole = PACKED.pack(*line(1.0)) + PACKED.pack(*line(2.0, keys=7.0))
    path.write_bytes(whole + whole[:11])
    assert [x.at for x in read(path)] == [1.0, 2.0] and read(path)[1].keys == 7.0
