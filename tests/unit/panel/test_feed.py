"""Samples on their way to the page: from any thread, a few bytes each, and again on a reload."""

import threading
import time
from array import array

import pytest

from constraintlab.panel import Panel
from tests.unit.panel.cases import SERIES, sample, verdict
from tests.unit.panel.wire import Wire, history

WIDTH = 1 + 2 * len(SERIES)


@pytest.fixture
def panel():
    made = Panel()
    made.set_timeline(SERIES)
    made.comm = Wire()
    return made


def test_a_frame_is_its_row_and_nothing_else(panel):
    panel.push(sample(0.5, flops=6e10, moved=1e10, fresh=1.3e9, cores=1.0))
    ((content, buffers),) = panel.comm.frames
    assert content == {"e": panel.view["epoch"]}
    assert array("d", buffers[0]).tolist() == [0.5, 0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 0.0]


def test_the_history_is_sent_with_no_push_and_no_update(panel):
    for i in range(100):
        panel.push(sample(i / 8))
    panel.set_verdict(verdict())
    assert [len(b) for _, (b,) in panel.comm.frames] == [8 * WIDTH] * 100
    assert len(panel.comm.updates) == 2 and all(s.keys() == {"view"} for s in panel.comm.updates)


def test_a_page_that_reloads_gets_the_rows_so_far(panel):
    assert panel.get_state()["history"] == b""
    for i in range(3):
        panel.push(sample(i / 8))
    sent = b"".join(b for _, (b,) in panel.comm.frames)
    assert panel.get_state()["history"] == sent and len(sent) == 3 * 8 * WIDTH
    assert [row[0] for row in history(panel)] == [0.0, 0.125, 0.25]


class Slow(Wire):
    """Lets another thread run before it keeps a message."""

    def send(self, *args, **options):
        time.sleep(1e-4)
        super().send(*args, **options)


def test_samples_from_many_threads_all_arrive_in_the_order_of_the_history(panel):
    panel.comm = Slow()
    errors, begin = [], threading.Barrier(5)

    def feed(which):
        try:
            begin.wait(5)
            for i in range(50):
                panel.push(sample(1.0, flops=1.2e11 * (which * 50 + i), source=f"counted: {which}"))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=feed, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    begin.wait(5)
    for share in range(20):
        panel.set_verdict(verdict(predicted=2e5 + share))
    for thread in threads:
        thread.join(10)
    rows = history(panel)
    assert errors == [] and sorted(row[1] for row in rows) == pytest.approx(range(200))
    assert [array("d", b).tolist() for _, (b,) in panel.comm.frames] == rows


def test_new_series_drop_the_old_lines_and_the_same_ones_do_not(panel):
    panel.push(sample(0.0))
    epoch = panel.view["epoch"]
    panel.set_timeline(list(SERIES))
    assert len(history(panel)) == 1 and panel.view["epoch"] == epoch
    panel.set_timeline(SERIES[:2])
    assert history(panel) == [] and panel.view["epoch"] == epoch + 1
    assert [s["label"] for s in panel.view["series"]] == ["compute, fp32", "bandwidth"]
    panel.push(sample(0.1))
    assert panel.comm.frames[-1][0] == {"e": epoch + 1} and len(history(panel)[0]) == 5


def test_a_source_that_changes_relabels_at_most_once_a_second(panel):
    for i in range(25):
        panel.push(sample(i / 8, source=f"recorded: {i}"))
    told = [state["view"]["series"][0]["source"] for state in panel.comm.updates]
    assert told == ["recorded: 0", "recorded: 8", "recorded: 16", "recorded: 24"]


def test_sources_that_stay_are_told_once(panel):
    for i in range(25):
        panel.push(sample(i / 8))
    assert len(panel.comm.updates) == 1
    assert [s["kind"] for s in panel.view["series"]] == ["counted"] * 3 + ["measured"]


def test_after_a_restart_of_the_clock_the_label_is_due_at_once(panel):
    panel.push(sample(30.0, source="measured"))
    panel.push(sample(30.5, source="counted"))
    assert panel.view["series"][0]["source"] == "measured"
    panel.push(sample(0.0, source="counted"))
    assert panel.view["series"][0]["source"] == "counted" and len(history(panel)) == 1


def test_without_a_page_samples_are_kept(panel):
    panel.comm = None
    panel.push(sample(0.0))
    assert len(history(panel)) == 1
