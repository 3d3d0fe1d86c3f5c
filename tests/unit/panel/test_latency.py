"""Latencies on the panel: what a percentile is, what is withheld, what is sent and said."""

import json
import math
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.panel import Curve, Latency, Panel
from constraintlab.panel.charts import ecdf
from constraintlab.panel.latency import PERCENTILES, needs
from constraintlab.panel.latencytitle import cells, facts, good, title
from constraintlab.panel.latencyview import LOOKS, levels, marks, pack, span, ticks, top
from constraintlab.panel.palette import COLOURS, TONES
from tests.unit.panel.wire import Wire

SECONDS = [i / 1000 for i in range(1, 1001)]
"""1 ms to 1 s, evenly: pXX is XX hundredths of a second."""


def tail(middle, far, n=400, name="all"):
    """Two in a hundred take `far` seconds, all others `middle`."""
    late = n // 50
    return Curve(name, [far] * late + [middle] * (n - late))


def finding(*curves, **more):
    return title(Latency("TTFT", curves, **more))[0]


def test_a_percentile_is_the_smallest_sample_that_so_many_do_not_exceed():
    c = Curve("all", SECONDS[::-1])
    assert [c.at(p) for p in PERCENTILES] == [0.5, 0.9, 0.99, 0.999]
    assert (c.meets(0.25), c.meets(0.2505), c.meets(2.0), c.meets(1e-4)) == (0.25, 0.25, 1.0, 0.0)


@pytest.mark.parametrize(("p", "least"), [(50.0, 2), (90.0, 10), (99.0, 100), (99.9, 1000)])
def test_a_percentile_that_would_be_the_largest_sample_and_nothing_else_is_withheld(p, least):
    assert needs(p) == least
    assert Curve("all", SECONDS[:least]).at(p) is not None
    assert Curve("all", SECONDS[: least - 1]).at(p) is None


def test_a_withheld_percentile_says_why():
    few = Latency("TTFT", [Curve("all", SECONDS[:400])])
    assert cells(few, few.curves[0]) == ["400", "200 ms", "360 ms", "396 ms", "n < 1,000"]
    assert facts(few)[0].endswith("p99 396 ms, p99.9 withheld: n 400 < 1,000")


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=3000))
def test_every_point_lies_on_the_distribution_and_the_upper_percent_is_there_in_full(samples):
    c = Curve("all", samples)
    seconds, beyond = c.points().T
    n = len(samples)
    # With ties the last of several equal samples has the share beyond them all.
    ranks = np.rint(n * (1 - beyond)).astype(int)
    assert (c.samples[ranks - 1] == seconds).all() and (np.diff(ranks) > 0).all()
    tail_ = math.ceil(n / 100)
    assert set(range(n - tail_ + 1, n + 1)) <= set(ranks.tolist())
    assert len(ranks) == n if n <= 200 else len(ranks) <= 210
    assert {max(1, math.ceil(round(n * p / 100, 9))) for p in PERCENTILES} <= set(ranks.tolist())


def test_a_hundred_thousand_samples_are_sent_in_two_hundred_points():
    c = Curve("all", np.random.default_rng(3).lognormal(size=100_000))
    _, (raw,) = pack(Latency("TTFT", [c]))
    points = np.frombuffer(raw).reshape(-1, 2)
    assert len(raw) <= 16 * 210
    assert points[-1].tolist() == [c.samples[-1], 0] and points[-2, 0] == c.samples[-2]


def test_a_curve_keeps_a_copy():
    samples = [0.2, 0.1]
    c = Curve("all", samples)
    samples.append(9.0)
    assert c.n == 2 and c.samples.tolist() == [0.1, 0.2]


def test_the_title_says_how_far_the_tail_lies_from_the_middle():
    assert finding(tail(0.1, 2.9)) == (
        "p99 is 29 times p50: one request in a hundred takes 2.90 s or longer"
    )
    assert finding(tail(0.1, 0.14)) == "p99 is 140 ms, not far from p50 at 100 ms"
    told = finding(tail(0.01, 0.5), of="gap")
    assert told.endswith("50 times p50: one gap in a hundred takes 500 ms or longer")
    assert finding(tail(0.0, 2.9)) == "One request in a hundred takes 2.90 s or longer"


def test_with_few_samples_the_title_speaks_of_p90_or_asks_for_more():
    assert finding(Curve("all", [0.1] * 40 + [1.0] * 10)).startswith("p90 is 10 times p50: one req")
    assert finding(Curve("all", [0.1] * 9)) == "9 requests so far: p90 needs 10"
    assert finding(Curve("a", SECONDS), Curve("b", [0.1])) == "b: 1 request so far: p90 needs 10"


def test_of_several_curves_the_furthest_is_set_beside_the_nearest():
    a, b = tail(0.1, 2.0, name="FCFS"), tail(0.1, 0.2, name="MLFQ")
    assert finding(b, a) == ("p99 of FCFS is 2 s, 10 times that of MLFQ; its p50 is about the same")
    worse = tail(0.3, 2.0, name="FCFS")
    assert finding(worse, b).endswith("; its p50 is 3 times")
    lower = tail(0.05, 2.0, name="FCFS")
    assert finding(lower, b).endswith("that of MLFQ, though its p50 is lower")
    same = tail(0.1, 2.1, name="SRPT")
    assert finding(a, same) == "p99 is about the same for all: 2 s to 2.10 s"


def test_the_slo_is_in_the_title_and_all_is_said_of_all_only():
    assert finding(tail(0.1, 2.9), slo=1.0).endswith("; 98% within the SLO of 1 s")
    many = Curve("all", [0.1] * 4999 + [3.0])
    assert good(many, 1.0) == "99.9%" and good(many, 3.0) == "100%" and good(many, 0.05) == "0%"
    two = finding(tail(0.1, 2.0, name="a"), tail(0.1, 0.2, name="b"), slo=1.0)
    assert two.endswith("; 98% of a, 100% of b within the SLO of 1 s")


def test_who_is_not_done_is_counted():
    shows = title(Latency("TTFT", [Curve("a", SECONDS, 3), Curve("b", [])], now=12.34))[1]
    assert shows == "TTFT, share of requests this fast or faster; 3 more are not done; after 12 s"
    assert facts(Latency("TTFT", [Curve("a", [1.0], 3)]))[0].endswith("3 not done")


def test_each_nine_has_the_same_room():
    assert levels(Latency("TTFT", [Curve("all", SECONDS)])) == [
        (0, "0%"), (pytest.approx(math.log10(2)), "50%"), (pytest.approx(1), "90%"),
        (pytest.approx(2), "99%"), (pytest.approx(3), "99.9%"),
    ]  # fmt: skip
    few = Latency("TTFT", [Curve("all", [1.0])])
    assert [text for _, text in levels(few)][-1] == "99%" and top(few) == 2.0
    assert marks(Curve("all", SECONDS[:50])) == [
        (0.025, pytest.approx(math.log10(2))), (0.045, pytest.approx(1))
    ]  # fmt: skip


@given(st.lists(st.floats(0, 1e4), min_size=1), st.none() | st.floats(1e-3, 1e3))
def test_the_time_axis_holds_all_or_the_upper_decades_and_has_ticks(samples, slo):
    late = Latency("TTFT", [Curve("all", samples)], slo)
    low, high = span(late)
    assert 0 < low < high and max([*samples, slo or 0]) <= high
    least = min([*samples, slo or math.inf])
    assert low <= max(least, high / 1e5) * (1 + 1e-9) or low == 1e-7
    assert len(ticks(late)) >= 2 and all(low <= t <= high for t, _ in ticks(late))


def test_ticks_are_read_in_milliseconds_and_seconds():
    late = Latency("TTFT", [Curve("all", [0.25, 1.5])])
    assert [text for _, text in ticks(late)] == ["200 ms", "500 ms", "1 s", "2 s"]


def test_it_is_sent_as_plain_data_and_bytes_and_nothing_before_the_first_sample():
    late = Latency("TTFT", [Curve("a", SECONDS), Curve("b", [])], 0.5, source="modelled: by hand")
    head, buffers = pack(late)
    assert json.loads(json.dumps(head, allow_nan=False)) == head
    assert head["sources"] == [{"kind": "modelled", "what": "TTFT"}]
    assert head["columns"] == ["n", "p50", "p90", "p99", "p99.9", "≤ 500 ms"]
    assert head["curves"][1]["cells"][0] == "0" and head["curves"][1]["cells"][-1] == "n/a"
    assert len(array("d", buffers[0])) == 2 * len(late.curves[0].points()) and buffers[1] == b""
    assert pack(Latency("TTFT", [Curve("a", [])])) == pack(None) == ({}, [])


def test_the_panel_sends_it_says_it_and_takes_it_away():
    panel = Panel(lab="07")
    panel.comm = Wire()
    verdict = panel.text()
    panel.set_latency(Latency("TTFT", [Curve("all", [])]))
    assert panel.comm.frames == [({"latency": {}}, [])] and panel.text() == verdict
    panel.set_latency(Latency("TTFT", [tail(0.1, 2.9)]))
    panel.close()
    content, buffers = panel.comm.frames[-1]
    assert content["latency"]["finding"].startswith("p99 is 29 times p50")
    assert panel.get_state()["scene"]["latency"] == [content["latency"], buffers]
    assert panel.text() == (
        f"{verdict}\nTTFT: p99 is 29 times p50: one request in a hundred takes 2.90 s or longer. "
        "all: n 400, p50 100 ms, p90 100 ms, p99 2.90 s, p99.9 withheld: n 400 < 1,000."
    )
    panel.set_latency(None)
    panel.close()
    assert panel.comm.frames[-1] == ({"latency": {}}, []) and panel.text() == verdict


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Curve("a", [0.1, -1.0]), "a: -1.0 to 0.1 s: give seconds of 0 or more"),
        (lambda: Curve("a", [0.1, math.nan]), "give seconds of 0 or more"),
        (lambda: Curve("a", [0.1, math.inf]), "give seconds of 0 or more"),
        (lambda: Curve("a", [], -1), "unfinished=-1: give a count"),
        (lambda: Latency("x", []), "0 curves: the chart draws 1 to 4"),
        (lambda: Latency("x", [Curve(n, []) for n in "abcde"]), "5 curves"),
        (lambda: Latency("x", [Curve("a", []), Curve("a", [])]), "give each a name of its own"),
        (lambda: Latency("x", [Curve("a", [])], slo=0.0), "slo=0.0: give seconds above 0"),
        (lambda: ecdf.picture(Latency("x", [Curve("a", [])])), "x: no samples: draw it once"),
    ],
)
def test_what_can_not_be_drawn_is_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_curves_are_neutral_and_told_apart_without_colour():
    neutral = {tone for tones in TONES.values() for tone in tones}
    assert not neutral & set(COLOURS.values())
    assert len({look.dash for look in LOOKS}) == len(LOOKS) == 4
