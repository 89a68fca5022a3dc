"""Links of OGC API documents (RFC 8288)."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from flask import request

from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.media_types import HTML, JSON

Link = dict[str, Any]

MAX_HEADER = 2_000
"""Characters of a `Link` or `Location` header: proxies read all headers of a response into 4 kB."""
_UNQUOTED = "!'()*,:/?@"  # beside letters, digits and -._~, as RFC 3986 allows in a query


def link(rel: str, media_type: str, title: str, href: str) -> Link:
    """Return a link."""
    return {"rel": rel, "type": media_type, "title": title, "href": href}


def events_url(things: str, key: object) -> str:
    """Return the URL of the events of a layer or a map: `things` is `layers` or `maps`."""
    return f"{public_url()}/api/v1/{things}/{key}/events"


def has_events() -> bool:
    """Return whether this server sends events: without, nothing links to them."""
    return deployment().settings.live_socket != "off"


def ogc_url() -> str:
    """Return the URL of the OGC landing page, without a trailing slash."""
    return f"{public_url()}/ogc"


def collection_url(collection_id: object) -> str:
    """Return the URL of a collection."""
    return f"{ogc_url()}/collections/{collection_id}"


def request_url(**changes: object) -> str:
    """Return the URL of this request with some parameters set, or left out where None."""
    return url_with(f"{public_url()}{request.path}", {**request.args.to_dict(), **changes})


def url_with(url: str, arguments: Mapping[str, object]) -> str:
    """Return a URL with parameters, those left out that are None."""
    query = urlencode(
        {name: value for name, value in arguments.items() if value is not None},
        quote_via=quote,
        safe=_UNQUOTED,
    )
    return f"{url}?{query}" if query else url


def self_links(
    media_type: str,
    json_type: str,
    title: str,
    others: Iterable[tuple[str, str, str]] = (),
    *,
    code: str = "json",
) -> list[Link]:
    """Return the `self` link in the media type of the response, and `alternate` links.

    `others` are the media type, `f` and name of the representations beside JSON and HTML; `code` is
    the `f` of the JSON.
    """
    representations = ((json_type, code, "JSON"), (HTML, "html", "HTML"), *others)
    url = request_url(f=None)
    url = f"{url}{'&' if '?' in url else '?'}f="
    current = HTML if media_type == HTML else json_type
    return [
        {
            "rel": "self" if other == current else "alternate",
            "type": other,
            "title": f"{title} as {name}",
            "href": f"{url}{value}",
        }
        for other, value, name in representations
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


def header(links: Iterable[Link]) -> dict[str, str]:
    """Return the `Link` header of a page: of its links, those to the next and the previous page,
    and to the profile that it has.

    Each repeats the address of the request. The header has no method, so that a link to follow by
    POST cannot be in it.
    """
    return bounded_header(
        f'<{link["href"]}>; rel="{link["rel"]}"; type="{link["type"]}"'
        for link in links
        if link["rel"] in {"next", "prev", "profile"} and "method" not in link
    )


def bounded_header(values: Iterable[str]) -> dict[str, str]:
    """Return the `Link` header with these links; no header without links, or if it is too long."""
    text = ", ".join(values)
    return {"Link": text} if 0 < len(text) <= MAX_HEADER else {}
