"""Collections with their fields, extents and number of features."""

from dataclasses import replace

from sqlalchemy import (
    Connection,
)

from samsyn_model.database.execution import run
from samsyn_provider.collections.collection import Collection, time_bounds
from samsyn_provider.collections.comments import with_comments_extents
from samsyn_provider.collections.statements import (
    LAYER_BOUNDS,
    LAYER_COUNT,
    LAYER_TIMES,
    select_observed_properties,
)


def with_fields(connection: Connection, collection: Collection) -> Collection:
    """Return the collection with the schemas of its properties.

    Where its layer has no schema, they are observed in its first features, by one more statement.
    """
    if collection.property_schema is not None:
        return collection
    statement = select_observed_properties(collection.id)
    properties = {
        row.name: {"type": row.types[0] if len(row.types) == 1 else "string"}
        for row in run(connection, statement.text, statement.values)
    }
    return replace(
        collection,
        property_schema={"type": "object", "properties": properties},
        is_observed=True,
    )


def with_extents(connection: Connection, collection: Collection) -> Collection:
    """Return the collection with its number of features and its extents. One statement."""
    if collection.source is not None:
        return with_comments_extents(connection, collection)
    row = run(
        connection,
        f"SELECT {LAYER_COUNT} AS feature_count, {LAYER_BOUNDS} AS bounds,"
        f" {LAYER_TIMES} AS time_bounds".format(layer="%(layer)s"),
        {"layer": collection.id},
    ).one()
    bounds = tuple(row.bounds) if None not in row.bounds else None
    times = time_bounds(row.time_bounds) if row.time_bounds else None
    return replace(collection, feature_count=row.feature_count, bounds=bounds, time_bounds=times)
