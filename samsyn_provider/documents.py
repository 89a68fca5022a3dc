"""OGC API documents: what pygeoapi's functions build, with the links and schemas that SamSyn gives.

Each function takes what it describes and returns the JSON document; errors are those of
`samsyn_model.errors`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from time import time
from typing import Any

import yaml
from pygeoapi.api import API, conformance, describe_collections
from pygeoapi.api import landing_page as pygeoapi_landing_page
from pygeoapi.api.itemtypes import get_collection_item, get_collection_items
from sqlalchemy import Connection

from samsyn_model.settings import CHECKOUT
from samsyn_provider.collection_metadata import metadata_links, metadata_members
from samsyn_provider.collections import Collection, resource_definition
from samsyn_provider.conformance import CONFORMANCE_CLASSES
from samsyn_provider.deviations import DocumentRequest
from samsyn_provider.download_formats import FORMATS
from samsyn_provider.links import Link, collection_link, collection_url, ogc_url
from samsyn_provider.media_types import GEOJSON, HTML, JSON, OPENAPI, SCHEMA, TILEJSON
from samsyn_provider.parameters import ItemsQuery
from samsyn_provider.provider import ItemsRequest

_GREGORIAN = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"


@lru_cache(maxsize=1)
def _pygeoapi() -> API:
    config = yaml.safe_load((CHECKOUT / "pygeoapi-config.yml").read_text())
    return API(config, {})


def _api_with(collections: Sequence[Collection] = (), request: object = None) -> API:
    """Return pygeoapi's API over these collections alone, with the address that clients use."""
    shared = _pygeoapi()
    api = API.__new__(API)  # as copy.copy would, which takes longer than a feature
    resources = {str(one.id): resource_definition(one, request) for one in collections}
    config = {**shared.config, "resources": resources}
    vars(api).update(vars(shared), base_url=ogc_url(), config=config)
    return api


def landing_page() -> dict[str, Any]:
    """Return the landing page (OGC API Common Part 1, 9.2)."""
    _, _, document = pygeoapi_landing_page(_api_with(), DocumentRequest())
    base = ogc_url()
    document["links"] = [
        _link("service-desc", OPENAPI, "The API definition", f"{base}/openapi?f=json"),
        _link("service-doc", HTML, "The API documentation", f"{base}/openapi?f=html"),
        _link("conformance", JSON, "Conformance classes", f"{base}/conformance"),
        _link("data", JSON, "Collections", f"{base}/collections"),
        _link(
            "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes",
            JSON,
            "Tile matrix sets",
            f"{base}/tileMatrixSets?f=json",
        ),
    ]
    return dict(document)


def conformance_declaration() -> dict[str, Any]:
    """Return the conformance declaration: our classes, not those of pygeoapi's own providers."""
    _, _, document = conformance(_api_with(), DocumentRequest())
    return {**document, "conformsTo": list(CONFORMANCE_CLASSES)}


def collections_document(collections: Sequence[Collection]) -> dict[str, Any]:
    """Return the collections as a document without links to other pages."""
    api = _api_with(collections)
    _, _, document = describe_collections(api, DocumentRequest())
    document["collections"] = [
        _completed(member, collection)
        for member, collection in zip(document["collections"], collections, strict=True)
    ]
    document["links"] = []
    document["numberReturned"] = len(collections)
    return dict(document)


def collection_document(collection: Collection) -> dict[str, Any]:
    """Return the description of one collection; extent and count where they are known.

    Beyond what a list says of it, its links lead to its items in every format.
    """
    _, _, document = describe_collections(
        _api_with([collection]), DocumentRequest(), str(collection.id)
    )
    address = collection_url(collection.id)
    files = [
        _link("items", form.media_type, f"Items as {form.title}", f"{address}/items?f={code}")
        for code, form in FORMATS.items()
    ]
    document = _completed(document, collection)
    document["links"] += files
    return document


def _completed(document: dict[str, Any], collection: Collection) -> dict[str, Any]:
    if collection.bounds is None:
        document.pop("extent", None)
    if collection.time_bounds is not None:
        interval = [moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in collection.time_bounds]
        temporal = {"interval": [interval], "trs": _GREGORIAN}
        document["extent"] = {**document.get("extent", {}), "temporal": temporal}
    if collection.feature_count is not None:
        document["itemCount"] = collection.feature_count
    document |= metadata_members(collection.metadata)
    address = collection_url(collection.id)
    document["links"] = [
        _link("self", JSON, "This collection", f"{address}?f=json"),
        _link("alternate", HTML, "This collection as HTML", f"{address}?f=html"),
        _link("items", GEOJSON, "Items as GeoJSON", f"{address}/items?f=json"),
        _link("items", HTML, "Items as HTML", f"{address}/items?f=html"),
        _link("describedby", SCHEMA, "Schema", f"{address}/schema?f=json"),
        _link(
            "http://www.opengis.net/def/rel/ogc/1.0/schema",
            SCHEMA,
            "Schema",
            f"{address}/schema?f=json",
        ),
        _link(
            "http://www.opengis.net/def/rel/ogc/1.0/queryables",
            SCHEMA,
            "Queryables",
            f"{address}/queryables?f=json",
        ),
        # the draft's name for it: GDAL up to 3.12 looks for that, and takes nothing but JSON
        _link("queryables", JSON, "Queryables", f"{address}/queryables"),
        _link(
            "http://www.opengis.net/def/rel/ogc/1.0/sortables",
            SCHEMA,
            "Sortables",
            f"{address}/sortables?f=json",
        ),
        _link(
            "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector",
            JSON,
            "Vector tiles",
            f"{address}/tiles?f=json",
        ),
        _link(
            "describedby",
            TILEJSON,
            "Vector tiles as TileJSON",
            f"{address}/tiles/WebMercatorQuad?f=tilejson",
        ),
        *metadata_links(collection.metadata),
        _link("root", JSON, "The landing page", f"{ogc_url()}/?f=json"),
    ]
    return document


def items_document(
    connection: Connection, collection: Collection, query: ItemsQuery
) -> dict[str, Any]:
    """Return a page of items: features as texts, `next_position` where more follow."""
    _, _, document = get_collection_items(
        _api_with([collection], ItemsRequest(connection, query)),
        DocumentRequest(),
        str(collection.id),
    )
    document["timeStamp"] = _moment(int(time()))
    return dict(document)


@lru_cache(maxsize=2)
def _moment(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def item_document(
    connection: Connection, collection: Collection, feature_id: int, query: ItemsQuery
) -> dict[str, Any]:
    """Return one item: its `text`, its `version` and its link to the collection."""
    _, _, document = get_collection_item(
        _api_with([collection], ItemsRequest(connection, query)),
        DocumentRequest(),
        str(collection.id),
        feature_id,
    )
    return {**document, "links": [collection_link(collection.id, collection.title)]}


def _link(rel: str, media_type: str, title: str, href: str) -> Link:
    return {"rel": rel, "type": media_type, "title": title, "href": href}
