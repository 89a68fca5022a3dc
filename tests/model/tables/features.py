"""What the tests of counts and bounds do to a layer's features, and what they find counted."""

import uuid

from sqlalchemy import Connection, Engine, text


def add_layer(connection: Connection) -> uuid.UUID:
    """Make a vector layer and return its id."""
    return connection.execute(
        text(
            "WITH owner AS (INSERT INTO users DEFAULT VALUES RETURNING id)"
            " INSERT INTO layers (name, source_type, created_by)"
            " SELECT 'A layer', 'vector', id FROM owner RETURNING id"
        )
    ).scalar_one()


def insert(connection: Connection, layer: uuid.UUID, number: int = 1) -> list[int]:
    return list(
        connection.execute(
            text(
                "INSERT INTO layer_features (layer_id, geom)"
                " SELECT :layer, ST_SetSRID(ST_MakePoint(n % 180, n % 90), 4326)"
                " FROM generate_series(1, :number) AS n RETURNING id"
            ),
            {"layer": layer, "number": number},
        ).scalars()
    )


def update(connection: Connection, layer: uuid.UUID, ids: list[int]) -> None:
    connection.execute(
        text(
            # by functions that Citus takes of columns: those that are immutable
            "UPDATE layer_features"
            """ SET properties = ('{"seen": "' || md5(properties::text) || '"}')::jsonb"""
            " WHERE layer_id = :layer AND id = ANY(:ids)"
        ),
        {"layer": layer, "ids": ids},
    )


def delete(connection: Connection, layer: uuid.UUID, ids: list[int]) -> None:
    connection.execute(
        text("DELETE FROM layer_features WHERE layer_id = :layer AND id = ANY(:ids)"),
        {"layer": layer, "ids": ids},
    )


def copy(connection: Connection, layers: list[uuid.UUID]) -> None:
    lines = "".join(f"{layer}\tSRID=4326;POINT(1 2)\t{{}}\n" for layer in layers)
    with (
        connection.connection.cursor() as cursor,
        cursor.copy("COPY layer_features (layer_id, geom, properties) FROM STDIN") as sent,
    ):
        sent.write(lines)


def state(connection: Connection, layer: uuid.UUID) -> tuple[int, int, int, int]:
    """Return features as counted, features there are, data version, rows: in one snapshot."""
    row = connection.execute(
        text(
            "SELECT coalesce(sum(feature_count), 0)::bigint,"
            " (SELECT count(*) FROM layer_features WHERE layer_id = :layer),"
            " coalesce(sum(changes), 0)::bigint, count(*)"
            " FROM layer_changes WHERE layer_id = :layer"
        ),
        {"layer": layer},
    ).one()
    return tuple(row)


def now(engine: Engine, layer: uuid.UUID) -> tuple[int, int, int, int]:
    with engine.connect() as connection:
        return state(connection, layer)


def features_of(connection: Connection, layer: uuid.UUID) -> list[int]:
    return list(
        connection.execute(
            text("SELECT id FROM layer_features WHERE layer_id = :layer"), {"layer": layer}
        ).scalars()
    )
