"""How many replicas a promise takes: against a closed form, and what can't be promised."""

import json
import math

import pytest
from typer.testing import CliRunner

from constraintlab.cli import app
from constraintlab.course import planning
from constraintlab.course.planning import MOST, size
from constraintlab.engine.setup import Setup
from constraintlab.engine.virtual.cost import StepCost
from constraintlab.load.profiles import Lengths, Profile
from constraintlab.load.slo import Slo

ONE = Setup(policy="continuous", slots=1, tokens=8, blocks=64)
"""One at a time: M/D/1 where all are alike, service a second."""

COST = StepCost(fixed=0.1)
ALIKE = Profile("alike", Lengths.exactly(4), Lengths.exactly(10))


def wait(load):
    """Mean wait of M/D/1 in services, by Pollaczek and Khinchine."""
    return load / (2 * (1 - load))


@pytest.mark.long
def test_the_replicas_that_the_mean_takes_are_those_of_the_closed_form():
    found = size(ALIKE, 8.0, Slo(ttft=1.0), ONE, COST)
    n = found.by_mean.replicas
    assert 8 / n < 1
    assert n == min(k for k in range(9, 40) if wait(8 / k) + 0.1 <= 1.0)
    assert found.by_mean.all("ttft").mean == pytest.approx(wait(8 / n) + 0.1, rel=0.25)
    assert found.by_tail.replicas > n and not found.by_tail.broken(Slo(ttft=1.0), 99.0)
    fewer = [s for s in found.tried if s.replicas < found.by_tail.replicas]
    assert fewer and all(s.broken(Slo(ttft=1.0), 99.0) == ["ttft"] for s in fewer)


def test_what_the_slowest_spent_it_on_is_a_slot():
    found = size(ALIKE, 8.0, Slo(ttft=1.0), ONE, COST, requests=300).by_mean
    spent = found.spent("ttft")
    assert next(iter(spent)) == "slots" and spent["prompt"] == pytest.approx(0.1)
    assert sum(spent.values()) >= found.all("ttft")[99]


def test_both_limits_must_hold_and_the_one_that_breaks_is_named():
    found = size(ALIKE, 8.0, Slo(ttft=30.0, e2e=2.5), ONE, COST, requests=300)
    assert found.by_mean.broken(Slo(ttft=30.0, e2e=2.5), 99.0) == ["e2e"]
    assert MOST in [s.replicas for s in found.tried]


@pytest.mark.parametrize(
    "rate, slo, match",
    [
        (8.0, Slo(ttft=0.05), "no number of replicas"),
        (8.0, Slo(e2e=0.9), "nearly idle"),
        (0.0, Slo(ttft=1.0), "above 0"),
        (math.nan, Slo(ttft=1.0), "above 0"),
        (8.0, Slo(), "what is promised"),
        (8.0, Slo(itl=0.1), "tells ttft and e2e"),
    ],
)
def test_what_can_t_be_answered_says_why(rate, slo, match):
    with pytest.raises(ValueError, match=match):
        size(ALIKE, rate, slo, ONE, COST, requests=100)


def test_the_command_answers_in_words_and_in_json(monkeypatch):
    monkeypatch.setattr(planning, "RUNS", 1)
    asked = ["plan", "40", "ttft=300ms", "--slots", "16", "-p", "90"]
    words = CliRunner().invoke(app, asked)
    assert words.exit_code == 0, words.output
    assert "replicas keep ttft ≤ 300 ms at p90" in words.stdout and "modelled" in words.stdout
    assert "nearly idle" in words.stderr
    told = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert 1 <= told["by_mean"] <= told["by_tail"] and told["p"] == 90
    assert {s["replicas"] for s in told["tried"]} >= {told["by_mean"], told["by_tail"], MOST}


@pytest.mark.parametrize(
    "options, match",
    [
        (["10", "ttft=300ms", "-p", "50"], "give 90 or 99"),
        (["10", "ttft=soon"], "give ttft"),
        (["10", "ttft=1s", "--profile", "poems"], "use chat, code"),
        (["10", "ttft=1s", "--policy", "lifo"], "use static"),
        (["10", "ttft=1s", "--slots", "64", "--tokens", "8"], "at least as many tokens"),
    ],
)
def test_a_wrong_option_is_told_with_what_to_give(options, match):
    found = CliRunner().invoke(app, ["plan", *options])
    assert found.exit_code == 2 and match in found.stderr
