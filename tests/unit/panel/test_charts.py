"""What the roofline and the timeline draw: places and labels worked by hand."""

import math
from itertools import combinations

import pytest

from constraintlab.limits.resource import Resource as R
from constraintlab.panel import RooflinePoint, Series
from constraintlab.panel.charts import roofline, timeline
from constraintlab.panel.palette import COLOURS, DASHES, THEMES, edge

CEILINGS = (("fp32", 1e11), ("bf16", 4e11))
BANDWIDTH = 1e10
FLAT = RooflinePoint("copy", 0.0, 0.0)

TWO = (Series("a", "compute", R.COMPUTE), Series("b", "cores busy", None))
SOURCES = ("counted", "measured")


def roof(points=(), ceilings=CEILINGS):
    """The roof's corners by line, as (x, y, label)."""
    found: dict[str, list] = {}
    for c in roofline.rows(ceilings, BANDWIDTH, points)[0]:
        found.setdefault(c["line"], []).append((c["x"], c["y"], c["label"]))
    return found


def dots(*points):
    return roofline.rows(CEILINGS, BANDWIDTH, points)[1]


def heading(*points, ceilings=CEILINGS[:1], bandwidth=BANDWIDTH):
    return roofline.title(ceilings, bandwidth, points)


def test_each_ceiling_begins_where_the_slope_meets_it():
    made = roof()
    # 1e11 FLOP/s ÷ 1e10 B/s = 10 FLOP/B, 4e11 ÷ 1e10 = 40; the plot ends at 30 · 40.
    assert made["fp32"] == [(10, 1e11, ""), (1200, 1e11, "fp32 100 GFLOP/s")]
    assert made["bf16"] == [(40, 4e11, ""), (1200, 4e11, "bf16 400 GFLOP/s")]


def test_the_slope_ends_at_the_highest_ceiling_and_its_label_stands_half_way():
    made = roof()
    # From 40/100; half way between 0.4 and 40 on a log axis is √16.
    assert made["memory"] == [(0.4, pytest.approx(4e9), ""), (40, 4e11, "")]
    assert made["slope"] == [(pytest.approx(4), pytest.approx(4e10), "10.0 GB/s")]


def test_points_far_out_widen_the_plot():
    made = roof((RooflinePoint("low", 0.3, 1e9), RooflinePoint("high", 500.0, 1e10)))
    assert made["memory"][0][0] == pytest.approx(0.1)
    assert made["fp32"][1][0] == made["bf16"][1][0] == 4000


def test_the_roof_is_coloured_by_what_binds_there():
    keys = {c["line"]: c["key"] for c in roofline.rows(CEILINGS, BANDWIDTH, ())[0]}
    assert keys == {"memory": "bandwidth", "slope": "bandwidth", "fp32": "compute",
                    "bf16": "compute"}  # fmt: skip


def test_a_dot_knows_the_roof_above_it():
    (low,), (high,) = dots(RooflinePoint("a", 2.0, 5e9)), dots(RooflinePoint("b", 100.0, 1e11))
    assert (low["x"], low["y"], low["roof"], high["roof"]) == (2.0, 5e9, 2e10, 4e11)
    assert low["why"] == "a: 5.00 GFLOP/s at 2 FLOP per byte, 25% of the roof there"


def test_runs_are_drawn_over_ghosts_and_the_fastest_on_top():
    made = dots(
        RooflinePoint("fast", 2.0, 9e9), RooflinePoint("ghost", 2.0, 8e10, True),
        RooflinePoint("slow", 2.0, 1e8), FLAT,
    )  # fmt: skip
    assert [d["name"] for d in made] == ["ghost", "slow", "fast"]
    assert [d["ghost"] for d in made] == [True, False, False]


def test_names_at_the_same_place_are_moved_apart_and_others_stay():
    same = [RooflinePoint(name, 2.0, 5e9) for name in "abc"]
    made = {d["name"]: d["dy"] for d in dots(*same, RooflinePoint("far", 2.0, 5e7))}
    assert sorted(made.values()) == [-14, 0, 0, 14] and (made["a"], made["far"]) == (0, 0)


def test_a_name_goes_the_way_that_its_dot_lies_and_covers_no_other_dot():
    live, above = RooflinePoint("fused", 15.0, 5e9), RooflinePoint("textbook", 6.0, 6e9, True)
    made = {d["name"]: d["dy"] for d in dots(live, above)}
    assert made["fused"] == 0 and made["textbook"] < 0
    high = {d["name"]: d["dy"] for d in dots(RooflinePoint("near the roof", 300.0, 3.6e11))}
    assert high["near the roof"] > 0, "the roof and its name are above it"
    crowd = dots(*(RooflinePoint(f"run {i}", 300.0, 3e11, i > 0) for i in range(4)))
    assert all(d["dy"] >= -7 for d in crowd), "no name above the highest roof"
    left, right = RooflinePoint("a name", 1.0, 1e9), RooflinePoint("dot", 1.3, 1e9)
    moved = {d["name"]: d["dy"] for d in dots(left, right)}
    assert moved["a name"] and not moved["dot"], "else it is written over the dot beside it"


def test_without_a_point_the_roofline_tells_where_the_sides_change():
    assert heading()[0] == "Above 10 FLOP per byte compute binds, below it bandwidth"
    assert heading(ceilings=CEILINGS)[0].startswith("Above 40 FLOP per byte")
    assert heading(ceilings=())[1] == heading(bandwidth=None)[1] == "no ceiling was probed yet"


def test_the_newest_run_that_is_no_ghost_makes_the_roofline_s_title():
    low, high = RooflinePoint("low", 2.0, 5e9), RooflinePoint("high", 20.0, 5e10)
    ridge, ghost = RooflinePoint("ridge", 10.0, 1e11), RooflinePoint("ghost", 1.0, 1e9, True)
    assert heading(high, low, ghost)[0] == "low: 5.0% of peak, 25% of the bandwidth roof"
    assert heading(low, high)[0] == "high: 50% of peak, under the compute roof"
    assert heading(ridge)[0] == "ridge: 100% of peak, under the compute roof"


def test_a_run_without_arithmetic_is_named_and_not_drawn():
    shows = "FLOP/s over FLOP per byte; without arithmetic, not drawn: copy"
    assert dots(FLAT) == [] and heading(RooflinePoint("a", 20.0, 5e10), FLAT)[1] == shows
    assert heading(FLAT) == ("Above 10 FLOP per byte compute binds, below it bandwidth", shows)


def lines(samples, series=TWO, sources=SOURCES, theme="light"):
    return timeline.rows(series, samples, sources, theme)


def test_the_last_20_seconds_are_drawn_back_from_now():
    drawn, _ = lines([[9.5, 0.1, 0.1], [10.0, 0.2, 0.9], [30.0, 0.4, 1.0]])
    assert [(d["s"], d["x"], d["y"]) for d in drawn] == [
        ("compute", -20.0, 0.2), ("compute", 0.0, 0.4),
        ("cores busy", -20.0, 0.9), ("cores busy", 0.0, 1.0),
    ]  # fmt: skip


def test_what_can_not_be_drawn_is_left_out_and_reads_not_available():
    drawn, ends = lines([[0.0, -0.1, 0.5], [1.0, math.nan, 0.5]])
    assert [d["y"] for d in drawn if d["s"] == "compute"] == [0.0]
    assert ends[0] == {"at": 0.0, "label": "● compute n/a", "busy": False}
    assert lines([]) == ([], [])


def test_a_line_s_end_says_its_name_and_share_and_is_cut_at_the_top():
    _, ends = lines([[0.0, 0.42, 2.0]])
    assert [(e["label"], e["at"]) for e in ends] == [
        ("● compute 42%", 0.42), ("┄ cores busy 200%", timeline.TOP),
    ]  # fmt: skip


def test_labels_that_would_cover_each_other_are_moved_apart():
    heights = [e["at"] for e in lines([[0.0, 0.52, 0.5]])[1]]
    assert heights == pytest.approx([0.5, 0.595])
    at_the_top = lines([[0.0, 3.0, 2.0]])[1]
    assert [e["at"] for e in at_the_top] == pytest.approx([1.005, 1.1])


def test_a_resource_has_its_colour_and_its_source_s_dash_and_the_rest_is_neutral():
    for theme in THEMES:
        compute, busy = lines([[0.0, 0.4, 0.5]], theme=theme)[0]
        assert (compute["colour"], compute["busy"]) == (COLOURS[R.COMPUTE], False)
        assert compute["dash"] == DASHES["counted"]
        assert (busy["colour"], busy["busy"]) == (THEMES[theme]["quiet"], True)
        assert busy["dash"] == timeline.BUSY_DASH and busy["rim"] == ""


def test_a_line_too_faint_for_its_ground_has_a_rim():
    slots = timeline.line(Series("a", "slots", R.SLOTS), "recorded: H100")
    assert slots["rim"] == {"light": edge(R.SLOTS, "light"), "dark": ""}
    assert (slots["mark"], slots["kind"], slots["source"]) == ("⬟ ", "recorded", "recorded: H100")


def test_the_timeline_s_title_is_about_the_mean_of_the_last_two_seconds():
    samples = [[7.9, 1.0, 0.1], [8.0, 0.4, 0.9], [9.0, math.nan, 1.0], [10.0, 0.6, 1.0]]
    finding, shows = timeline.title(TWO, samples)
    # (0.4 + 0.6) / 2 and (0.9 + 1 + 1) / 3
    assert finding == "Compute: 50% of its ceiling while cores busy reads 97%"
    assert shows == "last 20 s, share of each ceiling"


def test_the_resource_nearest_its_ceiling_makes_the_title():
    both = (*TWO[:1], Series("c", "bandwidth", R.BANDWIDTH))
    assert timeline.title(both, [[0.0, 0.4, 0.7]])[0] == "Bandwidth: 70% of its ceiling"


def test_without_a_resource_s_sample_the_timeline_waits():
    assert timeline.title(TWO, [])[0] == "Waiting for samples"
    assert timeline.title(TWO, [[0.0, math.nan, 1.0]])[0] == "Waiting for samples"


def test_names_that_are_apart_in_a_narrow_column_are_so_on_a_wide_page():
    # Of a lab's run: on a page twice as wide the first two names covered each other.
    runs = {"8 an event": (2.93, 11.2e9), "narrow, 8 an event": (4.92, 14.0e9),
            "no link": (5.21, 14.2e9), "narrow link": (4.76, 11.3e9)}  # fmt: skip
    points = [RooflinePoint(n, *at, ghost=n != "8 an event") for n, at in runs.items()]
    roof, dots = roofline.rows([("float32", 98.6e9)], 42e9, points)
    xs = [math.log10(r["x"]) for r in roof] + [math.log10(d["x"]) for d in dots]
    ys = [math.log10(r["y"]) for r in roof + dots]
    tall = roofline.HEIGHT / (math.ceil(max(ys)) - math.floor(min(ys)))
    for wide in (275, 400, 600):
        boxes = []
        for dot in dots:
            at = (math.log10(dot["x"]) - min(xs)) / (max(xs) - min(xs))
            y, long = dot["dy"] - tall * math.log10(dot["y"]), 6.2 * len(dot["name"])
            over = at > 0.66 or at * 275 + 10 + long > 275
            left = at * wide - 10 - long if over else at * wide + 10
            boxes.append((left, y - 6, left + long, y + 6))
        assert not any(roofline._meet(a, b) for a, b in combinations(boxes, 2)), wide
