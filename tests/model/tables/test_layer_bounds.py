"""The statement for a layer's bounds against ST_Extent, and what it costs."""

import random
import uuid
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from tests.model.tables.features import add_layer

Bounds = tuple[float | None, float | None, float | None, float | None]

OF_ONE_LAYER = "SELECT layer_bounds(%(layer)s)"
OF_EVERY_LAYER = "SELECT layer_bounds(layers.id) FROM layers"
EXTENT_OF_ONE_LAYER = "SELECT layer_extent(%(layer)s)"
EXTENT_OF_EVERY_LAYER = "SELECT layer_extent(layers.id) FROM layers"


@pytest.fixture
def layer(connection: Connection) -> uuid.UUID:
    """A layer beside another one whose features lie all around."""
    around = add_layer(connection)
    add(connection, around, "LINESTRING(-180 -90, 180 90)", "LINESTRING(-180 90, 180 -90)")
    return add_layer(connection)


def add(connection: Connection, layer: uuid.UUID, *geometries: str | None) -> None:
    connection.execute(
        text(
            "INSERT INTO layer_features (layer_id, geom)"
            " SELECT :layer, ST_GeomFromText(wkt, 4326)"
            " FROM unnest(CAST(:geometries AS text[])) AS wkt"
        ),
        {"layer": layer, "geometries": list(geometries)},
    )


def bounds(connection: Connection, layer: uuid.UUID) -> Bounds:
    found = connection.exec_driver_sql(OF_ONE_LAYER, {"layer": layer}).scalar_one()
    return tuple(found)


def extent(connection: Connection, layer: uuid.UUID) -> Bounds:
    row = connection.execute(
        text(
            "SELECT ST_XMin(box), ST_YMin(box), ST_XMax(box), ST_YMax(box) FROM"
            " (SELECT ST_Extent(geom) AS box FROM layer_features WHERE layer_id = :layer) AS layer"
        ),
        {"layer": layer},
    ).one()
    return tuple(row)


def random_geometry(chance: random.Random, spread: float) -> str | None:
    def position(dimensions: int = 2) -> str:
        x = max(-180, min(180, chance.gauss(11, spread)))
        y = max(-90, min(90, chance.gauss(56, spread / 2)))
        height = f" {chance.uniform(-400, 0)}" if dimensions == 3 else ""
        return f"{x!r} {y!r}{height}"

    corner, first, second = position(), position(), position()
    return chance.choice(
        [
            None,
            "POINT EMPTY",
            "GEOMETRYCOLLECTION(POINT EMPTY, POLYGON EMPTY)",
            f"POINT({position()})",
            f"POINT({chance.randrange(-180, 181)} {chance.randrange(-90, 91)})",
            f"POINT Z({position(3)})",
            f"LINESTRING Z({position(3)}, {position(3)}, {position(3)})",
            f"LINESTRING({first}, {second})",
            f"POLYGON(({corner}, {first}, {second}, {corner}))",
            f"MULTIPOINT({first}, {second})",
            "MULTIPOLYGON EMPTY",
            f"MULTILINESTRING(({corner}, {first}), EMPTY, ({first}, {second}))",
            f"GEOMETRYCOLLECTION(POINT EMPTY, LINESTRING({first}, {second}))",
        ]
    )


@pytest.mark.parametrize("spread", [1e-9, 1e-3, 2.0, 90.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_bounds_are_the_extent(
    connection: Connection, layer: uuid.UUID, seed: int, spread: float
) -> None:
    chance = random.Random(seed)
    add(connection, layer, *(random_geometry(chance, spread) for _ in range(400)))
    seen = set()
    for number in range(40):
        expected = extent(connection, layer)
        assert bounds(connection, layer) == expected
        seen.add(expected)
        edge = ("ST_XMin(geom)", "ST_YMin(geom)", "-ST_XMax(geom)", "-ST_YMax(geom)")[number % 4]
        connection.execute(
            text(
                "DELETE FROM layer_features WHERE layer_id = :layer AND id = (SELECT id FROM"
                " layer_features WHERE layer_id = :layer AND NOT ST_IsEmpty(geom)"
                f" ORDER BY {edge} LIMIT 1)"
            ),
            {"layer": layer},
        )
    assert len(seen) > 10, "the edges were not deleted"


@pytest.mark.parametrize(
    ("geometries", "expected"),
    [
        ([], (None, None, None, None)),
        ([None], (None, None, None, None)),
        (["POINT EMPTY"], (None, None, None, None)),
        (["POINT EMPTY", None, "GEOMETRYCOLLECTION(POINT EMPTY)"], (None, None, None, None)),
        (["POINT(11.5 57.25)"], (11.5, 57.25, 11.5, 57.25)),
        (["POINT EMPTY", "POINT Z(11.5 57.25 -30)", None], (11.5, 57.25, 11.5, 57.25)),
        (["POINT(0 0)"], (0, 0, 0, 0)),
        (["LINESTRING(180 -10, 180 10)"], (180, -10, 180, 10)),
        (["LINESTRING(-180 -10, -180 10)"], (-180, -10, -180, 10)),
        (
            ["LINESTRING(180 -10, 180 10)", "LINESTRING(-180 20, -180 30)"],
            (-180, -10, 180, 30),
        ),
        (["MULTIPOINT(EMPTY, 3 4)", "POINT(1 2)"], (1, 2, 3, 4)),
        (["POLYGON((-180 -90, 180 -90, 180 90, -180 90, -180 -90))"], (-180, -90, 180, 90)),
        (["POINT(-90.00000000000001 0)", "POINT(-90 0)"], (-90.00000000000001, 0, -90, 0)),
    ],
)
def test_bounds_at_the_edges(
    connection: Connection, layer: uuid.UUID, geometries: list[str | None], expected: Bounds
) -> None:
    add(connection, layer, *geometries)
    assert bounds(connection, layer) == expected


FIJI = (
    "MULTIPOLYGON(((177 -19, 180 -19, 180 -16, 177 -16, 177 -19)),"
    "((-180 -19, -178 -19, -178 -16, -180 -16, -180 -19)))"
)


@pytest.mark.parametrize(
    ("geometries", "expected"),
    [
        ([], (None, None, None, None)),
        (["POINT EMPTY", None], (None, None, None, None)),
        (["POINT(170 -20)", "POINT(-170 -15)"], (170, -20, -170, -15)),
        ([FIJI], (177, -19, -178, -16)),
        ([FIJI, "POINT(170 -20)", "POINT EMPTY", None], (170, -20, -178, -16)),
        ([FIJI, "POINT(-0.5 51)"], (177, -19, -0.5, 51)),
        ([FIJI, "LINESTRING(-1 0, 1 0)"], (-180, -19, 180, 0)),
        ([FIJI, "MULTILINESTRING((-1 0, 1 0), (3 3, 4 4))"], (-180, -19, 180, 3 + 1)),
        (["POINT(10 1)", "POINT(-170 2)"], (-170, 1, 10, 2)),
        (["POINT(11 1)", "POINT(-170 2)"], (-170, 1, 11, 2)),
        (["POINT(140 35)", "POINT(-74 40)"], (140, 35, -74, 40)),
        (["POINT(0 1)", "POINT(170 1)", "POINT(-170 2)"], (-170, 1, 170, 2)),
        (["LINESTRING(170 0, 180 1)", "LINESTRING(-180 1, -175 2)"], (170, 0, -175, 2)),
        (["GEOMETRYCOLLECTION(POINT(175 1), LINESTRING(-175 0, -170 1))"], (175, 0, -170, 1)),
        (["MULTIPOINT(170 0, -170 1)"] * 32, (170, 0, -170, 1)),
        (["MULTIPOINT(170 0, -170 1)"] * 33, (-170, 0, 170, 1)),
        (["POLYGON((-180 -90, 180 -90, 180 90, -180 90, -180 -90))"], (-180, -90, 180, 90)),
    ],
)  # fmt: skip
def test_extents_across_the_antimeridian(
    connection: Connection, layer: uuid.UUID, geometries: list[str | None], expected: Bounds
) -> None:
    """The smaller one; where there are too many features on both sides to look at, the bounds."""
    add(connection, layer, *geometries)
    extent = connection.exec_driver_sql(EXTENT_OF_ONE_LAYER, {"layer": layer}).scalar_one()
    assert tuple(extent) == expected


@pytest.fixture
def committed(empty_database: Engine) -> Iterator[tuple[Engine, uuid.UUID]]:
    with empty_database.begin() as connection:
        layer = add_layer(connection)
        add(connection, layer, *(f"POINT({n} {n})" for n in range(-20, 21)))
    return empty_database, layer


def test_each_transaction_sees_the_bounds_of_what_it_sees(
    committed: tuple[Engine, uuid.UUID],
) -> None:
    engine, layer = committed
    beyond = text("DELETE FROM layer_features WHERE ST_X(geom) * :side > 15")
    with engine.connect() as west, engine.connect() as east, engine.connect() as reader:
        west.execute(beyond, {"side": -1})
        east.execute(beyond, {"side": 1})
        assert bounds(west, layer) == (-15, -15, 20, 20)
        assert bounds(east, layer) == (-20, -20, 15, 15)
        assert bounds(reader, layer) == (-20, -20, 20, 20)
        west.commit()
        assert bounds(reader, layer) == (-15, -15, 20, 20)
        east.rollback()
        assert bounds(reader, layer) == (-15, -15, 20, 20)
        east.execute(beyond, {"side": 1})
        east.commit()
        assert bounds(reader, layer) == (-15, -15, 15, 15)


def reads(connection: Connection) -> Counter[str]:
    """Return what this transaction has read: scans of the table and of its indexes, features."""
    found = connection.execute(
        text(
            "SELECT relname, pg_stat_get_xact_numscans(oid) AS scans FROM pg_class"
            " WHERE oid = 'layer_features'::regclass OR oid IN"
            " (SELECT indexrelid FROM pg_index WHERE indrelid = 'layer_features'::regclass)"
            " UNION ALL SELECT 'features',"
            " pg_stat_get_xact_tuples_fetched('ix_layer_features_layer_id_geom'::regclass)"
        )
    )
    return Counter({row.relname: row.scans for row in found})


@pytest.mark.parametrize("statistics", ["fresh", "stale", "none"])
@pytest.mark.parametrize(
    "statement", [OF_ONE_LAYER, OF_EVERY_LAYER, EXTENT_OF_ONE_LAYER, EXTENT_OF_EVERY_LAYER]
)
def test_bounds_are_found_by_the_index(
    connection: Connection, layer: uuid.UUID, statement: str, statistics: str
) -> None:
    scattered = text(
        "INSERT INTO layer_features (layer_id, geom) SELECT :layer,"
        " ST_SetSRID(ST_MakePoint(random() * 360 - 180, random() * 180 - 90), 4326)"
        " FROM generate_series(1, 20000)"
    )
    connection.execute(scattered, {"layer": add_layer(connection)})
    if statistics == "stale":
        connection.execute(text("ANALYZE layers, layer_features"))
    connection.execute(scattered, {"layer": layer})
    if statistics == "fresh":
        connection.execute(text("ANALYZE layers, layer_features"))
    layers = 1
    if statement in {OF_EVERY_LAYER, EXTENT_OF_EVERY_LAYER}:
        layers = connection.execute(text("SELECT count(*) FROM layers")).scalar_one()
    before = reads(connection)
    connection.exec_driver_sql(statement, {"layer": layer})
    read = reads(connection)
    read.subtract(before)
    assert 4 * layers <= read.pop("features") <= 20 * layers
    # a plan does not show what functions do; the server counts it
    scans = read.pop("ix_layer_features_layer_id_geom")
    assert not +read
    if "extent" in statement:  # fewest around the whole world
        assert 6 * layers <= scans <= 10 * layers
    else:
        assert scans == 4 * layers
