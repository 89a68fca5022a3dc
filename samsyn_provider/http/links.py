"""Links of OGC API documents (RFC 8288)."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from flask import request

from samsyn_provider.http.deployment import public_url
from samsyn_provider.http.media_types import HTML, JSON

Link = dict[str, Any]


def link(rel: str, media_type: str, title: str, href: str) -> Link:
    """Return a link."""
    return {"rel": rel, "type": media_type, "title": title, "href": href}


def ogc_url() -> str:
    """Return the URL of the OGC landing page, without a trailing slash."""
    return f"{public_url()}/ogc"


def collection_url(collection_id: object) -> str:
    """Return the URL of a collection."""
    return f"{ogc_url()}/collections/{collection_id}"


def request_url(**changes: object) -> str:
    """Return the URL of this request with some parameters set, or left out where None."""
    arguments: dict[str, object] = {**request.args.to_dict(), **changes}
    query = urlencode(
        {name: value for name, value in arguments.items() if value is not None},
        quote_via=quote,
        safe=",:/",
    )
    url = f"{public_url()}{request.path}"
    return f"{url}?{query}" if query else url


def self_links(
    media_type: str, json_type: str, title: str, others: Iterable[tuple[str, str, str]] = ()
) -> list[Link]:
    """Return the `self` link in the media type of the response, and `alternate` links.

    `others` are the media type, `f` and name of the representations beside JSON and HTML.
    """
    representations = ((json_type, "json", "JSON"), (HTML, "html", "HTML"), *others)
    url = request_url(f=None)
    url = f"{url}{'&' if '?' in url else '?'}f="
    current = HTML if media_type == HTML else json_type
    return [
        {
            "rel": "self" if other == current else "alternate",
            "type": other,
            "title": f"{title} as {name}",
            "href": f"{url}{code}",
        }
        for other, code, name in representations
    ]


class PageLink(Protocol):
    """A function that links to another page of the request's result, as `page_link` does."""

    def __call__(self, media_type: str, rel: str, **changes: object) -> Link:
        """Return the link to the page with these parameters changed."""


def page_link(media_type: str, rel: str, **changes: object) -> Link:
    """Return a link to this request's URL with some parameters set, or left out where None."""
    return {
        "rel": rel,
        "type": media_type,
        "title": f"{rel} page",
        "href": request_url(**changes),
    }


def search_page_link(body: dict[str, Any], media_type: str, rel: str, **changes: object) -> Link:
    """Return a link to follow by POST with this body, some of its members changed."""
    members = {**body, **changes}
    return page_link(media_type, rel) | {
        "method": "POST",
        "body": {name: value for name, value in members.items() if value is not None},
    }


def entity_tag(version: str, media_type: str) -> str:
    """Return the tag of this request's representation, of data in a version."""
    key = "\n".join((version, media_type, public_url(), request.full_path))
    return blake2b(key.encode(), digest_size=12).hexdigest()


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
