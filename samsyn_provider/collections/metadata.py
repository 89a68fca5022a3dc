"""What a layer's metadata says for a collection: where it is from, who may use it and how.

`layer_metadata` is whatever its editors put there: members that are not as expected are left out.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from samsyn_provider.http.links import Link
from samsyn_provider.http.media_types import HTML

MEMBERS = ("keywords", "attribution", "license", "provider")
"""The members of `layer_metadata` that a collection shows."""
_MOST_KEYWORDS = 100


def keywords(metadata: Mapping[str, Any], category: str | None) -> list[str]:
    """Return the keywords of a layer, by default its category."""
    given = metadata.get("keywords")
    if isinstance(given, list):
        return [word for word in map(_text, given[:_MOST_KEYWORDS]) if word]
    return [category] if category else []


def metadata_members(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a collection that its metadata fills.

    `attribution` and `license` (an SPDX identifier, a name or an address) are texts; `providers`
    has the `name` and, where it is known, the `url` of whoever answers for the data.
    """
    members: dict[str, Any] = {
        name: text for name in ("attribution", "license") if (text := _text(metadata.get(name)))
    }
    provider = metadata.get("provider")
    given = provider if isinstance(provider, dict) else {"name": provider}
    if name := _text(given.get("name")):
        address = _web_address(given.get("url"))
        members["providers"] = [{"name": name} | ({"url": address} if address else {})]
    return members


def metadata_links(metadata: Mapping[str, Any]) -> list[Link]:
    """Return the link to the licence, where that is an address."""
    address = _web_address(metadata.get("license"))
    if address is None:
        return []
    return [{"rel": "license", "type": HTML, "title": "Licence", "href": address}]


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _web_address(value: Any) -> str | None:
    text = _text(value)
    if text is None or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme in {"http", "https"} and parts.hostname else None
