"""Documents as responses: JSON or HTML."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

from flask import Response, render_template, request

from samsyn_provider.cache.response_cache import CachedResponse
from samsyn_provider.http.links import request_url
from samsyn_provider.http.media_types import HTML, JSON

_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)


HOLDS_CONNECTION = "samsyn.holds_connection"
"""A WSGI variable: the response holds a connection of the database until it has been read."""


@dataclass(frozen=True, slots=True)
class SerializedFeatures:
    """GeoJSON features as PostgreSQL serialized them: bytes that are not parsed again."""

    parts: Iterator[bytes]
    """Each part has some features, separated by commas; parts are joined by commas too."""
    count: int
    is_streamed: bool = False
    """Whether the parts are read from the database as they are sent."""

    def __len__(self) -> int:
        return self.count


def respond(
    media_type: str,
    document: Mapping[str, Any],
    template: str,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response:
    """Return the document in the negotiated media type; HTML is rendered by the template."""
    if media_type == HTML:
        page_context = {"json_url": request_url(f="json"), **context}
        return respond_page(template, headers, document=_parsed(document), **page_context)
    response = _json_response(document, media_type)
    response.headers.update(headers or {})
    if "timeStamp" in document and not response.is_streamed and "ETag" not in response.headers:
        response.set_etag(_tag_but_for_time(response.get_data(), document), weak=True)
    return _revalidated(response)


def respond_json(
    document: Mapping[str, Any],
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a document that there is no page of, as JSON."""
    response = Response(b"".join(json_parts(document)), status, content_type=JSON)
    response.headers.update(headers or {})
    return _revalidated(response)


def respond_text(media_type: str, text: str) -> Response:
    """Return a document that is a text, in UTF-8, such as XML."""
    return _revalidated(Response(text, HTTPStatus.OK, content_type=media_type))


def _tag_but_for_time(body: bytes, document: Mapping[str, Any]) -> str:
    """Return an entity tag that is the same until something else changes than when it was sent."""
    sent_at = f'"timeStamp":"{document["timeStamp"]}"'.encode()
    return blake2b(body.replace(sent_at, b""), digest_size=12).hexdigest()


def _revalidated(response: Response) -> Response:
    """Return a document with its entity tag, or 304 where the client has it already."""
    response.headers["Content-Language"] = "en"
    if "ETag" not in response.headers and not response.is_streamed:
        response.add_etag(weak=True)
    if "If-None-Match" in request.headers:
        response.make_conditional(request)
    return must_revalidate(response)


def respond_page(
    template: str, headers: Mapping[str, str] | None = None, **context: Any
) -> Response:
    """Return an HTML page. It has no entity tag, which would change with the templates too."""
    response = as_page(render_template(template, **context))
    response.headers.update(headers or {})
    response.headers["Content-Language"] = "en"
    response.headers.pop("ETag", None)
    return must_revalidate(response)


def _json_response(document: Mapping[str, Any], media_type: str) -> Response:
    parts = json_parts(document)
    features = document.get("features")
    if isinstance(features, SerializedFeatures) and features.is_streamed:
        response = Response(parts, HTTPStatus.OK, content_type=media_type)
        response.call_on_close(features.parts.close)  # type: ignore[attr-defined]
        request.environ[HOLDS_CONNECTION] = True
        return response
    return Response(b"".join(parts), HTTPStatus.OK, content_type=media_type)


def not_modified(tag: str) -> Response:
    """Return 304 with this weak entity tag."""
    response = Response(status=HTTPStatus.NOT_MODIFIED)
    response.set_etag(tag, weak=True)
    return must_revalidate(response)


def response_from_cache(cached: CachedResponse) -> Response:
    """Return a cached response."""
    return must_revalidate(Response(cached.body, headers=cached.headers))


def must_revalidate(response: Response) -> Response:
    """Return the response; caches may store it, but must revalidate it before each use."""
    response.headers["Vary"] = "Accept, Authorization, Cookie"
    has_credentials = "Authorization" in request.headers
    response.headers["Cache-Control"] = "private, no-cache" if has_credentials else "no-cache"
    return response


def as_page(text: str) -> Response:
    """Return an HTML page, which may load scripts and styles from this server only."""
    response = Response(text, HTTPStatus.OK, mimetype=HTML)
    response.headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
    return response


def json_parts(document: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the document as JSON; serialized features are passed on unparsed."""
    if "feature" in document:
        return _escaped(_feature_parts(document))
    features = document.get("features")
    if isinstance(features, SerializedFeatures):
        members = {k: v for k, v in document.items() if k not in {"type", "features"}}
        return _escaped(_collection_parts(features, members))
    return _escaped(iter((_compact(document).encode(),)))


def _compact(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _feature_parts(document: Mapping[str, Any]) -> Iterator[bytes]:
    yield document["feature"][:-1]
    yield f",{_compact({'links': document['links']})[1:]}".encode()


def _collection_parts(features: SerializedFeatures, members: Mapping[str, Any]) -> Iterator[bytes]:
    separator = b'{"type":"FeatureCollection","features":['
    for part in features.parts:
        yield separator
        yield part
        separator = b",\n"
    tail = f"],{_compact(members)[1:]}".encode()
    yield tail if features.count else separator + tail


def _escaped(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the parts as QGIS up to 3.44 can read them.

    It rewrites the text before it parses it, and fails on two escapes
    (https://github.com/qgis/QGIS/issues/66700).
    """
    for part in parts:
        if b"\\" in part:
            yield part.replace(b"\\\\", b"\\u005c").replace(b'\\"', b"\\u0022")
        else:
            yield part


def _parsed(document: Mapping[str, Any]) -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = json.loads(b"".join(json_parts(document)))
    return parsed
