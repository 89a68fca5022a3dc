"""JSON Schemas of a collection: its features, queryables and sortables.

OGC API Features Part 5 (OGC 23-058r2). Returnables and receivables differ only by the id, which is
`readOnly`: one schema describes both.
"""

from collections.abc import Mapping
from typing import Any

from samsyn_model.properties.roles import INSTANT, ROLE, TemporalProperties
from samsyn_provider.collections.collection import GEOMETRY_FORMATS, Collection
from samsyn_provider.cql2.expressions import Kind
from samsyn_provider.cql2.parsing import GEOMETRY, UPDATED, UPDATED_SCHEMA, kind_of
from samsyn_provider.cql2.text import is_plain_name
from samsyn_provider.http.links import collection_url
from samsyn_provider.query.items_query import sortable

_JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
_ID = "id"


def schema_document(collection: Collection) -> dict[str, Any]:
    """Return the schema of the collection's features, with the role of each property.

    /req/returnables-and-receivables. A property named `id` takes the place of the feature's id,
    which is not a property.
    """
    identifier = {
        **{"title": "Id", "type": "integer", "readOnly": True},
        **{ROLE: "id", "x-ogc-propertySeq": 0},
    }
    document = _schema(
        collection, "schema", {_ID: identifier, **_geometry(collection), **_properties(collection)}
    )
    required = (collection.property_schema or {}).get("required")
    if required:
        document["required"] = required
    return document


def queryables_document(collection: Collection) -> dict[str, Any]:
    """Return the queryables, /req/queryables: filters may use no other properties.

    `queryables` lists those that GDAL up to 3.12 can filter by: it reads this member of a draft,
    does not quote names, and has no CQL2 dates or booleans.
    """
    properties = {**_geometry(collection), **_properties(collection)}
    plain = [{"id": name} for name, schema in properties.items() if _is_plain(name, schema)]
    return _schema(collection, "queryables", properties) | {
        "additionalProperties": False,
        "queryables": plain,
    }


def _is_plain(name: str, schema: Mapping[str, Any]) -> bool:
    kind = kind_of(schema) if "type" in schema else None
    return kind in {Kind.TEXT, Kind.NUMBER} and is_plain_name(name)


def sortables_document(collection: Collection) -> dict[str, Any]:
    """Return the sortables, /req/sortables: `sortby` accepts no other properties."""
    properties = _properties(collection)
    sortables = {name: schema for name, schema in properties.items() if sortable(name, schema)}
    return _schema(collection, "sortables", sortables) | {"additionalProperties": False}


def _schema(
    collection: Collection, name: str, properties: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    return {
        "$schema": _JSON_SCHEMA,
        "$id": f"{collection_url(collection.key)}/{name}",
        "type": "object",
        "title": collection.title,
        "properties": dict(properties),
    }


def _geometry(collection: Collection) -> dict[str, dict[str, Any]]:
    kind = GEOMETRY_FORMATS.get(collection.geometry_type or "", "geometry-any")
    return {GEOMETRY: {ROLE: "primary-geometry", "format": kind}}


def _properties(collection: Collection) -> dict[str, dict[str, Any]]:
    """Return the schemas of the properties; one named like the geometry is left out."""
    properties = {
        name: {"title": name, **schema} | _role(name, collection.times)
        for name, schema in collection.fields.items()
        if name != GEOMETRY
    }
    return {**properties, UPDATED: properties.get(UPDATED, dict(UPDATED_SCHEMA))}


def _role(name: str, times: TemporalProperties | None) -> dict[str, str]:
    is_instant = times is not None and times.is_instant and name == times.start
    return {ROLE: INSTANT} if is_instant else {}
