"""Colours that can be read and told from their ground, in both themes."""

import pytest

from constraintlab.limits.resource import Resource as R
from constraintlab.panel.palette import (
    COLOURS,
    DASHES,
    THEMES,
    VISIBLE,
    contrast,
    edge,
    kind,
    luminance,
    mix,
    named,
    on,
)

READABLE = 4.5
"""Contrast of text (WCAG 2.2, 1.4.3)."""


def test_black_on_white_has_the_most_contrast_and_a_colour_on_itself_the_least():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#D55E00", "#D55E00") == 1


def test_luminance_weighs_red_green_and_blue_as_the_eye_does():
    assert luminance("#ff0000") == pytest.approx(0.2126)
    assert luminance("#00ff00") == pytest.approx(0.7152)
    assert luminance("#0000ff") == pytest.approx(0.0722)
    # 10/255 = 0.0392 lies in the straight part: ÷ 12.92
    assert luminance("#0a0a0a") == pytest.approx(10 / 255 / 12.92)
    # 51/255 = 0.2: ((0.2 + 0.055) / 1.055)^2.4 = 0.0331
    assert luminance("#333333") == pytest.approx(0.0331, abs=5e-5)


def test_a_mix_goes_from_one_colour_to_the_other():
    assert mix("#000000", "#ff8000", 0) == "#000000"
    assert mix("#000000", "#ff8000", 1) == "#ff8000"
    assert mix("#000000", "#c86400", 0.5) == "#643200"


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ink", ["text", "quiet"])
@pytest.mark.parametrize("ground", ["page", "card"])
def test_letters_can_be_read(theme, ink, ground):
    assert contrast(THEMES[theme][ink], THEMES[theme][ground]) >= READABLE


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("resource", R)
def test_what_outlines_a_resource_is_seen_on_the_card(resource, theme):
    assert contrast(edge(resource, theme), THEMES[theme]["card"]) >= VISIBLE == 3


def test_a_colour_that_is_seen_already_is_its_own_edge():
    assert edge(R.COMPUTE, "light") == COLOURS[R.COMPUTE]
    assert edge(R.SLOTS, "dark") == COLOURS[R.SLOTS]


def test_yellow_on_white_gets_a_darker_edge_that_is_still_yellow():
    shade = edge(R.SLOTS, "light")
    red, green, blue = (int(shade[i : i + 2], 16) for i in (1, 3, 5))
    assert luminance(shade) < luminance(COLOURS[R.SLOTS])
    assert min(red, green) > blue + 30


@pytest.mark.parametrize("resource", R)
def test_text_on_a_resource_colour_can_be_read(resource):
    assert contrast(on(COLOURS[resource]), COLOURS[resource]) >= READABLE


def test_text_is_dark_on_light_and_light_on_dark():
    assert on("#ffffff") == "#111418"
    assert on("#000000") == "#ffffff"


@pytest.mark.parametrize("grey", range(0, 256, 15))
def test_of_dark_and_light_the_better_one_is_taken(grey):
    colour = f"#{grey:02x}{grey:02x}{grey:02x}"
    best = max(contrast("#111418", colour), contrast("#ffffff", colour))
    assert contrast(on(colour), colour) == best


def test_a_resource_is_named_with_its_mark():
    assert named(R.BANDWIDTH) == "◆ bandwidth"
    assert named(R.KV_CAPACITY) == "■ KV capacity"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("measured", "measured"),
        ("recorded: H100, 2026-11-01", "recorded"),
        ("modelled: a: b", "modelled"),
        ("n/a: no GPU", "n/a"),
        ("guessed", "n/a"),
        ("", "n/a"),
    ],
)
def test_a_source_is_of_a_known_kind(source, expected):
    assert kind(source) == expected


def test_the_kinds_that_carry_a_number_differ_in_their_line():
    looks = [DASHES[k] for k in DASHES if k != "n/a"]
    assert all(looks.count(look) == 1 for look in looks)
    gaps = [DASHES[k][1] / sum(DASHES[k]) for k in ("measured", "counted", "recorded", "modelled")]
    assert gaps == sorted(gaps) and gaps[0] == 0
