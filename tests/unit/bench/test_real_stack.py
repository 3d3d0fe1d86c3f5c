"""The real part of the bench of verdicts, with two scenarios. Who is right is the bench's part."""

import pytest

from constraintlab.bench import diagnose
from constraintlab.bench.report import Report
from constraintlab.course.judge import REAL
from constraintlab.limits.machine import describe

pytestmark = pytest.mark.long


def test_the_metric_has_its_interval_and_says_how_it_came_about():
    told, report = [], Report("diagnose", describe())
    diagnose.real_part(report, 11, 2, False, told.append)
    (found,) = report.results
    assert found["metric"] == "constraint_accuracy_real"
    assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
    for said in ("2 scenarios of seed 11", "device's time simulated", "µs a token"):
        assert said in found["context"], found["context"]
    right = sum("right" in line for line in told if line.startswith("real "))
    assert found["value"] == right / 2
    assert REAL.startswith("measured") and "simulated" in REAL
