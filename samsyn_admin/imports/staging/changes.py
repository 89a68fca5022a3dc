"""Staged features written into a layer, and what was there before kept for taking it back."""

import uuid
from collections.abc import Callable

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.sharding.writing import begin_writing

_STEP = 10_000  # features a statement: triggers read its rows once more

_LIST_INSERTED = """
CREATE TEMPORARY TABLE inserted_features ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY number) AS place, number FROM staged_features"""

_UNPAIRED = " WHERE NOT EXISTS (SELECT FROM pairs WHERE pairs.number = staged_features.number)"

_INSERT = """
WITH added AS (
    INSERT INTO layer_features (layer_id, geom, properties, created_by)
    SELECT %(layer)s, geom, properties, %(user)s
    FROM inserted_features JOIN staged_features USING (number)
    WHERE place > %(after)s AND place <= %(last)s
    ORDER BY number
    RETURNING id
)
UPDATE import_layers
SET inserted = coalesce(inserted, '{}')
    + (SELECT range_agg(int8range(id, id, '[]')) FROM added)
WHERE import_id = %(import)s AND layer_id = %(layer)s"""

# A null for an absent property changes nothing; properties that the file lacks stay.
_LIST_UPDATED = """
CREATE TEMPORARY TABLE updated_features ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY number) AS place, number, id
FROM pairs
JOIN incoming USING (number)
JOIN present USING (id)
JOIN staged_features USING (number)
JOIN layer_features AS stored USING (id)
WHERE stored.layer_id = %(layer)s AND (
    %(writes_geometry)s AND incoming.shape IS DISTINCT FROM present.shape
    OR jsonb_strip_nulls(stored.properties || staged_features.properties)
        <> jsonb_strip_nulls(stored.properties))"""

_RECORD = """
    INSERT INTO import_changes (layer_id, feature_id, import_id, version, was_deleted, geom,
        properties, created_by, updated_by, created_at, updated_at)
    SELECT layer_id, id, %(import)s, version + 1, {was_deleted}, geom, properties, created_by,
        updated_by, created_at, updated_at
    FROM layer_features
    WHERE layer_id = %(layer)s AND id IN (SELECT id FROM chosen)"""

_UPDATE = f"""
WITH chosen AS (
    SELECT number, id FROM updated_features WHERE place > %(after)s AND place <= %(last)s
),
recorded AS ({_RECORD.format(was_deleted="false")})
UPDATE layer_features AS stored
SET geom = CASE WHEN %(writes_geometry)s THEN staged_features.geom ELSE stored.geom END,
    properties = stored.properties || staged_features.properties, updated_by = %(user)s
FROM chosen JOIN staged_features USING (number)
WHERE stored.layer_id = %(layer)s AND stored.id = chosen.id"""

_LIST_DELETED = """
CREATE TEMPORARY TABLE deleted_features ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY id) AS place, id FROM present
WHERE NOT EXISTS (SELECT FROM pairs WHERE pairs.id = present.id)"""

_DELETE = f"""
WITH chosen AS (
    SELECT id FROM deleted_features WHERE place > %(after)s AND place <= %(last)s
),
recorded AS ({_RECORD.format(was_deleted="true")})
DELETE FROM layer_features WHERE layer_id = %(layer)s AND id IN (SELECT id FROM chosen)"""


class LayerChanges:
    """Writes staged features into a layer, step by step, as part of an import by a user.

    The import's row in `import_layers` is there already. `on_changed` is called with the number of
    features of each step. Each method returns how many features it changed.
    """

    def __init__(
        self,
        connection: Connection,
        layer_id: uuid.UUID,
        import_id: uuid.UUID,
        user_id: uuid.UUID,
        on_changed: Callable[[int], None],
    ) -> None:
        self._connection = connection
        self._values = {"layer": layer_id, "import": import_id, "user": user_id}
        self._layer_id = layer_id
        self._on_changed = on_changed

    def insert(self, *, only_unpaired: bool) -> int:
        """Insert all staged features, or those without a match, in the order of the source."""
        run(self._connection, _LIST_INSERTED + (_UNPAIRED if only_unpaired else ""))
        return self._in_steps("inserted_features", _INSERT)

    def update(self, *, writes_geometry: bool) -> int:
        """Update matched features that differ from the staged ones."""
        values = {**self._values, "writes_geometry": writes_geometry}
        run(self._connection, _LIST_UPDATED, values)
        return self._in_steps("updated_features", _UPDATE, writes_geometry=writes_geometry)

    def delete(self) -> int:
        """Delete the layer's features that no staged one matches."""
        run(self._connection, _LIST_DELETED)
        return self._in_steps("deleted_features", _DELETE)

    def _in_steps(self, table: str, statement: str, **values: bool) -> int:
        count = int(run(self._connection, f"SELECT count(*) FROM {table}").scalar_one())
        if count:
            begin_writing(self._connection, self._layer_id)
            run(self._connection, f"CREATE UNIQUE INDEX ON {table} (place)")
            run(self._connection, f"ANALYZE {table}")
        for after in range(0, count, _STEP):
            last = min(after + _STEP, count)
            run(
                self._connection,
                statement,
                {**self._values, **values, "after": after, "last": last},
            )
            self._on_changed(last - after)
        return count
