"""What the tests of history do to a layer, and its states: now, and as of a moment."""

import random
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from samsyn_model.database.execution import run
from samsyn_model.history.as_of import COLUMNS, AsOf, as_of

type State = list[tuple[Any, ...]]

STATE = ", ".join(
    {"geom": "encode(ST_AsEWKB(geom), 'hex')", "properties": "properties::text"}.get(name, name)
    for name in COLUMNS
)
_LAST = "SELECT max(committed_at) FROM layer_change_sets WHERE layer_id = :layer"


def state(connection: Connection, layer: uuid.UUID) -> State:
    """Return every column of a layer's features, by their ids."""
    rows = connection.execute(
        text(f"SELECT {STATE} FROM layer_features WHERE layer_id = :layer ORDER BY id"),
        {"layer": layer},
    )
    return [tuple(row) for row in rows]


def copy_now(engine: Engine, layer: uuid.UUID) -> tuple[datetime, State]:
    """Return a copy of a layer and the moment that it is of: nothing is committed meanwhile."""
    with engine.connect() as connection, connection.begin():
        connection.execute(
            text("SELECT pg_advisory_xact_lock(uuid_hash_extended(:layer, 0))"), {"layer": layer}
        )
        moment = connection.execute(
            text(f"SELECT greatest(clock_timestamp(), ({_LAST}))"), {"layer": layer}
        ).scalar_one()
        return moment, state(connection, layer)


def states_as_of(engine: Engine, layer: uuid.UUID, moment: datetime) -> list[State]:
    """Return the layer as it was, found in each of the ways there are, which have to agree."""
    with engine.connect() as connection:
        reached = as_of(connection, layer, moment)
        statements = (
            f"SELECT {STATE} FROM {reached.features()} AS layer_features ORDER BY id",
            f"SELECT {STATE} FROM {reached.features_in_order()} AS layer_features ORDER BY id",
        )
        found = [_rows(connection, statement, reached) for statement in statements]
        assert reached.feature_count in {None, len(found[0])}
        paged: State = []
        while page := _page(connection, reached, paged[-1][1] if paged else None):
            paged += page
        return [*found, paged]


def _page(connection: Connection, reached: AsOf, after: int | None) -> State:
    source = reached.features_in_order(None if after is None else "%(after)s")
    statement = f"SELECT {STATE} FROM {source} AS layer_features ORDER BY id LIMIT 7"
    return _rows(connection, statement, reached, after=after)


def _rows(connection: Connection, statement: str, reached: AsOf, **values: Any) -> State:
    return [tuple(row) for row in run(connection, statement, {**reached.values, **values}).all()]


def edit(chance: random.Random, connection: Connection, layer: uuid.UUID) -> None:
    """Insert, update or delete a few features, as one of many writers."""
    values: dict[str, Any] = {"layer": layer, "number": chance.randrange(1, 4)}
    kind = chance.choice(("insert", "update", "update", "update", "delete"))
    if kind == "insert":
        statement = (
            "INSERT INTO layer_features (layer_id, geom, properties)"
            " SELECT :layer, ST_SetSRID(ST_MakePoint(random() * 360 - 180, 50), 4326),"
            " jsonb_build_object('n', n) FROM generate_series(1, :number) AS n"
        )
    else:
        chosen = some(connection, layer, int(values["number"]))
        values["ids"] = chosen
        condition = "WHERE layer_id = :layer AND id = ANY (:ids)"
        statement = (
            f"DELETE FROM layer_features {condition}"
            if kind == "delete"
            else "UPDATE layer_features SET properties = jsonb_build_object('x', random()),"
            f" geom = ST_SetSRID(ST_MakePoint(random() * 360 - 180, 50), 4326) {condition}"
        )
    connection.execute(text(statement), values)


def some(connection: Connection, layer: uuid.UUID, number: int) -> Sequence[int]:
    """Return ids of features of a layer that no other transaction is changing, and lock them."""
    statement = (
        "SELECT id FROM layer_features WHERE layer_id = :layer"
        " ORDER BY random() LIMIT :number FOR UPDATE SKIP LOCKED"
    )
    return list(connection.execute(text(statement), {"layer": layer, "number": number}).scalars())
