"""Staged features matched to those of a layer."""

import json
import uuid
from collections.abc import Iterator

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.features.faults import FeatureFault

# Nine decimals of a degree, as in responses. Downloads make a multi geometry of a single one where
# a layer has both.
_SHAPE = "md5(ST_AsBinary(ST_SnapToGrid(ST_Multi(geom), 1e-9)))::uuid"
_CONTENT = "jsonb_hash_extended(jsonb_strip_nulls(properties), 0)"

_NAME = "name"

_CREATE_PAIRS = """
CREATE TEMPORARY TABLE pairs (number bigint, id bigint) ON COMMIT DROP"""

_CREATE_INCOMING = f"""
CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS
SELECT number, {_SHAPE} AS shape, {_CONTENT} AS content,
    nullif(properties -> %(key)s, 'null') AS key,
    CASE WHEN source_id ~ '^[0-9]{{1,18}}$' THEN source_id::bigint END AS known_id
FROM staged_features"""

_CREATE_PRESENT = f"""
CREATE TEMPORARY TABLE present ON COMMIT DROP AS
SELECT id, {_SHAPE} AS shape, {_CONTENT} AS content,
    nullif(properties -> %(key)s, 'null') AS key
FROM layer_features WHERE layer_id = %(layer)s"""

_WITH_KEY = " AND nullif(properties -> %(key)s, 'null') IN (SELECT key FROM incoming)"

_COMPARE_IDS = """
SELECT count(*) AS known,
    count(*) FILTER (WHERE present.shape IS NOT DISTINCT FROM incoming.shape
        OR present.content = incoming.content) AS alike
FROM incoming JOIN present ON present.id = known_id"""

_HAS_PROPERTY = """
SELECT EXISTS (
    SELECT FROM layer_features WHERE layer_id = %(layer)s AND properties ? %(name)s)"""

_COMPARE_FIELD = f"""
WITH given AS (
    SELECT (properties ->> %(name)s)::bigint AS id, {_SHAPE} AS shape,
        jsonb_strip_nulls(properties - %(name)s) AS content
    FROM staged_features WHERE properties ->> %(name)s ~ '^[0-9]{{1,18}}$'
),
stored AS (
    SELECT id, {_SHAPE} AS shape, jsonb_strip_nulls(properties) AS content
    FROM layer_features WHERE layer_id = %(layer)s AND id IN (SELECT id FROM given)
)
SELECT count(*) AS known,
    count(*) FILTER (WHERE stored.shape IS NOT DISTINCT FROM given.shape
        OR stored.content = given.content) AS alike
FROM given JOIN stored USING (id)"""

_PAIR_BY_ID = """
INSERT INTO pairs
SELECT min(number), id FROM incoming JOIN present ON id = known_id GROUP BY id"""

_PAIR = """
INSERT INTO pairs
SELECT new.number, old.id
FROM (
    SELECT number, {value} AS value,
        row_number() OVER (PARTITION BY {value} ORDER BY number) AS place
    FROM incoming
    WHERE {condition} AND NOT EXISTS (SELECT FROM pairs WHERE pairs.number = incoming.number)
) AS new
JOIN (
    SELECT id, {value} AS value,
        row_number() OVER (PARTITION BY {value} ORDER BY id) AS place
    FROM present
    WHERE {condition} AND NOT EXISTS (SELECT FROM pairs WHERE pairs.id = present.id)
) AS old USING (value, place)"""

_EVERYTHING = ("row(shape, content)::text", "true")
_SHAPE_AND_KEY = ("row(shape, key)::text", "key IS NOT NULL")
_SHAPE_ALONE = ("shape", "shape IS NOT NULL")
_KEY_ALONE = ("key", "key IS NOT NULL")

_UNPAIRED = """
SELECT EXISTS (SELECT FROM incoming
    WHERE NOT EXISTS (SELECT FROM pairs WHERE pairs.number = incoming.number))"""

_PAIR_BY_KEY = """
INSERT INTO pairs
SELECT number, id
FROM (SELECT key, min(number) AS number FROM incoming GROUP BY key) AS new
JOIN (SELECT key, min(id) AS id FROM present GROUP BY key HAVING count(*) = 1) AS old USING (key)"""

_KEY_FAULTS = """
SELECT number, line, source_id, key,
    (SELECT count(*) FROM present WHERE present.key = incoming.key) AS found
FROM incoming JOIN staged_features USING (number)
WHERE NOT EXISTS (SELECT FROM pairs WHERE pairs.number = incoming.number)
ORDER BY number"""


def list_incoming(connection: Connection, key: str | None) -> None:
    """Prepare the staged features for matching, as far as that needs no lock of the layer."""
    run(connection, _CREATE_PAIRS)
    run(connection, _CREATE_INCOMING, {"key": key or _NAME})
    run(connection, "ANALYZE incoming")


def pair_for_replacement(connection: Connection, layer_id: uuid.UUID, key: str | None) -> bool:
    """Match the features of `list_incoming` to the layer's, each to one at most, in `pairs`.

    By the id in the source where it is evidently the layer's: at least half of the features of
    known ids have the geometry or the properties of theirs. Then, for the others in turn: by
    geometry and properties, geometry and name, geometry, name; with a `key` by geometry and
    properties, and by that property. Returns whether ids were used.
    """
    _list_present(connection, layer_id, key or _NAME, "")
    ids = run(connection, _COMPARE_IDS).one()
    has_ids = _are_evident(ids.known, ids.alike)
    if has_ids:
        run(connection, _PAIR_BY_ID)
    passes = (_EVERYTHING, _KEY_ALONE)
    if key is None:
        passes = (_EVERYTHING, _SHAPE_AND_KEY, _SHAPE_ALONE, _KEY_ALONE)  # type: ignore[assignment]
    for value, condition in passes:
        run(connection, "ANALYZE pairs")
        if not run(connection, _UNPAIRED).scalar_one():
            break
        run(connection, _PAIR.format(value=value, condition=condition))
    run(connection, "ANALYZE pairs")
    return has_ids


def has_ids_of(connection: Connection, layer_id: uuid.UUID, field: str) -> bool:
    """Return whether a field of the staged features has evidently the ids of the layer's, as in
    `pair_for_replacement`, and no feature of the layer has a property of this name."""
    values = {"layer": layer_id, "name": field}
    if run(connection, _HAS_PROPERTY, values).scalar_one():
        return False
    ids = run(connection, _COMPARE_FIELD, values).one()
    return _are_evident(ids.known, ids.alike)


def _are_evident(known: int, alike: int) -> bool:
    return known > 0 and 2 * alike >= known


def pair_by_key(connection: Connection, layer_id: uuid.UUID, key: str) -> Iterator[FeatureFault]:
    """Match those of `list_incoming` to the one of the layer with the same value of a property.

    Yields a fault for each that has none: without a value, with that of no or of several features
    of the layer, or with that of an earlier one of the file.
    """
    _list_present(connection, layer_id, key, _WITH_KEY)
    run(connection, _PAIR_BY_KEY)
    run(connection, "ANALYZE pairs")
    for row in run(connection, _KEY_FAULTS):
        if row.key is None:
            reason = f"it has no value of {key!r}."
        elif row.found == 1:
            reason = f"another feature of the file has the {key} {row.key!r} too."
        elif row.found:
            reason = f"{row.found:,} features of the layer have the {key} {row.key!r}."
        else:
            reason = f"no feature of the layer has the {key} {row.key!r}."
        source_id = None if row.source_id is None else json.loads(row.source_id)
        yield FeatureFault(row.number, reason, None, source_id, row.line)


def _list_present(connection: Connection, layer_id: uuid.UUID, key: str, condition: str) -> None:
    run(connection, _CREATE_PRESENT + condition, {"layer": layer_id, "key": key})
    run(connection, "CREATE UNIQUE INDEX ON present (id)")
    run(connection, "ANALYZE present")
