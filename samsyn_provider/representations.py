"""The bytes of a document: JSON, or a page."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, render_template, request

from samsyn_provider.links import request_url
from samsyn_provider.media_types import HTML
from samsyn_provider.provider import FeatureTexts

_POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self'; frame-ancestors 'none'"


def respond(
    media_type: str,
    document: Mapping[str, Any],
    template: str,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response:
    """Return the document in the media type that was chosen, as a page with this template."""
    if media_type == HTML:
        response = as_page(
            render_template(
                template, document=_parsed(document), json_url=request_url(f="json"), **context
            )
        )
    else:
        response = Response(json_text(document), HTTPStatus.OK, content_type=media_type)
    response.headers.update(headers or {})
    response.headers["Content-Language"] = "en"
    if media_type == HTML:  # how a page looks is no state of what it shows
        response.headers.pop("ETag", None)
    else:
        if "ETag" not in response.headers:
            response.add_etag(weak=True)
        if "If-None-Match" in request.headers:
            response.make_conditional(request)
    return asked_again(response)


def not_modified(tag: str) -> Response:
    """Return the answer to who has the state with this weak entity tag already."""
    response = Response(status=HTTPStatus.NOT_MODIFIED)
    response.set_etag(tag, weak=True)
    return asked_again(response)


def asked_again(response: Response) -> Response:
    """Return the response, which may be kept but not used before the server is asked again."""
    response.headers["Vary"] = "Accept, Authorization"
    named = "Authorization" in request.headers
    response.headers["Cache-Control"] = "private, no-cache" if named else "no-cache"
    return response


def as_page(text: str) -> Response:
    """Return a page, which may load and run nothing but this server's own files."""
    response = Response(text, HTTPStatus.OK, mimetype=HTML)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def json_text(document: Mapping[str, Any]) -> str:
    """Return the document as JSON; features that PostgreSQL wrote are passed on unparsed."""
    text = _json(document)
    if "\\" in text:
        # QGIS up to 3.44 rewrites the text before it parses it and stumbles over these two escapes
        # (https://github.com/qgis/QGIS/issues/66700)
        text = text.replace("\\\\", "\\u005c").replace('\\"', "\\u0022")
    return text


def _json(document: Mapping[str, Any]) -> str:
    if "text" in document:
        return _extended(document["text"], {"links": document["links"]})
    features = document.get("features")
    if isinstance(features, FeatureTexts):
        rest = {k: v for k, v in document.items() if k not in {"type", "features"}}
        return _extended(f'{{"type":"FeatureCollection","features":[{features.text}]}}', rest)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _extended(text: str, members: Mapping[str, Any]) -> str:
    """Return the JSON object `text` with more members, without parsing it."""
    addition = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
    return f"{text[:-1]},{addition[1:]}"


def _parsed(document: Mapping[str, Any]) -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = json.loads(json_text(document))
    return parsed
