"""JSON responses of the management API, their entity tags and preconditions."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

from flask import Response, request

from samsyn_admin.http.pagination import Page, page_headers
from samsyn_model.errors import PreconditionFailedError

Parts = tuple[bytes, ...]
"""JSON in parts, joined when it is sent: a large part may be in many responses."""

json_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Return a value as compact JSON."""

_CHUNK = 128 * 1024  # bytes


def iso(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC, with microseconds."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def version_of(updated_at: datetime, data_version: int | None = None) -> str:
    """Return the prefix of every entity tag of a resource in this state.

    The rest of a tag depends on the document: callers see different parts of a resource.
    """
    data = "" if data_version is None else f".{data_version:x}"
    return f"{int(updated_at.timestamp() * 1_000_000):x}{data}-"


def version_of_content(content: bytes) -> str:
    """Return the prefix as `version_of` does, of a resource whose state is this content."""
    return f"{blake2b(content, digest_size=8).hexdigest()}-"


def respond(
    document: Parts | str | dict[str, Any],
    version: str,
    status: HTTPStatus = HTTPStatus.OK,
    location: str | None = None,
) -> Response:
    """Return the response of a resource; 304 to a GET whose `If-None-Match` has its entity tag.

    `document` may be JSON already; `version` is from `version_of` or `version_of_content`.
    """
    parts = _parts(document)
    response = _response(parts, status)
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
    response.set_etag(version + digest.hexdigest())
    if location:
        response.headers["Location"] = location
    if request.method in {"GET", "HEAD"}:
        response.make_conditional(request)
    return response


def respond_list(
    entries: Sequence[Parts | str | dict[str, Any]], page: Page, total: int
) -> Response:
    """Return the response of a page of a list, a JSON array; entries are documents or JSON."""
    parts = [b"["]
    for number, entry in enumerate(entries):
        parts += (b"," * (number > 0), *_parts(entry))
    response = _response((*parts, b"]"), HTTPStatus.OK)
    response.headers.update(page_headers(page, len(entries), total))
    return response


def _chunks(parts: Parts) -> Iterator[bytes]:
    buffer: list[bytes] = []
    size = 0
    for part in parts:
        buffer.append(part)
        size += len(part)
        if size >= _CHUNK:
            yield b"".join(buffer)
            buffer, size = [], 0
    yield b"".join(buffer)


def no_content() -> tuple[str, HTTPStatus]:
    """Return the response to a deletion."""
    return "", HTTPStatus.NO_CONTENT


def check_if_match(version: str) -> None:
    """Raise PreconditionFailedError when `If-Match` has no tag of the resource's state."""
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return
    if not any(tag and tag.startswith(version) for tag in request.if_match.as_set()):
        raise PreconditionFailedError(
            "This has changed since you read it: load it again and repeat your change."
        )


def _parts(document: Parts | str | dict[str, Any]) -> Parts:
    if isinstance(document, tuple):
        return document
    return ((document if isinstance(document, str) else json_text(document)).encode(),)


def _response(parts: Parts, status: HTTPStatus) -> Response:
    size = sum(map(len, parts))
    content = b"".join(parts) if size <= _CHUNK else _chunks(parts)
    response = Response(content, status, mimetype="application/json")
    response.content_length = size
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"
    return response
