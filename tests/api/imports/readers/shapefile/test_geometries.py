"""Shapes as geometries, and which are faults with their row."""

import struct
from math import inf, nan
from pathlib import Path

import pytest
import shapely

from tests.api.imports.readers.shapefile.shapefiles import (
    LINE,
    MULTIPOINT,
    PATCH,
    POINT,
    POINT_Z,
    POLYGON,
    POLYGON_Z,
    contents,
    parts,
    point,
    read,
    write,
)

Ring = list[tuple[float, ...]]


def square(x: float, y: float, size: float, *, clockwise: bool = True) -> Ring:
    ring: Ring = [(x, y), (x, y + size), (x + size, y + size), (x + size, y), (x, y)]
    return ring if clockwise else ring[::-1]


def one(folder: Path, kind: int, record: bytes) -> str | None:
    layer = read(write(folder, contents(kind, [record])))
    assert not layer.faults
    return layer.wkt[0]


def same(wkt: str | None, expected: str) -> bool:
    return shapely.from_wkt(wkt).normalize() == shapely.from_wkt(expected).normalize()


OUTER, ISLAND = square(0, 0, 10), square(4, 4, 2)
HOLE = square(2, 2, 6, clockwise=False)
ON_ITS_OWN = square(20, 0, 1)
NESTED = (
    "MULTIPOLYGON (((0 0, 0 10, 10 10, 10 0, 0 0), (2 2, 8 2, 8 8, 2 8, 2 2)),"
    " ((4 4, 4 6, 6 6, 6 4, 4 4)), ((20 0, 20 1, 21 1, 21 0, 20 0)))"
)


@pytest.mark.parametrize(
    "rings",
    [
        [OUTER, HOLE, ISLAND, ON_ITS_OWN],
        [ON_ITS_OWN, ISLAND, HOLE, OUTER],
        [ring[::-1] for ring in (OUTER, HOLE, ISLAND, ON_ITS_OWN)],
        [OUTER, HOLE[::-1], ISLAND[::-1], ON_ITS_OWN[::-1]],
    ],
)
def test_rings_in_rings(tmp_path: Path, rings: list[Ring]) -> None:
    layer = read(write(tmp_path, contents(POLYGON, [parts(POLYGON, *rings)])))
    assert same(layer.wkt[0], NESTED)
    wrong = rings[0] not in (OUTER, ON_ITS_OWN) or rings[1] == HOLE[::-1]
    assert any("wrong direction" in note for note in layer.notes) == wrong


def test_a_hole_that_touches_its_ring(tmp_path: Path) -> None:
    hole: Ring = [(0, 5), (4, 6), (4, 4), (0, 5)]
    wkt = one(tmp_path, POLYGON, parts(POLYGON, OUTER, hole[::-1]))
    assert str(wkt).startswith("POLYGON")
    assert shapely.from_wkt(wkt).area == 100 - 4


def test_islands_that_touch_stay_islands(tmp_path: Path) -> None:
    wkt = one(tmp_path, POLYGON, parts(POLYGON, square(0, 0, 1), square(1, 0, 1), square(1, 1, 2)))
    assert str(wkt).startswith("MULTIPOLYGON")
    assert shapely.from_wkt(wkt).area == 6


def test_features_beside_each_other_keep_their_rings(tmp_path: Path) -> None:
    """One of many rings, of one ring, of none, with and without holes."""
    records = [
        parts(POLYGON, OUTER, HOLE),
        parts(POLYGON, square(3, 3, 1)),
        struct.pack("<i", 0),
        parts(POLYGON, square(0, 0, 10), ON_ITS_OWN),
        parts(POLYGON, OUTER, HOLE, ISLAND),
    ]
    layer = read(write(tmp_path, contents(POLYGON, records)))
    areas = [None if wkt is None else shapely.from_wkt(wkt).area for wkt in layer.wkt]
    assert areas == [64, 1, None, 101, 68]


def test_many_islands(tmp_path: Path) -> None:
    islands = [square(3 * (n % 100), 3 * (n // 100), 1) for n in range(5_000)]
    wkt = one(tmp_path, POLYGON, parts(POLYGON, *islands))
    assert shapely.get_num_geometries(shapely.from_wkt(wkt)) == 5_000


def test_lines_and_points(tmp_path: Path) -> None:
    assert one(tmp_path, POINT, point(1, 2)) == "POINT (1 2)"
    line, other = [(1, 2), (3, 4)], [(5, 6), (7, 8), (9, 9)]
    assert one(tmp_path, LINE, parts(LINE, line)) == "LINESTRING (1 2, 3 4)"
    assert one(tmp_path, LINE, parts(LINE, line, other)) == (
        "MULTILINESTRING ((1 2, 3 4), (5 6, 7 8, 9 9))"
    )
    points = struct.pack("<i4di4d", MULTIPOINT, 0, 0, 0, 0, 2, 1, 2, 3, 4)
    assert str(one(tmp_path, MULTIPOINT, points)).startswith("MULTIPOINT")
    assert one(tmp_path, POLYGON, struct.pack("<i4d2i", POLYGON, 0, 0, 0, 0, 0, 0)) is None


def test_heights_and_measures(tmp_path: Path) -> None:
    high = struct.pack("<i4d", POINT_Z, 1, 2, 3, -1e39)
    measured = struct.pack("<i4d", POINT_Z, 1, 2, 3, 4)
    layer = read(write(tmp_path, contents(POINT_Z, [high])))
    assert (layer.wkt, layer.notes) == (["POINT Z (1 2 3)"], [])
    layer = read(write(tmp_path, contents(POINT_Z, [high, measured])))
    assert layer.wkt == ["POINT Z (1 2 3)"] * 2
    assert layer.notes == ["M values (measures) were left out."]
    measured = struct.pack("<i3d", 21, 1, 2, 4)
    assert read(write(tmp_path, contents(21, [measured]))).wkt == ["POINT (1 2)"]
    ring = [(x, y, 5.0) for x, y in square(0, 0, 1)]
    wkt = one(tmp_path, POLYGON_Z, parts(POLYGON_Z, ring))
    assert str(wkt).startswith("POLYGON Z ((0 0 5")
    wkt = [(x, y, nan) for x, y in square(0, 0, 1)]
    layer = read(write(tmp_path, contents(POLYGON_Z, [parts(POLYGON_Z, wkt)] * 2)))
    assert str(layer.wkt[0]).startswith("POLYGON ((0 0")
    assert any(note.startswith("2 geometries have heights") for note in layer.notes)


def test_an_open_ring_is_closed(tmp_path: Path) -> None:
    layer = read(write(tmp_path, contents(POLYGON, [parts(POLYGON, square(0, 0, 1)[:-1])])))
    assert same(layer.wkt[0], "POLYGON ((0 0, 0 1, 1 1, 1 0, 0 0))")
    assert any(note.startswith("1 ring did not end") for note in layer.notes)


def patch(*pieces: tuple[int, list[tuple[float, float, float]]]) -> bytes:
    plain = parts(PATCH, *[positions for _, positions in pieces])
    types = struct.pack(f"<{len(pieces)}i", *[kind for kind, _ in pieces])
    at = 44 + 4 * len(pieces)
    return plain[:at] + types + plain[at:]


A, B, C, D, E = (0.0, 0.0, 1.0), (0.0, 1.0, 2.0), (1.0, 1.0, 3.0), (1.0, 0.0, 4.0), (2.0, 0.0, 5.0)


@pytest.mark.parametrize(
    ("pieces", "polygons", "area"),
    [
        ([(0, [A, B, D, C])], 2, 1),
        ([(1, [A, B, C, D])], 2, 1),
        ([(2, [A, B, C, D, A]), (3, [(0.2, 0.2, 0), (0.8, 0.2, 0), (0.2, 0.8, 0)])], 1, 0.82),
        ([(4, [A, B, C, A]), (5, [(0.2, 0.4, 0), (0.2, 0.6, 0), (0.3, 0.5, 0)])], 1, 0.49),
        ([(5, [A, B, C, A]), (5, [C, D, E, C]), (0, [A, C, D])], 3, 1.5),
    ],
)
def test_multipatches(
    tmp_path: Path,
    pieces: list[tuple[int, list[tuple[float, float, float]]]],
    polygons: int,
    area: float,
) -> None:
    layer = read(write(tmp_path, contents(PATCH, [patch(*pieces)])))
    shape = shapely.from_wkt(layer.wkt[0])
    assert (shape.geom_type, shapely.get_num_geometries(shape)) == ("MultiPolygon", polygons)
    assert shape.area == pytest.approx(area)
    assert shapely.has_z(shape)
    assert any("Multipatches" in note for note in layer.notes)


@pytest.mark.parametrize(
    ("kind", "record", "reason"),
    [
        (LINE, parts(LINE, [(1, 2)]), "a line of 1 position"),
        (LINE, parts(LINE, [(1, 2), (3, 4)], [(1, 2)]), "a line of 1 position"),
        (POLYGON, parts(POLYGON, [(1, 2), (3, 4), (1, 2)]), "a ring of 3 positions"),
        (POLYGON, parts(POLYGON, OUTER, [(1, 2)]), "a ring of 1 position"),
        (POINT, point(nan, 2), "not numbers"),
        (POLYGON, parts(POLYGON, [(0, 0), (0, inf), (1, 1), (0, 0)]), "not numbers"),
        (POLYGON, parts(POLYGON, OUTER)[:60], "shorter"),
        (POLYGON, parts(POLYGON, OUTER)[:20], "too short"),
        (POINT, point()[:10], "shorter"),
        (POINT, struct.pack("<i2d", 7, 1, 2), "no type"),
        (POINT, struct.pack("<i2d", -1, 1, 2), "no type"),
        (LINE, struct.pack("<i4d2ii4d", LINE, 0, 0, 0, 0, 1, 2, 1, 0, 0, 1, 1), "parts"),
        (LINE, struct.pack("<i4d2i3i6d", LINE, 0, 0, 0, 0, 3, 3, 0, 2, 1, *[0] * 6), "parts"),
        (LINE, struct.pack("<i4d2i3i6d", LINE, 0, 0, 0, 0, 3, 3, 0, 9, 1, *[0] * 6), "parts"),
        (POLYGON, struct.pack("<i4d2i3i6d", 5, 0, 0, 0, 0, 3, 3, 0, -9, 1, *[0] * 6), "parts"),
        (LINE, struct.pack("<i4d2i", LINE, 0, 0, 0, 0, 2**31 - 1, 2**31 - 1), "shorter"),
        (PATCH, patch((3, [A, B, C])), "in no ring"),
        (PATCH, patch((9, [A, B, C])), "in no ring"),
        (PATCH, patch((0, [A, B])), "fewer than three"),
    ],
)
def test_what_is_no_shape_is_a_fault_and_the_rest_is_read(
    tmp_path: Path, kind: int, record: bytes, reason: str
) -> None:
    record += bytes(-len(record) % 2)
    sound = {LINE: parts(LINE, [(1, 2), (3, 4)]), POLYGON: parts(POLYGON, OUTER), POINT: point()}
    good = sound.get(kind, patch((0, [A, B, C])))
    layer = read(write(tmp_path, contents(kind, [good, record, good])))
    assert layer.values("a") == [0, 2]
    assert layer.wkt[0] == layer.wkt[1]
    [fault] = layer.faults
    assert (fault.number, fault.feature_id, fault.field) == (2, 1, None)
    assert reason in fault.reason
