"""Pages of items: links to the others, and which of the features a page has."""

from samsyn_provider.features.preceding import Preceding
from samsyn_provider.http import links
from samsyn_provider.http.links import PageLink
from samsyn_provider.http.media_types import GEOJSON, HTML
from samsyn_provider.query.items_query import ItemsQuery


def pagination_links(
    media_type: str, position: str | None, query: ItemsQuery, make_link: PageLink
) -> list[links.Link]:
    """Return the links to the next page, which continues after a position, and the previous one.

    Of a page that itself continues after a position, only `keyset_links` know the previous one.
    """
    link_type = HTML if media_type == HTML else GEOJSON
    page_links = []
    if position:
        page_links.append(make_link(link_type, "next", after=position, offset=None))
    if query.offset:
        offset = max(0, query.offset - query.limit)
        page_links.append(make_link(link_type, "prev", offset=offset))
    return page_links


def keyset_links(preceding: Preceding | None, query: ItemsQuery) -> list[links.Link]:
    """Return the links to the first page and the previous one, of a page that continues after a
    position."""
    if preceding is None or query.offset:
        return []
    return [
        links.page_link(HTML, "first", after=None, offset=None),
        links.page_link(HTML, "prev", after=preceding.start, offset=None),
    ]


def page_span(
    query: ItemsQuery,
    preceding: Preceding | None,
    returned: int,
    matched: int | None,
    *,
    has_more: bool,
) -> str:
    """Return which features a page has, such as "Features 11–20 of 26".

    `matched` is the number of all, None where it is not known; `more` says whether others follow.
    """
    if query.hits or (matched == 0 and not returned):
        return _features(matched or 0)
    counted = preceding.count if preceding else 0
    if counted is None:
        total = f" of {matched:,}" if matched is not None else ""
        return f"{_features(returned)}{total}, after many others"
    first, last = counted + query.offset + 1, counted + query.offset + returned
    if not returned:
        return "No features here" + (f", of {matched:,}" if matched is not None else "")
    # a number from before another writer's change may be less than what this page has
    if matched is not None and matched >= last + has_more:
        total = f"{matched:,}"
    elif has_more:
        total = f"at least {last + 1:,}"
    else:
        total = f"{last:,}"
    span = f"Feature {first:,}" if returned == 1 else f"Features {first:,}–{last:,}"
    return f"{span} of {total}"


def _features(count: int) -> str:
    return f"{count:,} feature{'' if count == 1 else 's'}"
