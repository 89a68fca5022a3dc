"""Responses compressed with the coding that the client accepts (RFC 9110, 8.4 and 12.5.3)."""

import zlib
from collections.abc import Callable, Iterable, Iterator

import brotli
import zstandard
from flask import Flask, Response, request

from samsyn_provider.http.media_types import EVENTS

_Compress = Callable[[bytes], bytes]
_MIN_SIZE = 1024  # bytes: less fits in a packet
_COMPRESSIBLE_TYPES = (
    "text/",
    "application/vnd.mapbox-vector-tile",
    "application/vnd.google-earth.kml+xml",
    "application/vnd.ogc.sld+xml",
    "application/vnd.qgis.qml",
)


def _gzip() -> tuple[_Compress, Callable[[], bytes]]:
    compressor = zlib.compressobj(1, wbits=zlib.MAX_WBITS + 16)
    return compressor.compress, compressor.flush


def _brotli() -> tuple[_Compress, Callable[[], bytes]]:
    compressor = brotli.Compressor(quality=1)
    return compressor.process, compressor.finish


def _zstd() -> tuple[_Compress, Callable[[], bytes]]:
    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    return compressor.compress, compressor.flush


_CODINGS = {"zstd": _zstd, "br": _brotli, "gzip": _gzip}
"""The cheapest first: of the codings that a client prefers equally, the first is used."""


def install(app: Flask) -> None:
    """Compress the app's responses, where that makes them shorter."""
    app.after_request(_compress_response)


def _compress_response(response: Response) -> Response:
    # a strong tag stands for the same bytes, and edits are conditional on it
    if not _is_compressible(response.mimetype) or _has_strong_tag(response):
        return response
    vary = response.headers.get("Vary")
    response.headers["Vary"] = f"{vary}, Accept-Encoding" if vary else "Accept-Encoding"
    coding = _negotiate_coding()
    if coding is None:
        return response
    if response.is_streamed:
        close = getattr(response.response, "close", None)
        if close is not None:  # of a file, which is replaced here
            response.call_on_close(close)
        response.response = _compress_parts(response.iter_encoded(), coding)
        del response.content_length
    elif (response.calculate_content_length() or 0) >= _MIN_SIZE:
        response.data = b"".join(_compress_parts(response.iter_encoded(), coding))
    else:
        return response
    response.headers["Content-Encoding"] = coding
    return response


def _is_compressible(mimetype: str | None) -> bool:
    media_type = mimetype or ""
    if media_type == EVENTS:  # which goes on when the response has been handed over
        return False
    return media_type.startswith(_COMPRESSIBLE_TYPES) or media_type.endswith(("json", "json-seq"))


def _negotiate_coding() -> str | None:
    """Return the supported coding that the client prefers; None where it accepts none."""
    if "Accept-Encoding" not in request.headers:
        return None
    accepted = request.accept_encodings
    best = max(_CODINGS, key=accepted.quality)
    quality = accepted.quality(best)
    return best if quality > 0 and quality >= accepted.quality("identity") else None


def _has_strong_tag(response: Response) -> bool:
    tag, is_weak = response.get_etag()
    return tag is not None and not is_weak


def _compress_parts(parts: Iterable[bytes], coding: str) -> Iterator[bytes]:
    compress, finish = _CODINGS[coding]()
    for part in parts:
        if compressed := compress(part):
            yield compressed
    yield finish()
