"""Links as OGC API documents carry them (RFC 8288)."""

from typing import Any
from urllib.parse import quote, urlencode

from flask import request

from samsyn_provider.deployment import public_url
from samsyn_provider.media_types import HTML, JSON

Link = dict[str, Any]


def ogc_url() -> str:
    """Return the address of the OGC landing page, without a trailing slash."""
    return f"{public_url()}/ogc"


def collection_url(collection_id: object) -> str:
    """Return the address of a collection."""
    return f"{ogc_url()}/collections/{collection_id}"


def request_url(**changes: object) -> str:
    """Return the address of this request with some parameters set, or left out where None."""
    arguments: dict[str, object] = {**request.args.to_dict(), **changes}
    query = urlencode(
        {name: value for name, value in arguments.items() if value is not None},
        quote_via=quote,
        safe=",:/",
    )
    address = f"{public_url()}{request.path}"
    return f"{address}?{query}" if query else address


def own_links(shown: str, json_type: str, title: str) -> list[Link]:
    """Return the links to this document as it is shown, and to its other form."""
    forms = [(json_type, "json", "JSON"), (HTML, "html", "HTML")]
    return [
        {
            "rel": "self" if (shown == HTML) == (media_type == HTML) else "alternate",
            "type": media_type,
            "title": f"{title} as {name}",
            "href": request_url(f=code),
        }
        for media_type, code, name in forms
    ]


def page_links(shown: str, json_type: str, **pages: str | None) -> list[Link]:
    """Return the links to the pages given by relation (`next`, `prev`), where there are any."""
    media_type = HTML if shown == HTML else json_type
    return [
        {"rel": rel, "type": media_type, "title": f"{rel} page", "href": href}
        for rel, href in pages.items()
        if href
    ]


def collection_link(collection_id: object, title: str) -> Link:
    """Return the link from items to their collection."""
    return {
        "rel": "collection",
        "type": JSON,
        "title": title,
        "href": collection_url(collection_id),
    }


def header(links: list[Link]) -> str:
    """Return the links as a `Link` header."""
    return ", ".join(
        f'<{link["href"]}>; rel="{link["rel"]}"; type="{link["type"]}"' for link in links
    )
