"""JSON answers of the management API, their entity tags and their conditions."""

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
"""JSON in parts, which are put together on their way out: a large one may be in many answers."""

json_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Return a value as compact JSON."""

_CHUNK = 128 * 1024  # bytes that are sent at once


def iso(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC, with microseconds."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def version_of(changed: datetime, data_version: int | None = None) -> str:
    """Return what every entity tag of a resource in this state starts with.

    The rest of a tag tells the answers of one state apart: callers see different parts of it.
    """
    data = "" if data_version is None else f".{data_version:x}"
    return f"{int(changed.timestamp() * 1_000_000):x}{data}-"


def respond(
    answer: Parts | str | dict[str, Any],
    version: str,
    status: HTTPStatus = HTTPStatus.OK,
    location: str | None = None,
) -> Response:
    """Answer one resource with its entity tag; 304 to a GET whose `If-None-Match` names it.

    `answer` is the document or its JSON, `version` from `version_of`.
    """
    parts = _parts(answer)
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
    """Answer a page of a list as a bare array; entries are documents or their JSON."""
    parts = [b"["]
    for number, entry in enumerate(entries):
        parts += (b"," * (number > 0), *_parts(entry))
    response = _response((*parts, b"]"), HTTPStatus.OK)
    response.headers.update(page_headers(page, len(entries), total))
    return response


def _chunks(parts: Parts) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= _CHUNK:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


def no_content() -> tuple[str, HTTPStatus]:
    """Answer a deletion."""
    return "", HTTPStatus.NO_CONTENT


def check_if_match(version: str) -> None:
    """Raise PreconditionFailedError when `If-Match` names no tag of the resource's state."""
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return
    if not any(tag and tag.startswith(version) for tag in request.if_match.as_set()):
        raise PreconditionFailedError("This has changed since you read it.")


def _parts(answer: Parts | str | dict[str, Any]) -> Parts:
    if isinstance(answer, tuple):
        return answer
    return ((answer if isinstance(answer, str) else json_text(answer)).encode(),)


def _response(parts: Parts, status: HTTPStatus) -> Response:
    size = sum(map(len, parts))
    content = b"".join(parts) if size <= _CHUNK else _chunks(parts)
    response = Response(content, status, mimetype="application/json")
    response.content_length = size
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"
    return response
