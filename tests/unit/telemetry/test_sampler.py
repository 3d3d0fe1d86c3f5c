"""The sampler: on time by a clock set by hand, and a thread that ends."""

import threading
import time

import pytest

from constraintlab.telemetry.sampler import THREAD, Sampler
from constraintlab.telemetry.source import Reading
from tests.unit.telemetry.fakes import Clock, Steady


class Costly(Steady):
    """Reading it takes as long as the next of `costs` says, later nothing."""

    def __init__(self, clock, *costs):
        super().__init__()
        self.clock, self.costs = clock, list(costs)

    def read(self):
        self.clock.now += self.costs.pop(0) if self.costs else 0.0
        return super().read()


class Raising(Steady):
    def __init__(self, *errors):
        super().__init__("raising")
        self.errors = list(errors)

    def read(self):
        if self.errors:
            error = self.errors.pop(0)
            if error:
                raise error
        return super().read()


def threads():
    return [t for t in threading.enumerate() if t.name == THREAD]


def run(sampler, samples):
    """Let the sampler's own thread take so many samples by its fake clock; returns them."""
    got = []

    def count(sample):
        got.append(sample)
        if len(got) == samples:
            sampler.stop()

    sampler.add_sink(count)
    sampler.start()
    for thread in threads():
        thread.join(5)
    assert threads() == [] and len(got) == samples
    return got


def schedule(*costs, samples, hz=10.0):
    clock = Clock(100.0)
    return run(Sampler([Costly(clock, *costs)], hz, clock, wait=clock.wait), samples)


def column(samples, name):
    return [s.values[name] for s in samples]


def test_samples_are_due_at_start_plus_k_over_hz_whatever_they_cost():
    samples = schedule(0.01, 0.09, 0.0, 0.05, samples=6)
    assert [s.t for s in samples] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert column(samples, "sampler.missed") == [0] * 6
    assert column(samples, "sampler.late_s") == pytest.approx([0] * 6)


def test_a_missed_moment_is_counted_and_never_made_up_in_a_burst():
    samples = schedule(0.0, 0.33, 0.0, 1.05, samples=6)
    # 0.1 + 0.33 is past 0.2, 0.3 and 0.4; then 0.6 + 1.05 is past 0.7 to 1.6.
    assert [s.t for s in samples] == pytest.approx([0, 0.1, 0.5, 0.6, 1.7, 1.8])
    assert column(samples, "sampler.missed") == [0, 0, 3, 3, 13, 13]


def test_a_late_wake_up_is_reported_and_does_not_shift_the_rest():
    clock = Clock()
    oversleep = iter([0.03, 0.0, 0.0])

    def wait(seconds):
        clock.now += seconds + next(oversleep, 0.0)
        return False

    samples = run(Sampler([Steady()], 10.0, clock, wait=wait), 4)
    assert [s.t for s in samples] == pytest.approx([0, 0.13, 0.2, 0.3])
    assert column(samples, "sampler.late_s") == pytest.approx([0, 0.03, 0, 0])
    assert column(samples, "sampler.missed") == [0] * 4


def test_every_value_has_its_source_and_the_first_cost_is_not_known():
    sampler = Sampler([Steady("a", 1.0), Steady("b", 2.0)], clock=Clock())
    sample = sampler.tick()
    assert (sample.values["a.value"], sample.values["b.value"]) == (1.0, 2.0)
    assert sample.values.keys() == sample.sources.keys()
    assert sample.values["sampler.cpu_s"] is None
    assert sampler.tick().values["sampler.cpu_s"] >= 0
    assert sampler.latest.t == 0.0


def test_a_source_that_raises_is_noted_once_and_the_others_still_come():
    notes = []
    bad = Raising(None, *(OSError(f"at {i:#x}") for i in range(5)), KeyError("x"), None)
    sampler = Sampler([bad, Steady()], clock=Clock(), on_note=notes.append)
    samples = [sampler.tick() for _ in range(8)]
    assert column(samples, "steady.value") == [1.0] * 8
    assert column(samples, "raising.value") == [1.0, *[None] * 6, 1.0]
    assert samples[1].sources["raising.value"] == "n/a: raising raised OSError: at 0x0"
    assert notes == ["raising raised OSError: at 0x0", "raising raised KeyError: 'x'"]


def test_a_sink_that_raises_is_removed_while_sampling_goes_on():
    notes = []

    def bad(_):
        raise RuntimeError("no")

    clock = Clock()
    sampler = Sampler([Steady()], clock=clock, wait=clock.wait, sinks=[bad], on_note=notes.append)
    run(sampler, 4)
    assert notes == ["test_a_sink_that_raises_is_removed_while_sampling_goes_on.<locals>.bad "
                     "gets no more samples: it raised RuntimeError: no"]  # fmt: skip


def test_the_thread_ends_within_its_stop_and_the_sources_are_closed():
    source, first = Steady(), threading.Event()
    sampler = Sampler([source], hz=2.0, sinks=[lambda s: first.set()])
    with sampler:
        assert first.wait(5) and sampler.running and len(threads()) == 1
        began = time.perf_counter()
    assert time.perf_counter() - began < 0.4, "it slept through to the next sample"
    assert threads() == [] and not sampler.running and source.closed == 1
    sampler.stop()


def test_starting_twice_is_one_thread():
    with Sampler([Steady()]) as sampler:
        assert sampler.start() is sampler
        assert len(threads()) == 1


def test_a_restart_counts_from_nought_again():
    clock = Clock()
    sampler = Sampler([Costly(clock, 0.5)], 10.0, clock, wait=clock.wait)
    got = run(sampler, 3)
    assert got[-1].values["sampler.missed"] == 4
    again = []
    sampler.add_sink(again.append)
    sampler.add_sink(lambda s: sampler.stop() if len(again) == 2 else None)
    clock.now += 30
    sampler.start()
    for thread in threads():
        thread.join(5)
    assert [s.t for s in again] == pytest.approx([0.0, 0.1])
    assert column(again, "sampler.missed") == [0, 0]


def test_a_source_that_can_not_be_closed_keeps_no_other_open():
    class Stuck(Steady):
        def close(self):
            raise OSError("busy")

    notes, other = [], Steady("other")
    Sampler([Stuck(), other], on_note=notes.append).stop()
    assert other.closed == 1 and notes == ["steady could not be closed: busy"]


def test_a_source_that_hangs_does_not_hang_stop(monkeypatch):
    monkeypatch.setattr("constraintlab.telemetry.sampler.JOIN", 0.05)
    entered, release = threading.Event(), threading.Event()

    class Hanging(Steady):
        def read(self):
            entered.set()
            release.wait(10)
            return super().read()

    notes = []
    sampler = Sampler([Hanging()], on_note=notes.append).start()
    try:
        assert entered.wait(5)
        sampler.stop()
        assert "has not answered" in notes[0]
    finally:
        release.set()
        for thread in threads():
            thread.join(5)
    assert threads() == []


def test_a_source_whose_names_grow_keeps_the_new_ones_when_it_raises():
    class Growing(Steady):
        def __init__(self):
            super().__init__()
            self.reads = 0

        def read(self):
            self.reads += 1
            if self.reads == 3:
                raise OSError
            return {f"g.{i}": Reading.measured(i) for i in range(self.reads)}

    sampler = Sampler([Growing()], clock=Clock(), on_note=lambda note: None)
    samples = [sampler.tick() for _ in range(3)]
    assert {"g.0", "g.1"} <= samples[2].values.keys()


@pytest.mark.parametrize("hz", [0, -1, 1001, float("nan")])
def test_a_rate_that_makes_no_sense(hz):
    with pytest.raises(ValueError, match="hz must be above 0"):
        Sampler([], hz)


def test_two_sources_of_one_name():
    with pytest.raises(ValueError, match="two sources are called a"):
        Sampler([Steady("a"), Steady("a")])
