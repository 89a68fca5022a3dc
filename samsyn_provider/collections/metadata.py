"""A layer's metadata in its collection: keywords, attribution, licence, provider.

`layer_metadata` is not validated: members of an unexpected type are left out.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from samsyn_provider.http.links import Link
from samsyn_provider.http.media_types import HTML

MEMBERS = ("keywords", "attribution", "license", "provider")
"""The members of `layer_metadata` that a collection has."""
_MAX_KEYWORDS = 100


def keywords(metadata: Mapping[str, Any], category: str | None) -> list[str]:
    """Return the keywords of a layer, by default its category."""
    words = metadata.get("keywords")
    if isinstance(words, list):
        return [word for word in map(_text, words[:_MAX_KEYWORDS]) if word]
    return [category] if category else []


def metadata_members(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a collection that come from its metadata.

    `attribution` and `license` (an SPDX identifier, a name or a URL) are texts; `providers` has the
    `name` and, where it is known, the `url` of the organisation responsible for the data.
    """
    members: dict[str, Any] = {
        name: text for name in ("attribution", "license") if (text := _text(metadata.get(name)))
    }
    provider = metadata.get("provider")
    contact = provider if isinstance(provider, dict) else {"name": provider}
    if name := _text(contact.get("name")):
        url = _web_url(contact.get("url"))
        members["providers"] = [{"name": name} | ({"url": url} if url else {})]
    return members


def metadata_links(metadata: Mapping[str, Any]) -> list[Link]:
    """Return the link to the licence, where that is a URL."""
    url = _web_url(metadata.get("license"))
    if url is None:
        return []
    return [{"rel": "license", "type": HTML, "title": "Licence", "href": url}]


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _web_url(value: Any) -> str | None:
    text = _text(value)
    if text is None or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme in {"http", "https"} and parts.hostname else None
