"""Descriptions of collections: pygeoapi's documents, with SamSyn's links."""

from collections.abc import Sequence
from typing import Any

from pygeoapi.api import describe_collections

from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.comments import comments_link
from samsyn_provider.collections.metadata import metadata_links, metadata_members
from samsyn_provider.collections.resources import resources
from samsyn_provider.http.formats import FORMATS, MEDIA_TYPES, STYLE_ENCODINGS
from samsyn_provider.http.links import Link, collection_url, events_url, has_events, link, ogc_url
from samsyn_provider.http.media_types import EVENTS, GEOJSON, HTML, JSON, SCHEMA, TILEJSON
from samsyn_provider.upstream.api import api_for
from samsyn_provider.upstream.deviations import DocumentRequest

STYLE_ID = "default"
"""The id of the one style that a collection has."""

STYLES_REL = "http://www.opengis.net/def/rel/ogc/1.0/styles"
_GREGORIAN = "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"


def collections_document(collections: Sequence[Collection]) -> dict[str, Any]:
    """Return the collections as a document without links to other pages."""
    api = api_for(resources(collections))
    _, _, document = describe_collections(api, DocumentRequest())
    document["collections"] = [
        _complete(member, collection)
        for member, collection in zip(document["collections"], collections, strict=True)
    ]
    document["links"] = []
    document["numberReturned"] = len(collections)
    return dict(document)


def collection_document(collection: Collection) -> dict[str, Any]:
    """Return the description of one collection, with extent and count where they are known.

    Unlike in a list, it links to the items in every format (`items`), and to files of all of them
    (`enclosure`).
    """
    _, _, document = describe_collections(
        api_for(resources([collection])), DocumentRequest(), collection.key
    )
    url = collection_url(collection.key)
    document = _complete(document, collection)
    for rel, title, codes in (
        ("items", "Items", MEDIA_TYPES.keys()),
        ("enclosure", "All items", FORMATS.keys()),
    ):
        document["links"] += [
            link(
                rel,
                FORMATS[code].media_type,
                f"{title} as {FORMATS[code].title}",
                f"{url}/items?f={code}",
            )
            for code in codes
        ]
    if collection.source is not None:
        return document
    document["links"] += stylesheet_links(collection.id)
    document["links"].append(comments_link("layer", collection.id))
    if has_events():
        document["links"].append(_hub_link(collection))
    return document


def _hub_link(collection: Collection) -> Link:
    """Return the link to a collection's events (OGC API - Publish-Subscribe Workflow, draft)."""
    title = "Changes as they happen, as server-sent events"
    channel = {"channel": f"collections/{collection.id}"}
    return link("hub", EVENTS, title, events_url("layers", collection.id)) | channel


def stylesheet_links(collection_id: object) -> list[Link]:
    """Return the links to a collection's style in each encoding."""
    url = f"{collection_url(collection_id)}/styles/{STYLE_ID}"
    return [
        link("stylesheet", encoding.media_type, encoding.title, f"{url}?f={code}")
        for code, encoding in STYLE_ENCODINGS.items()
    ]


def _complete(document: dict[str, Any], collection: Collection) -> dict[str, Any]:
    if collection.bounds is None:
        document.pop("extent", None)
    if collection.time_bounds is not None:
        interval = [moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in collection.time_bounds]
        temporal = {"interval": [interval], "trs": _GREGORIAN}
        document["extent"] = {**document.get("extent", {}), "temporal": temporal}
    if collection.feature_count is not None:
        document["itemCount"] = collection.feature_count
    document |= metadata_members(collection.metadata)
    url = collection_url(collection.key)
    document["links"] = [
        link("self", JSON, "This collection", f"{url}?f=json"),
        link("alternate", HTML, "This collection as HTML", f"{url}?f=html"),
        link("items", GEOJSON, "Items as GeoJSON", f"{url}/items?f=json"),
        link("items", HTML, "Items as HTML", f"{url}/items?f=html"),
        link("describedby", SCHEMA, "Schema", f"{url}/schema?f=json"),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/schema",
            SCHEMA,
            "Schema",
            f"{url}/schema?f=json",
        ),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/queryables",
            SCHEMA,
            "Queryables",
            f"{url}/queryables?f=json",
        ),
        # the draft's relation: GDAL up to 3.12 uses it, and accepts only JSON
        link("queryables", JSON, "Queryables", f"{url}/queryables"),
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/sortables",
            SCHEMA,
            "Sortables",
            f"{url}/sortables?f=json",
        ),
        *(_links_of_layer(url) if collection.source is None else ()),
        *metadata_links(collection.metadata),
        link("root", JSON, "The landing page", f"{ogc_url()}/?f=json"),
    ]
    return document


def _links_of_layer(url: str) -> list[Link]:
    """Return the links that comments do not have."""
    return [
        link(
            "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector",
            JSON,
            "Vector tiles",
            f"{url}/tiles?f=json",
        ),
        link(
            "describedby",
            TILEJSON,
            "Vector tiles as TileJSON",
            f"{url}/tiles/WebMercatorQuad?f=tilejson",
        ),
        link(STYLES_REL, JSON, "Styles", f"{url}/styles?f=json"),
        link(STYLES_REL, HTML, "Styles as HTML", f"{url}/styles?f=html"),
    ]
