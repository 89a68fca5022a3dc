"""Request bodies with a `Content-Encoding` (RFC 9110, 8.4): gzip is decoded, no other is taken."""

import io
import zlib
from typing import IO, Any

from flask import Flask, request

from samsyn_model.errors import MalformedBodyError, UnsupportedMediaTypeError

_CHUNK = 64 * 1024
_GZIP = zlib.MAX_WBITS + 16


def install(app: Flask) -> None:
    """Decode the bodies of requests to the app's views.

    The limits on the size of a body are those on what it is decoded to.
    """
    app.before_request(_decode)


def _decode() -> None:
    """Replace the request's body by what it is decoded to, as it is read.

    Raises UnsupportedMediaTypeError for another coding than gzip.
    """
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding in {"", "identity"} or request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    if coding not in {"gzip", "x-gzip"}:
        raise UnsupportedMediaTypeError(
            f"The content coding {coding[:50]!r} is not supported: send the body as it is, or gzip."
        )
    environ = request.environ
    length = environ.pop("CONTENT_LENGTH", None)
    encoded: IO[bytes] = environ["wsgi.input"]
    environ["wsgi.input"] = io.BufferedReader(_Gunzip(encoded, int(length) if length else None))
    environ["wsgi.input_terminated"] = True


class _Gunzip(io.RawIOBase):
    """Reads what a gzip stream of one or several members decodes to.

    Raises MalformedBodyError where the stream is not gzip, or ends halfway.
    """

    def __init__(self, encoded: IO[bytes], length: int | None) -> None:
        self._encoded, self._remaining = encoded, length
        self._decoder = zlib.decompressobj(_GZIP)
        self._pending = b""
        self._has_ended = False

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Decode at most as much as the buffer holds; 0 at the end."""
        decoded = b""
        while not decoded and not self._has_ended:
            decoded = self._decoded(len(buffer))
        buffer[: len(decoded)] = decoded
        return len(decoded)

    def _decoded(self, size: int) -> bytes:
        if self._decoder.eof:
            self._pending = self._decoder.unused_data or self._read()
            if not self._pending:
                self._has_ended = True
                return b""
            self._decoder = zlib.decompressobj(_GZIP)
        elif not self._pending:
            self._pending = self._read()
            if not self._pending:
                raise MalformedBodyError("The body ends before its gzip stream does.")
        try:
            decoded = self._decoder.decompress(self._pending, size)
        except zlib.error:
            raise MalformedBodyError(
                "The body is not gzip, as its Content-Encoding says it is."
            ) from None
        self._pending = self._decoder.unconsumed_tail
        return decoded

    def _read(self) -> bytes:
        size = _CHUNK if self._remaining is None else min(_CHUNK, self._remaining)
        chunk = self._encoded.read(size) if size else b""
        if self._remaining is not None:
            self._remaining -= len(chunk)
        return chunk
