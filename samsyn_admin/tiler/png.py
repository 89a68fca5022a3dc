"""Pictures in PNG (ISO/IEC 15948), made of lines of pixels."""

import struct
import zlib

MEDIA_TYPE = "image/png"
INDEXED, RGBA = 3, 6
"""Colour types: a byte or less of each pixel is an index of a palette, or four bytes a colour."""
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(
    size: tuple[int, int],
    depth: int,
    colour_type: int,
    lines: bytes,
    level: int,
    *more: tuple[bytes, bytes],
) -> bytes:
    """Return a PNG of a width and a height.

    `depth` is how many bits a sample has; `lines` are the rows of pixels, each after the byte of
    its filter; `level` is of the compression, from 0 to 9. `more` are chunks, by their types, that
    come before the pixels: PLTE, tRNS.
    """
    header = struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, 0)
    chunks = (
        *((b"IHDR", header), *more),
        *((b"IDAT", zlib.compress(lines, level)), (b"IEND", b"")),
    )
    return SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )
