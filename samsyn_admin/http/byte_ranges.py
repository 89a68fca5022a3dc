"""Files that are read in parts (RFC 9110, 14): `Range`, `If-Range`, entity tags."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus

from flask import Response, request

from samsyn_model.errors import RangeNotSatisfiableError

type Read = Callable[[int, int], Iterator[bytes]]
"""Yields so many bytes from a place in a file."""


def respond_bytes(
    read: Read, size: int, tag: str, changed_at: datetime, media_type: str
) -> Response:
    """Return the part of a file that the request asks for, or all of it, as a stream.

    206 with one range; several are answered with the whole file, which a server may do. 304 and 412
    by the request's preconditions. Raises RangeNotSatisfiableError.
    """
    response = Response(content_type=media_type)
    response.set_etag(tag)
    response.last_modified = changed_at
    response.headers["Accept-Ranges"] = "bytes"
    response.make_conditional(request)
    if response.status_code != HTTPStatus.OK:
        return response
    start, end = 0, size
    if (part := _requested_range(size, tag, changed_at)) is not None:
        start, end = part
        response.status_code = HTTPStatus.PARTIAL_CONTENT
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    response.response = read(start, end - start) if request.method == "GET" else ()
    response.content_length = end - start
    return response


def _requested_range(size: int, tag: str, changed_at: datetime) -> tuple[int, int] | None:
    """Return the first byte and the one behind the last; None where the whole file is meant."""
    if request.method != "GET" or not _holds_if_range(tag, changed_at):
        return None
    requested = request.range
    if requested is None or requested.units != "bytes" or len(requested.ranges) != 1:
        return None
    start, end = requested.ranges[0]
    if start < 0:  # so many bytes before the end
        start, end = max(0, size + start), size
    end = size if end is None else min(end, size)
    if start >= end:
        raise RangeNotSatisfiableError(size)
    return start, end


def _holds_if_range(tag: str, changed_at: datetime) -> bool:
    """Return whether the file is still the one of which the client has other parts."""
    condition = request.if_range
    if condition.etag is not None:
        # a weak tag is none of bytes
        return condition.etag == tag and not request.headers["If-Range"].startswith("W/")
    if condition.date is not None:
        return changed_at.astimezone(UTC).replace(microsecond=0) == condition.date
    return "If-Range" not in request.headers
