"""The HTML page of items: a table, a map, a form."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

from flask import Response, redirect, request
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from samsyn_model.database.transactions import reading
from samsyn_model.errors import InvalidParameterError
from samsyn_model.permissions.actions import Action
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.description import with_extents, with_fields
from samsyn_provider.collections.documents import collection_document
from samsyn_provider.collections.requested import requested_items
from samsyn_provider.features.documents import items_document
from samsyn_provider.features.filter_costs import refuse_costly_filter
from samsyn_provider.features.preceding import read_preceding
from samsyn_provider.geography.crs import CRS84, reference_system
from samsyn_provider.http import links
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.formats import FORMATS
from samsyn_provider.http.guard import requires, spend_search
from samsyn_provider.http.media_types import HTML
from samsyn_provider.http.representations import must_revalidate, respond_page
from samsyn_provider.items.form import (
    FORM_PARAMETERS,
    ItemsForm,
    combined_filter,
    form_values,
    items_arguments,
    make_form,
)
from samsyn_provider.items.form_fields import form_fields
from samsyn_provider.items.paging import keyset_links, page_span, pagination_links
from samsyn_provider.query.items_query import (
    Capabilities,
    ItemsQuery,
    parse_items_query,
    refuse_dialect,
    sortable,
)
from samsyn_provider.query.parameters import single_values
from samsyn_provider.styles.symbols import colour_code
from samsyn_provider.tiles.tags import VERSION, tiles_version
from samsyn_provider.versions.parameters import (
    VERSION_DATETIME,
    moment_text,
    parse_version_instant,
    version_parameter,
)
from samsyn_provider.versions.states import with_state

_NO_ARGUMENTS: Mapping[str, str] = {}
MAX_HTML_ITEMS = 500
HTML_CRS = reference_system(CRS84, "crs")
"""The CRS of the map on an HTML page."""
PAGE_SIZES = (10, 50, 100, MAX_HTML_ITEMS)
_MAX_CELLS = 20_000
_MIN_COLUMNS = 20
_MAX_DRAWN = 4_000_000  # characters of GeoJSON
_MAX_TEXT = 300  # characters of a value on a map's card
_MAX_ADDRESS = 1_500  # characters of a request that every heading repeats


@dataclass(frozen=True, slots=True)
class _Heading:
    """A column: its property, the address that sorts by it (None where nothing can), and the
    current order by it (`ascending`, `descending`, None)."""

    name: str
    href: str | None
    order: str | None


def items_page(
    connection: Connection,
    collection: Collection,
    arguments: MultiDict[str, str],
    relations: frozenset[str],
) -> Response:
    """Return the page of a request for items; with 400, and what was sent in its form, where the
    request is not valid.

    Besides the statements of the page itself, four at most.
    """
    collection = with_fields(connection, collection)
    capabilities = Capabilities(collection.fields, collection.crs, relations)
    try:
        others, moment = version_instant(collection, arguments)
        query = parse_items_query(others, capabilities)
        query = with_state(connection, collection, query, moment)
        refuse_dialect(query)
        refuse_costly_filter(connection, collection.id, query)
    except InvalidParameterError as error:
        values = form_values(collection, arguments.to_dict())
        return _faulty_page(connection, collection, make_form(collection, values, error.detail))
    arguments = others
    if moment is not None:
        arguments = MultiDict({**others, VERSION_DATETIME: moment_text(moment)})
    if query.is_search:
        spend_search()
    query = replace(query, limit=min(query.limit, MAX_HTML_ITEMS), crs=HTML_CRS)
    document = items_document(connection, collection, query)
    features = json.loads(b"[" + b",".join(document["features"].parts) + b"]")
    position = document.get("next_position")
    preceding = read_preceding(connection, collection, query)
    page_links = [
        *keyset_links(preceding, query),
        *pagination_links(HTML, position, query, links.page_link),
    ]
    drawn = _drawn(features)
    if not drawn:
        collection = with_extents(connection, collection)
    matched = document.get("numberMatched")
    headers = {
        "Content-Crs": f"<{query.crs.uri}>",
        "OGC-NumberReturned": str(len(features)),
        **({"OGC-NumberMatched": str(matched)} if matched is not None else {}),
        **links.header(page_links),
    }
    names = _names(collection, features)
    columns = names[: max(_MIN_COLUMNS, _MAX_CELLS // max(1, len(features)))]
    return respond_page(
        "ogc/items.html",
        headers,
        **_context(collection, make_form(collection, form_values(collection, arguments.to_dict()))),
        features=features,
        headings=[_heading(name, collection, query) for name in columns],
        hidden_columns=len(names) - len(columns),
        span=page_span(query, preceding, len(features), matched, has_more=position is not None),
        page_links=page_links,
        sizes={size: links.request_url(limit=size, after=None, offset=None) for size in PAGE_SIZES},
        limit=query.limit,
        unsorted=links.request_url(sortby=None, after=None, offset=None) if query.sortby else None,
        drawn={"type": "FeatureCollection", "features": drawn},
        undrawn=sum(1 for feature in features if feature["geometry"]) - len(drawn),
        tiles=tiles_url(collection, arguments.to_dict()),
        downloads={
            file_format.title: links.request_url(f=code, limit=None, offset=None, after=None)
            for code, file_format in FORMATS.items()
        },
        json_url=links.request_url(f="json"),
        moment=moment_text(moment) if moment else None,
        moment_parameter=version_parameter(has_own_time=collection.has_own_time),
        present=links.request_url(
            **{VERSION_DATETIME: None, "datetime": others.get("datetime"), "after": None}
        ),
    )


@requires(Action.READ_LAYER)
def items_form(collection_id: str) -> Response:
    """Redirect from the inputs of the form to the page of items that they stand for."""
    with reading(deployment().engine) as connection:
        collection = with_fields(connection, requested_items(connection, collection_id))
        inputs = (field.inputs for field in form_fields(collection))
        values = single_values(request.args, FORM_PARAMETERS.union(*inputs))
        arguments, faults = items_arguments(collection, values)
        address = links.url_with(_items_url(collection), {"f": "html", **arguments})
        message = "Not everything here can be read; nothing was selected." if faults else None
        if message is None and len(address) > links.MAX_HEADER:
            message = (
                f"The address of the result would have more than {links.MAX_HEADER} characters."
            )
        if message is None:
            try:
                others, _ = version_instant(collection, MultiDict(arguments))
                parse_items_query(others, Capabilities(collection.fields, collection.crs))
            except InvalidParameterError as error:
                message = error.detail
        if message is not None:
            form = make_form(collection, values, message, faults)
            return _faulty_page(connection, collection, form)
    return must_revalidate(redirect(address, HTTPStatus.SEE_OTHER))  # type: ignore[arg-type]


def version_instant(
    collection: Collection, arguments: MultiDict[str, str]
) -> tuple[MultiDict[str, str], datetime | None]:
    """Return what `parse_version_instant` does, of a collection that may have no versions."""
    return parse_version_instant(
        arguments,
        has_own_time=collection.has_own_time,
        has_versions=collection.source is None,
    )


def _faulty_page(connection: Connection, collection: Collection, form: ItemsForm) -> Response:
    """Return the page with the form and the layer's map, whose view may be the box, alone."""
    context = _context(with_extents(connection, collection), form)
    response = respond_page("ogc/items.html", **context, tiles=tiles_url(collection), drawn={})
    response.status_code = HTTPStatus.BAD_REQUEST
    response.headers["Cache-Control"] = "no-store"
    return response


def _context(collection: Collection, form: ItemsForm) -> dict[str, Any]:
    return {
        "collection": collection_document(collection),
        "bounds": collection.bounds,
        "colour": colour_code(collection.style_config),
        "form": form,
        "all_items": links.url_with(_items_url(collection), {"f": "html"}),
        "collection_items": _items_url(collection),
    }


def _items_url(collection: Collection) -> str:
    return f"{links.collection_url(collection.key)}/items"


def _names(collection: Collection, features: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the properties of the features, in the order of the layer's schema; without one,
    `name` comes first."""
    present = dict.fromkeys(name for feature in features for name in feature["properties"])
    order = collection.names or ("name",)
    return list(dict.fromkeys([*(name for name in order if name in present), *present]))


def _heading(name: str, collection: Collection, query: ItemsQuery) -> _Heading:
    order = next(
        (
            "descending" if key.descending else "ascending"
            for key in query.sortby
            if key.name == name
        ),
        None,
    )
    can_sort = (
        name in collection.fields
        and sortable(name, collection.fields[name])
        and "," not in name
        and name[:1] not in {"+", "-", " "}
        and len(request.query_string) <= _MAX_ADDRESS
    )
    sortby = f"-{name}" if order == "ascending" else name
    href = links.request_url(sortby=sortby, after=None, offset=None) if can_sort else None
    return _Heading(name, href, order)


def _drawn(features: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the features with a geometry for the map, as many as a page can draw."""
    drawn = []
    size = 0
    for feature in features:
        if feature["geometry"]:
            size += len(json.dumps(feature["geometry"]))
            if size > _MAX_DRAWN:
                break
            drawn.append(
                {
                    **{name: feature[name] for name in ("type", "id", "geometry")},
                    "properties": {
                        name: _short(value) for name, value in feature["properties"].items()
                    },
                }
            )
    return drawn


def _short(value: Any) -> Any:
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    is_long = isinstance(value, str) and len(value) > _MAX_TEXT
    return f"{value[:_MAX_TEXT]}…" if is_long else value


def tiles_url(collection: Collection, arguments: Mapping[str, str] = _NO_ARGUMENTS) -> str | None:
    """Return the address of the tiles of the features that the request selects, in any box, with
    `{z}`, `{y}` and `{x}`; None for comments, which have none."""
    if collection.source is not None:
        return None
    parameters = {
        "f": "mvt",
        VERSION: tiles_version([collection]),
        "properties": "" if collection.names else None,  # without any, where that costs nothing
        "datetime": arguments.get("datetime"),
        VERSION_DATETIME: arguments.get(VERSION_DATETIME),
        **combined_filter(collection, arguments),
    }
    if "filter" in parameters:
        parameters["filter-crs"] = arguments.get("filter-crs")
    template = f"{links.collection_url(collection.id)}/tiles/WebMercatorQuad/{{z}}/{{y}}/{{x}}"
    return links.url_with(template, parameters)
