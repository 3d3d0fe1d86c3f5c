"""Streams on the panel: what is refused, what the title finds, what is sent."""

import json
import math
from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.panel import Panel, Stream
from constraintlab.panel.streaming import FIELDS
from constraintlab.panel.streamtitle import title, wait
from constraintlab.panel.streamview import COLUMNS, NAMES, axis, figures, nice, pack, strips
from constraintlab.telemetry.names import NAMES as DOCUMENTED
from constraintlab.telemetry.sample import Sample

STARVED = Stream(
    5.0,
    server_itl=0.009,
    client_itl=0.038,
    bytes_per_token=312.0,
    writes_per_token=1.0,
    queue_bytes=46_000.0,
    slow=0,
    readers=64,
    link_rate=0.97e6,
    link_capacity=1e6,
)


def finding(**changes):
    return title(replace(STARVED, **changes))[0]


def test_the_title_sets_the_client_s_wait_beside_the_server_s_and_says_why():
    assert finding() == (
        "The client waits 38 ms for a token that the server made in 9 ms: the link is 97% full"
    )
    assert finding(link_rate=0.4e6) == (
        "The client waits 38 ms for a token that the server made in 9 ms"
    )
    assert finding(link_rate=0.4e6, slow=3).endswith("in 9 ms: 3 of 64 readers are slow")
    assert finding(slow=1).endswith("the link is 97% full and 1 of 64 readers is slow")
    assert finding(slow=1, readers=None, link_rate=None).endswith(": 1 reader is slow")


def test_a_client_that_keeps_up_is_said_to():
    told = "The client gets a token every 9.4 ms, as fast as the server makes it"
    assert finding(client_itl=0.0094, link_rate=0.1e6) == told
    assert finding(client_itl=0.0094, slow=1) == (
        f"{told}; the link is 97% full; 1 of 64 readers is slow"
    )


@pytest.mark.parametrize(
    ("client", "server", "late"),
    [
        (0.0113, 0.009, True),
        (0.0111, 0.009, False),  # under a quarter more
        (0.0019, 0.001, False),  # under a millisecond more
        (0.0021, 0.001, True),
    ],
)
def test_a_quarter_and_a_millisecond_more_are_late(client, server, late):
    assert ("waits" in finding(client_itl=client, server_itl=server)) == late


def test_a_client_that_reads_a_backlog_is_faster_than_the_server():
    told = finding(client_itl=0.005, link_rate=0.1e6)
    assert told == (
        "The client gets a token every 5 ms, the server makes it in 9 ms: what had waited drains"
    )


def test_events_of_several_tokens_are_compared_with_as_many_of_the_server_s():
    told, shows = title(replace(STARVED, tokens_per_event=8.0, client_itl=0.075, link_rate=1e5))
    assert told == "The client gets 8 tokens every 75 ms, as fast as the server makes them"
    assert shows == "time between two events, the server's for as many tokens"
    late = finding(tokens_per_event=8.0, client_itl=0.3, link_rate=1e5)
    assert late == "The client waits 300 ms for 8 tokens that the server made in 72 ms"
    assert title(STARVED)[1] == "time between two tokens of a stream"


def test_where_one_side_is_not_known_the_title_claims_nothing_about_it():
    assert finding(client_itl=None) == "The server makes a token in 9 ms; no client was measured"
    assert finding(server_itl=None) == (
        "The client waits 38 ms for a token; the server says nothing"
    )
    assert finding(client_itl=None, server_itl=None) == "No token has been streamed yet"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.038, "38 ms"), (0.009, "9 ms"), (0.00944, "9.4 ms"), (0.00996, "10 ms"), (0.4, "400 ms"),
     (0.9996, "1.00 s"), (12.0, "12 s"), (5e-5, "50.0 µs"), (0, "0 s"), (None, "n/a"),
     (math.nan, "n/a")],
)  # fmt: skip
def test_a_wait_has_two_digits_or_so(seconds, told):
    assert wait(seconds) == told


def test_the_link_is_drawn_as_a_share_of_its_capacity_or_by_its_rate_without_one():
    link = strips(STARVED, ())[0]
    assert (link.column, link.top, link.limit) == ("full", 1.0, 1.0)
    assert link.values == ("970 kB/s of 1.00 MB/s", "97% full", "970 kB/s")
    for capacity, told in ((None, "970 kB/s"), (math.inf, "970 kB/s, no limit")):
        free = replace(STARVED, link_capacity=capacity)
        link = strips(free, [(5.0, *figures(free))])[0]
        assert (link.column, link.limit, link.values[0]) == ("link_rate", 0.0, told)
        assert link.top == pytest.approx(1e6)
    assert strips(replace(STARVED, link_rate=4.2e6, link_capacity=5e6), ())[0].values[0] == (
        "4.20 of 5.00 MB/s"
    )


def test_a_link_over_its_capacity_for_a_moment_still_fits_its_strip():
    over = replace(STARVED, link_rate=1.3e6)
    assert strips(over, [(5.0, *figures(over))])[0].top == pytest.approx(1.3)
    assert "the link is 100% full" in title(over)[0]


def test_the_strips_are_the_way_of_a_token_each_in_its_resource():
    shown = strips(STARVED, ())
    assert [(s.name, s.resource and s.resource.value, s.mark) for s in shown] == [
        ("link", "network", "✚"),
        ("bytes a token", "network", "✚"),
        ("writes a token", "host", "▲"),
        ("send queue", None, ""),
        ("slow readers", "client", "★"),
    ]
    assert [s.values[0] for s in shown[1:]] == ["312 B", "1", "46.0 kB", "0 of 64"]


def test_a_few_bytes_and_one_slow_reader_do_not_fill_their_strips():
    few = replace(STARVED, queue_bytes=300.0, slow=1)
    *_, queue, slow = strips(few, [(5.0, *figures(few))])
    assert 300 / queue.top < 0.1 and 1 / slow.top == 0.25


@given(st.floats(1e-9, 1e12))
def test_an_axis_holds_its_value_and_is_no_more_than_two_thirds_empty(value):
    assert value * 0.99 <= nice(value) <= value * 1.51


def test_the_axis_holds_both_lines():
    points = [(0.0, *figures(STARVED)), (1.0, *figures(replace(STARVED, client_itl=0.4)))]
    assert axis(points) == pytest.approx(0.4) and axis([]) == 1e-3


def test_points_are_sent_with_times_from_now_and_nan_for_what_is_not_known():
    before = figures(replace(STARVED, client_itl=None, slow=None))
    head, (raw,) = pack(STARVED, [(4.0, *before), (5.0, *figures(STARVED))])
    rows = array("d", raw)
    assert len(rows) == 2 * 9 and rows[0] == -1.0 and math.isnan(rows[2]) and math.isnan(rows[8])
    assert rows[9:].tolist() == pytest.approx(
        [0, 0.009, 0.038, 0.97, 0.97e6, 312, 1, 46e3, 0]
    )  # fmt: skip
    assert json.loads(json.dumps(head, allow_nan=False)) == head
    assert [line["column"] for line in head["lines"]] == [2, 1]
    assert {s["column"] for s in head["strips"]} <= set(range(1, 1 + len(COLUMNS)))


def test_nothing_set_is_an_empty_head():
    assert pack(None, []) == ({}, [])


@given(st.builds(Stream, st.just(1.0), *[st.none() | st.floats(0, 1e12)] * len(FIELDS)))
def test_whatever_is_known_the_head_is_plain_data_and_has_words_for_all(stream):
    head, _ = pack(stream, [(1.0, *figures(stream))])
    json.dumps(head, allow_nan=False)
    assert head["finding"] and len(head["rows"]) == len(NAMES) == 7
    assert all(s["top"] > 0 for s in head["strips"]) and head["top"] > 0


def test_sources_are_named_by_kind_and_in_the_line_style():
    mixed = replace(STARVED, client_itl=None, sources={
        "client_itl": "n/a: no load client runs", "link_rate": "counted"})  # fmt: skip
    head, _ = pack(mixed, [])
    assert head["sources"] == [
        {"kind": "measured",
         "what": "server, bytes a token, writes a token, send queue, slow readers"},
        {"kind": "counted", "what": "link"},
        {"kind": "n/a", "what": "client"},
    ]  # fmt: skip
    assert head["strips"][0]["dash"] == [9, 2] and head["lines"][1]["dash"] == [1, 0]
    assert ["client", "n/a", "n/a: no load client runs"] in head["rows"]
    assert pack(STARVED, [])[0]["sources"] == [{"kind": "measured", "what": "streams"}]


def test_the_text_of_a_panel_has_all_figures_and_stays_the_same():
    panel = Panel(lab="06")
    verdict = panel.text()
    panel.set_stream(STARVED)
    assert panel.text() == (
        f"{verdict}\nThe client waits 38 ms for a token that the server made in 9 ms: the link is "
        "97% full. client 38 ms, server 9 ms, link 970 kB/s of 1.00 MB/s, bytes a token 312 B, "
        "writes a token 1, send queue 46.0 kB, slow readers 0 of 64."
    )
    panel.set_stream(None)
    assert panel.text() == verdict


def test_a_sample_of_a_server_gives_its_side_and_the_reason_for_what_is_missing():
    values = {"server.itl_s": 0.009, "server.bytes_per_token": 300.0,
              "server.streams_coalescing": 2.0, "server.streams_paused": 1.0,
              "server.streams_open": 64.0, "server.send_queue_bytes": None}  # fmt: skip
    labels = dict.fromkeys(values, "measured") | {"server.send_queue_bytes": "n/a: no such metric"}
    made = Stream.of(Sample(3.0, values, labels), client_itl=0.02, link_rate=5e5,
                     sources={"client_itl": "recorded: last week"})  # fmt: skip
    assert (made.now, made.server_itl, made.slow, made.readers) == (3.0, 0.009, 3.0, 64.0)
    assert (made.client_itl, made.queue_bytes, made.writes_per_token) == (0.02, None, None)
    assert made.source("queue_bytes") == "n/a: no such metric"
    assert made.source("writes_per_token") == "n/a: server.writes_per_token is not sampled"
    assert made.source("client_itl") == "recorded: last week"
    assert made.source("link_capacity") == "n/a: not given"
    mine = Stream.of(Sample(3.0, values, labels), now=9.0, slow=0, readers=4)
    assert (mine.now, mine.slow, mine.source("slow")) == (9.0, 0, "measured")


def test_the_names_that_are_read_from_a_sample_are_documented():
    from constraintlab.panel.streaming import FROM_SAMPLE

    assert {key for keys in FROM_SAMPLE.values() for key in keys} <= set(DOCUMENTED)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"client_itl": -1.0}, "client_itl=-1.0"),
        ({"slow": math.nan}, "slow=nan"),
        ({"link_rate": math.inf}, "link_rate=inf"),
        ({"sources": {"itl": "measured"}}, "no figure is called itl"),
        ({"slow": None, "sources": {"slow": "measured"}}, "only None is n/a"),
        ({"sources": {"slow": "n/a: why"}}, "only None is n/a"),
    ],
)
def test_figures_that_can_not_be_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        replace(STARVED, **wrong)
