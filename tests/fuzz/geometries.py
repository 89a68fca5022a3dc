"""Random GeoJSON geometries through every way in: `python -m tests.fuzz.geometries URL COUNT SEED`.

A process of its own, since some of them have ended the process that read them. It prints how many
were refused and stored, in JSON.
"""

import json
import random
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import shapely
from shapely import GeometryType
from sqlalchemy import Connection, text

from samsyn_admin.imports.readers.geojson.geometry import parse_geometries
from samsyn_model.database.engine import open_engine
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.bulk_copy import copy_features
from samsyn_model.features.writing import feature_faults, insert_features
from samsyn_provider.geography.crs import CRS84, reference_system
from samsyn_provider.items.feature_body import as_stored
from tests.model.tables.features import add_layer

BATCH = 500
DEPTHS = {
    **{"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2},
    **{"Polygon": 2, "MultiPolygon": 3},
}
ODD = (None, True, "1", {}, [], [[]], 10**400, 1e308, -1e308, float("nan"), float("inf"), 181, -0.0)


def geometry(random: random.Random, nesting: int = 0) -> Any:
    """Return a small geometry, most of them valid or nearly so."""
    if random.random() < 0.15 and nesting < 3:
        members = [geometry(random, nesting + 1) for _ in range(random.choice((0, 1, 2, 3)))]
        return {"type": "GeometryCollection", "geometries": members}
    kind = random.choice(tuple(DEPTHS))
    dimensions = random.choice((2, 2, 2, 3, 3, 1, 4))
    depth = DEPTHS[kind] + (random.choice((-1, 1)) if random.random() < 0.02 else 0)
    value: dict[str, Any] = {"type": kind, "coordinates": coordinates(random, depth, dimensions)}
    if random.random() < 0.02:
        value = random.choice((None, [], "Point", {"type": kind}, {**value, "type": "Circle"}))
    return value


def coordinates(random: random.Random, depth: int, dimensions: int) -> Any:
    if random.random() < 0.01:
        return random.choice(ODD)
    if random.random() < 0.08:
        return []
    if depth <= 0:
        if random.random() < 0.02:
            return [random.choice(ODD) for _ in range(dimensions)]
        return [random.choice((0, 1, 2.5, -3, 90, 180)) for _ in range(dimensions)]
    members = [
        coordinates(random, depth - 1, dimensions) for _ in range(random.choice((0, 1, 2, 4, 5)))
    ]
    if depth == 1 and members and random.random() < 0.7:
        members.append(members[0])
    return members


def main(url: str, count: int, seed: int) -> None:
    generator = random.Random(seed)
    outcomes: Counter[str] = Counter()
    engine = open_engine(url, statement_timeout=60, pool_size=1, prepares=True)
    with engine.connect() as connection:
        for _ in range(0, count, BATCH):
            transaction = connection.begin()
            outcomes.update(_through(connection, [geometry(generator) for _ in range(BATCH)]))
            transaction.rollback()
    engine.dispose()
    sys.stdout.write(json.dumps(outcomes))


def _through(connection: Connection, values: list[Any]) -> Iterator[str]:
    layer = add_layer(connection)
    crs = reference_system(CRS84, "crs")
    features = [{"type": "Feature", "geometry": value, "properties": {}} for value in values]
    stored = [as_stored(feature, crs, None) for feature in features]
    sound = [feature for feature in stored if not any(feature_faults(feature, "", None, None))]
    ids = insert_features(connection, layer, sound, uuid.uuid4())
    yield from ["items"] * len(ids)
    yield from ["refused by items"] * (len(values) - len(ids))
    copied = _copy(connection, layer, [feature["geometry"] for feature in sound])
    assert copied == len(sound), "bulk refuses what items accept"
    yield from ["bulk"] * copied
    for one, other in zip(
        _shapes(connection, layer, 0, len(ids)),
        _shapes(connection, layer, len(ids), copied),
        strict=True,
    ):
        assert one == other, f"{one} by items, {other} by bulk"
    parsed = [value for value in values if _is_parsed(value)]
    yield from ["files"] * _copy(connection, layer, parsed)
    yield from ["refused of files"] * (len(values) - len(parsed))


def _copy(connection: Connection, layer: uuid.UUID, values: list[Any]) -> int:
    parsed = parse_geometries(values)
    batch = FeatureBatch(parsed.geometries, ["{}"] * len(values), 1)
    return copy_features(connection, layer, iter([batch]), created_by=None).feature_count


def _shapes(connection: Connection, layer: uuid.UUID, offset: int, limit: int) -> list[str]:
    """Return the parts of geometries with their positions in any order: which way a ring runs that
    crosses itself is for each library to say."""
    statement = text(
        "SELECT concat_ws(' ', ST_GeometryType(geom), ST_NumGeometries(geom), (SELECT"
        " string_agg(concat_ws(' ', path::text, ST_AsEWKT(point)), ' '"
        " ORDER BY ST_AsEWKT(point), path)"
        " FROM (SELECT trim_array(path, 1) AS path, geom AS point FROM ST_DumpPoints(f.geom))"
        " AS points))"
        " FROM layer_features AS f WHERE layer_id = :layer ORDER BY id OFFSET :offset LIMIT :limit"
    )
    values = {"layer": layer, "offset": offset, "limit": limit}
    return list(connection.execute(statement, values).scalars())


def _is_parsed(value: Any) -> bool:
    parsed = parse_geometries([value])
    if parsed.reasons:
        return False
    geometries = parsed.geometries
    positions = shapely.get_coordinates(geometries)
    heights = shapely.get_coordinates(geometries[shapely.has_z(geometries)], include_z=True)
    is_collection = shapely.get_type_id(geometries) == GeometryType.GEOMETRYCOLLECTION
    members = shapely.get_type_id(shapely.get_parts(geometries[is_collection]))
    return bool(
        (np.abs(positions) <= (180, 90)).all()
        and np.isfinite(heights).all()
        and not (members == GeometryType.GEOMETRYCOLLECTION).any()
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
