"""Packed pictures: smaller, and the same to the last pixel."""

import struct
import zlib

import numpy as np
import pytest

from constraintlab.panel.png import _chunks, _made, packed


def made(pixels, split=1):
    """A PNG of 4 × 4 grey pixels, its data in `split` chunks, packed in haste."""
    data = zlib.compress(pixels, 0)
    size = -(-len(data) // split)
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    head = struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)
    return _made(head, [(b"IDAT", p) for p in parts])


@pytest.mark.parametrize("split", [1, 3])
def test_the_pixels_stay_and_the_file_shrinks(split):
    pixels = b"\0" * 2000
    small = packed(made(pixels, split))
    assert len(small) < len(made(pixels, split)) / 5
    parts = dict(_chunks(small))
    assert zlib.decompress(parts[b"IDAT"]) == pixels and b"IEND" in parts
    assert [k for k, _ in _chunks(small)] == [b"IHDR", b"IDAT", b"IEND"]


def coloured(pixels, filtered):
    """A PNG of pixels [height, width, 3 or 4], each line as itself or less its left neighbour."""
    height, width, channels = pixels.shape
    left = np.pad(pixels, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    lines = (pixels - left if filtered else pixels).reshape(height, -1)
    raw = np.pad(lines, ((0, 0), (1, 0)), constant_values=int(filtered)).tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, {3: 2, 4: 6}[channels], 0, 0, 0)
    return _made(head, [(b"IDAT", zlib.compress(raw))])


def decoded(png):
    """Its pixels in colours, if no line is filtered."""
    parts = dict(_chunks(png))
    width, height, _, kind = struct.unpack(">IIBB", parts[b"IHDR"][:10])
    raw = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not raw[:, 0].any()
    if kind == 3:
        return np.frombuffer(parts[b"PLTE"], np.uint8).reshape(-1, 3)[raw[:, 1:]]
    return raw[:, 1:].reshape(height, width, -1)


@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize("colours", [2, 256, 257])
@pytest.mark.parametrize("opacity", [None, 255])
def test_every_pixel_has_the_colour_that_it_had(colours, filtered, opacity):
    random = np.random.default_rng(0)
    palette = np.unique(random.integers(0, 256, (colours, 3), np.uint8), axis=0)
    assert len(palette) == colours
    numbers = np.concatenate([np.arange(colours), np.zeros(40 * 50 - colours, int)])
    pixels = palette[numbers.reshape(40, 50)]
    whole = pixels if opacity is None else np.pad(
        pixels, ((0, 0), (0, 0), (0, 1)), constant_values=opacity)  # fmt: skip
    small = packed(coloured(whole, filtered))
    assert np.array_equal(decoded(small), pixels)
    assert (b"PLTE" in dict(_chunks(small))) == (colours <= 256)


def test_what_one_sees_through_stays_as_it_is():
    pixels = np.full((4, 4, 4), 128, np.uint8)
    small = packed(coloured(pixels, False))
    assert np.array_equal(decoded(small), pixels)


def test_lines_less_those_above_stay_so():
    raw = 2 * (b"\2" + bytes(12))
    head = struct.pack(">IIBBBBB", 4, 2, 8, 2, 0, 0, 0)
    small = packed(_made(head, [(b"IDAT", zlib.compress(raw))]))
    assert zlib.decompress(dict(_chunks(small))[b"IDAT"]) == raw


def test_what_is_no_png_is_refused():
    with pytest.raises(ValueError, match="no PNG"):
        packed(b"GIF89a")
