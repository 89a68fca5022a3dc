"""Collections as pygeoapi's `resources`."""

from collections.abc import Sequence
from typing import Any

from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.metadata import keywords
from samsyn_provider.geography.crs import CRS84, SUPPORTED, covering


def _listed_crs(collection: Collection) -> tuple[str, ...]:
    """Return the supported CRSs that cover the collection, and its additional ones."""
    if collection.bounds is None:
        return collection.crs
    return (*covering(collection.bounds), *collection.crs[len(SUPPORTED) :])


def resources(collections: Sequence[Collection], request: object = None) -> dict[str, Any]:
    """Return the collections as pygeoapi's `resources`, by id.

    `request` is passed to the provider: the connection and the parsed query.
    """
    return {collection.key: _resource(collection, request) for collection in collections}


def _resource(collection: Collection, request: object) -> dict[str, Any]:
    bounds = collection.bounds or (-180.0, -90.0, 180.0, 90.0)
    return {
        "type": "collection",
        "title": collection.title,
        "description": collection.description or "",
        "keywords": keywords(collection.metadata, collection.category),
        "links": [],
        "extents": {"spatial": {"bbox": list(bounds), "crs": CRS84}},
        "providers": [
            {
                "type": "feature",
                "name": "samsyn_provider.features.provider.PostGISProvider",
                "data": collection.key,
                "id_field": "id",
                "time_field": collection.time_field,
                "crs": list(_listed_crs(collection)),
                "storage_crs": CRS84,
                "collection": collection,
                "request": request,
            }
        ],
    }
