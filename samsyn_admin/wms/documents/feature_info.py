"""What a WMS says of a place, in whichever format, as features or as a text."""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from samsyn_admin.wms.documents.exceptions import exception_reason
from samsyn_admin.wms.documents.gml_features import gml_features
from samsyn_admin.wms.documents.html_tables import table_features
from samsyn_admin.wms.documents.json_features import json_features
from samsyn_admin.wms.documents.texts import MAX_CONTENT, MAX_NAME, escaped, plain_value, sanitised
from samsyn_admin.wms.documents.xml import UnreadableXMLError, known_encoding, parse

MAX_FEATURES = 50
MAX_PROPERTIES = 200
"""Properties of a feature."""
_RANKS = (
    r"application/(geo\+json|geojson|vnd\.geo\+json)\b.*",
    r"application/json\b.*",
    r"application/vnd\.ogc\.gml\b.*|application/gml\+xml\b.*|text/xml;\s*subtype=[\"']?gml.*",
    r"text/xml|application/xml|application/vnd\.ogc\.wms_xml|application/vnd\.esri\.wms.*_xml",
    r"text/html\b.*|application/xhtml\+xml\b.*",
    r"text/plain\b.*",
)


@dataclass(frozen=True, slots=True)
class InfoText:
    """What is not understood as features."""

    text: str
    is_markup: bool


Found = list[dict[str, Any]] | InfoText
"""The properties of each feature as they are, or a text."""


class ReportedError(Exception):
    """A server reports an error; the message is the end of a sentence."""


def ranked_formats(offered: list[str]) -> list[str]:
    """Return the formats that are understood, the one that says most first."""
    ranks: dict[str, int] = {}
    for name in offered:
        for rank, pattern in enumerate(_RANKS):
            if re.fullmatch(pattern, name.strip(), re.I):
                ranks.setdefault(name.strip(), rank)
                break
    return sorted(ranks, key=lambda name: ranks[name])


def parse_info(content: bytes, media_type: str, charset: str | None) -> Found:
    """Return what a response says; `media_type` and `charset` are its own words.

    Raises ReportedError for a report of an error.
    """
    text = _decoded(content, charset)
    start = text.lstrip("\ufeff \t\r\n")
    if not start:
        return []
    is_markup, features = start[0] == "<", None
    if is_markup:
        reason = exception_reason(content, charset)
        if reason is not None:
            raise ReportedError(reason)
        features = _of_markup(content, charset, text)
    elif start[0] in "{[":
        features = json_features(start)
        if features and "exceptions" in features[0]:
            raise ReportedError("reports an error")
    is_markup = "html" in media_type or (is_markup and media_type != "text/plain")
    return InfoText(text, is_markup) if features is None else features


def info_document(found: Found) -> dict[str, Any]:
    """Return what `parse_info` has found, as it may stand in a page."""
    if isinstance(found, InfoText):
        text = found.text
        content = sanitised(text) if found.is_markup else escaped(text, MAX_CONTENT)
        return {"type": "text", "content": content} if content else {"features": []}
    return {
        "features": [
            {"type": "Feature", "properties": _shown(properties)}
            for properties in found[:MAX_FEATURES]
        ]
    }


def _shown(properties: dict[str, Any]) -> dict[str, Any]:
    items = list(properties.items())[:MAX_PROPERTIES]
    return {escaped(str(name), MAX_NAME): plain_value(value) for name, value in items}


def _of_markup(content: bytes, charset: str | None, text: str) -> list[dict[str, Any]] | None:
    try:
        features = gml_features(parse(content, charset))
    except UnreadableXMLError:
        features = None
    return table_features(text) if features is None else features


def _decoded(content: bytes, charset: str | None) -> str:
    """Return a text in the encoding that was named, where it is in that; else in the likeliest."""
    named = known_encoding(charset) if charset else None
    for encoding in (named or "utf-8", "utf-8", "cp1252"):
        with suppress(UnicodeError):
            return content.decode(encoding)
    return content.decode("latin-1")
