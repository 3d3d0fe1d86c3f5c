"""The chart of latencies in a notebook and in the panel's still picture."""

import math
from itertools import pairwise

import pytest

from constraintlab.panel import Curve, Latency, Panel
from constraintlab.panel.charts import ecdf
from constraintlab.panel.palette import COLOURS, TONES
from tests.unit.panel.cases import filled

TWO = Latency(
    "TTFT", [Curve("short half", [0.1] * 190 + [3.0] * 10), Curve("long half", [0.2])], slo=1.0
)


def layers(chart, mark):
    return [x for x in chart["layer"] if x["mark"]["type"] == mark]


def words(node):
    """All texts in the rows of a spec."""
    if isinstance(node, dict):
        own = [node["text"]] if isinstance(node.get("text"), str) else []
        return own + [w for v in node.values() for w in words(v)]
    return [w for v in node for w in words(v)] if isinstance(node, list) else []


def test_the_steps_go_up_at_each_sample_and_end_at_the_largest():
    made = ecdf.rows(Latency("TTFT", [Curve("a", [0.1, 0.2, 0.4, 0.8])]))
    assert [(r["x"], round(10 ** -r["y"], 9)) for r in made] == [
        (0.1, 1), (0.1, 0.75), (0.2, 0.75), (0.2, 0.5), (0.4, 0.5), (0.4, 0.25), (0.8, 0.25),
        (0.8, 0.25),
    ]  # fmt: skip
    assert [r["place"] for r in made] == list(range(8))


def test_time_is_on_a_log_axis_and_shares_go_by_nines():
    (line,) = layers(ecdf.plot(TWO, "light"), "line")
    assert line["encoding"]["x"]["scale"] == {
        "type": "log", "domain": [0.1, 5.0], "nice": False, "clamp": True
    }  # fmt: skip
    assert line["encoding"]["y"]["scale"]["domain"] == [0, 2.5]
    texts = [r["text"] for x in layers(ecdf.plot(TWO, "light"), "text") for r in
             x["data"]["values"] if "text" in r]  # fmt: skip
    assert texts == ["0%", "50%", "90%", "99%", "SLO 1 s"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_curves_have_neutral_tones_and_dashes_of_their_own(theme):
    (line,) = layers(ecdf.plot(TWO, theme), "line")
    looks = {(r["ink"], tuple(r["dash"])) for r in line["data"]["values"]}
    assert looks == {(TONES[theme][0], (1, 0)), (TONES[theme][1], (7, 3))}
    assert line["encoding"]["color"] == {"field": "ink", "type": "nominal", "scale": None}


def test_no_resource_s_colour_is_in_it_beside_a_roofline():
    panel = filled()
    panel.set_latency(TWO)
    chart = ecdf.both(TWO, "light", 900)
    assert not any(colour in str(chart) for colour in COLOURS.values())
    assert panel.png() != filled().png()


def test_dots_stand_at_the_percentiles_that_are_known():
    (dots,) = layers(ecdf.plot(TWO, "light"), "point")
    assert [(r["curve"], r["x"], round(r["y"], 6)) for r in dots["data"]["values"]] == [
        ("short half", 0.1, round(math.log10(2), 6)), ("short half", 0.1, 1.0),
        ("short half", 3.0, 2.0),
    ]  # fmt: skip


def test_the_table_has_counts_percentiles_and_who_meets_the_slo():
    told = words(ecdf.table(TWO, "light"))
    for text in ("n", "p99.9", "≤ 1 s", "200", "100 ms", "3 s", "n < 1,000", "95%", "long half"):
        assert text in told, text


def test_names_never_cover_each_other():
    curves = [Curve(f"policy {i}", [0.1 * j for j in range(1, 101)]) for i in range(4)]
    at = sorted(row["dy"] for row in ecdf.labels(Latency("TTFT", curves)))
    assert all(b - a >= 14 for a, b in pairwise(at))


def test_a_name_without_room_on_the_right_stands_left_of_its_end():
    wide = Latency("TTFT", [Curve("a policy with a long name", [0.1, 1.99])])
    assert ecdf.labels(wide)[0]["align"] == "right"
    assert ecdf.labels(TWO)[1]["align"] == "left"


def test_a_picture_says_all_numbers_and_draws_in_both_themes():
    picture = ecdf.picture(TWO)
    assert picture.text == (
        "TTFT: long half: 1 request so far: p90 needs 10; 95% of short half, 100% of long half "
        "within the SLO of 1 s. short half: n 200, p50 100 ms, p90 100 ms, p99 3 s, p99.9 "
        "withheld: n 200 < 1,000, 95% within 1 s; long half: n 1, p50 withheld: n 1 < 2, p90 "
        "withheld: n 1 < 10, p99 withheld: n 1 < 100, p99.9 withheld: n 1 < 1,000, 100% within 1 s."
    )
    assert picture.png("light") != picture.png("dark")
    title = ecdf.spec(TWO, "light")["title"]
    assert title["subtitle"] == "TTFT, share of requests this fast or faster · measured"


def test_a_panel_without_samples_has_no_such_chart():
    empty = Panel()
    before = empty.png()
    empty.set_latency(Latency("TTFT", [Curve("a", [])]))
    assert empty.png() == before
