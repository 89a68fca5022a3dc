"""The bytes of request bodies: held to their length, and decoded (RFC 9110, 8.4 and 8.6)."""

import io
import zlib
from typing import IO, Any

from flask import Flask, request
from werkzeug.wsgi import get_content_length

from samsyn_model.errors import (
    BodyTimeoutError,
    MalformedBodyError,
    UnsupportedMediaTypeError,
)

_CHUNK = 64 * 1024
_GZIP = zlib.MAX_WBITS + 16


def install(app: Flask) -> None:
    """Read the bodies of requests to the app's views whole, decoded from gzip.

    The limits on the size of a body are those on what it is decoded to.
    """
    app.before_request(_wrap)


def _wrap() -> None:
    """Replace the request's body by one that raises MalformedBodyError where it is cut short.

    Raises UnsupportedMediaTypeError for another coding than gzip.
    """
    environ = request.environ
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    length = get_content_length(environ)  # the request's own property would be cached
    if not length and "HTTP_TRANSFER_ENCODING" not in environ:
        return
    body: IO[bytes] = io.BufferedReader(_WholeBody(environ["wsgi.input"], length))
    if coding in {"gzip", "x-gzip"}:
        body = io.BufferedReader(_Gunzip(body))
        environ.pop("CONTENT_LENGTH", None)
    elif coding not in {"", "identity"}:
        raise UnsupportedMediaTypeError(
            f"The content coding {coding[:50]!r} is not supported: send the body as it is, or gzip."
        )
    environ["wsgi.input"] = body
    environ["wsgi.input_terminated"] = True


class _WholeBody(io.RawIOBase):
    """Reads a body of the length that its Content-Length states, None for one in chunks.

    A client that is gone, or has made a mistake, must not have half of its features stored: raises
    MalformedBodyError where the body ends before its length, BodyTimeoutError where it is too slow.
    """

    def __init__(self, received: IO[bytes], length: int | None) -> None:
        self._received, self._length, self._count = received, length, 0

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read at most as much as the buffer holds; 0 at the end."""
        size = len(buffer) if self._length is None else min(len(buffer), self._length - self._count)
        try:
            chunk = self._received.read(size) if size else b""
        except TimeoutError:
            raise BodyTimeoutError("The body did not arrive in time.") from None
        except OSError:
            raise MalformedBodyError("The body was cut off.") from None
        self._count += len(chunk)
        if size and not chunk and self._length is not None:
            raise MalformedBodyError(
                f"The body was cut off: {self._count:,} of {self._length:,} bytes arrived."
            )
        buffer[: len(chunk)] = chunk
        return len(chunk)


class _Gunzip(io.RawIOBase):
    """Reads what a gzip stream of one or several members decodes to.

    Raises MalformedBodyError where the stream is not gzip, or ends halfway.
    """

    def __init__(self, encoded: IO[bytes]) -> None:
        self._encoded = encoded
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
            self._pending = self._decoder.unused_data or self._encoded.read(_CHUNK)
            if not self._pending:
                self._has_ended = True
                return b""
            self._decoder = zlib.decompressobj(_GZIP)
        elif not self._pending:
            self._pending = self._encoded.read(_CHUNK)
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
