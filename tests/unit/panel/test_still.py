"""The canvases in the still picture, which is what a page without a kernel shows."""

import base64
import math
from dataclasses import replace

import numpy as np
import pytest

from constraintlab.panel import (
    SHARED,
    KVMap,
    Lane,
    Lanes,
    Panel,
    Stream,
    still_lanes,
    still_maps,
    still_streaming,
)
from constraintlab.panel.drawing import Drawing
from constraintlab.panel.palette import inks
from constraintlab.panel.png import encoded, packed
from constraintlab.panel.raster import Grid, grid, pixels

POOLS = [KVMap(name, 16, [1, 1, 2, 2, 0, 0], [16, 3, 16, 0, 0, 0]) for name in ("one", "two")]
LANES = Lanes(
    10.0,
    [
        Lane(1, "r1", [("queued", 6.0, 6.5), ("prefill", 6.5, 7.0), ("decode", 7.0, 8.0)], "stop"),
        Lane(2, "r2", [("queued", 7.0, 8.5), ("decode", 8.5, 9.0), ("preempted", 9.0, None)]),
        Lane(3, "r3", [("decode", 7.0, 9.0), ("streaming", 9.0, None)]),
    ],
    waiting=1,
    running=1,
    slots=4,
)
STREAM = Stream(
    10.0,
    server_itl=0.01,
    client_itl=0.04,
    bytes_per_token=300.0,
    writes_per_token=1.0,
    queue_bytes=2048.0,
    slow=1,
    readers=8,
    link_rate=9e5,
    link_capacity=1e6,
)
TRAIL = [(6.0, 0, 1), (7.0, 2, 1), (10.0, 1, 1)]


def text(chart):
    return [v["text"] for layer in chart["layer"] for v in layer["data"]["values"] if "text" in v]


def boxes(chart):
    return [v | {"dash": list(layer["mark"]["strokeDash"])} for layer in chart["layer"]
            if layer["mark"]["type"] == "rect" for v in layer["data"]["values"]]  # fmt: skip


def lanes(theme="light"):
    made, height = still_lanes.draw(LANES, TRAIL, 500, theme)
    return made.chart(500, height, {})


def test_a_panel_of_which_nothing_new_is_set_has_the_picture_that_it_had():
    never, taken = Panel(lab="03"), Panel(lab="03")
    taken.set_maps(POOLS)
    taken.set_lanes(LANES)
    taken.set_stream(STREAM)
    taken.set_maps(None)
    taken.set_lanes(None)
    taken.set_stream(None)
    assert never.png() == taken.png()


@pytest.mark.parametrize("dark", [False, True])
def test_maps_lanes_and_streams_are_in_the_picture(dark):
    panel = Panel(lab="04")
    plain = panel.png(dark)
    panel.set_maps(POOLS)
    mapped = panel.png(dark)
    panel.set_lanes(LANES)
    laned = panel.png(dark)
    panel.set_stream(STREAM)
    assert len({plain, mapped, laned, panel.png(dark)}) == 4
    panel.set_stream(None)
    panel.set_maps([KVMap("one", 16, POOLS[0].owners, [16, 4, 16, 0, 0, 0]), POOLS[1]])
    assert panel.png(dark) != mapped


def test_each_pool_has_its_pixels_its_figures_and_a_frame_in_the_resource_s_colour():
    made, height = still_maps.draw(POOLS, 0, 800, "light", 1.5)
    chart = made.chart(800, height, {})
    images = [layer["data"]["values"][0] for layer in chart["layer"]
              if layer["mark"]["type"] == "image"]  # fmt: skip
    g = grid(6, int(376 * 1.5), 1.5)
    shown = pixels(POOLS[0], g, inks("light", "page")).tobytes()
    want = base64.b64encode(encoded(g.width, g.height, shown)).decode()
    assert images[0]["url"].endswith(want) and images[1]["x"] > images[0]["x"] + g.width / 1.5
    frames = [b for b in boxes(chart) if b["stroke"] == inks("light")["pool"]]
    assert len(frames) == 2
    # 35 of the 96 tokens are used, 29 wasted, 32 free.
    assert [t for t in text(chart) if "%" in t] == ["33%", "30%", "36%"] * 2
    assert "one: 2 requests" in text(chart) and "shared by several" not in text(chart)


def test_the_key_of_shared_blocks_stands_only_where_there_are_some():
    shared = KVMap("one", 16, [1, SHARED], [16, 16])
    made, height = still_maps.draw([shared], 0, 800, "dark", 1.5)
    assert "shared by several" in text(made.chart(800, height, {}))


def test_a_bar_begins_and_ends_where_its_span_does():
    # 5 s are 500 px wide: the first prefill from 6.5 s to 7 s is 150 px to 200 px from the left.
    def ends(**look):
        found = [b for b in boxes(lanes()) if b["y"] < 84 and look.items() <= b.items()]
        return [pytest.approx((b["x"], b["x2"])) for b in found]

    assert ends(fill=inks("light")["tones"][0]) == [(150, 200)]
    assert ends(dash=[3, 2]) == [(100.5, 149.5), (200.5, 349.5)]


def test_every_phase_has_its_own_look_and_a_key():
    chart = lanes()
    solid = {(b["fill"], b["y2"] - b["y"]) for b in boxes(chart) if b["fill"] != "transparent"}
    ink = inks("light")
    phases = {(ink["tones"][0], 10.0), (ink["tones"][2], 8.0), (ink["tones"][1], 4.0)}
    assert phases <= solid
    words = text(chart)
    for phase in ("queued", "prefill", "decode", "streaming", "preempted"):
        assert phase in words
    assert "stop" in words and "1 of 4 slots" in words and "−5 s" in words


def test_a_short_prefill_is_wide_enough_to_be_seen():
    made = Drawing()
    still_lanes.bar(made, "prefill", 10, 10.01, 7, inks("dark"))
    (box,) = boxes(made.chart(1, 1, {}))
    assert box["x2"] - box["x"] == 2


def test_what_fades_is_drawn_weaker_all_of_it():
    made = Drawing()
    for phase in ("queued", "decode", "preempted"):
        still_lanes.bar(made, phase, 0, 9, 7, inks("dark"), 0.3)
    rows = [v for layer in made.chart(1, 1, {})["layer"] for v in layer["data"]["values"]]
    assert [row["strength"] for row in rows] == [0.3] * 3


def test_pixels_become_a_png_that_stays_the_same_when_packed():
    rgb = np.arange(2 * 3 * 3, dtype=np.uint8).tobytes()
    made = encoded(3, 2, rgb)
    assert packed(made).startswith(b"\x89PNG") and b"IHDR\x00\x00\x00\x03\x00\x00\x00\x02" in made


def test_a_grid_s_size_is_that_of_its_picture():
    g = Grid(10, 3, 2, 1, 1)
    assert pixels(POOLS[0], g, inks("light")).shape == (g.height, g.width, 3) == (20, 30, 3)


def stream(points, theme="light", **changes):
    made, height = still_streaming.draw(replace(STREAM, **changes), points, 500, theme)
    return made.chart(500, height, {})


# t, server, client, share of the link, its rate, bytes and writes a token, queue, slow readers
FLOW = [
    (6.0, 0.01, 0.01, 0.5, 5e5, 300.0, 1.0, 0.0, 0.0),
    (8.0, 0.01, 0.04, 0.9, 9e5, 300.0, 1.0, 2048.0, 1.0),
    (10.0, 0.01, 0.04, 0.9, 9e5, 300.0, 1.0, 2048.0, 1.0),
]


def test_what_the_client_waits_beyond_the_server_is_shaded_between_their_lines():
    # 5 s are 500 px; the axis ends at 40 ms, 96 px above its foot at 104
    shade = inks("light")["line"]
    first = next(b for b in boxes(stream(FLOW)) if b["fill"] == shade)
    assert (first["x"], first["y"], first["y2"]) == pytest.approx((300, 8, 8 + 0.75 * 96))
    assert first["x2"] == pytest.approx(500.5)


def test_a_strip_is_filled_in_its_resource_s_colour_as_high_as_its_figure():
    looks, chart = inks("light", "page")["looks"], stream(FLOW)
    top, high = 8 + 96 + 16, 26

    def filled(r):
        return [b for b in boxes(chart) if b["fill"] == looks[r]["faint"]]

    link = [b for b in filled("network") if b["y2"] == top + high]
    assert [(b["x"], b["y"]) for b in link] == [
        pytest.approx((100, top + 0.5 * high)), pytest.approx((300, top + 0.1 * high))
    ]  # fmt: skip
    (slow,) = [b for b in filled("client") if b["x"] == 300]
    assert slow["y2"] - slow["y"] == pytest.approx(high / 4), "four slow readers fill it"
    assert {looks[r]["faint"] for r in ("network", "host", "client")} <= {
        b["fill"] for b in boxes(chart)
    }


def test_values_and_names_are_written_beside_the_lines():
    words = text(stream(FLOW))
    for told in ("client 40 ms", "server 10 ms", "900 kB/s of 1.00 MB/s", "300 B", "1 of 8",
                 "2.05 kB", "send queue", "✚", "▲", "★", "40 ms", "20 ms", "waits on the way",
                 "what the link can carry"):  # fmt: skip
        assert told in words, told
    assert "what the link can carry" not in text(stream(FLOW, link_capacity=None))


def test_the_lines_labels_never_cover_each_other():
    for client in (0.0, 0.0098, 0.01, 0.0102, 0.04):
        points = [(9.0, 0.01, client, *[0.0] * 6), (10.0, 0.01, client, *[0.0] * 6)]
        chart = stream(points, client_itl=client)
        at = [v["y"] for layer in chart["layer"] for v in layer["data"]["values"]
              if v.get("text", "").startswith(("client ", "server "))]  # fmt: skip
        assert abs(at[0] - at[1]) >= 14 and all(0 <= y <= 8 + 96 + 14 for y in at)


def test_what_is_not_known_is_not_drawn():
    nothing = [(t, *[math.nan] * 8) for t in (8.0, 9.0, 10.0)]
    unknown = replace(STREAM, **dict.fromkeys(
        ("client_itl", "queue_bytes", "slow", "link_rate", "bytes_per_token"), None))  # fmt: skip
    made, height = still_streaming.draw(unknown, nothing, 500, "dark")
    chart = made.chart(500, height, {})
    assert [b for b in boxes(chart) if b["y"] < height - 30] == []
    assert text(chart).count("n/a") == 4 and "client n/a" in text(chart)
