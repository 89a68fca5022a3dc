"""Which of a layer's features would not suit another schema or geometry type."""

import uuid
from itertools import islice

from sqlalchemy import Connection
from sqlalchemy import text as sql_text

from samsyn_model.database.execution import run
from samsyn_model.properties.json_schema import validation_deadline
from samsyn_model.properties.validation import property_faults

_SELECT = sql_text("""
SELECT properties,
    geom IS NOT NULL AND replace(ST_GeometryType(geom), 'ST_', '') <> ALL (:types) AS mismatch
FROM layer_features WHERE layer_id = :layer""").execution_options(
    stream_results=True, max_row_buffer=1_000
)


def count_misfits(
    connection: Connection, layer_id: uuid.UUID, geometry_type: str | None, schema: str | None
) -> int:
    """Return how many features of a layer break a geometry type or a schema (JSON text).

    None of either admits everything. Reads the layer once, a batch at a time. Raises TooLargeError
    when checking takes too long.
    """
    types = [geometry_type, geometry_type.removeprefix("Multi")] if geometry_type else []
    rows = run(connection, _SELECT, {"layer": layer_id, "types": types})
    count = 0
    with validation_deadline():
        for row in rows:
            mismatch = bool(geometry_type) and row.mismatch
            faults = property_faults(row.properties, schema, stored=row.properties)
            if mismatch or any(islice(faults, 1)):
                count += 1
    return count
