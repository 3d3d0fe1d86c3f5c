"""The bench of verdicts at a small size."""

import json

from constraintlab.bench import diagnose
from constraintlab.bench.interval import proportion
from constraintlab.course import perturbing

METRICS = [
    "constraint_accuracy_virtual", "next_accuracy", "speedup_median_error",
    "confident_wrong_share", "rank_perturb_agreement",
]  # fmt: skip


def test_every_metric_is_there_and_what_is_not_is_said():
    told = []
    report = diagnose.run(5, 4, say=told.append)
    assert [r["metric"] for r in report.results] == METRICS
    assert report.skipped == [{"metric": "constraint_accuracy_real", "reason": diagnose.NONE}]
    for r in report.results:
        assert r["low"] <= r["value"] <= r["high"] and "4 scenarios of seed 5" in r["context"]
    shares = {r["metric"]: r["value"] for r in report.results}
    wrong = [line for line in told if line.startswith("wrong:")]
    assert shares["constraint_accuracy_virtual"] == 1 - len(wrong) / 4
    assert any(line.startswith("truth") and "right" in line for line in told)


def test_a_proportion_has_wilsons_interval():
    # 8 of 10: (0.8 + 0.192) / 1.384 ± …, as tabled
    found = proportion(8, 10)
    assert (found.value, round(found.low, 3), round(found.high, 3)) == (0.8, 0.49, 0.943)
    sure = proportion(10, 10)
    assert sure.value == sure.high == 1.0 and round(sure.low, 3) == 0.722


def test_the_command_prints_json_alone_or_a_table(capsys):
    assert perturbing.main(0, 1, 3, json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["named"] and found["source"].startswith("modelled")
    by_name = {c["capacity"]: c for c in found["capacities"]}
    low, high = by_name["compute"]["elasticity"][1:]
    assert low <= by_name["compute"]["elasticity"][0] <= high
    assert by_name["tokens"]["predicted_elasticity"] is None
    assert perturbing.main(0, 1, 3, json=False) == 0
    said = capsys.readouterr().out
    assert "elasticity" in said and "largest share by perturbation" in " ".join(said.split())
    assert perturbing.main(0, 1, 7, json=False) == 2
    assert "use 2, 3, 4" in capsys.readouterr().err
