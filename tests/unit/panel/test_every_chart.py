"""Every maker of a chart in the course, found by looking, held to what a chart owes its reader."""

import ast
import copy
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from constraintlab.course import migration_map, xrays
from constraintlab.course.forecast import Forecast
from constraintlab.course.migration import Migration, Stop
from constraintlab.course.single_server import Single
from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource as R
from constraintlab.panel import Curve, Latency, Panel, charts, specs, still
from constraintlab.panel.charts import (
    ecdf,
    roofline,
    scoreboard,
    timeline,
    waiting,
    waterfall,
    worth,
)
from constraintlab.panel.palette import THEMES
from constraintlab.panel.picture import Picture
from constraintlab.recordings import sides_chart
from constraintlab.recordings.sides import Side
from tests.unit.panel import rules
from tests.unit.panel.cases import SERIES, filled, verdict, worth_of
from tests.unit.panel.test_scoreboard import scores
from tests.unit.panel.test_still import FLOW, LANES, POOLS, STREAM, TRAIL
from tests.unit.panel.test_waterfall import CAUSES, RESOURCES, Bar

LIB = Path(charts.__file__).resolve().parents[2]


def latencies(slow):
    return ecdf.picture(Latency("TTFT", [Curve("short", [0.1] * 190 + [slow] * 10)], slo=1.0))


def waits(seconds):
    bars = [Bar("#1: 20 tokens", {"slots": seconds, "prompt": 0.5, "decode": 1.0}, 0.5)]
    return waterfall.picture(bars, CAUSES, RESOURCES)


def kernel(spilled):
    made = [
        (keys, SimpleNamespace(arch=arch, shared=keys * 96, fits=True, shared_limit=1 << 17,
                               spill_bytes=spilled * (keys > 512)))
        for keys in (256, 512, 1024) for arch in ("sm_80", "sm_90")
    ]  # fmt: skip
    return xrays.chart(made)


def queue(cv2):
    points = (waiting.Point("virtual clock", 0.4, 1.1, 1.0, 1.2),)
    return Single(40, 1.0, 0.5, 0.6, 1.1, 1.0, 0.8, 1.3, cv2, points).picture()


def times(factor):
    return Estimate(factor, 0.9 * factor, 1.1 * factor, "×", "modelled")


def journey(last):
    fix = Forecast("workspace", times(2.0), (last,), times(1.8), (last,), (R.PAGES,))
    stops = (
        Stop("00", True, R.BANDWIDTH, "limits known"), Stop("01", True, last, "×3.1", (fix,))
    )  # fmt: skip
    return migration_map.picture(Migration(stops))


def both_sides(last):
    path = Side("cpu", (R.BANDWIDTH, last))
    return sides_chart.picture([("01", (path, Side("gpu")))])


MAKERS = {
    "panel/charts/ecdf.py:picture": (latencies, 3.0, 0.5),
    "panel/charts/scoreboard.py:picture": (lambda p: scoreboard.picture(scores(MLFQ=p)), 0.2, 0.4),
    "panel/charts/waterfall.py:picture": (waits, 0.1, 9.0),
    "course/xrays.py:chart": (kernel, 0, 8),
    "course/single_server.py:picture": (queue, 1.0, 3.0),
    "course/migration_map.py:picture": (journey, R.COMPUTE, R.BANDWIDTH),
    "recordings/sides_chart.py:picture": (both_sides, R.COMPUTE, R.BANDWIDTH),
}
"""Whatever makes a `Picture`, with a function of a datum, and two that tell different stories."""

LIVE = {
    worth.NAME: lambda v, s, p: worth.title(v),
    roofline.NAME: lambda v, s, p: roofline.title([("fp32", 1e11)], 1e10, p),
    timeline.NAME: lambda v, s, p: timeline.title(SERIES, s),
}

POINTS = [[charts.roofline.RooflinePoint("run", 2.0, rate)] for rate in (5e9, 1e10)]
SAMPLES = [[[t, share, 0.1, 0.1, 0.9] for t in (0.0, 1.0)] for share in (0.5, 0.7)]
VERDICTS = [verdict(), verdict(worth=worth_of(bandwidth=3.0))]


def calls(wanted):
    """`file:function` of each function of the library that calls one of these names."""
    found = set()
    for path in LIB.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            names = {getattr(c.func, "attr", getattr(c.func, "id", ""))
                     for c in ast.walk(node) if isinstance(c, ast.Call)}  # fmt: skip
            if names & wanted:
                found.add(f"{path.relative_to(LIB).as_posix()}:{node.name}")
    return found


def test_there_is_no_maker_of_a_chart_that_is_not_looked_at_here():
    assert calls({"Picture"}) == set(MAKERS)
    assert calls({"vegalite_to_png", "vegalite_to_svg"}) == {
        "panel/picture.py:png", "panel/still.py:png", "course/passport_html.py:_map",
    }  # fmt: skip
    assert {c.NAME for c in charts.CHARTS} == set(LIVE)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("maker", MAKERS)
def test_a_still_chart_has_a_title_axes_with_units_words_and_no_colour_but_a_resource_s(
    maker, theme
):
    make, datum, _ = MAKERS[maker]
    spec = make(datum).spec(theme)
    assert rules.title(spec) and rules.axes(spec) == [] and rules.colours(spec, theme) == []
    assert spec["description"] == make(datum).text


@pytest.mark.parametrize("maker", MAKERS)
def test_a_still_chart_s_title_and_words_follow_from_the_data(maker):
    make, *data = MAKERS[maker]
    one, other = (make(datum) for datum in data)
    assert rules.title(one.spec()) != rules.title(other.spec()) and one.text != other.text
    assert rules.title(one.spec()) in one.text
    assert len(one.text) > len(rules.title(one.spec())) + 20, "the words hold the numbers, too"


@pytest.mark.parametrize("maker", MAKERS)
def test_a_picture_in_a_notebook_says_its_words_however_it_is_shown(maker):
    make, datum, _ = MAKERS[maker]
    made = make(datum)
    bundle, metadata = made._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == bundle["text/plain"] == made.text
    images = re.findall(r"<img [^>]*>", bundle["text/html"])
    assert len(images) == 2 and all(re.search('alt="[^"]{20,}"', image) for image in images)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", LIVE)
def test_a_live_chart_has_axes_with_units_and_no_colour_but_a_resource_s(name, theme):
    spec = specs.stored()[theme][name]
    assert rules.axes(spec) == [] and rules.colours(spec, theme) == []


@pytest.mark.parametrize("name", LIVE)
def test_a_live_chart_s_title_follows_from_the_data(name):
    one, other = (LIVE[name](*data) for data in zip(VERDICTS, SAMPLES, POINTS, strict=True))
    assert one[0] != other[0] and all(one)


def test_the_canvases_titles_follow_from_the_data_and_are_their_words():
    panel = filled()
    heads = {}
    panel.set_maps(POOLS)
    panel.set_lanes(LANES)
    panel.set_stream(STREAM)
    panel.set_latency(Latency("TTFT", [Curve("all", [0.1, 0.2])]))
    for name, (head, _) in panel._scene.state().items():
        heads[name] = head
        assert head["finding"] and head["shows"] and head["facts"], name
        assert re.search(r"\d", head["finding"]), name
    assert set(heads) == {"maps", "lanes", "stream", "latency"}
    assert all(rules.UNIT.search(along) for along in heads["latency"]["axes"])


@pytest.mark.parametrize("theme", THEMES)
def test_the_panel_s_picture_keeps_to_the_rules_part_by_part(theme):
    panel = filled()
    view, words = panel.view, panel.text()
    canvases = still.Canvases(POOLS, LANES, TRAIL, STREAM, FLOW, None)
    shares = [[t / 10, 0.5, 0.2, 0.1, 0.9] for t in range(30)]
    made = still.spec(view, words, SERIES, shares, ["counted"] * 4, theme, canvases)
    parts = [p for part in made["vconcat"] for p in part.get("hconcat", [part])]
    assert len(parts) == 7 and all(rules.title(p) for p in parts)
    plots = [p for p in parts if rules.axes(p) != ["no plot has an axis"]]
    assert len(plots) == 3 and [c for p in plots for c in rules.axes(p)] == []
    assert rules.colours(made, theme) == []
    _, metadata = panel._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == words and "bandwidth binds" in words
    assert Panel()._repr_mimebundle_()[1]["image/png"]["alt"] != words


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda s: s["encoding"]["x"].update(title=None), "an axis of x has no title"),
        (lambda s: s["encoding"]["y"].update(title="rate"), "no unit in rate"),
        (lambda s: s["encoding"].update(color={"value": "#ff00aa"}), "#ff00aa"),
        (lambda s: [s["encoding"][c].update(axis=None) for c in "xy"], "no plot has an axis"),
    ],
)
def test_the_rules_find_a_spec_that_breaks_them(spoil, complaint):
    good = {
        "mark": "point",
        "encoding": {
            "x": {"field": "a", "type": "quantitative", "title": "time, s"},
            "y": {"field": "b", "type": "quantitative", "title": "rate, FLOP/s"},
        },
    }
    assert rules.axes(good) == rules.colours(good, "light") == []
    bad = copy.deepcopy(good)
    spoil(bad)
    found = rules.axes(bad) + rules.colours(bad, "light")
    assert any(complaint in line for line in found), found


def test_a_title_without_data_says_that_there_is_none_yet():
    assert worth.title(None) == ("What would a fix be worth?", "no verdict yet")
    assert isinstance(latencies(3.0), Picture)
