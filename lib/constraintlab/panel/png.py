"""PNG files: made from pixels, and packed to a third of the size, since notebooks store them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def packed(png: bytes) -> bytes:
    """The same picture with its pixels compressed as far as zlib goes (RFC 2083)."""
    parts = list(_chunks(png))
    pixels = zlib.decompress(b"".join(data for kind, data in parts if kind == b"IDAT"))
    out, placed = [SIGNATURE], False
    for kind, data in parts:
        if kind == b"IDAT":
            if placed:
                continue
            data, placed = zlib.compress(pixels, 9), True
        out.append(_chunk(kind, data))
    return b"".join(out)


def encoded(width: int, height: int, rgb: bytes) -> bytes:
    """A PNG of pixels in three bytes each, row by row."""
    assert len(rgb) == 3 * width * height
    lines = b"".join(b"\0" + rgb[i : i + 3 * width] for i in range(0, len(rgb), 3 * width))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, data) of each chunk. ValueError for what is no PNG."""
    if not png.startswith(SIGNATURE):
        raise ValueError("this is no PNG file")
    at = len(SIGNATURE)
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        at += 12 + size
