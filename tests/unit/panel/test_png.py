"""Packed pictures: smaller, and the same to the last pixel."""

import struct
import zlib

import pytest

from constraintlab.panel.png import SIGNATURE, _chunks, packed


def made(pixels, split=1):
    """A PNG of 4 × 4 grey pixels, its data in `split` chunks, packed in haste."""
    data = zlib.compress(pixels, 0)
    size = -(-len(data) // split)
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    head = struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), *((b"IDAT", p) for p in parts), (b"IEND", b"")]
    return SIGNATURE + b"".join(
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks
    )


@pytest.mark.parametrize("split", [1, 3])
def test_the_pixels_stay_and_the_file_shrinks(split):
    pixels = b"\0" * 2000
    small = packed(made(pixels, split))
    assert len(small) < len(made(pixels, split)) / 5
    parts = dict(_chunks(small))
    assert zlib.decompress(parts[b"IDAT"]) == pixels and b"IEND" in parts
    assert [k for k, _ in _chunks(small)] == [b"IHDR", b"IDAT", b"IEND"]


def test_what_is_no_png_is_refused():
    with pytest.raises(ValueError, match="no PNG"):
        packed(b"GIF89a")
