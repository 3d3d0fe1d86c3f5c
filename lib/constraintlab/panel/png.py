"""PNG files: made from pixels, and packed, since notebooks store them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def packed(png: bytes) -> bytes:
    """The same picture in fewer bytes (RFC 2083): flat areas are longer runs unfiltered, of the
    colours' numbers in a palette where 256 are enough, and nobody looks through an opaque one."""
    parts = list(_chunks(png))
    width, height, depth, kind = struct.unpack(">IIBB", parts[0][1][:10])
    raw = zlib.decompress(b"".join(data for name, data in parts if name == b"IDAT"))
    known = depth == 8 and kind in CHANNELS
    pixels = _unfiltered(raw, width, height, CHANNELS[kind]) if known else None
    if pixels is None or (pixels.shape[2] == 4 and (pixels[..., 3] != 255).any()):
        return _made(parts[0][1], [(b"IDAT", zlib.compress(raw, 9))])
    pixels = pixels[..., :3]
    codes = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    seen = np.zeros(1 << 24, bool)  # a look-up for every colour there is: no sorting of all pixels
    seen[codes] = True
    colours = np.flatnonzero(seen).astype(">u4")
    some = len(colours) <= 256
    lines = ((np.cumsum(seen, dtype=np.uint8) - 1)[codes] if some else pixels).reshape(height, -1)
    data = zlib.compress(np.pad(lines, ((0, 0), (1, 0))).tobytes(), 9)
    head = struct.pack(">IIBBBBB", width, height, 8, 3 if some else 2, 0, 0, 0)
    rgb = colours.view(np.uint8).reshape(-1, 4)[:, 1:]
    palette = [(b"PLTE", rgb.tobytes())] if some else []
    return _made(head, [*palette, (b"IDAT", data)])


CHANNELS = {2: 3, 6: 4}
"""Bytes of a pixel by the kind of picture: colours, and colours with their opacity."""


def _unfiltered(raw: bytes, width: int, height: int, channels: int) -> np.ndarray | None:
    """[height, width, channels]; None if a line is filtered by more than its left neighbours."""
    lines = np.frombuffer(raw, np.uint8).reshape(height, 1 + width * channels)
    filters, pixels = lines[:, 0], lines[:, 1:].reshape(height, width, channels)
    if (filters > 1).any():
        return None
    summed = np.cumsum(pixels, axis=1, dtype=np.uint8)
    return np.where(filters[:, None, None] == 1, summed, pixels)


def _made(head: bytes, parts: list[tuple[bytes, bytes]]) -> bytes:
    every = [(b"IHDR", head), *parts, (b"IEND", b"")]
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in every)


def encoded(width: int, height: int, rgb: bytes) -> bytes:
    """A PNG of pixels in three bytes each, row by row."""
    assert len(rgb) == 3 * width * height
    lines = b"".join(b"\0" + rgb[i : i + 3 * width] for i in range(0, len(rgb), 3 * width))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return _made(head, [(b"IDAT", zlib.compress(lines))])


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
