"""The KV map's pixels: the grid that fits, and squares of which each pixel is worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constraintlab.panel import SHARED, KVMap
from constraintlab.panel.palette import THEMES, TONES, VISIBLE, contrast, inks
from constraintlab.panel.raster import HEIGHT, LARGEST, Grid, grid, pixels, rgb

INK = inks("light")
NAMES = {rgb(INK["ground"]): ".", rgb(INK["line"]): "o", rgb(INK["text"]): "S",
         rgb(INK["quiet"]): "s"}  # fmt: skip
NAMES |= {rgb(ink): str(i) for i, ink in enumerate(INK["tones"])}
NAMES |= {rgb(ink): "abc"[i] for i, ink in enumerate(INK["faint"])}
"""Tones are 0 1 2, their faint shades a b c; the ground is a dot, the outline of the free an o."""


def drawn(owners, filled, g, size=4):
    """The picture in letters, a line a row of pixels."""
    made = pixels(KVMap("m", size, owners, filled), g, INK)
    return ["".join(NAMES[tuple(map(int, p))] for p in row) for row in made]


def wide(columns, rows=1, cell=12):
    return Grid(cell, columns, rows, 2, 1)


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("blocks", [16, 300, 384, 1000, 5000, 20000])
@pytest.mark.parametrize("width", [270, 580, 1160])
def test_every_pool_fits_its_place(blocks, width, scale):
    g = grid(blocks, int(width * scale), scale)
    assert g.columns * g.rows >= blocks > g.columns * (g.rows - 1)
    assert g.width <= width * scale and g.height <= HEIGHT * scale
    assert 1 <= g.cell <= LARGEST * scale


@given(st.integers(1, 70_000), st.integers(200, 1400))
def test_no_larger_square_would_fit(blocks, width):
    g = grid(blocks, width)
    if g.cell < LARGEST and g.height <= HEIGHT:
        rows = -(-blocks // max(1, width // (g.cell + 1)))
        assert rows * (g.cell + 1) > HEIGHT


def test_rows_are_as_even_as_can_be():
    # 30 squares of 19 px in a row: 300 fill ten rows and none is short.
    assert grid(300, 580) == Grid(19, 30, 10, 2, 1)
    # 22 would fit into each of five rows, the last with 12.
    assert grid(100, 580) == Grid(26, 20, 5, 2, 1)


def test_gaps_go_with_the_size_of_the_squares():
    assert [grid(n, 580).gap for n in (300, 1000, 5000)] == [2, 1, 0]
    assert grid(300, 1160, 2.0) == Grid(38, 30, 10, 4, 2)


def test_a_block_is_solid_as_far_as_it_is_filled_and_hatched_where_it_is_empty():
    assert drawn([1], [2], wide(1)) == [
        "1111111111..",
        "11111..b.1..",
        "11111.b..1..",
        "11111b...1..",
        "11111...b1..",
        "11111..b.1..",
        "11111.b..1..",
        "11111b...1..",
        "11111...b1..",
        "1111111111..",
        "............",
        "............",
    ]


def test_a_full_block_is_solid_and_a_free_one_an_outline():
    full, free = drawn([2], [4], wide(1)), drawn([0], [0], wide(1))
    assert full == ["2222222222.."] * 10 + ["............"] * 2
    assert free[0] == free[9] == "oooooooooo.."
    assert set(free[1:9]) == {"o........o.."}


def test_blocks_of_one_request_are_joined_and_those_of_two_are_not():
    same, other = drawn([1, 1], [4, 4], wide(2)), drawn([1, 2], [4, 4], wide(2))
    assert same[5] == "1111111111bb1111111111.."
    assert other[5] == "1111111111..2222222222.."


def test_a_reservation_is_one_box_however_many_blocks_it_has():
    box = drawn([1, 1], [0, 0], wide(2))
    assert box[0] == box[9] == "1" * 22 + ".."
    assert box[3] == "1b...b...b...b...b...1..", "no side between the two"


def test_the_join_ends_with_the_row():
    above, below = drawn([1, 1], [4, 4], wide(1, 2))[5], drawn([1, 1], [4, 4], wide(1, 2))[17]
    assert above == below == "1111111111.."


def test_one_token_can_be_seen_and_one_free_slot_too():
    one, but_one = drawn([1], [1], wide(1), size=255), drawn([1], [254], wide(1), size=255)
    assert one[1][:2] == "1." and but_one[5].startswith("111111111")
    small = Grid(3, 1, 1, 0, 1)
    assert drawn([1], [254], small, 255)[1] == "11b" and drawn([1], [255], small, 255)[1] == "111"


def test_a_shared_block_has_an_eye_and_no_tone_of_a_request():
    shared = drawn([SHARED, SHARED], [4, 4], wide(2))
    assert shared[1] == "SSSSSSSSSS..SSSSSSSSSS.."
    assert shared[4] == "SSS....SSS..SSS....SSS.."


def test_small_squares_have_neither_gap_nor_outline():
    g = Grid(3, 4, 1, 0, 1)
    assert drawn([1, 1, 2, 0], [4, 0, 0, 0], g) == [
        "111b..c.....",
        "111..b..c...",
        "111.b..c....",
    ]


def test_squares_below_twelve_pixels_have_faint_outlines():
    assert drawn([1], [0], Grid(8, 1, 1, 1, 1))[0] == "bbbbbbb."


def test_what_lies_beyond_the_last_block_is_ground():
    for last, row in ((1, "1111111111.."), (0, "o........o..")):
        assert drawn([1, 1, last], [4, 4, 4 * last], wide(2, 2))[20] == row + "." * 12


@pytest.mark.parametrize("theme", THEMES)
def test_the_tones_are_seen_on_their_ground_and_apart(theme):
    for ground in ("card", "page"):
        assert all(contrast(tone, THEMES[theme][ground]) >= VISIBLE for tone in TONES[theme])
    first, second, third = TONES[theme]
    assert min(contrast(first, second), contrast(second, third)) >= 1.5


def test_the_inks_are_no_resource_s_colour_but_for_the_pool_s_frame():
    for theme in THEMES:
        made = inks(theme)
        greys = [made["text"], made["quiet"], *made["tones"], *made["faint"]]
        for r, g, b in map(rgb, greys):
            assert max(r, g, b) - min(r, g, b) <= 24
        assert np.ptp(rgb(made["pool"])) > 60
