"""JSON answers of the management API, their entity tags and their conditions."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

from flask import Response, request

from samsyn_admin.pages import Page, page_headers
from samsyn_model.errors import PreconditionFailedError


def json_text(value: Any) -> str:
    """Return a value as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _json(value: str | bytes | dict[str, Any]) -> bytes:
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json_text(value)).encode()


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
    answer: str | bytes | dict[str, Any],
    version: str,
    status: HTTPStatus = HTTPStatus.OK,
    location: str | None = None,
) -> Response:
    """Answer one resource with its entity tag; 304 to a GET whose `If-None-Match` names it.

    `answer` is the document or its JSON, `version` from `version_of`.
    """
    content = _json(answer)
    response = _private(Response(content, status, mimetype="application/json"))
    response.set_etag(version + blake2b(content, digest_size=8).hexdigest())
    if location:
        response.headers["Location"] = location
    if request.method in {"GET", "HEAD"}:
        response.make_conditional(request)
    return response


def respond_list(
    entries: Sequence[str | bytes | dict[str, Any]], page: Page, total: int
) -> Response:
    """Answer a page of a list as a bare array; entries are documents or their JSON.

    The parts are never put together: a list may have megabytes.
    """
    parts = [b"["]
    for number, entry in enumerate(entries):
        parts += [b"," * (number > 0), _json(entry)]
    response = _private(Response([*parts, b"]"], mimetype="application/json"))
    response.content_length = sum(map(len, parts)) + 1
    response.headers.update(page_headers(page, len(entries), total))
    return response


def no_content() -> tuple[str, HTTPStatus]:
    """Answer a deletion."""
    return "", HTTPStatus.NO_CONTENT


def refuse_stale(version: str) -> None:
    """Raise PreconditionFailedError when `If-Match` names no tag of the resource's state."""
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return
    if not any(tag and tag.startswith(version) for tag in request.if_match.as_set()):
        raise PreconditionFailedError("This has changed since you read it.")


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"
    return response
