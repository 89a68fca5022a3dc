"""Descriptions of collections: what pygeoapi's functions build, with our links."""

from collections.abc import Sequence
from typing import Any

from pygeoapi.api import describe_collections

from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.metadata import metadata_links, metadata_members
from samsyn_provider.collections.resources import resources
from samsyn_provider.http.formats import FORMATS
from samsyn_provider.http.links import collection_url, link, ogc_url
from samsyn_provider.http.media_types import GEOJSON, HTML, JSON, SCHEMA, TILEJSON
from samsyn_provider.upstream.api import api_for
from samsyn_provider.upstream.deviations import DocumentRequest

_GREGORIAN = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"


def collections_document(collections: Sequence[Collection]) -> dict[str, Any]:
    """Return the collections as a document without links to other pages."""
    api = api_for(resources(collections))
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
        api_for(resources([collection])), DocumentRequest(), str(collection.id)
    )
    address = collection_url(collection.id)
    files = [
        link("items", form.media_type, f"Items as {form.title}", f"{address}/items?f={code}")
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
        link("self", JSON, "This collection", f"{address}?f=json"),
        link("alternate", HTML, "This collection as HTML", f"{address}?f=html"),
        link("items", GEOJSON, "Items as GeoJSON", f"{address}/items?f=json"),
        link("items", HTML, "Items as HTML", f"{address}/items?f=html"),
        link("describedby", SCHEMA, "Schema", f"{address}/schema?f=json"),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/schema",
            SCHEMA,
            "Schema",
            f"{address}/schema?f=json",
        ),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/queryables",
            SCHEMA,
            "Queryables",
            f"{address}/queryables?f=json",
        ),
        # the draft's name for it: GDAL up to 3.12 looks for that, and takes nothing but JSON
        link("queryables", JSON, "Queryables", f"{address}/queryables"),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/sortables",
            SCHEMA,
            "Sortables",
            f"{address}/sortables?f=json",
        ),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector",
            JSON,
            "Vector tiles",
            f"{address}/tiles?f=json",
        ),
        link(
            "describedby",
            TILEJSON,
            "Vector tiles as TileJSON",
            f"{address}/tiles/WebMercatorQuad?f=tilejson",
        ),
        *metadata_links(collection.metadata),
        link("root", JSON, "The landing page", f"{ogc_url()}/?f=json"),
    ]
    return document
