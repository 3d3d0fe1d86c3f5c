"""The scoreboard of policies: who stands where, with what interval, on one log axis."""

import math
from dataclasses import replace

import pytest

from constraintlab.limits.estimate import Estimate
from constraintlab.panel.charts import scoreboard
from constraintlab.panel.charts.scoreboard import Score
from constraintlab.panel.palette import COLOURS, THEMES


def about(seconds):
    return Estimate(seconds, 0.8 * seconds, 1.25 * seconds, "s")


def scores(**changes):
    """FCFS, MLFQ and one's own; changes: p99 of the short half by policy."""
    short = {"FCFS": 2.9, "MLFQ": 0.29, "mine": 0.58} | changes
    long = {"FCFS": 3.0, "MLFQ": 6.0, "mine": 3.0}
    return [
        Score(p, g, about(0.1), v if isinstance(v, Estimate) else about(v))
        for g, of in (("short", short), ("long", long))
        for p, v in of.items()
    ]


ABSENT = Estimate.absent("s", "n 60 < 100")


def classes(**more):
    return scoreboard.spec(scores(), "light", **more)["hconcat"]


def layers(chart, mark):
    return [x for x in chart["layer"] if x["mark"]["type"] == mark]


def test_the_lowest_p99_of_the_first_class_comes_first_and_a_withheld_one_last():
    assert scoreboard.ranked(scores()) == ["MLFQ", "mine", "FCFS"]
    assert scoreboard.ranked(scores(MLFQ=ABSENT)) == ["mine", "FCFS", "MLFQ"]
    for chart in classes():
        (rule,) = layers(chart, "rule")
        assert rule["encoding"]["y"]["sort"] == ["MLFQ", "mine", "FCFS"]


def test_both_classes_stand_on_the_same_log_axis():
    scales = [layers(chart, "point")[0]["encoding"]["x"]["scale"] for chart in classes()]
    # 80 ms ÷ 1.5 and 7.5 s · 1.5
    assert scales == [{"type": "log", "domain": [0.05, 20.0], "nice": False}] * 2
    assert [chart["title"]["text"] for chart in classes()] == ["short", "long"]


def test_a_dot_has_its_interval_and_an_open_one_goes_to_the_end():
    open_ = replace(about(0.5), high=math.inf)
    made = scoreboard.rows(scores(mine=open_), "short")
    mine = next(r for r in made if (r["policy"], r["p"]) == ("mine", "p99"))
    assert (mine["x"], mine["low"], mine["high"], mine["text"]) == (0.5, 0.4, 20.0, "500 ms")
    assert [r["policy"] for r in made if r["open"]] == ["mine"]
    said = scoreboard.text(scores(mine=open_))
    assert "short, mine: p50 100 ms (80 ms to 125 ms), p99 500 ms (400 ms to open)." in said


def test_your_own_policy_is_set_off_without_a_resource_s_colour():
    plain, own = classes()[0], classes(own="mine")[0]
    assert layers(plain, "rect") == [] and len(layers(own, "rect")) == 1
    (rule,) = layers(own, "rule")
    assert rule["encoding"]["color"]["condition"]["value"] == THEMES["light"]["text"]
    bold = [x for x in layers(own, "text") if x["mark"].get("fontWeight") == "bold"]
    assert [r["policy"] for x in bold for r in x["data"]["values"]] == ["mine"]
    assert not any(colour in str(classes(own="mine")) for colour in COLOURS.values())


@pytest.mark.parametrize(
    ("own", "changes", "says"),
    [
        ("", {}, "MLFQ has the lowest p99 of short: 290 ms, FCFS 10 times that; of long 6 s, "
                 "2 times the lowest"),
        ("mine", {}, "mine is 2nd of 3 by p99 of short: 580 ms, MLFQ 290 ms; of long 3 s, "
                     "the lowest too"),
        ("mine", {"mine": 0.2}, "mine has the lowest p99 of short: 200 ms, FCFS 14 times that; "
                                "of long 3 s, the lowest too"),
        ("mine", {"mine": ABSENT}, "MLFQ has the lowest p99 of short: 290 ms, FCFS 10 times that; "
                                   "of long 6 s, 2 times the lowest"),
        ("", dict.fromkeys(("FCFS", "MLFQ", "mine"), ABSENT),
         "p99 of short is withheld for every policy"),
    ],
)  # fmt: skip
def test_the_title_says_where_it_stands_and_what_that_costs_the_others(own, changes, says):
    assert scoreboard.title(scores(**changes), own) == says


def test_a_withheld_percentile_has_no_dot_and_says_why():
    made = scoreboard.spec(scores(mine=ABSENT), "light")["hconcat"][0]
    dots = [r for x in layers(made, "point") for r in x["data"]["values"]]
    assert [r["p"] for r in dots if r["policy"] == "mine"] == ["p50"]
    assert "p99 n/a: n 60 < 100" in str(made)
    assert "short, mine: p50 100 ms (80 ms to 125 ms), p99 n/a: n 60 < 100." in scoreboard.text(
        scores(mine=ABSENT)
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_draws_and_has_the_finding_first(theme):
    picture = scoreboard.picture(scores(), "mine", finding="Mine is good")
    assert picture.png(theme)[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.text.startswith("Mine is good. short, MLFQ: p50 100 ms")
    heading = scoreboard.spec(scores(), theme)["title"]
    assert heading["subtitle"].endswith("seconds on a log axis · measured")


def test_what_can_not_be_drawn_is_refused():
    with pytest.raises(ValueError, match="one score for each class"):
        scoreboard.picture(scores()[:-1])
    with pytest.raises(ValueError, match="one score for each class"):
        scoreboard.picture([])
    with pytest.raises(ValueError, match=r"a, b: 0.0 s: give seconds above 0"):
        Score("a", "b", Estimate(0.0, 0.0, 0.0, "s"), about(1.0))
