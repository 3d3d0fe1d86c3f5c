"""What the engine's report has of its device is in /metrics, and is read back from there."""

from dataclasses import replace

from prometheus_client.core import CollectorRegistry
from prometheus_client.exposition import generate_latest

from constraintlab.course.scraped import report as scraped
from constraintlab.engine.report import TOTALS, Report
from constraintlab.serving.totals import Totals
from constraintlab.serving.work_metrics import engine_work
from constraintlab.telemetry.exposition import Scrape

REPORT = Report(1.0, dict.fromkeys(TOTALS, 2.0), 0, 0, 8, (64, 0, 0), 16, (), (), (), {})


class Exported:
    def __init__(self, report):
        self.totals = Totals()
        self.totals.take(report)

    def collect(self):
        return engine_work(self.totals)


def text(report):
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Exported(report))
    return generate_latest(registry).decode()


def test_the_device_its_seconds_and_how_passes_ran_are_told():
    passes = {"graph": 7, "eager: a prompt is in the step": 2}
    said = text(replace(REPORT, device="cuda", passes=passes))
    assert 'constraintlab:engine_device{name="cuda"} 1.0' in said
    assert 'constraintlab:forward_passes_total{how="graph"} 7.0' in said
    assert 'how="eager: a prompt is in the step"} 2.0' in said
    assert 'constraintlab:engine_total{of="wait"} 2.0' in said
    found = scraped(Scrape.of(said, 1.0))
    assert found.device == "cuda" and found.totals["device"] == 2.0


def test_a_server_that_does_not_tell_its_device_is_on_a_cpu():
    lines = [line for line in text(REPORT).splitlines() if "engine_device" not in line]
    assert scraped(Scrape.of("\n".join(lines) + "\n", 1.0)).device == "cpu"


def test_a_restart_takes_no_counter_back_before_the_new_engine_reports():
    server = Exported(REPORT)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(server)
    looks = []
    for then in (server.totals.restart, lambda: server.totals.take(REPORT), lambda: None):
        looks.append(scraped(Scrape.of(generate_latest(registry).decode(), 1.0)))
        then()
    assert [look.totals["forward"] for look in looks] == [2.0, 2.0, 4.0]
    assert not scraped(Scrape.of(text(None), 1.0)).totals["forward"], "nothing has run yet"
