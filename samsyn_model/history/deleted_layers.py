"""Layers that were deleted: listed for their creators, and made again as they were."""

import uuid
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select
from sqlalchemy.dialects.postgresql import array

from samsyn_model.database.execution import run
from samsyn_model.errors import NotFoundError
from samsyn_model.sharding.writing import begin_writing
from samsyn_model.tables.history import DeletedLayer
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.rasters import RASTER_ADDRESSES

# A raster without an address was stored here: its files went with its layer.
_LOCK = """
SELECT ARRAY(SELECT jsonb_object_keys(definition)) AS members FROM deleted_layers
WHERE id = %(layer)s AND created_by = %(user)s
    AND deleted_at > now() - %(days)s * interval '1 day'
    AND (definition ->> 'source_type' <> 'geotiff'
        OR definition -> 'source_config' ?| %(addresses)s)
FOR UPDATE"""

_INSERT_LAYER = """
INSERT INTO layers ({columns})
SELECT {values}
FROM deleted_layers
CROSS JOIN jsonb_populate_record(NULL::layers, definition
    || jsonb_build_object('updated_at', clock_timestamp())
    || CASE WHEN %(keeps_global)s THEN '{{}}' ELSE '{{"is_global": false}}' END::jsonb) AS layer
WHERE deleted_layers.id = %(layer)s"""

# A version of the data has one content for ever: caches of before the deletion may still be there.
_CONTINUE_VERSIONS = """
INSERT INTO layer_changes (layer_id, feature_count, changes)
SELECT id, 0, data_version FROM deleted_layers WHERE id = %(layer)s"""

_INSERT_FEATURES = """
INSERT INTO layer_features (layer_id, id, version, geom, properties, created_by, updated_by,
    created_at, updated_at)
SELECT layer_id, feature_id, version + 1, geom, properties, created_by, updated_by, created_at,
    clock_timestamp()
FROM feature_versions
WHERE layer_id = %(layer)s AND was_deleted
    AND to_change = (SELECT change_set_id FROM deleted_layers WHERE id = %(layer)s)
ORDER BY feature_id"""

_FORGET = "DELETE FROM deleted_layers WHERE id = %(layer)s"


def select_deleted_layers(user_id: uuid.UUID, days: int) -> Select[Any]:
    """Return the statement for the layers that a user has created and that were deleted in the
    last `days`, the latest first; without rasters that were stored here, whose files are gone.

    Its rows: `id`, `name`, `source_type`, `feature_count`, `deleted_at` and `restorable_until`.
    """
    kept = func.make_interval(0, 0, 0, days)
    definition = DeletedLayer.definition
    return (
        select(
            DeletedLayer.id,
            definition["name"].astext.label("name"),
            definition["source_type"].astext.label("source_type"),
            DeletedLayer.feature_count,
            DeletedLayer.deleted_at,
            (DeletedLayer.deleted_at + kept).label("restorable_until"),
        )
        .where(
            DeletedLayer.created_by == user_id,
            DeletedLayer.deleted_at > func.now() - kept,
            or_(
                definition["source_type"].astext != "geotiff",
                definition["source_config"].has_any(array(RASTER_ADDRESSES)),
            ),
        )
        .order_by(DeletedLayer.deleted_at.desc(), DeletedLayer.id)
    )


def restore_layer(
    connection: Connection,
    layer_id: uuid.UUID,
    user_id: uuid.UUID,
    *,
    days: int,
    keeps_global: bool,
) -> None:
    """Make a layer again that its creator has deleted, in the caller's transaction.

    It has its id, its definition and its features, each with its id and as its next version; not
    its places on maps. Unless it `keeps_global`, a layer of the library is not in
    it any more. Raises NotFoundError where the user has created no layer with this id that was
    deleted in the last `days`, and where it is a raster that was stored here.
    """
    values = {"layer": layer_id, "user": user_id, "days": days, "keeps_global": keeps_global}
    values["addresses"] = list(RASTER_ADDRESSES)
    found = run(connection, _LOCK, values).one_or_none()
    if found is None:
        raise NotFoundError("There is no such layer among those that you can restore.")
    # columns that are newer than the deletion take their defaults
    columns = [name for name in Layer.__table__.columns.keys() if name in found.members]  # noqa: SIM118
    run(
        connection,
        _INSERT_LAYER.format(
            columns=", ".join(columns), values=", ".join(f"layer.{name}" for name in columns)
        ),
        values,
    )
    begin_writing(connection, layer_id)
    run(connection, _CONTINUE_VERSIONS, values)
    run(connection, _INSERT_FEATURES, values)
    run(connection, _FORGET, values)
