"""One server under each version's names gives one verdict; what is missing is not zero."""

from dataclasses import replace

import pytest

from constraintlab.limits.resource import Resource
from constraintlab.load.slo import Slo
from constraintlab.watch.facts import Told
from constraintlab.watch.judge import judge
from constraintlab.watch.window import Window
from constraintlab.watch.words import sentence
from tests.unit.watch.servers import (
    EACH,
    FEW_SLOTS,
    KV_STARVED,
    QUIET,
    RATES,
    VERSIONS,
    diagnosed,
    grown,
    looked,
    text,
)

R = Resource


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("moments", "outcome", "constraint"),
    [(KV_STARVED, "bound", R.KV_CAPACITY), (FEW_SLOTS, "bound", R.SLOTS),
     (QUIET, "demand", R.DEMAND)],
    ids=["kv", "slots", "quiet"],
)  # fmt: skip
def test_every_version_gives_the_same_verdict(version, moments, outcome, constraint):
    found = diagnosed(version, moments)
    assert (found.verdict.outcome, found.verdict.constraint) == (outcome, (constraint,))
    assert found.family == version.split()[0]
    assert found.facts["tokens"] == pytest.approx(400)
    assert found.facts["itl"] == pytest.approx(0.02)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_restart_in_between_changes_nothing(version):
    moments = KV_STARVED[:6] + grown(
        RATES | {"preempted": 0.5}, {"running": 9, "waiting": 6, "kv": 0.95, "open": 15},
        each=EACH, seconds=5,
    )  # fmt: skip
    found = diagnosed(version, moments)
    assert found.verdict.constraint == (R.KV_CAPACITY,)
    # eleven seconds, of which one has the tokens from the start to its first look
    assert 300 < found.facts["tokens"] <= 400


@pytest.mark.parametrize("version", VERSIONS)
def test_a_look_that_fails_is_a_gap_and_not_a_zero(version):
    found = diagnosed(version, KV_STARVED, timeout_at=(3, 4, 7))
    assert found.gaps == 3 and found.looks == 8
    assert found.facts["tokens"] == pytest.approx(400)
    assert found.facts["waits"] == 1.0
    assert found.verdict.constraint == (R.KV_CAPACITY,)
    assert any("3 of 11 looks failed" in note for note in found.notes)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("how", [{"without": ("kv",)}, {"zeros": ("kv",)}], ids=["lacks", "zero"])
def test_a_kv_gauge_that_is_missing_or_stuck_at_zero_is_no_evidence(version, how):
    found = diagnosed(version, KV_STARVED, **how)
    assert "kv" not in found.facts and found.verdict.constraint != (R.SLOTS,)
    assert found.verdict.outcome == "insufficient evidence" and found.confidence == ""
    assert any(line.startswith("KV usage") for line in found.asks)
    sure = diagnosed(version, FEW_SLOTS, **how)
    assert sure.verdict.constraint == (R.SLOTS,) and sure.confidence == "medium"


@pytest.mark.parametrize("version", ["vllm 0.4", "sglang 0.5"])
def test_without_the_gauge_of_waiting_requests_there_is_no_verdict(version):
    found = diagnosed(version, KV_STARVED, without=("waiting",))
    assert found.verdict.outcome == "insufficient evidence" and not found.verdict.constraint
    assert "does not report" in found.verdict.missing[0]
    assert any("is missing: start" in line for line in found.asks)


def test_a_waiting_gauge_that_reads_zero_is_held_against_little_s_law():
    """Six wait, half a second each at four a second is two: the gauge says none."""
    found = diagnosed("vllm 0.11", FEW_SLOTS, zeros=("waiting",))
    assert found.facts["waiting"] == pytest.approx(4 * 0.45)
    assert found.facts.readings["waiting"].source.startswith("modelled: Little")
    assert any("reads 0 although" in note for note in found.notes)
    assert found.verdict.outcome != "demand"


def test_a_running_gauge_that_reads_zero_while_tokens_come_is_no_evidence():
    found = diagnosed("vllm 0.11", QUIET, zeros=("running",))
    assert "8.0 streams: no evidence" in found.facts.why("running")
    assert found.verdict.outcome == "insufficient evidence"


def test_ranks_of_one_scheduler_count_once_and_engines_add_up():
    found = diagnosed("sglang 0.5", FEW_SLOTS)
    assert found.facts["running"] == 8 and found.facts["tokens"] == pytest.approx(400)
    both = text("vllm 0.9", FEW_SLOTS[0]) + "".join(
        line.replace('engine="0"', 'engine="1"') + "\n"
        for line in text("vllm 0.9", KV_STARVED[0]).splitlines()
        if not line.startswith("#")
    )
    samples, _ = looked([both])
    assert samples[0].values["server.running"] == 16
    assert samples[0].values["server.running@engine=0,model_name=m"] == 8
    assert samples[0].values["server.kv_used_share@engine=1,model_name=m"] == 0.93


def test_one_engine_that_is_full_beside_an_empty_one_is_told():
    def both(moment):
        idle = replace(moment, running=1, waiting=0, kv=0.02)
        return text("vllm 0.9", moment) + "".join(
            line.replace('engine="0"', 'engine="1"') + "\n"
            for line in text("vllm 0.9", idle).splitlines()
            if not line.startswith("#")
        )

    samples, family = looked([both(m) for m in KV_STARVED])
    found = judge(Window.of(samples), family)
    assert found.verdict.constraint == (R.KV_CAPACITY,)
    assert found.facts["kv"] == pytest.approx(0.95, abs=0.01), "where requests wait, not the mean"
    assert any(n.startswith("kv_used_share by engine: ") for n in found.notes)
    assert found.as_dict()["engines"]["kv_used_share"].keys() == {
        "engine=0,model_name=m", "engine=1,model_name=m"
    }  # fmt: skip


def test_a_detokeniser_that_lags_is_found_by_requests_that_the_scheduler_does_not_know():
    """SGLang issue 34740: TTFT tens of seconds, every queue 0, KV far from full."""
    jam = {"running": 3, "waiting": 0, "kv": 0.05, "open": 60}
    each = EACH | {"ttft": ((20.0, 2),), "e2e": ((30.0, 2),), "queue": ((0.01, 2),)}
    moments = grown(RATES | {"requests": 2}, jam, each=each, seconds=70)
    assert diagnosed("sglang 0.4", moments[:20]).verdict.outcome == "demand", "too short for a law"
    assert diagnosed("sglang 0.5", moments[:20]).verdict.constraint == (R.HOST,), "it is counted"
    for version in ("sglang 0.5", "sglang 0.4", "vllm 0.11"):
        found = diagnosed(version, moments)
        assert found.verdict.constraint == (R.HOST,), version
        assert found.verdict.outcome == "bound"
    assert (
        "the scheduler knows" in found.verdict.evidence[0]
        or "its scheduler knows of 3" in (found.verdict.evidence[0])
    )
    assert found.tries and "front ends" in found.tries[0]


def test_requests_that_are_handed_from_prefill_to_decode_are_not_the_front_end_s():
    split = {"running": 3, "waiting": 0, "kv": 0.05, "open": 60, "handed": 57}
    found = diagnosed("sglang 0.5", grown(RATES | {"busy": 0.9}, split,
                                          each=EACH | {"queue": ((0.001, 4),)}))  # fmt: skip
    assert found.verdict.outcome == "demand" and found.facts["outside"] == 0


def test_a_gpu_that_idles_while_requests_wait_is_the_host():
    moments = grown(RATES | {"busy": 0.3}, {"running": lambda t: 5 + t % 4, "waiting": 9, "kv": 0.3,
                                            "open": 16}, each=EACH)  # fmt: skip
    assert diagnosed("sglang 0.5", moments).verdict.constraint == (R.HOST,)
    busy = grown(RATES | {"busy": 0.99}, {"running": lambda t: 5 + t % 4, "waiting": 9, "kv": 0.3,
                                          "open": 16}, each=EACH)  # fmt: skip
    found = diagnosed("sglang 0.5", busy)
    assert found.verdict.outcome == "insufficient evidence"
    assert found.verdict.missing == ("slots: the server does not report constraintlab:slots",)


def test_estimated_work_against_the_peaks_tells_compute_from_bandwidth():
    gauges = {"running": 8, "waiting": 6, "kv": 0.2}
    told = Told(flops=989e12, bytes=3.35e12)
    compute = grown(RATES | {"flops": 700e12, "read": 0.5e12}, gauges, each=EACH)
    found = diagnosed("vllm 2026", compute, told)
    assert found.verdict.constraint[0] is R.COMPUTE
    assert found.facts["compute"] == pytest.approx(700 / 989)
    memory = grown(RATES | {"flops": 60e12, "read": 2.8e12}, gauges, each=EACH)
    assert diagnosed("vllm 2026", memory, told).verdict.constraint[0] is R.BANDWIDTH
    blind = diagnosed("vllm 2026", memory)
    assert blind.verdict.constraint == (R.SLOTS,)
    assert any("--peak-bandwidth" in line for line in blind.asks)


def test_prompts_that_fill_the_steps_are_compute_by_elimination_and_not_surely():
    moments = grown({"prompts": 9000, "tokens": 300, "requests": 4},
                    {"running": lambda t: 5 + t % 4, "waiting": 9, "kv": 0.3, "open": 16},
                    each=EACH)  # fmt: skip
    found = diagnosed("vllm 0.11", moments)
    assert found.verdict.constraint == (R.COMPUTE,) and found.confidence != "high"


PROBED = {"probe.gaps": 31.0, "probe.ended": 1.0, "probe.lag_s": 0.001, "probe.tokens": 32.0,
          "probe.bunched_share": 0.7, "probe.ttft_s": 0.5, "probe.ttft_max_s": 0.6}  # fmt: skip


def test_tokens_that_come_late_are_network_or_host_by_the_front_end_s_core():
    far = PROBED | {"probe.itl_s": 0.06}
    idle = [replace(m, cpu=0.1 * t) for t, m in enumerate(QUIET)]
    found = diagnosed("vllm 0.11", idle, probed=far)
    assert found.verdict.constraint == (R.NETWORK,)
    assert "60 ms at a client, 20 ms at the server" in found.verdict.evidence[0]
    busy = [replace(m, cpu=0.97 * t) for t, m in enumerate(QUIET)]
    assert diagnosed("vllm 0.11", busy, probed=far).verdict.constraint == (R.HOST,)
    both = diagnosed("vllm 0.9", QUIET, probed=far)
    assert set(both.verdict.constraint) == {R.NETWORK, R.HOST} and both.confidence == "medium"
    assert any("can't be told apart" in e for e in both.verdict.evidence)
    theirs = diagnosed("sglang 0.4", QUIET, probed=far)
    assert theirs.verdict.constraint == (R.NETWORK,), "its ITL is taken behind the detokeniser"


def test_a_client_that_keeps_up_leaves_the_verdict_as_it_is():
    near = PROBED | {"probe.itl_s": 0.021}
    found = diagnosed("vllm 0.11", QUIET, probed=near)
    assert found.verdict.outcome == "demand" and found.confidence == "high"
    alone = diagnosed("vllm 0.11", QUIET)
    assert alone.confidence == "medium"
    assert any("what clients see is not known" in e for e in alone.verdict.evidence)


def test_the_probe_s_own_lateness_is_not_the_network_s():
    late = PROBED | {"probe.itl_s": 0.06, "probe.lag_s": 1.5}
    assert diagnosed("vllm 0.11", QUIET, probed=late).verdict.outcome == "demand"


def test_the_late_below_saturation_waited_for_what_bound_while_something_waited():
    """A burst every ten seconds: nothing binds on average, and the p99 waits for slots."""
    burst = {"running": lambda t: 8 if t % 10 >= 6 else 3, "kv": 0.1, "open": 3,
             "waiting": lambda t: 5 if t % 10 >= 6 else 0}  # fmt: skip
    each = EACH | {"ttft": ((0.02, 3.9), (0.9, 0.1)), "queue": ((0.001, 3.9), (0.8, 0.1)),
                   "prefill": ((0.02, 4),)}  # fmt: skip
    moments = grown(RATES, burst, seconds=40, each=each)
    found = diagnosed("vllm 0.11", moments, slo=Slo(ttft=0.25, itl=0.05))
    assert found.verdict.outcome == "demand" and found.verdict.next[0] is R.SLOTS
    ttft, itl = found.late
    assert ttft.missed and ttft.p99 == (0.5, 1.0) and ttft.share == pytest.approx(0.025)
    assert ttft.waited == "in the queue (p99 500 ms to 1 s), for slots"
    assert itl.missed is False and itl.p99 == (0.01, 0.025)
    assert sentence(found).endswith(
        "Yet the latest miss ttft: they waited in the queue (p99 500 ms to 1 s), for slots."
    )
    unsure = diagnosed("vllm 0.11", moments, slo=Slo(ttft=0.7)).late[0]
    assert unsure.missed is None and "does not tell" in str(unsure)


def test_a_server_in_which_nothing_happens_is_bound_by_demand():
    still = grown({}, {"running": 0, "waiting": 0, "kv": 0.0, "open": 0})
    for version in VERSIONS:
        found = diagnosed(version, still)
        assert found.verdict.outcome == "demand", version


def test_two_looks_are_too_few():
    found = diagnosed("vllm 0.11", KV_STARVED[:2])
    assert found.verdict.outcome == "insufficient evidence"
    assert found.verdict.missing == ("only 2 of the looks came through, 3 are needed",)
