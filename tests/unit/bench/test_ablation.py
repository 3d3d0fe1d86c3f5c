"""The engine's rungs as data, a small run of them, and what the bench makes of given runs."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest

from constraintlab.bench import ablation
from constraintlab.bench.ablation_bed import Bed, Phase, covered, doubted, passes
from constraintlab.bench.ablation_story import RUNGS, SIZES, Size, setups
from constraintlab.engine.report import Report as EngineReport
from constraintlab.limits.capacities import Capacities
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource

TINY = Size("nano", None, (20, 30, 40), (2, 3, 4), 4, 4, 128)
CAPS = Capacities(
    {"float32": Estimate.of([1e11], "FLOP/s"), "exp": Estimate.of([1e9], "1/s")},
    Estimate.of([1e10], "B/s"),
    Estimate.of([1e9], "B/s"),
    cores=2,
)


@pytest.fixture
def quiet(monkeypatch):
    """Nothing is probed."""
    monkeypatch.setattr(
        "constraintlab.limits.drift.brief", lambda name, _: dict(CAPS.rates())[name]
    )


def test_each_rung_adds_one_change_and_keeps_those_before():
    told = list(setups(SIZES["cuda"], "cuda"))
    assert [r.name for r, _ in told] == [r.name for r in RUNGS]
    changed = []
    for (_, a), (_, b) in pairwise(told):
        changed.append({n for n in vars(a) if getattr(a, n) != getattr(b, n)})
    assert changed == [
        {"attention"}, {"attention"}, {"slots"}, {"kv"}, {"attention"}, {"graphs"},
    ]  # fmt: skip
    assert {(s.blocks, s.model, s.device) for _, s in told} == {(1024, "medium", "cuda")}
    assert told[0][1].attention == {"prefill": "naive"} and not told[0][1].graphs


def test_a_gpus_prompts_have_room_on_chip_in_the_fused_rung():
    import torch

    from constraintlab.attention.fused_triton import longest
    from constraintlab.engine.model.presets import PRESETS

    size = SIZES["cuda"]
    assert max(size.prompts) <= longest(PRESETS[size.model].head_dim, torch.bfloat16)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_all_ask_the_same_and_each_fits_into_a_reservation(size):
    asked = size.asked()
    again = size.asked()
    assert [(r.prompt, r.sampling) for r in asked] == [(r.prompt, r.sampling) for r in again]
    assert len(asked) == size.requests > size.slots / 2
    assert all(len(r.prompt) + r.sampling.max_tokens <= size.longest for r in asked)


def test_a_run_counts_every_token_and_its_phases_are_all_of_its_steps(quiet):
    bed = Bed(TINY, "cpu", CAPS)
    told = [(rung, setup) for rung, setup in setups(TINY, "cpu") if not rung.gpu]
    found = {rung.name: bed.run(setup) for rung, setup in told}
    asked = sum(r.sampling.max_tokens for r in TINY.asked())
    for name, ran in found.items():
        assert ran.window.grown("tokens") == asked, name
        assert ran.prefill.took + ran.decode.took == pytest.approx(sum(ran.walls))
        assert ran.prefill.share > 0 and ran.decode.share > 0
        assert 0 < ran.window.busy < 1 and ran.window.wait == 0 and ran.verdict.constraint
    assert found["naive"].window.batch == 1 < found["paged"].window.batch
    assert len(found["naive"].walls) == asked > len(found["paged"].walls)


def test_the_least_work_is_the_same_for_every_rung(quiet):
    """What a rung does beyond it is what keeps it from the limit."""
    bed = Bed(TINY, "cpu", CAPS)
    told = dict((rung.name, setup) for rung, setup in setups(TINY, "cpu"))
    limits = [bed.run(told[name]).prefill.limit for name in ("naive", "flash")]
    assert limits[0] == limits[1] > 0


def run_of(rate, binds, **window):
    totals = {"steps": 10.0}
    report = SimpleNamespace(
        passes={"graph": 9, "eager: a prompt is in the step": 3}, totals=totals
    )
    verdict = SimpleNamespace(
        constraint=(Resource(binds),), outcome="bound", predicted=rate * 1.1, doubts=()
    )
    seen = SimpleNamespace(**{"busy": 0.4, "wait": 0.3, "batch": 2.0, "last": report} | window)
    return SimpleNamespace(
        rate=rate, verdict=verdict, window=seen, prefill=Phase(1.0, 2.0), decode=Phase(1.0, 4.0),
        walls=[1.0],
    )  # fmt: skip


class Told:
    """A bed whose runs are as told; one rung has no backend here."""

    def __init__(self, device, share=0.25):
        self.size, self.device, self.share = SIZES[device], device, share

    def gap(self, setup):
        if setup.attention == {"prefill": "fused"}:
            raise ValueError("backend 'fused' can't run this")

    def run(self, setup):
        graphs, slots = setup.graphs, setup.slots
        return run_of(*((900.0, "bandwidth") if graphs else (300.0, "host") if slots > 1 else
                        (100.0, "slots")))  # fmt: skip

    def kernel_share(self, setup, ran):
        if isinstance(self.share, Exception):
            raise self.share
        return self.share


def reported(monkeypatch, device, **options):
    monkeypatch.setattr(ablation, "resolve", lambda _: device)
    monkeypatch.setattr(ablation, "Bed", lambda *_: Told(device, **options))
    monkeypatch.setattr("constraintlab.limits.probe.capacities", lambda *_, **__: CAPS)
    monkeypatch.setattr("constraintlab.limits.machine.describe", lambda *_: {})
    found = ablation.run(rounds=2)
    return {r["metric"]: r for r in found.results}, {
        s["metric"]: s["reason"] for s in found.skipped
    }


def test_a_gpus_run_tells_the_migration_and_the_device(monkeypatch):
    found, skipped = reported(monkeypatch, "cuda")
    assert found["x_after_naive"]["value"] == 100 and found["x_after_graphs"]["value"] == 900
    assert found["x_after_batching"]["context"].startswith("×3.00 (3.00–3.00); as many requests")
    assert "verdict: " in found["x_after_graphs"]["context"]
    assert found["x_after_graphs"]["context"].endswith("9 graph, 3 eager: a prompt is in the step")
    assert "nothing on this machine" in found["x_after_paged"]["context"]
    assert found["distinct_constraints"]["context"] == "slots → host → bandwidth"
    assert found["end_to_end_speedup"]["value"] == 9
    assert found["device_busy_graphs"]["value"] == 0.25
    assert found["device_span_graphs"]["value"] == 0.4 and found["host_wait_graphs"]["value"] == 0.3
    assert found["prefill_of_limit_flash"]["value"] == 0.5
    assert found["decode_of_limit_flash"]["value"] == 0.25
    assert skipped == {"x_after_fused": "backend 'fused' can't run this"}


def test_where_no_kernel_can_be_recorded_that_is_said(monkeypatch):
    found, skipped = reported(monkeypatch, "cuda", share=RuntimeError("none was recorded"))
    assert "device_busy_graphs" not in found and found["device_span_graphs"]["value"] == 0.4
    assert skipped["device_busy_graphs"] == "none was recorded"


def test_a_cpus_run_has_no_graphs_and_says_why(monkeypatch):
    found, skipped = reported(monkeypatch, "cpu")
    assert skipped["x_after_graphs"].startswith("no NVIDIA GPU here")
    assert "x_after_graphs" not in found and found["device_busy_paged"]["value"] == 0.4
    assert not any(name.startswith("host_wait") for name in found)


def test_kernels_are_timed_in_a_run_of_their_own_over_the_same_steps(quiet):
    """On a CPU by torch's operations: what is recorded is the same, and nothing beyond it."""
    bed, setup = Bed(TINY, "cpu", CAPS), TINY.setup("cpu")
    ran = bed.run(setup)
    hour = replace(ran, walls=[3600.0 / len(ran.walls)] * len(ran.walls))
    share = bed.kernel_share(setup, hour)
    assert 0 < share < 0.01, "seconds of an hour"


def test_where_nothing_is_recorded_there_is_no_share(quiet, monkeypatch):
    class Blind:
        def __init__(self, **_):
            pass

        __enter__ = __exit__ = lambda self, *_: self

        def events(self):
            return []

    monkeypatch.setattr("torch.profiler.profile", Blind)
    bed, setup = Bed(TINY, "cpu", CAPS), TINY.setup("cpu")
    with pytest.raises(RuntimeError, match="recorded no kernel"):
        bed.kernel_share(setup, bed.run(setup))


def test_a_host_that_mostly_waits_is_in_doubt(quiet):
    ran = Bed(TINY, "cpu", CAPS).run(TINY.setup("cpu"))
    host = replace(ran.verdict, constraint=(Resource.HOST,), doubts=())
    idle = SimpleNamespace(wait=0.8)
    assert "wait for 80% of the time" in doubted(host, idle).doubts[0]
    assert not doubted(host, idle).sure
    assert doubted(host, SimpleNamespace(wait=0.2)) is host
    other = replace(host, constraint=(Resource.BANDWIDTH,))
    assert doubted(other, idle) is other


def test_kernels_that_overlap_count_once():
    assert covered([(3.0, 4.0), (0.0, 1.0), (0.5, 2.0), (0.6, 0.7)]) == 3.0
    assert covered([]) == 0.0


def test_how_passes_ran_is_told_most_frequent_first():
    empty = EngineReport(0.0, {}, 0, 0, 1, (1, 0, 0), 1, (), (), (), {})
    assert passes(empty) == ""
    assert passes(SimpleNamespace(passes={"a": 1, "b": 5})) == "5 b, 1 a"


def test_it_runs_on_a_machine_without_a_panel_or_a_server():
    names = {"altair", "anywidget", "ipywidgets", "starlette", "uvicorn", "msgspec", "orjson"}
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from typer.testing import CliRunner
from constraintlab.cli import app
import constraintlab.bench.ablation, constraintlab.engine.model.device_runner
assert CliRunner().invoke(app, ["bench", "ablation", "--help"]).exit_code == 0
from constraintlab.engine.setup import Setup, build
assert build(Setup("nano", blocks=8, device="cpu"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not done.returncode, done.stderr
