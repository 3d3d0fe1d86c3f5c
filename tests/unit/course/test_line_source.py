"""A line's figures from made looks: what the clients got, by the bytes on the link."""

import math

import pytest

from constraintlab.course.line_source import LATELY, NAMES, UNLINKED, LineSource
from constraintlab.course.streamed import Moment
from constraintlab.load.live import Counters
from constraintlab.serving.link_settings import LinkStats
from constraintlab.telemetry import names, server_metrics
from constraintlab.telemetry.exposition import Scrape


def moment(t, tokens, down=None, capacity=4000.0, rate=2000.0, many=1, running=0):
    counted = {"tokens": tokens, "events": tokens / many, "bytes": 200 * tokens / many}
    lines = [f"vllm:num_requests_running {running}"]
    for name, value in counted.items():
        lines += [f"# TYPE constraintlab:stream_{name} counter",
                  f"constraintlab:stream_{name}_total {value}"]  # fmt: skip
    link = None
    if down is not None:
        link = LinkStats(t, 0, down, rate, capacity, 8, 0, 0, 0, 0.1 * t)
    return Moment(Scrape.of("\n".join(lines) + "\n", t), link)


def counters(t, streaming=8):
    return Counters(now=t, open=streaming, streaming=streaming, cpu=0.2 * t)


def test_nothing_is_known_before_a_run_and_all_of_it_has_a_name():
    source = LineSource()
    assert all(r.value is None for r in source.read().values())
    assert set(source.read()) == {*server_metrics.RULES, *NAMES} <= set(names.NAMES)
    source.take(moment(0.0, 0), counters(0.0))
    assert source.passage("x", 1, 1) is None and source.rate() == 0.0
    source.restart()
    assert source.read()["client.cores"].value is None


def test_without_a_link_the_clients_get_what_is_written():
    source = LineSource()
    for i in range(20):
        source.take(moment(i, 80 * i), counters(i))
    assert source.rate() == pytest.approx(80.0)
    read = source.read()
    assert read["link.full_share"].source.endswith(UNLINKED)
    assert read["client.cores"].value == pytest.approx(0.2)
    stream = source.stream(19.0)
    assert stream.client_itl == pytest.approx(8 / 80) and stream.link_rate is None
    run = source.passage("x", 1, 1)
    assert run.output == 80 * 19 and len(run.moments) == LATELY + 2
    assert run.spent.client == pytest.approx(0.2 * 19) and run.spent.link == 0


@pytest.mark.parametrize("many", [1, 8])
def test_over_a_link_they_get_what_came_through(many):
    """The server wrote 100 tokens a second, the link carried a quarter of their bytes."""
    source, each = LineSource(), 200 / many
    for i in range(10):
        source.take(moment(i, 100 * i, 25 * each * i, many=many), counters(i))
    assert source.rate() == pytest.approx(25.0)
    assert source.stream(9.0).client_itl == pytest.approx(8 * many / 25)
    assert source.stream(9.0).tokens_per_event == pytest.approx(many)
    assert source.read()["link.full_share"].value == 0.5
    run = source.passage("x", 2, 1)
    assert run.wire_bytes == pytest.approx(each) and run.spent.link == pytest.approx(0.9)


def test_what_was_made_stays_said_while_it_is_on_its_way():
    source = LineSource()
    for i in range(6):
        source.take(moment(i, 100 * min(i, 3), 20 * i), counters(i, streaming=8 if i < 5 else 0))
        if i == 4:
            assert source.read()["server.bytes_per_token"].value == 200
    assert source.read()["server.bytes_per_token"].value is None


def test_an_unlimited_link_is_not_full():
    source = LineSource()
    for i in range(3):
        source.take(moment(i, i, i, capacity=None), counters(i))
    assert source.read()["link.full_share"].value is None
    assert math.isinf(source.stream(2.0).link_capacity)


def test_what_passed_a_link_as_it_was_says_nothing_of_it_as_it_is():
    source = LineSource()
    for i in range(6):
        source.take(moment(i, 25 * i, 5000 * i), counters(i))
    assert source.rate() == pytest.approx(25.0)
    source.take(moment(6, 150, 30_000, capacity=400.0), counters(6))
    assert source.passage("x", 1, 1) is None, "there is but one look at it"
    for i in range(7, 11):
        source.take(moment(i, 150 + 2 * (i - 6), 30_000 + 400 * (i - 6), 400.0), counters(i))
    assert source.rate() == pytest.approx(2.0, rel=0.01)
    run = source.passage("x", 1, 1)
    assert run.moments[0].scrape.t == 6 and run.output == pytest.approx(8.0, rel=0.01)
    assert run.spent.client == pytest.approx(0.2 * 4)


def test_a_rate_that_is_held_against_a_model_is_of_the_model_s_moments():
    """Eight run and get 80 tokens a second; then they end one by one."""
    source, got = LineSource(), 0
    for i in range(9):
        got += 80 if i < 7 else 10
        source.take(moment(i, got, running=8 if i < 7 else 1), counters(i))
    run = source.passage("x", 1, 1)
    assert run.steady[-1].scrape.t == 6
    assert source.rate(run) == pytest.approx(80.0) and source.rate() < 75
