"""The bars of what a fix is worth: their order, their numbers, and the title over them."""

import math

import pytest

from constraintlab.limits.estimate import Estimate
from constraintlab.limits.resource import Resource as R
from constraintlab.panel import specs
from constraintlab.panel.charts.worth import LEAST, rows, sources, title
from constraintlab.panel.palette import THEMES
from tests.unit.panel.cases import measured, shares_of, verdict, worth_of


def by_key(v) -> dict[str, dict]:
    return {row["key"]: row for row in rows(v)}


def finding(**changes) -> str:
    return title(verdict(**changes))[0]


def test_the_largest_share_comes_first_and_ties_in_the_resources_order():
    made = rows(verdict())
    assert [row["key"] for row in made] == [
        "bandwidth", "pages", "compute", "host",
        "kv_capacity", "slots", "network", "client", "demand",
    ]  # fmt: skip
    assert [row["order"] for row in made] == list(range(9))


def test_among_equal_shares_the_fix_worth_more_comes_first():
    v = verdict(
        shares=shares_of(compute=0.5, host=0.5), worth=worth_of(compute=1.1, host=1.3, slots=1.2)
    )
    assert [row["key"] for row in rows(v)][:3] == ["host", "compute", "slots"]


def test_a_row_has_the_throughput_without_that_limit():
    made = by_key(verdict())
    # 203 k times 2.2, 1.24, 1.13 and 1.02
    assert [made[k]["text"] for k in ("bandwidth", "pages", "compute", "host", "slots")] == [
        "447 k", "252 k", "229 k", "207 k", "no change",
    ]  # fmt: skip
    assert [made[k]["gain"] for k in ("bandwidth", "pages", "slots")] == pytest.approx(
        [1.2, 0.24, 0]
    )
    assert made["bandwidth"]["label"] == "◆ bandwidth"
    assert made["bandwidth"]["why"] == "bandwidth: 447 k, share 0.71"


def test_the_constraint_is_marked_and_rows_without_a_gain_are_quiet():
    made = by_key(verdict())
    assert (made["bandwidth"]["share"], made["pages"]["share"]) == ("0.71 ◀", "0.16")
    assert [k for k, row in made.items() if row["top"]] == ["bandwidth"]
    assert [k for k in made if made[k]["quiet"]] == ["kv_capacity", "slots", "network", "client",
                                                     "demand"]  # fmt: skip


def test_the_headings_stand_over_the_first_row_only():
    made = rows(verdict())
    assert [row["head"] for row in made] == ["203 k now", *[""] * 8]
    assert [row["colhead"] for row in made] == ["share", *[""] * 8]


def test_what_is_not_known_comes_last_with_its_reason_and_no_number():
    v = verdict(
        sources={"bandwidth": "n/a: the probe failed", "network": "n/a"},
        worth={R.COMPUTE: 1.5, R.BANDWIDTH: 2.2, R.NETWORK: 3.0, R.HOST: math.nan},
    )
    made = rows(v)
    assert made[0]["key"] == "compute" and made[1]["key"] == "bandwidth"
    assert all(row["text"] == row["share"] == "n/a" and row["quiet"] for row in made[1:])
    assert all(row["gain"] == 0 for row in made[1:])
    why = {row["key"]: row["why"] for row in made}
    assert why["bandwidth"] == "bandwidth: n/a, the probe failed"
    assert why["network"] == "network: n/a, not known"
    assert why["host"] == "host: n/a, the verdict does not cover it"


def test_a_bar_too_long_is_cut_and_says_so():
    made = by_key(verdict(worth=worth_of(bandwidth=9.0, pages=math.inf, compute=8.0)))
    assert [made[k]["gain"] for k in ("bandwidth", "pages", "compute")] == [7.0, 7.0, 7.0]
    assert [made[k]["text"] for k in ("bandwidth", "pages", "compute")] == [
        "» 1.83 M", "» unbounded", "1.62 M",
    ]  # fmt: skip


def test_without_any_throughput_a_row_has_its_factor():
    made = rows(verdict(predicted=None, measured=None))
    assert (made[0]["text"], made[0]["head"]) == ("×2.2", "")


def test_the_scale_never_zooms_in_on_a_gain_of_nearly_nothing():
    made = rows(verdict(worth=worth_of(bandwidth=1.01)))
    assert made[0]["gain"] == pytest.approx(0.01)
    for theme in THEMES:
        least = [t for x in specs.stored()[theme]["worth"]["layer"] for t in x.get("transform", [])
                 if "calculate" in t]  # fmt: skip
        assert least == [{"calculate": f"datum.order == 0 ? {LEAST} : 0", "as": "least"}]


def test_without_a_verdict_there_is_nothing_to_draw():
    for v in (None, verdict(worth={})):
        assert rows(v) == sources(v) == []
        assert title(v) == ("What would a fix be worth?", "no verdict yet")


def test_the_title_says_how_much_the_best_fix_gives():
    assert title(verdict()) == (
        "A fix to bandwidth is worth most: 203 k → 447 k queries/s",
        "if one limit vanished, modelled",
    )
    only = finding(worth=worth_of(bandwidth=2.2, pages=1.09))
    assert only == "Only bandwidth would help: 203 k → 447 k queries/s"
    assert finding(predicted=None, measured=None) == "A fix to bandwidth is worth most: ×2.2"


def test_of_fixes_worth_the_same_the_title_names_the_constraint_s():
    tied = {"constraint": (R.SLOTS,), "worth": worth_of(bandwidth=1.5, slots=1.499)}
    assert finding(**tied).startswith("A fix to slots is worth most")
    apart = {"constraint": (R.SLOTS,), "worth": worth_of(bandwidth=1.6, slots=1.5)}
    assert finding(**apart).startswith("A fix to bandwidth is worth most")


def test_the_title_promises_nothing_where_no_fix_gives_anything():
    assert finding(worth=worth_of(bandwidth=1.004)) == "No single fix changes anything"
    together = "No single fix helps: the limits stand close together"
    assert finding(worth=worth_of(bandwidth=1.09, host=1.08)) == together
    unknown = {"worth": {R.HOST: 3.0}, "sources": {"host": "n/a"}}
    assert finding(**unknown) == "No single fix changes anything"


def test_the_title_of_a_fix_without_end_names_no_number():
    assert finding(worth=worth_of(slots=math.inf, bandwidth=2.0)) == (
        "A fix to slots is worth most: no other limit is in sight"
    )


def test_a_model_that_does_not_explain_the_measurement_makes_a_guess():
    assert finding(predicted=400e3) == "A guess: a fix to bandwidth is worth most"


def test_the_chart_says_what_it_rests_on_by_kind():
    assert sources(verdict()) == [
        {"kind": "measured", "what": "throughput now, compute float32, bandwidth"},
        {"kind": "counted", "what": "demands"},
        {"kind": "modelled", "what": "bars"},
    ]


@pytest.mark.parametrize("none", [None, Estimate.absent("tok/s", "nothing ran")])
def test_a_throughput_that_was_not_measured_is_modelled(none):
    made = {s["kind"]: s["what"] for s in sources(verdict(measured=none))}
    assert made["modelled"] == "throughput now, bars"
    assert made["measured"] == "compute float32, bandwidth"
    assert rows(verdict(measured=none))[0]["head"] == "212 k now"


def test_a_recorded_throughput_is_told_from_a_measured_one():
    v = verdict(measured=Estimate(203e3, 200e3, 206e3, "tok/s", "recorded: H100"))
    assert sources(v)[0] == {"kind": "recorded", "what": "throughput now"}
    assert sources(verdict(measured=measured(1.0)))[0]["kind"] == "measured"
