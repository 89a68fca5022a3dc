"""Geometries in WKB of every kind: what they become, and what is told of them."""

import struct
from pathlib import Path

import pytest
import shapely

from samsyn_admin.imports.readers.files import open_layers
from samsyn_admin.imports.sources.wkb_shapes import (
    CURVES,
    NESTED,
    SURFACES,
    UnreadableWKBError,
    shape_of_wkb,
)
from tests.api.imports.readers.ogr.reading import faults, read, read_one, shared_file
from tests.source_files import edit_geopackage, grid, write_ogr

TRIANGLE = [(0, 0, 1), (1, 0, 2), (0, 1, 3), (0, 0, 1)]


def header(kind: int, count: int | None = None, order: str = "<") -> bytes:
    start = struct.pack(f"{order}BI", order == "<", kind)
    return start if count is None else start + struct.pack(f"{order}I", count)


def positions(*values: tuple[float, ...], order: str = "<") -> bytes:
    return b"".join(struct.pack(f"{order}{len(value)}d", *value) for value in values)


def ring(*values: tuple[float, ...]) -> bytes:
    return struct.pack("<I", len(values)) + positions(*values)


ARC = header(8, 3) + positions((0, 0), (1, 1), (2, 0))
LINE = header(2, 2) + positions((2, 0), (0, 0))
PATCH = header(1017, 1) + ring(*TRIANGLE)


@pytest.mark.parametrize(
    ("wkb", "expected", "changes"),
    [
        (header(1016, 1) + PATCH, "MULTIPOLYGON Z(((0 0 1,1 0 2,0 1 3,0 0 1)))", {SURFACES}),
        (PATCH, "POLYGON Z((0 0 1,1 0 2,0 1 3,0 0 1))", {SURFACES}),
        (
            header(1015, 1) + header(1003, 1) + ring(*TRIANGLE),
            "MULTIPOLYGON Z(((0 0 1,1 0 2,0 1 3,0 0 1)))",
            {SURFACES},
        ),
        (
            header(7, 2) + header(1, None) + positions((1, 2)) + header(7, 1) + LINE,
            "GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(2 0,0 0))",
            {NESTED},
        ),
        (header(8, 3) + positions((0, 0), (1, 0), (2, 0)), "LINESTRING(0 0,1 0,2 0)", {CURVES}),
        (header(2001) + positions((1, 2, 9)), "POINT(1 2)", set()),
        (header(1, None, ">") + positions((1, 2), order=">"), "POINT(1 2)", set()),
        (header(0x20000001) + struct.pack("<I", 4326) + positions((1, 2)), "POINT(1 2)", set()),
        (header(10, 0), "POLYGON EMPTY", {CURVES}),
        (header(8, 0), "LINESTRING EMPTY", {CURVES}),
        (header(2, 0), "LINESTRING EMPTY", set()),
        (header(3, 1) + ring(), "POLYGON EMPTY", set()),
    ],
)
def test_what_a_geometry_becomes(wkb: bytes, expected: str, changes: set[str]) -> None:
    shape, told = shape_of_wkb(wkb)
    assert shapely.equals_identical(shape, shapely.from_wkt(expected)), shape
    assert told == changes


def test_curves_are_near_the_circle() -> None:
    half, _ = shape_of_wkb(ARC)
    assert half.length == pytest.approx(3.14159, abs=1e-3)
    below, _ = shape_of_wkb(header(8, 3) + positions((0, 0), (1, -1), (2, 0)))
    assert below.bounds == pytest.approx((0, -1, 2, 0), abs=1e-3)
    circle, _ = shape_of_wkb(header(10, 1) + header(8, 3) + positions((0, 0), (2, 0), (0, 0)))
    assert circle.area == pytest.approx(3.14159, abs=1e-2)
    disc, told = shape_of_wkb(header(10, 1) + header(9, 2) + ARC + LINE)
    assert disc.area == pytest.approx(1.5708, abs=1e-2)
    assert told == {CURVES}
    within, _ = shape_of_wkb(
        header(7, 1) + header(12, 1) + header(10, 1) + header(9, 2) + ARC + LINE
    )
    assert within.geoms[0].geom_type == "MultiPolygon"
    risen, _ = shape_of_wkb(header(1008, 3) + positions((0, 0, 0), (1, 1, 5), (2, 0, 10)))
    assert risen.coords[len(risen.coords) // 2][2] == pytest.approx(5, abs=0.3)


@pytest.mark.parametrize(
    ("wkb", "reason"),
    [
        (header(2, 1) + positions((1, 2)), "one position only"),
        (header(3, 1) + ring((0, 0), (1, 0), (0, 0)), "has 3 positions"),
        (header(3, 1) + ring((0, 0), (1, 0), (1, 1), (0, 1)), "not closed"),
        (header(8, 2) + positions((0, 0), (1, 1)), "lacks a position"),
        (header(99, 1), "unknown type"),
        (header(5, 1) + header(1) + positions((1, 2)), "part of another type"),
        (header(3, 4_000_000_000), "too early"),
        (header(2, 4_000_000_000), "too early"),
        (b"", "too early"),
        (b"\x05\0\0\0\0\0\0\0\0", "damaged"),
        (header(7, 1) * 200 + header(1) + positions((1, 2)), "nested too deeply"),
    ],
)
def test_what_is_no_geometry(wkb: bytes, reason: str) -> None:
    with pytest.raises(UnreadableWKBError, match=reason):
        shape_of_wkb(wkb)


def test_faulty_geometries_leave_the_others(tmp_path: Path) -> None:
    path = write_ogr(tmp_path / "a.gpkg", grid(1200), "GPKG", geometry_type="Unknown")
    start = b"GP\0\x01" + struct.pack("<i", 4326)
    bad = {
        3: header(2, 1) + positions((1, 2)),
        700: header(3, 1) + ring((0, 0), (1, 0), (1, 1), (0, 1)),
        1100: header(1002, 2) + positions((0, 0, float("nan")), (1, 1, 5)),
        1101: b"\x01\x03\0",
    }
    statement = "UPDATE a SET geom = ? WHERE fid = ?"
    edit_geopackage(path, *((statement, [start + wkb, fid]) for fid, wkb in bad.items()))
    edit_geopackage(path, (statement, ["a text", 5]), (statement, [start + ARC, 9]))
    layer, rows = read_one(path)
    assert len(rows) == 1200 - 5
    assert sorted(fault[0] for fault in faults(layer)) == [3, 5, 700, 1100, 1101]
    assert all(fault.feature_id == fault.number for fault in layer.faults.faults)
    assert layer.faults.dropped == 5
    names = [properties["name"] for _, properties in rows]
    assert names[:6] == [f"square {number}" for number in (0, 1, 3, 5, 6, 7)]
    assert layer.all_notes() == [CURVES]


def test_the_numbers_of_the_rest_are_right(tmp_path: Path) -> None:
    path = write_ogr(tmp_path / "a.gpkg", grid(10), "GPKG")
    edit_geopackage(path, ("UPDATE a SET geom = ? WHERE fid = 3", [b"GP\0\x01" + bytes(7)]))
    [layer] = open_layers(path)
    [batch] = layer.batches()
    assert batch.numbers == [1, 2, 4, 5, 6, 7, 8, 9, 10]
    assert list(batch.ids or ()) == batch.numbers
    assert batch.wkb is not None
    assert len(batch.wkb) == 9


def test_a_batch_without_any_that_can_be_read(tmp_path: Path) -> None:
    path = write_ogr(tmp_path / "a.gpkg", grid(1500), "GPKG")
    edit_geopackage(path, ("UPDATE a SET geom = ? WHERE fid <= 1000", [b"GP\0\x01" + bytes(7)]))
    [layer] = open_layers(path)
    [batch] = layer.batches()
    assert (batch.number(0), len(batch.geometries), layer.faults.count) == (1001, 500, 1000)


@pytest.mark.parametrize("declared", ["TIN", "CURVEPOLYGON", "GEOMETRY", "POLYHEDRALSURFACE"])
@pytest.mark.parametrize("z", [0, 1, 2])
def test_layers_of_every_declared_type(tmp_path: Path, declared: str, z: int) -> None:
    path = write_ogr(tmp_path / "a.gpkg", grid(2), "GPKG")
    start = b"GP\0\x01" + struct.pack("<i", 4326)
    edit_geopackage(
        path,
        ("UPDATE gpkg_geometry_columns SET geometry_type_name = ?, z = ?", [declared, z]),
        ("UPDATE a SET geom = ? WHERE fid = 1", [start + header(1016, 1) + PATCH]),
    )
    layer, rows = read_one(path)
    assert rows[0][0] == "MULTIPOLYGON Z (((0 0 1, 1 0 2, 0 1 3, 0 0 1)))"
    assert layer.all_notes() == [SURFACES]
    assert len(rows) == 2


def test_files_that_people_had_trouble_with() -> None:
    layer, rows = read_one(shared_file("gpkg_tin.gpkg"))
    assert str(rows[0][0]).startswith("MULTIPOLYGON Z")
    assert layer.notes == [SURFACES]
    found = read(shared_file("gpkg_good_and_tin.gpkg"))
    assert [(layer.name, len(rows)) for layer, rows in found] == [("zones", 2), ("terrain", 1)]
    layer, rows = read_one(shared_file("gpkg_curve_in_collection.gpkg"))
    assert str(rows[0][0]).startswith("GEOMETRYCOLLECTION (POINT (11 57), LINESTRING (11 57, ")
    assert layer.notes == [CURVES]
    layer, rows = read_one(shared_file("empties.gpkg"))
    assert [wkt for wkt, _ in rows] == ["POINT EMPTY", "POLYGON EMPTY", "POINT (11 57)", None]
    assert not layer.faults.count
