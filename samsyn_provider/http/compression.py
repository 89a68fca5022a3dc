"""Answers compressed as clients ask for it (RFC 9110, 8.4 and 12.5.3)."""

import zlib
from collections.abc import Callable, Iterable, Iterator

import brotli
import zstandard
from flask import Flask, Response, request

_Compress = Callable[[bytes], bytes]
_SHORTEST = 1024  # bytes: less fits in a packet
_TYPES = ("text/", "application/vnd.mapbox-vector-tile", "application/vnd.google-earth.kml+xml")


def _gzip() -> tuple[_Compress, Callable[[], bytes]]:
    made = zlib.compressobj(1, wbits=zlib.MAX_WBITS + 16)
    return made.compress, made.flush


def _brotli() -> tuple[_Compress, Callable[[], bytes]]:
    made = brotli.Compressor(quality=1)
    return made.process, made.finish


def _zstd() -> tuple[_Compress, Callable[[], bytes]]:
    made = zstandard.ZstdCompressor(level=1).compressobj()
    return made.compress, made.flush


_CODINGS = {"zstd": _zstd, "br": _brotli, "gzip": _gzip}
"""By what they cost: of those that a client takes equally, the first."""


def install(app: Flask) -> None:
    """Compress the app's answers, where that makes them shorter."""
    app.after_request(_compressed)


def _compressed(response: Response) -> Response:
    # what has a strong tag is the same byte for byte, and the tag is what an edit is held to
    if not _is_text(response.mimetype) or _is_strong(response):
        return response
    vary = response.headers.get("Vary")
    response.headers["Vary"] = f"{vary}, Accept-Encoding" if vary else "Accept-Encoding"
    coding = _chosen()
    if coding is None or request.method == "HEAD":
        return response
    if response.is_streamed:
        response.response = _each(response.iter_encoded(), coding)
        del response.content_length
    elif (response.calculate_content_length() or 0) >= _SHORTEST:
        response.data = b"".join(_each(response.iter_encoded(), coding))
    else:
        return response
    response.headers["Content-Encoding"] = coding
    return response


def _is_text(mimetype: str | None) -> bool:
    kind = mimetype or ""
    return kind.startswith(_TYPES) or kind.endswith(("json", "json-seq"))


def _chosen() -> str | None:
    """Return the coding that the client takes most gladly; None where it names none of ours."""
    if "Accept-Encoding" not in request.headers:
        return None
    accepted = request.accept_encodings
    best = max(_CODINGS, key=accepted.quality)
    quality = accepted.quality(best)
    return best if quality > 0 and quality >= accepted.quality("identity") else None


def _is_strong(response: Response) -> bool:
    tag, is_weak = response.get_etag()
    return tag is not None and not is_weak


def _each(parts: Iterable[bytes], coding: str) -> Iterator[bytes]:
    compress, finish = _CODINGS[coding]()
    for part in parts:
        if compressed := compress(part):
            yield compressed
    yield finish()
