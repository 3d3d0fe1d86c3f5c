"""The widget: what it shows, its picture in a file, and a sampler that ends with it."""

import base64
import json
import math
import threading
from itertools import pairwise

import pytest

from constraintlab.limits.resource import Resource as R
from constraintlab.panel import Panel, RooflinePoint, StripCell
from constraintlab.telemetry.sample import Sample
from constraintlab.telemetry.sampler import Sampler
from tests.unit.panel.cases import SERIES, filled, sample, verdict
from tests.unit.panel.wire import Wire, history
from tests.unit.telemetry.fakes import Steady


class Tap:
    """A sampler that only notes what it is asked."""

    def __init__(self):
        self.sinks, self.log = [], []

    def add_sink(self, sink):
        self.sinks.append(sink)

    def remove_sink(self, sink):
        self.sinks.remove(sink)

    def start(self):
        self.log.append("start")

    def stop(self):
        self.log.append("stop")


@pytest.fixture
def panel():
    made = Panel()
    made.set_timeline(SERIES)
    made.comm = Wire()
    return made


def test_the_view_never_holds_what_is_no_json():
    panel = filled(verdict(predicted=math.nan, worth={R.HOST: math.inf, R.SLOTS: math.nan}))
    panel.set_roofline(
        [("none", math.nan), ("fp32", 1e11)], 1e10, [RooflinePoint("a", math.nan, 0)]
    )
    panel.push(Sample(30.0, {"work.flops_per_s": math.nan}, {"work.flops_per_s": "measured"}))
    panel.set_roofline([("fp32", 1e11)], math.inf)
    json.dumps(panel.view, allow_nan=False)
    assert panel.view["roof"] == [] and len(panel.view["worth"]) == len(R)


def test_what_is_set_stays_while_other_things_are_set(panel):
    panel.set_verdict(verdict())
    panel.set_roofline([("fp32", 1e11)], 1e10)
    panel.set_strip([StripCell("00", None, "limits known")])
    view = panel.view
    assert panel.text() == "".join(p["t"] for p in view["sentence"]) != Panel().text()
    assert view["roof"] and view["worth"] and view["strip"][0]["note"] == "limits known"
    panel.set_verdict(None)
    assert panel.view["worth"] == [] and panel.view["roof"] == view["roof"]


def test_a_panel_in_a_file_is_a_picture_and_a_line_that_does_not_change():
    bundles = [p._repr_mimebundle_()[0] for p in (filled(), filled(verdict(predicted=100.0)))]
    pictures = [base64.b64decode(b["image/png"]) for b in bundles]
    assert all(p.startswith(b"\x89PNG\r\n\x1a\n") for p in pictures) and pictures[0] != pictures[1]
    for bundle in bundles:
        assert bundle["text/plain"] == (
            "Constraint panel · lab 01 · open in JupyterLab, or see panel.text()"
        )
        assert "application/vnd.jupyter.widget-view+json" in bundle


def test_the_dark_picture_is_another_one():
    panel = Panel()
    assert panel.png(dark=True) != panel.png()


def test_closing_stops_the_sampler_and_takes_the_panel_off_it():
    tap = Tap()
    panel = Panel(sampler=tap)
    assert tap.sinks == [panel.push] and tap.log == []
    panel.close()
    assert tap.sinks == [] and tap.log == ["stop"]
    Panel().close()


def test_a_closed_panel_goes_on_showing_what_it_showed_last(panel):
    panel.push(sample(0.0))
    panel.close()
    assert len(history(panel)) == 1 and panel.comm is not None


def test_a_sampler_runs_from_with_to_its_end():
    tap = Tap()
    with Panel(sampler=tap) as panel:
        assert tap.log == ["start"] and isinstance(panel, Panel)
    assert tap.log == ["start", "stop"] and tap.sinks == []
    tap.log.clear()
    with pytest.raises(KeyError), Panel(sampler=tap):
        raise KeyError
    assert tap.log == ["start", "stop"]


def test_the_samples_of_a_real_sampler_are_drawn():
    came, source = threading.Semaphore(0), Steady()
    sampler = Sampler([source], hz=200.0)
    with Panel(sampler=sampler) as panel:
        sampler.add_sink(lambda s: came.release())
        assert all(came.acquire(timeout=5) for _ in range(3))
    times = [row[0] for row in history(panel)]
    assert len(times) >= 3 and all(a < b for a, b in pairwise(times))
    assert not sampler.running and source.closed == 1 and sampler.notes == ()
