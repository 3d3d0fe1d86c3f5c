"""What the slowest requests waited for: bars by hand, textures, and the words for it."""

import pytest

from constraintlab.limits.resource import Resource as R
from constraintlab.load.waits import STREAM, WORDS
from constraintlab.panel.charts import waterfall
from constraintlab.panel.charts.textures import PERIOD, hatching, textures
from constraintlab.panel.charts.waterfall import Bar
from constraintlab.panel.palette import COLOURS, MARKS, TONES

CAUSES = {"slots": "a slot", "kv": "room in the KV pool", "prompt": "its own prompt",
          "decode": "its own answer"}  # fmt: skip
RESOURCES = {"slots": R.SLOTS, "kv": R.KV_CAPACITY}
BARS = [
    Bar("#1 · 20 tokens", {"decode": 1.0, "prompt": 0.5}, first=0.5),
    Bar("#2 · 1,430 tokens", {"slots": 3.0, "prompt": 0.5, "decode": 1.0}, first=3.5),
]


def of(theme="light", **more):
    made = waterfall.spec(BARS, CAUSES, RESOURCES, theme, **more)
    return made, made["vconcat"][0]


def rows(chart, mark):
    return [r for x in chart["layer"] if x["mark"]["type"] == mark for r in x["data"]["values"]]


def test_the_slowest_comes_first_and_causes_are_stacked_in_the_order_given():
    made = waterfall.rows(BARS, CAUSES)
    assert [(r["row"], r["cause"], r["start"], r["end"]) for r in made] == [
        (0, "slots", 0, 3.0), (0, "prompt", 3.0, 3.5), (0, "decode", 3.5, 4.5),
        (1, "prompt", 0, 0.5), (1, "decode", 0.5, 1.5),
    ]  # fmt: skip


def test_every_cause_of_the_engine_and_of_the_client_has_its_segment():
    bar = Bar("#3", {name: 1.0 for name in WORDS})
    made = waterfall.rows([bar], WORDS)
    assert [(r["cause"], r["end"] - r["start"]) for r in made] == [(name, 1.0) for name in WORDS]
    assert made[-1]["cause"] == STREAM and made[-1]["end"] == bar.total
    assert all(WORDS[name] in waterfall.text([bar], WORDS) for name in WORDS)


def test_a_resource_has_its_colour_and_mark_and_others_are_neutral():
    _, chart = of()
    looks = {r["cause"]: (r["fill"], r["edge"], r["mark"]) for r in rows(chart, "rect")}
    assert looks["slots"][0] == COLOURS[R.SLOTS] and looks["slots"][2] == MARKS[R.SLOTS]
    neutral = {*TONES["light"], "transparent"}
    assert {*looks["prompt"][:2], *looks["decode"][:2]} <= neutral
    assert looks["prompt"][0] != looks["decode"][0]


def test_seven_neutral_causes_look_different_and_an_eighth_is_refused():
    for theme in ("light", "dark"):
        assert len(set(textures([None] * 7, theme))) == 7
    with pytest.raises(ValueError, match="8 causes that are no resource occur: textures tell 7"):
        textures([None] * 8, "light")
    assert len(textures([None] * 7 + [R.SLOTS], "light")) == 8


@pytest.mark.parametrize("rises", [1, -1])
def test_a_hatching_stays_in_its_box_at_45_degrees(rises):
    left, top, right, bottom = box = (10.0, 5.0, 47.0, 18.0)
    lines = hatching(box, rises)
    assert len(lines) >= (right - left) // PERIOD
    for x0, y0, x1, y1 in lines:
        assert left <= x0 < x1 <= right and top <= min(y0, y1) <= max(y0, y1) <= bottom
        assert (y1 - y0) == pytest.approx(-rises * (x1 - x0))


def test_time_begins_when_a_request_was_sent_and_the_first_token_is_marked():
    made, chart = of()
    (axis,) = {str(x["encoding"]["x"].get("scale")) for x in chart["layer"]
               if x["mark"]["type"] == "rect"}  # fmt: skip
    assert axis == "{'domain': [0, 5.0], 'nice': False}"
    assert [r["start"] for r in rows(chart, "point")] == [3.5, 0.5]
    named = [r["label"] for r in rows(chart, "text") if r.get("total") and "label" in r]
    assert named[:2] == [BARS[1].label, BARS[0].label]
    assert "▼ first token" in str(made["vconcat"][1])


def test_the_legend_has_the_causes_that_occur_and_no_other():
    made, _ = of()
    told = str(made["vconcat"][1])
    for text in (f"{MARKS[R.SLOTS]} a slot", "its own prompt", "its own answer"):
        assert text in told
    assert "room in the KV pool" not in told
    short = [Bar("a", {"slots": 2.0, "kv": 1e-5})]
    assert waterfall.occurring(short, CAUSES) == ["slots"]
    without = waterfall.spec(short, CAUSES, RESOURCES, "light")
    assert "first token" not in str(without["vconcat"])


def test_the_title_is_the_largest_cause_s_share_or_what_is_given():
    made, _ = of()
    assert made["title"]["text"] == ["50% of these 2 requests' time went to a slot"]
    assert of(finding="They wait for slots")[0]["title"]["text"] == ["They wait for slots"]
    assert waterfall.title(BARS[:1], CAUSES) == "67% of this request's time went to its own answer"
    assert waterfall.title([Bar("a", {})], CAUSES) == "This request's time is not known"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_says_all_numbers_and_draws(theme):
    picture = waterfall.picture(BARS, CAUSES, RESOURCES)
    assert picture.text == (
        "50% of these 2 requests' time went to a slot. #2 · 1,430 tokens: 4.50 s, first token "
        "after 3.50 s: a slot 3 s, its own prompt 500 ms, its own answer 1 s. #1 · 20 tokens: "
        "1.50 s, first token after 500 ms: its own prompt 500 ms, its own answer 1 s."
    )
    assert picture.png(theme)[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Bar("#1", {"slots": -1.0}), "#1: slots -1.0 s: give seconds of 0 or more"),
        (lambda: Bar("#1", {"slots": float("nan")}), "give seconds of 0 or more"),
        (lambda: waterfall.picture([], CAUSES), "0 requests: the chart draws 1 to 40"),
        (lambda: waterfall.picture(BARS * 21, CAUSES), "42 requests: .* give the slowest"),
        (lambda: waterfall.picture(BARS, {"slots": "a slot"}), "no words for decode, prompt"),
    ],
)
def test_what_can_not_be_drawn_is_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
