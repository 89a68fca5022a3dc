"""The SQL of what differs between two versions of a feature."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from samsyn_model.database.statement import Statement
from samsyn_provider.geography.distances import GEODETIC_GEOMETRY

_MAX_DRAWN = 50_000  # positions of a geometry that a page draws

_MAX_SUBTRACTED = 20_000
"""Positions of two geometries whose difference is measured: of more that takes long."""

_AT = "SELECT * FROM feature_at(%(layer)s, %(id)s, {moment})"

_ATTRIBUTES = """
    SELECT jsonb_agg(jsonb_build_object('name', name, 'change', change,
            'former', former, 'present', present)
        ORDER BY array_position(%(names)s::text[], name), name)::text
    FROM (
        SELECT coalesce(before.key, now.key) AS name, before.value AS former, now.value AS present,
            CASE WHEN before.key IS NULL THEN 'made' WHEN now.key IS NULL THEN 'deleted'
            ELSE 'changed' END AS change
        FROM jsonb_each(former.properties) AS before
        FULL JOIN jsonb_each(present.properties) AS now ON now.key = before.key
        WHERE before.value::text IS DISTINCT FROM now.value::text
    ) AS attributes"""

# Geometries that cross themselves, and collections of others, cannot be subtracted as they are.
_AREAS = (
    "coalesce(ST_CollectionExtract(ST_MakeValid(ST_Force2D({}.geom)), 3),"
    " 'SRID=4326;POLYGON EMPTY')"
)
_BOTH = "(SELECT 1) AS always LEFT JOIN former ON true LEFT JOIN present ON true"
_MEASURES = f"""
    SELECT jsonb_object_agg(shape, jsonb_build_object(
        'type', replace(ST_GeometryType(geom), 'ST_', ''),
        'area', ST_Area({GEODETIC_GEOMETRY}), 'length', ST_Length({GEODETIC_GEOMETRY})))
    FROM (
        SELECT 'former' AS shape, former.geom AS geom
        UNION ALL SELECT 'present', present.geom
        UNION ALL SELECT 'removed', ST_Difference(one, other) FROM areas
        UNION ALL SELECT 'added', ST_Difference(other, one) FROM areas
    ) AS shapes"""

_SHAPE = (
    "CASE WHEN ST_NPoints({name}.geom) <= {most} THEN ST_AsGeoJSON({name}.geom, 6) END"
    " AS {name}_shape"
)


def select_difference(
    layer_id: uuid.UUID,
    feature_id: int,
    moments: tuple[datetime, datetime],
    names: Sequence[str],
    *,
    has_shapes: bool,
) -> Statement:
    """Return the statement for what differs between two moments of a feature: one row.

    `former_from` and `present_from` are when its versions of then began, null where there was none;
    `attributes` is a JSON array in the order of `names`, or null; `is_moved` whether the geometries
    are others, to the last bit; `measures` their types, areas and lengths on the ellipsoid (m2, m),
    with those of what was `removed` and `added`, unless they are the same, or too large for that.
    With `has_shapes` there are `former_shape` and `present_shape`, GeoJSON that is not too long to
    be drawn.
    """
    values: dict[str, Any] = {
        **{"layer": layer_id, "id": feature_id, "names": list(names)},
        **{"since": moments[0], "until": moments[1]},
    }
    shapes = ""
    if has_shapes:
        shapes = "".join(
            f",\n    {_SHAPE.format(name=name, most=_MAX_DRAWN)}" for name in ("former", "present")
        )
    text = f"""
WITH former AS MATERIALIZED ({_AT.format(moment="%(since)s")}),
present AS MATERIALIZED ({_AT.format(moment="%(until)s")}),
areas AS MATERIALIZED (
    SELECT {_AREAS.format("former")} AS one, {_AREAS.format("present")} AS other
    FROM {_BOTH}
    WHERE former.geom::bytea IS DISTINCT FROM present.geom::bytea
        AND coalesce(ST_NPoints(former.geom), 0) + coalesce(ST_NPoints(present.geom), 0)
            <= {_MAX_SUBTRACTED}
)
SELECT former.valid_from AS former_from, present.valid_from AS present_from,
    former.geom::bytea IS DISTINCT FROM present.geom::bytea AS is_moved,
    ({_ATTRIBUTES}) AS attributes,
    ({_MEASURES}) AS measures{shapes}
FROM {_BOTH}"""
    return Statement(text, values)
