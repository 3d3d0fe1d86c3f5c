"""What the browser gets: plain data for JSON, whatever was set, and the migration strip."""

import json
import math

import pytest

from constraintlab.limits.resource import Resource as R
from constraintlab.panel import RooflinePoint, StripCell
from constraintlab.panel.palette import COLOURS, THEMES
from constraintlab.panel.state import LABS, PanelState
from tests.unit.panel.cases import SERIES, shares_of, verdict, worth_of

ODD = [None, math.nan, math.inf, -math.inf, 0, 0.0, -1.0, 1e-30, 1e30]


def wire(state: PanelState, **options) -> dict:
    """The state as the browser reads it; fails where the data is no JSON."""
    return json.loads(json.dumps(state.as_dict(**options), allow_nan=False))


def strip(*cells, lab="") -> dict[str, dict]:
    return {c["lab"]: c for c in wire(PanelState(lab=lab, cells=cells))["strip"]}


def test_a_panel_of_which_nothing_is_set_is_plain_data():
    view = wire(PanelState())
    assert view["worth"] == view["roof"] == view["dots"] == view["series"] == []
    assert view["sentence"][0]["t"] == "Nothing has run yet: no verdict."
    assert view["titles"]["roofline"] == ["Roofline", "no ceiling was probed yet"]


def test_what_was_set_arrives():
    state = PanelState("01", "A title", ("chip",), verdict(), (("fp32", 1e11),), 1e10)
    view = wire(state, series=SERIES, sources=["counted"] * 4, epoch=3)
    assert (view["title"], view["chips"], view["epoch"]) == ("A title", ["chip"], 3)
    assert "".join(p["t"] for p in view["sentence"]) == state.text()
    assert len(view["worth"]) == len(R) and len(view["roof"]) == 5
    assert [s["label"] for s in view["series"]] == [s.label for s in SERIES]
    assert [s["kind"] for s in view["series"]] == ["counted"] * 4


@pytest.mark.parametrize("odd", ODD)
def test_odd_numbers_in_a_verdict_stay_json(odd):
    for constraint in ((R.COMPUTE,), (R.HOST, R.COMPUTE), ()):
        v = verdict(
            constraint=constraint,
            predicted=odd,
            measured=None,
            worth=worth_of(compute=odd, demand=odd),
            shares=shares_of(host=odd, compute=odd),
        )
        rows = {row["key"]: row for row in wire(PanelState(verdict=v))["worth"]}
        assert rows.keys() == set(R)
        assert all(row["gain"] >= 0 for row in rows.values())


@pytest.mark.parametrize("odd", ODD)
def test_a_point_with_an_odd_number_is_drawn_only_where_it_can_be(odd):
    points = (RooflinePoint("a", odd, 1e9), RooflinePoint("b", 1.0, odd), RooflinePoint("c", 2, 3))
    view = wire(PanelState(ceilings=(("fp32", 1e11),), bandwidth=1e10, points=points))
    shown = {dot["name"] for dot in view["dots"]}
    assert shown == ({"a", "b", "c"} if odd in (1e-30, 1e30) else {"c"})


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_ceiling_or_bandwidth_is_no_roof(odd):
    can_be_drawn = odd in (1e-30, 1e30)
    point = (RooflinePoint("a", 2.0, 1e9),)
    by_ceiling = wire(PanelState(ceilings=(("x", odd),), bandwidth=1e10, points=point))
    by_bandwidth = wire(PanelState(ceilings=(("fp32", 1e11),), bandwidth=odd, points=point))
    beside = wire(PanelState(ceilings=(("x", odd), ("fp32", 1e11)), bandwidth=1e10, points=point))
    for view in (by_ceiling, by_bandwidth):
        assert bool(view["roof"]) == bool(view["dots"]) == can_be_drawn
    assert ("x" in {corner["line"] for corner in beside["roof"]}) == can_be_drawn
    assert len(beside["dots"]) == 1


@pytest.mark.parametrize(
    ("peak", "bandwidth", "intensity"),
    [(1e300, 1e-300, 1.0), (1e11, 1e10, 1e308), (1e11, 1e10, 5e-324), (1e-300, 1e300, 1.0)],
)
def test_numbers_whose_ratio_no_float_can_hold_stay_json(peak, bandwidth, intensity):
    points = (RooflinePoint("far out", intensity, 1e9),)
    wire(PanelState(ceilings=(("x", peak),), bandwidth=bandwidth, points=points))


def test_a_roof_without_points_is_drawn():
    view = wire(PanelState(ceilings=(("fp32", 1e11),), bandwidth=1e10))
    assert len(view["roof"]) == 5 and view["dots"] == []


def test_the_strip_has_every_lab_in_order():
    assert list(strip()) == list(LABS) == [f"0{i}" for i in range(9)]


def test_a_lab_without_a_cell_asks_for_a_prediction():
    cells = strip(StripCell("00", None, "limits known"), StripCell("01", R.PAGES, "×3.1"))
    assert cells["02"] == {
        "lab": "02", "done": False, "where": "", "note": "predict first", "here": False,
    }  # fmt: skip
    assert [lab for lab in cells if cells[lab]["note"] == "predict first"] == list(LABS[2:])


def test_the_current_lab_is_marked_here_with_a_cell_and_without():
    for cells in ((), (StripCell("03", R.HOST),)):
        assert [lab for lab, c in strip(*cells, lab="03").items() if c["here"]] == ["03"]
    assert not any(c["here"] for c in strip().values())


def test_a_cell_names_the_constraint_in_its_colour():
    cell = strip(StripCell("01", R.PAGES, "×3.1"))["01"]
    assert (cell["done"], cell["where"], cell["note"]) == (True, "▼ fresh pages", "×3.1")
    assert (cell["colour"], cell["ink"]) == (COLOURS[R.PAGES], "#ffffff")
    assert strip(StripCell("01", R.SLOTS))["01"]["ink"] == "#111418"


def test_a_cell_in_which_nothing_bound_is_done_and_names_nothing():
    cell = strip(StripCell("00", None, "limits known"))["00"]
    assert (cell["done"], cell["where"], cell["note"]) == (True, "", "limits known")
    assert cell["colour"] == COLOURS[R.DEMAND]


def test_a_source_for_each_series_or_an_error():
    with pytest.raises(ValueError, match="shorter"):
        PanelState().as_dict(SERIES, ["counted"])


def test_every_resource_has_its_looks_in_both_themes():
    looks = wire(PanelState())["looks"]
    assert looks.keys() == set(R)
    assert all(look["edge"].keys() == set(THEMES) for look in looks.values())
