"""Sinks: whatever one of them does wrong, the others get every sample."""

import threading

from constraintlab.telemetry.sample import Sample
from constraintlab.telemetry.sinks import Sinks, to_stderr

ONE = Sample(0.0, {}, {})


def test_each_sink_gets_each_sample_in_order():
    first, second = [], []
    sinks = Sinks([first.append])
    sinks.add(second.append)
    for t in (0.0, 1.0):
        sinks.send(Sample(t, {}, {}))
    assert [s.t for s in first] == [s.t for s in second] == [0.0, 1.0]
    assert sinks.notes == ()


def test_a_sink_added_twice_is_called_once_and_removed_at_once():
    got = []
    sinks = Sinks([got.append])
    sinks.add(got.append)
    sinks.send(ONE)
    assert len(got) == 1
    sinks.remove(got.append)
    sinks.remove(got.append)
    sinks.send(ONE)
    assert len(got) == 1


def test_a_sink_that_raises_is_removed_and_its_reason_kept_on_one_line():
    got, notes, calls = [], [], []

    class Bad:
        def __call__(self, sample):
            calls.append(sample)
            raise OSError("disk\n  full")

    sinks = Sinks([Bad(), got.append], notes.append)
    sinks.send(ONE)
    sinks.send(ONE)
    assert len(calls) == 1 and len(got) == 2
    assert notes == ["Bad gets no more samples: it raised OSError: disk full"]
    assert sinks.notes == tuple(notes)


def test_a_note_that_can_not_be_shown_is_kept():
    def broken(note):
        raise ValueError("closed file")

    sinks = Sinks(on_note=broken)
    sinks.note("the first")
    assert sinks.notes == ("the first", "a note could not be shown: ValueError: closed file")


def test_sinks_may_come_and_go_while_samples_flow():
    got, sinks = [], Sinks(on_note=print)
    sinks.add(lambda s: (sinks.remove(got.append), sinks.add(got.append)))

    def churn():
        for _ in range(300):
            extra = [].append
            sinks.add(extra)
            sinks.remove(extra)

    threads = [threading.Thread(target=churn) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(300):
        sinks.send(ONE)
    for thread in threads:
        thread.join()
    sinks.send(ONE)
    assert len(got) == 300
    assert sinks.notes == () and len(sinks._sinks) == 2


def test_by_default_notes_go_to_stderr(capsys):
    to_stderr("look here")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "constraintlab: look here\n")
