"""The claims' table: README has what the code makes of what is shipped, and nothing else."""

from pathlib import Path

import pytest

from constraintlab.gpu import claims, claims_cpu, claims_gpu, finding
from constraintlab.gpu.claims import CLAIMS, NO_RUN
from constraintlab.gpu.result import Result
from constraintlab.recordings.tape import Head, Tape

README = Path(__file__).resolve().parents[3] / "README.md"


def tape(lab, *events):
    head = Head(lab, "cpu", "2026-01-02T00:00:00+00:00", {"cpu": "C", "cores": "2"}, {})
    return {lab: Tape(f"{lab}-cpu", head, tuple({"t": float(i)} | e for i, e in enumerate(events)))}


def view(*labels):
    return {"do": "view", "view": {"series": [{"label": label} for label in labels]}}


def row(*shares):
    return {"do": "row", "row": [0.0, *shares, *[0.0] * len(shares)]}


def run(name, *constraint):
    return {"do": "run", "name": name, "constraint": list(constraint)}


def reveal(key, value=None, because="", truth=""):
    return {"do": "reveal", "key": key, "value": value, "because": because, "truth": truth}


def row_of(metric, value, **other):
    spread = {"low": value, "high": value, "context": ""}
    return {metric: {"metric": metric, "value": value, **spread, **other}}


def test_readme_s_table_is_what_the_code_makes_of_what_is_shipped():
    text = README.read_text(encoding="utf-8")
    made = claims.table(claims.shipped_tapes(), claims.shipped_gpu())
    assert claims.written(text, made) == text, "README's claims are out of date: `make claims`"


def test_without_a_gpu_s_run_its_column_says_so_for_every_claim():
    lines = claims.table(claims.shipped_tapes(), None).splitlines()
    rows = [line for line in lines if line.startswith("| **C")]
    assert len(rows) == len(CLAIMS) == 6
    assert all(line.endswith(f"| {NO_RUN} | — |") for line in rows)
    assert "docs/gpu.md" in lines[-1]


def test_without_a_recording_no_claim_has_a_figure():
    for claim in CLAIMS:
        found = claim.cpu({})
        assert found.measured.startswith("not measured: ") and found.verdict == "—"
        assert claim.gpu({}).measured.startswith("not measured: ")


def test_a_dry_run_s_result_is_never_a_gpu_s(tmp_path):
    path = Result(tmp_path, {}, True).write()
    with pytest.raises(ValueError, match="dry run"):
        claims.shipped_gpu(path)
    assert claims.shipped_gpu(tmp_path / "none.json") is None


def test_busy_cores_are_those_that_the_panel_drew_in_that_very_run():
    events = (view("compute", "cores busy"), row(0.1, 0.2), run("warm", "host"),
              row(0.1, 0.9), row(0.1, None), row(0.1, 1.0), run("textbook", "pages"),
              row(0.1, 0.0), reveal("binds", 14.0))  # fmt: skip
    found = claims_cpu.busy(tape("01", *events))
    assert found.measured == "cores 95% busy at 14% of peak; what binds: fresh pages"
    assert found.verdict.startswith("in kind")


def test_a_recording_without_that_line_gives_no_figure():
    found = claims_cpu.busy(tape("01", view("compute"), row(0.1), run("textbook", "pages"),
                                 reveal("binds", 14.0)))  # fmt: skip
    assert "no line of busy cores" in found.measured and found.verdict == "—"


def test_what_the_labs_found_is_read_from_their_own_words():
    inside = "0% → 27% inside kernels, while the forward pass, gaps and all, went 88% → 81%."
    found = claims_cpu.falls(tape("04", reveal("inside", 26.5, inside)))
    assert "88% → 81%" in found.measured and "0% → 27%" in found.measured
    assert found.verdict.startswith("does not hold here")
    found = claims_cpu.paging(tape("05", reveal("double", 2.5, "×2.50 (1.90 … 2.99) …")))
    assert found.measured == "× 2.50 (1.90 … 2.99)" and found.verdict == "holds, within its spread"
    found = claims_cpu.kv(tape("04", run("the wall", "slots", "kv_capacity")))
    assert found.verdict.startswith("close") and "slots and KV capacity" in found.measured
    found = claims_cpu.delivery(tape("06", run("no link", "host"), run("narrow link", "network")))
    assert found.verdict == "holds, behind a narrow link"


def test_a_convoy_is_what_the_slowest_waited_for_and_what_another_order_is_worth():
    because = "the slowest 3 of 100 (by TTFT, from 255 ms on) spent 97% of it waiting for a slot."
    events = reveal("cause", None, because, "a slot"), reveal("mlfq", 4.36)
    found = claims_cpu.convoys(tape("07", *events))
    assert found.measured.startswith(
        "the slowest 3 of 100 spent 97% of their time waiting for a sl"
    )
    assert "× 4.4 shorter" in found.measured and found.verdict == "holds"
    assert claims_cpu.convoys(tape("07", events[0])).verdict == "—"


def test_a_gpu_s_figures_come_from_its_own_rows():
    rows = row_of("naive_attention_kernel_resident", 99.0) | row_of(
        "naive_attention_peak_share", 4.2
    )
    assert claims_gpu.busy(rows).verdict == "holds"
    assert claims_gpu.busy(rows).measured == "kernel resident 99% at 4.2% of peak"
    rows = row_of("x_after_batching", 10.0, low=9.0, high=11.0, context="verdict: KV capacity") | (
        row_of("x_after_paged", 25.0, low=24.0, high=26.0)
    )
    assert claims_gpu.kv(rows).verdict == "holds"
    assert claims_gpu.paging(rows).measured == "× 2.50 (at least 2.18)"
    assert claims_gpu.paging(rows).verdict == "holds"


def test_the_device_is_compared_from_the_first_rung_to_the_last_that_ran():
    rows = row_of("device_busy_naive", 0.98) | row_of("device_busy_paged", 0.60)
    found = claims_gpu.falls(rows)
    assert found.measured == "device busy 98% (naive) → 60% (paged)" and found.verdict == "holds"
    assert "30% (graphs)" in claims_gpu.falls(rows | row_of("device_busy_graphs", 0.3)).measured
    assert claims_gpu.falls(row_of("device_busy_naive", 0.98)).verdict == "—"


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        (finding.busy(98, 3), "holds"),
        (finding.busy(98, 20), "in kind: busy says nothing of peak"),
        (finding.busy(60, 40), "does not hold here"),
        (finding.falls(98, 60), "holds"),
        (finding.falls(98, 30), "it falls, to 30%"),
        (finding.falls(60, 55), "does not hold here: it stays within ten points"),
        (finding.doubles(2.5, 2.1), "holds"),
        (finding.doubles(1.2, 1.1), "does not hold here: × 1.20"),
        (finding.binds(["network"], {"network"}), "holds"),
        (finding.binds([], {"network"}), "does not hold here"),
        (finding.convoy("its own prompt", 4.0), "does not hold here"),
        (finding.convoy("a slot", 1.0), "in part: they wait, and order changes little"),
    ],
)
def test_a_verdict_is_a_rule_over_the_figures(rule, verdict):
    assert rule == verdict


def test_a_file_without_a_place_for_the_table_is_refused_and_the_rest_is_kept():
    with pytest.raises(ValueError, match="no place for the table"):
        claims.written("text", "made")
    place = f"before {claims.BEGIN}\nold\n{claims.END} after"
    made = claims.written(place, "new")
    assert made.startswith("before ") and made.endswith(" after") and "old" not in made
    assert claims.written(made, "new") == made
