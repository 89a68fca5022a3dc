"""OGC API documents: what pygeoapi's functions build, with the links and schemas that SamSyn gives.

Each function takes what it describes and returns the JSON document; errors are those of
`samsyn_model.errors`.
"""

import copy
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import yaml
from pygeoapi.api import API, conformance, describe_collections, get_collection_schema
from pygeoapi.api import landing_page as pygeoapi_landing_page
from pygeoapi.api.itemtypes import (
    get_collection_item,
    get_collection_items,
    get_collection_queryables,
)
from sqlalchemy import Connection

from samsyn_model.settings import CHECKOUT
from samsyn_provider.collections import GEOMETRY_FORMATS, Collection, resource_definition
from samsyn_provider.deviations import DocumentRequest
from samsyn_provider.links import Link, collection_link, collection_url, ogc_url
from samsyn_provider.media_types import HTML, JSON, OPENAPI
from samsyn_provider.parameters import ItemsQuery
from samsyn_provider.provider import ItemsRequest

_SPEC = "http://www.opengis.net/spec"
_CQL2_CLASSES = (
    *("cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators"),
    *("case-insensitive-comparison", "accent-insensitive-comparison"),
    *("basic-spatial-functions", "basic-spatial-functions-plus", "spatial-functions"),
    *("temporal-functions", "array-functions", "property-property", "arithmetic"),
)
_TILES_CLASSES = ("core", "tileset", "tilesets-list", "geodata-tilesets", "mvt", "oas30")
_TILE_MATRIX_SET_CLASSES = (
    *("tilematrixset", "json-tilematrixset", "tilesetmetadata", "json-tilesetmetadata"),
)
CONFORMANCE_CLASSES = (
    f"{_SPEC}/ogcapi-common-1/1.0/conf/core",
    f"{_SPEC}/ogcapi-common-1/1.0/conf/landing-page",
    f"{_SPEC}/ogcapi-common-1/1.0/conf/json",
    f"{_SPEC}/ogcapi-common-1/1.0/conf/html",
    f"{_SPEC}/ogcapi-common-1/1.0/conf/oas30",
    f"{_SPEC}/ogcapi-common-2/1.0/conf/collections",
    f"{_SPEC}/ogcapi-common-3/1.0/conf/schemas",
    f"{_SPEC}/ogcapi-features-1/1.0/conf/core",
    f"{_SPEC}/ogcapi-features-1/1.0/conf/geojson",
    f"{_SPEC}/ogcapi-features-1/1.0/conf/html",
    f"{_SPEC}/ogcapi-features-1/1.0/conf/oas30",
    f"{_SPEC}/ogcapi-features-2/1.0/conf/crs",
    f"{_SPEC}/ogcapi-features-3/1.0/conf/filter",
    f"{_SPEC}/ogcapi-features-3/1.0/conf/features-filter",
    f"{_SPEC}/ogcapi-features-3/1.0/conf/queryables",
    f"{_SPEC}/ogcapi-features-3/1.0/conf/queryables-query-parameters",
    *(f"{_SPEC}/cql2/1.0/conf/{name}" for name in _CQL2_CLASSES),
    f"{_SPEC}/ogcapi-features-5/1.0/conf/schemas",
    f"{_SPEC}/ogcapi-features-5/1.0/conf/core-roles-features",
    f"{_SPEC}/ogcapi-features-5/1.0/conf/queryables",
    *(f"{_SPEC}/ogcapi-tiles-1/1.0/conf/{name}" for name in _TILES_CLASSES),
    *(f"{_SPEC}/tms/2.0/conf/{name}" for name in _TILE_MATRIX_SET_CLASSES),
)
"""What this server holds to; `docs/conformance.md` names the test that shows each."""

_JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"


@lru_cache(maxsize=1)
def _pygeoapi() -> API:
    config = yaml.safe_load((CHECKOUT / "pygeoapi-config.yml").read_text())
    return API(config, {})


def _api_with(collections: Sequence[Collection] = (), request: object = None) -> API:
    """Return pygeoapi's API over these collections alone, with the address that clients use."""
    api = copy.copy(_pygeoapi())
    api.base_url = ogc_url()
    api.config = {
        **api.config,
        "resources": {
            str(collection.id): resource_definition(collection, request)
            for collection in collections
        },
    }
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
    """Return the description of one collection; extent and count where they are known."""
    _, _, document = describe_collections(
        _api_with([collection]), DocumentRequest(), str(collection.id)
    )
    return _completed(document, collection)


def _completed(document: dict[str, Any], collection: Collection) -> dict[str, Any]:
    if collection.bounds is None:
        document.pop("extent", None)
    if collection.feature_count is not None:
        document["itemCount"] = collection.feature_count
    address = collection_url(collection.id)
    document["links"] = [
        _link("self", JSON, "This collection", f"{address}?f=json"),
        _link("alternate", HTML, "This collection as HTML", f"{address}?f=html"),
        _link("items", "application/geo+json", "Items as GeoJSON", f"{address}/items?f=json"),
        _link("items", HTML, "Items as HTML", f"{address}/items?f=html"),
        _link("describedby", "application/schema+json", "Schema", f"{address}/schema?f=json"),
        _link(
            "http://www.opengis.net/def/rel/ogc/1.0/schema",
            "application/schema+json",
            "Schema",
            f"{address}/schema?f=json",
        ),
        _link(
            "http://www.opengis.net/def/rel/ogc/1.0/queryables",
            "application/schema+json",
            "Queryables",
            f"{address}/queryables?f=json",
        ),
        _link(
            "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector",
            JSON,
            "Vector tiles",
            f"{address}/tiles?f=json",
        ),
        _link("root", JSON, "The landing page", f"{ogc_url()}/?f=json"),
    ]
    return document


def schema_document(collection: Collection) -> dict[str, Any]:
    """Return the schema of the collection's features (OGC API Features Part 5)."""
    _, _, document = get_collection_schema(
        _api_with([collection]), DocumentRequest(), str(collection.id)
    )
    document["$schema"] = _JSON_SCHEMA
    document["properties"] = _properties(collection)
    required = (collection.property_schema or {}).get("required")
    if required:
        document["required"] = required
    return dict(document)


def queryables_document(collection: Collection) -> dict[str, Any]:
    """Return the properties that requests may filter by (OGC API Features Part 3, 6)."""
    _, _, document = get_collection_queryables(
        _api_with([collection]), DocumentRequest(), str(collection.id)
    )
    document["$schema"] = _JSON_SCHEMA
    document["$id"] = f"{collection_url(collection.id)}/queryables"
    document["properties"] = _properties(collection)
    document["additionalProperties"] = False
    return dict(document)


def _geometry_schema(collection: Collection) -> dict[str, Any]:
    kind = GEOMETRY_FORMATS.get(collection.geometry_type or "", "geometry-any")
    return {"x-ogc-role": "primary-geometry", "format": kind}


def _properties(collection: Collection) -> dict[str, Any]:
    """Return the schemas of the geometry and the properties; the geometry keeps its name."""
    named = {
        name: {"title": name, **schema} | _role(name, collection)
        for name, schema in collection.fields.items()
    }
    return {"geometry": _geometry_schema(collection)} | {
        name: schema for name, schema in named.items() if name != "geometry"
    }


def _role(name: str, collection: Collection) -> dict[str, str]:
    return {"x-ogc-role": "primary-instant"} if name == collection.time_field else {}


def items_document(
    connection: Connection, collection: Collection, query: ItemsQuery
) -> dict[str, Any]:
    """Return a page of items: features as texts, `next_position` where more follow."""
    _, _, document = get_collection_items(
        _api_with([collection], ItemsRequest(connection, query)),
        DocumentRequest(),
        str(collection.id),
    )
    document["timeStamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return dict(document)


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
