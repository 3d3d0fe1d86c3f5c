"""Forecasts: kept before the fix, held against it, scored over all labs."""

import json
import math
from types import SimpleNamespace

import pytest

from constraintlab.course.forecast import Forecast, Forecasts, Score, score
from constraintlab.course.forecast_table import beside
from constraintlab.course.lab import Lab
from constraintlab.course.progress import Progress
from constraintlab.limits.catalogue import more, wider_link
from constraintlab.limits.diagnose import diagnose
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource as R
from constraintlab.limits.stack import Stack
from constraintlab.limits.stations import link
from constraintlab.limits.work import Kernel, Work
from tests.unit.limits.cases import GIGA, MEGA, machine


def gain(value, low=None, high=None):
    return Estimate(value, value if low is None else low, value if high is None else high, "×")


def forecast(predicted, measured=None, then=(R.HOST,), bound=()):
    return Forecast("a fix", gain(*predicted), then, measured and gain(*measured), bound)


@pytest.fixture
def progress(tmp_path):
    return Progress(tmp_path / "progress.json")


@pytest.fixture
def starved():
    """A link that carries 0.4 of what the engine makes: ×2.5 without it."""
    stack = Stack((Kernel("k", Work(GIGA)),), stations=(link(2.5e3, MEGA),))
    return diagnose(stack, machine())


def test_a_prediction_is_kept_before_the_fix_and_held_against_it(progress, starved):
    kept = Forecasts(progress, "06")
    outlook = kept.foresee("wide", starved, wider_link(4))
    assert outlook.gain.value == pytest.approx(2.5) and outlook.constraint == (R.COMPUTE,)
    assert progress.lab("06")["forecasts"]["wide"]["measured"] is None
    assert score(progress).n == 0

    done = Forecasts(Progress(progress.path), "06").outcome("wide", gain(2.0))
    assert done.error == pytest.approx(0.25) and not done.inside and done.right is None
    assert score(progress) == Score(1, pytest.approx(0.25), 0, 0, 0)


def test_what_bound_afterwards_is_held_against_the_name(progress, starved):
    kept = Forecasts(progress, "06")
    kept.foresee("wide", starved, wider_link(4))
    after = diagnose(Stack((Kernel("k", Work(GIGA)),)), machine())
    done = kept.outcome("wide", (gain(2.5), after))
    assert done.bound == (R.COMPUTE,) and done.right and done.inside
    assert (score(progress).right, score(progress).looked) == (1, 1)


def test_without_a_prediction_there_is_no_outcome(progress):
    with pytest.raises(ValueError, match="nothing was foreseen under 'wide'"):
        Forecasts(progress, "06").outcome("wide", gain(2.0))


def test_a_new_prediction_forgets_the_old_measurement(progress, starved):
    kept = Forecasts(progress, "06")
    kept.foresee("wide", starved, wider_link(4))
    kept.outcome("wide", gain(2.0))
    kept.foresee("wide", starved, more(R.COMPUTE, 2))
    assert score(progress).n == 0


@pytest.mark.parametrize(
    ("predicted", "measured", "inside"),
    [
        ((2.0, 1.8, 2.2), (2.1,), True),
        ((2.0, 1.8, 2.2), (2.3,), False),
        ((2.0, 1.8, 2.2), (2.3, 2.1, 2.5), True),  # the two spreads meet
        ((1.0,), (0.98, 0.96, 1.01), True),
        ((1.0,), (0.98, 0.96, 0.99), False),
    ],
)
def test_inside_is_where_interval_and_spread_meet(predicted, measured, inside):
    assert forecast(predicted, measured).inside is inside


def test_what_was_measured_once_may_be_off_by_a_twentieth():
    once = forecast((1.0,)).with_outcome(1.02)
    assert once.inside and once.error == pytest.approx(1 / 1.02 - 1)
    assert not forecast((1.0,)).with_outcome(1.07).inside
    assert forecast((1.0,)).with_outcome(gain(1.02)) == once  # one round
    assert "×1.02 ±5%" in str(beside({"x": once}, Score.of([once])))


def test_one_of_two_close_names_is_enough():
    both = (R.HOST, R.KV_CAPACITY)
    assert forecast((2.0,), (2.0,), then=both, bound=(R.KV_CAPACITY,)).right
    assert forecast((2.0,), (2.0,), then=(R.COMPUTE,), bound=both).right is False
    assert forecast((2.0,), then=(R.COMPUTE,), bound=both).right is None


def test_the_score_by_hand():
    told = [
        forecast((2.0, 1.8, 2.2), (2.0,), bound=(R.HOST,)),
        forecast((3.0, 2.9, 3.1), (2.0,), bound=(R.CLIENT,)),
        forecast((1.0,), (0.9, 0.8, 1.0)),
        forecast((5.0,)),
    ]
    s = Score.of(told)
    assert s == Score(3, pytest.approx(1 / 9), 2, 1, 2)
    assert str(s) == (
        "The predictor so far: 3 fixes, median error 11%, 2 inside the interval; it named "
        "what bound next in 1 of 2."
    )
    assert str(Score.of([])) == "No prediction was measured yet."


def test_a_gain_of_nothing_is_as_far_off_as_can_be():
    assert Score.of([forecast((2.0,), (0.0,))]).error == math.inf


def test_a_forecast_survives_the_way_to_json_and_back():
    for one in (forecast((2.0, 1.8, 2.2)), forecast((2.0,), (2.1, 2.0, 2.3), bound=(R.SLOTS,))):
        assert Forecast.from_dict(json.loads(json.dumps(one.as_dict()))) == one


def test_the_score_runs_through_all_labs_and_passes_over_what_it_cannot_read(progress, starved):
    for lab, seen in (("01", 2.5), ("06", 2.0)):
        kept = Forecasts(progress, lab)
        kept.foresee("wide", starved, wider_link(4))
        kept.outcome("wide", gain(seen))
    progress.put("02", "forecasts", "odd", {"fix": "x"})
    progress.put("03", "forecasts", "odd", 7)
    found = score(progress)
    assert found.n == 2 and found.inside == 1 and found.error == pytest.approx(0.125)


def test_the_table_shows_both_and_the_score_below():
    done = {"the link": forecast((2.0, 1.8, 2.2), (2.1,), bound=(R.KV_CAPACITY,))}
    table = beside(done, Score.of(done.values()), {"steps": {"the link": "1,584"}}, "A note.")
    head, row, note = str(table).splitlines()
    assert head.split("  ")[0] == "fix" and head.endswith("bound  steps")
    for cell in (
        "×2.00 (1.80\u00a0…\u00a02.20)",
        "×2.10",
        "-5%",
        "yes",
        "host",
        "KV capacity",
        "1,584",
    ):
        assert cell in row and cell in table._repr_html_()
    assert note.startswith("A note. The predictor so far: 1 fix,")


@pytest.mark.parametrize(("seen", "off"), [(2.001, "0%"), (1.999, "0%"), (1.9, "+5%")])
def test_an_error_of_nothing_has_no_sign(seen, off):
    row = beside({"x": forecast((2.0,), (seen,))}, Score(0)).rows[0]
    assert row[3] == off


def test_a_lab_foresees_and_shows(progress, starved):
    lab = Lab("06", progress)
    lab.foresee("wide", starved, wider_link(4))
    assert "×2.50" in str(lab.outcomes({"wide": 2.4}))
    with pytest.raises(ValueError, match="run that cell first"):
        lab.outcomes({"other": gain(2.4)})
    assert SimpleNamespace(**progress.lab("06")["forecasts"]["wide"]).fix == "4 × the link"
