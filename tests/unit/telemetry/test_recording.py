"""Recordings: what goes in comes out, and what a crash or a stranger did to a file is told."""

import gzip
import json
import math
import os
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constraintlab.telemetry.names import quantity
from constraintlab.telemetry.recording import Recorder, RecordingError, read, this_machine
from constraintlab.telemetry.sample import Sample
from constraintlab.telemetry.sampler import Sampler
from constraintlab.telemetry.sinks import Sinks
from tests.unit.telemetry.fakes import Clock, Steady

MACHINE = {"cpu": "Invented 9000", "cores": "4"}


def noon():
    return datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def record(path, samples, **kwargs):
    with Recorder(path, MACHINE, now=noon, **kwargs) as recorder:
        for sample in samples:
            recorder(sample)
    return path


def sample(t, value=1.0):
    if value is None:
        return Sample(t, {"host.cpu_percent": None}, {"host.cpu_percent": "n/a: no /proc"})
    return Sample(t, {"host.cpu_percent": value}, {"host.cpu_percent": "measured"})


THREE = [sample(0.0, None), sample(0.1, 97.5), sample(0.2, 1 / 3)]


@pytest.fixture
def three(tmp_path):
    return record(tmp_path / "three.jsonl", THREE, note="a demo")


def test_what_goes_in_comes_out(three):
    recording = read(three)
    assert list(recording.samples) == THREE
    assert recording.notes == ()
    header = recording.header
    assert (header.machine, header.note) == (MACHINE, "a demo")
    assert header.started == "2026-03-01T12:00:00+00:00"
    assert header.names == {"host.cpu_percent": quantity("host.cpu_percent")}
    assert header.origin == "Invented 9000, 4 cores, 2026-03-01"


def test_the_file_is_as_documented(three):
    head, *lines = [json.loads(line) for line in three.read_text("ascii").splitlines()]
    assert list(head) == [
        "constraintlab", "version", "started", "machine", "note", "names",
    ]  # fmt: skip
    assert (head["constraintlab"], head["version"]) == ("recording", 1)
    assert head["names"]["host.cpu_percent"]["unit"] == "%"
    assert lines[1] == {
        "t": 0.1,
        "values": {"host.cpu_percent": 97.5},
        "sources": {"host.cpu_percent": "measured"},
    }


SOURCES = st.sampled_from(["measured", "counted", "modelled", "recorded: H100, 2026-01-01"])
READINGS = st.one_of(
    st.tuples(st.floats(allow_nan=False, allow_infinity=False), SOURCES),
    st.tuples(st.integers(-(2**63), 2**63), SOURCES),
    st.tuples(st.none(), st.text().map("n/a: {}".format)),
)
SAMPLES = st.builds(
    lambda t, readings: Sample(
        t, {n: v for n, (v, _) in readings.items()}, {n: s for n, (_, s) in readings.items()}
    ),
    st.floats(0, 1e6),
    st.dictionaries(st.text(st.characters()), READINGS, max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(SAMPLES, max_size=5))
def test_any_sample_comes_back_bit_by_bit(tmp_path_factory, samples):
    path = record(tmp_path_factory.mktemp("any") / "any.jsonl", samples)
    recording = read(path)
    assert list(recording.samples) == samples
    assert recording.notes == ()


def test_what_json_has_no_word_for_is_absent(tmp_path):
    odd = [math.nan, math.inf, 10**400]
    recording = read(record(tmp_path / "r.jsonl", [sample(float(i), v) for i, v in enumerate(odd)]))
    assert [s.values["host.cpu_percent"] for s in recording.samples] == [None] * 3
    assert recording.samples[0].sources["host.cpu_percent"] == "n/a: not a finite number"


def test_numbers_of_numpy_are_written_as_numbers(tmp_path):
    odd = [numpy.float32(0.5), numpy.int64(3), numpy.float64(0.1)]
    recording = read(record(tmp_path / "r.jsonl", [sample(float(i), v) for i, v in enumerate(odd)]))
    assert [s.values["host.cpu_percent"] for s in recording.samples] == [0.5, 3, 0.1]


def test_cut_off_at_any_byte_at_most_the_last_line_is_lost(three, tmp_path):
    whole = three.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    torn = tmp_path / "torn.jsonl"
    for length in range(len(whole)):
        torn.write_bytes(whole[:length])
        if length < ends[0] - 1:
            with pytest.raises(RecordingError, match=r"is empty|cut off in its first line"):
                read(torn)
            continue
        recording = read(torn)
        # A line is whole once its last brace is there, with or without its newline.
        kept = sum(end - 1 <= length for end in ends[1:])
        assert list(recording.samples) == THREE[:kept], length
        inside = length not in ends and length + 1 not in ends
        assert len(recording.notes) == inside, length
        assert all("cut off and is dropped" in note for note in recording.notes)


@pytest.mark.parametrize(
    "damage",
    [
        b"\x00\xff\x00\n",
        b"\n",
        b"[1, 2]\n",
        b'{"t": 0.1, "values": {"a": 1}}\n',
        b'{"t": "now", "values": {}, "sources": {}}\n',
        b'{"t": NaN, "values": {}, "sources": {}}\n',
        b'{"t": true, "values": {}, "sources": {}}\n',
        b'{"t": 1, "values": [], "sources": {}}\n',
        b'{"t": 1, "values": {"a": "x"}, "sources": {"a": "measured"}}\n',
        b'{"t": 1, "values": {"a": 1}, "sources": {"a": 7}}\n',
        b"[" * 100_000 + b"\n",
        b"9" * 5000 + b"\n",
    ],
)
def test_a_damaged_line_is_skipped_and_named(three, damage):
    lines = three.read_bytes().splitlines(keepends=True)
    three.write_bytes(b"".join([*lines[:2], damage, *lines[3:]]))
    recording = read(three)
    assert list(recording.samples) == [THREE[0], THREE[2]]
    (note,) = recording.notes
    assert note.startswith("line 3 is damaged and was skipped")


def test_a_value_without_a_source_is_not_believed(three):
    with open(three, "a") as file:
        file.write('{"t": 9, "values": {"a": 1, "b": 2}, "sources": {"b": "n/a: x"}}\n')
    last = read(three).samples[-1]
    assert last.values == {"a": None, "b": None}
    assert last.sources == {"a": "n/a: no source", "b": "n/a: x"}


def edit_header(path, **changes):
    head, rest = path.read_text().split("\n", 1)
    kept = {k: v for k, v in {**json.loads(head), **changes}.items() if v is not None}
    path.write_text(json.dumps(kept) + "\n" + rest)


@pytest.mark.parametrize("version", [2, "1.5", 0])
def test_another_version_names_itself_what_is_read_and_the_fix(three, version):
    edit_header(three, version=version)
    with pytest.raises(RecordingError) as error:
        read(three)
    assert f"version {version!r}" in str(error.value)
    assert "reads version 1" in str(error.value)
    assert "pip install -U constraintlab" in str(error.value)


def test_keys_that_a_later_writer_adds_are_ignored(three):
    edit_header(three, colour="blue")
    assert len(read(three).samples) == 3


@pytest.mark.parametrize("changes", [{"machine": None}, {"machine": 3}, {"names": {"a": 1}}])
def test_a_header_that_lacks_something(three, changes):
    edit_header(three, **changes)
    with pytest.raises(RecordingError, match=r"header of .* record again"):
        read(three)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty"),
        (b"\n", "no Constraint Lab recording"),
        (b"hello", "no Constraint Lab recording"),
        (b'{"a": 1}\n', "no Constraint Lab recording"),
        (b"[]\n", "no Constraint Lab recording"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "no Constraint Lab recording"),
        (bytes(range(256)) * 100, "no Constraint Lab recording"),
        (b"\x1f\x8b\x08 not gzip at all", "is empty|no Constraint"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, content, match):
    path = tmp_path / "other.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=match):
        read(path)


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path):
    with pytest.raises(RecordingError, match="there is no file"):
        read(tmp_path / "nothing.jsonl")
    with pytest.raises(RecordingError, match="can't be read"):
        read(tmp_path)


def test_gzipped_recordings_are_read_whole_or_cut_off(three, tmp_path):
    # Incompressible values, so that the cut falls among them and not into the header.
    many = [sample(i / 10, math.sin(i)) for i in range(300)]
    zipped = tmp_path / "three.jsonl.gz"
    zipped.write_bytes(gzip.compress(record(tmp_path / "many.jsonl", many).read_bytes()))
    assert list(read(zipped).samples) == many
    data = zipped.read_bytes()
    zipped.write_bytes(data[: len(data) // 2])
    cut = read(zipped)
    assert 0 < len(cut.samples) < 300 and list(cut.samples) == many[: len(cut.samples)]
    assert any("compressed file" in note for note in cut.notes)


def test_a_file_that_exists_is_never_touched(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text("precious")
    (tmp_path / "mine-2.jsonl").write_text("also")
    with pytest.raises(RecordingError, match=r"exists already: record into .*mine-3\.jsonl"):
        record(path, THREE)
    assert path.read_text() == "precious"


def test_the_folder_is_made(tmp_path):
    assert len(read(record(tmp_path / "a" / "b" / "r.jsonl", THREE)).samples) == 3


def test_a_folder_that_can_not_be_made_names_the_fix(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="Record into a folder that you can write"):
        record(tmp_path / "file" / "r.jsonl", THREE)


def test_a_read_only_folder_names_the_fix(tmp_path):
    # Root may write into any folder but /proc.
    folder = Path("/proc") if hasattr(os, "geteuid") and os.geteuid() == 0 else tmp_path
    tmp_path.chmod(0o500)
    with pytest.raises(RecordingError, match=r"can't be written: .*\. Record into a folder"):
        record(folder / "r.jsonl", THREE)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on file sizes")
@pytest.mark.parametrize("room", [10, 700, 900])
def test_when_the_disk_fills_up_the_file_stays_whole(tmp_path, room):
    """A size limit makes the kernel take a part of a line and then refuse, as a full disk does."""
    import resource

    path, notes = tmp_path / "r.jsonl", []
    recorder = Recorder(path, MACHINE, now=noon)
    sinks = Sinks([recorder], notes.append)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        for i in range(10):
            sinks.send(sample(i / 10))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (note,) = notes
    assert note.startswith("Recorder gets no more samples: it raised RecordingError")
    if room == 10:
        assert not path.exists()
        return
    recording = read(path)
    assert recording.notes == ()
    assert 0 < len(recording.samples) < 10
    with pytest.raises(RecordingError, match="is closed"):
        recorder(sample(9.0))


def test_a_full_disk_is_called_by_its_name(tmp_path):
    class Full:
        def tell(self):
            return 1

        def write(self, _):
            raise OSError(28, "No space left on device")

        def truncate(self, _):
            raise OSError(28, "No space left on device")

        def close(self):
            self.closed = True

    recorder = Recorder(tmp_path / "r.jsonl", MACHINE)
    with recorder, pytest.raises(RecordingError, match=r"disk is full\. Free some space"):
        recorder._file.close()
        recorder._file = full = Full()
        recorder(sample(0.0))
    assert full.closed


def test_every_sample_is_in_the_file_before_the_next_comes(tmp_path):
    path = tmp_path / "r.jsonl"
    with Recorder(path, MACHINE) as recorder:
        for i in range(3):
            recorder(sample(float(i)))
            assert len(read(path).samples) == i + 1


def test_without_a_sample_there_is_a_header(tmp_path):
    recording = read(record(tmp_path / "r.jsonl", []))
    assert recording.samples == () and recording.notes == ()


def test_closing_twice_or_unopened_does_nothing(tmp_path):
    recorder = Recorder(tmp_path / "r.jsonl")
    recorder.close()
    recorder.close()
    assert list(tmp_path.iterdir()) == []


def test_two_threads_do_not_tear_each_others_lines(tmp_path):
    path = tmp_path / "r.jsonl"
    with Recorder(path, MACHINE) as recorder:
        threads = [
            threading.Thread(target=lambda: [recorder(sample(i / 10)) for i in range(100)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    recording = read(path)
    assert len(recording.samples) == 400 and recording.notes == ()


def test_two_threads_that_both_come_first_open_it_once(tmp_path):
    def slow():
        time.sleep(0.05)
        return noon()

    path, failed = tmp_path / "r.jsonl", []
    recorder = Recorder(path, MACHINE, now=slow)

    def first():
        try:
            recorder(sample(0.0))
        except RecordingError as error:
            failed.append(error)

    threads = [threading.Thread(target=first) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    assert failed == [] and len(read(path).samples) == 2


def test_as_a_samplers_sink(tmp_path):
    path, clock = tmp_path / "r.jsonl", Clock()
    with Recorder(path) as recorder:
        sampler = Sampler([Steady()], clock=clock, sinks=[recorder])
        taken = []
        for _ in range(3):
            taken.append(sampler.tick())
            clock.now += 0.1
    assert list(read(path).samples) == taken
    assert sampler.notes == ()


def test_this_machine_is_words_about_words():
    machine = this_machine()
    assert machine["cpu"] and float(machine["cores"]) > 0
    assert all(isinstance(v, str) for v in machine.values())


def test_a_gpu_names_the_machine(tmp_path):
    path = tmp_path / "r.jsonl"
    with Recorder(path, {**MACHINE, "gpu": "NVIDIA H100"}, now=noon):
        pass
    assert read(path).header.origin == "NVIDIA H100, 2026-03-01"
    with Recorder(tmp_path / "s.jsonl", {}, now=noon):
        pass
    assert read(tmp_path / "s.jsonl").header.origin == "unknown machine, 2026-03-01"
