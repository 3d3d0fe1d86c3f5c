"""Probes: right sizes, cached per machine, and a damaged cache loses nothing."""

import json
import time

import pytest
import torch

from constraintlab.limits import drift, probe
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.home import Home
from constraintlab.limits.machine import cpu_name, fingerprint, huge_pages
from constraintlab.limits.probes import compute, host, memory, sockets
from constraintlab.limits.probes.timing import repeat

from .cases import machine

MIB = 2**20


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "home", lambda: Home(tmp_path))
    monkeypatch.setattr(probe, "describe", lambda device="cpu": {"cpu": "test"})
    return tmp_path / "probes.json"


def mine() -> Capacities:
    caps = machine()
    return Capacities(caps.compute, caps.bandwidth, caps.pages, machine={"cpu": "test"}, date="d")


def test_what_was_saved_is_loaded(cache):
    assert probe.load() is None
    probe.save(mine())
    assert probe.load() == mine() or probe.load().as_dict() == mine().as_dict()


def test_another_machine_with_the_same_home_keeps_its_own(cache, monkeypatch):
    probe.save(mine())
    monkeypatch.setattr(probe, "describe", lambda device="cpu": {"cpu": "other"})
    assert probe.load() is None
    other = machine(flops=5e11)
    probe.save(Capacities(other.compute, other.bandwidth, other.pages, machine={"cpu": "other"}))
    assert len(json.loads(cache.read_text())["machines"]) == 2


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 99, "machines": {}}', '{"machines": {}}', "null"]
)
def test_a_corrupt_cache_is_set_aside_named_and_probed_again(cache, monkeypatch, text):
    cache.write_text(text)
    said = []
    monkeypatch.setattr(probe, "measure", lambda device, say: mine())
    assert probe.capacities(say=said.append).machine == {"cpu": "test"}
    assert any("unreadable" in line and "probing again" in line for line in said)
    assert cache.with_name("probes.unreadable.json").read_text() == text
    assert probe.load() is not None


def test_a_damaged_entry_is_probed_again(cache, monkeypatch):
    probe.save(mine())
    whole = json.loads(cache.read_text())
    key = fingerprint({"cpu": "test"})
    whole["machines"][key]["bandwidth"]["value"] = -1
    cache.write_text(json.dumps(whole))
    said = []
    monkeypatch.setattr(probe, "measure", lambda device, say: mine())
    assert probe.capacities(say=said.append) is not None
    assert any("damaged" in line for line in said)


def test_a_home_that_cannot_be_written_is_said_once_more(cache, monkeypatch, tmp_path):
    monkeypatch.setattr(probe, "home", lambda: Home(tmp_path, "can't be written, use …"))
    monkeypatch.setattr(probe, "measure", lambda device, say: mine())
    said = []
    probe.capacities(say=said.append)
    assert "can't be written, use …" in said


def test_matrix_products_run_per_dtype_and_small_when_slow():
    e = compute.matrix_product("float32", budget=0.02, largest=128)
    assert e.unit == "FLOP/s" and e.low <= e.value <= e.high and e.value > 1e6


def test_one_product_that_a_neighbour_held_up_does_not_end_the_growth(monkeypatch):
    plain, sizes = torch.mm, []

    def held_up_once(a, b, out):
        sizes.append(len(a))
        if sizes == [64, 64]:
            time.sleep(0.1)
        return plain(a, b, out=out)

    monkeypatch.setattr(torch, "mm", held_up_once)
    found = compute.matrix_product("float32", budget=0.0, largest=128)
    assert sizes[-1] == 128 and found.value > 0
    monkeypatch.setattr(torch, "mm", lambda a, b, out: (sizes.append(len(a)), time.sleep(0.1)))
    compute.matrix_product("float32", budget=0.0, largest=128)
    assert sizes[-1] == 64, "what is slow each time is slow"


def test_a_dtype_that_no_kernel_multiplies_is_absent_with_the_reason():
    e = compute.matrix_product("bool", budget=0.01, largest=64)
    assert e.missing and "don't run here" in e.source


def test_streams_are_beyond_the_cache_but_within_an_eighth_of_memory():
    assert memory.read_size(10**12, cache=256 * MIB) == 1024 * MIB
    assert memory.read_size(10**12, cache=MIB) == 512 * MIB
    assert memory.read_size(1024 * MIB, cache=256 * MIB) == 128 * MIB


def test_the_last_level_cache_is_the_largest(tmp_path):
    for i, size in enumerate(["32K", "1024K", "36M"]):
        (tmp_path / f"index{i}").mkdir()
        (tmp_path / f"index{i}" / "size").write_text(size)
    assert memory.last_level_cache(tmp_path) == 36 * MIB
    assert memory.last_level_cache(tmp_path / "none") == 32 * MIB


def test_small_probes_give_positive_rates():
    available = 512 * MIB
    assert memory.bandwidth(available, budget=0.02).value > 1e8
    assert host.operation(budget=0.02).value < 1e-2
    writes, loopback = sockets.sockets()
    assert writes.value > 100 and loopback.value > 1e6


def test_sockets_that_cannot_be_opened_are_absent_with_the_reason(monkeypatch):
    def refuse(*args):
        raise OSError("no network here")

    monkeypatch.setattr(sockets.socket, "create_server", refuse)
    writes, loopback = sockets.sockets()
    assert writes.missing and "no network here" in loopback.source


def test_repeat_warms_up_and_keeps_to_its_least():
    now, calls = [0.0], []

    def work():
        calls.append(1)
        now[0] += 1.0

    assert repeat(work, budget=0.1, least=3, clock=lambda: now[0]) == [1.0] * 3
    assert len(calls) == 4


def test_ceilings_around_a_run_replace_only_what_was_asked(monkeypatch):
    values = iter([1e9, 3e9])

    def brief(name, device):
        v = next(values)
        return Estimate(v, v, v, "B/s")

    monkeypatch.setattr(drift, "brief", brief)
    result, caps = drift.around(
        machine(), ["bandwidth"], lambda now: f"ran at {now.bandwidth.value:g}"
    )
    assert result == "ran at 1e+09"
    assert (caps.bandwidth.value, caps.bandwidth.low, caps.bandwidth.high) == (2e9, 1e9, 3e9)
    assert caps.compute == machine().compute and caps.pages == machine().pages


def test_only_known_capacities_can_be_probed_briefly():
    with pytest.raises(ValueError, match="bandwidth or pages"):
        drift.brief("kv_capacity")


def test_the_machine_is_described_without_its_files_too(tmp_path):
    assert cpu_name(tmp_path / "none")
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: Some CPU @ 2 GHz\n")
    assert cpu_name(tmp_path / "cpuinfo") == "Some CPU @ 2 GHz"
    (tmp_path / "thp").write_text("always [madvise] never")
    assert huge_pages(tmp_path / "thp") == "madvise"
    assert huge_pages(tmp_path / "none") == "unknown"
    assert fingerprint({"a": "1"}) != fingerprint({"a": "2"})


def test_a_gpu_is_probed_with_products_that_outlast_their_launch(monkeypatch):
    asked = []

    def product(dtype, device, budget=0.4, largest=None):
        asked.append((device, largest or compute.LARGEST[device]))

    monkeypatch.setattr(compute, "matrix_product", product)
    for device in ("cpu", "cuda"):
        drift.brief("compute.bfloat16", device)
    assert asked == [("cpu", 1024), ("cuda", 8192)]
