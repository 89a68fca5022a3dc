"""Parquet files of every writer: where their geometries are, and in which CRS."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from pyproj import CRS

from samsyn_admin.imports.readers.files import open_layers
from samsyn_admin.imports.sources.layer import SourceLayer, in_crs84, source_crs
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import InvalidParameterError, SamsynError, UnreadableFileError
from tests.source_files import table, write_parquet

SHAPES = {
    "point": ["POINT (1 2)", None, "POINT (3 4)"],
    "linestring": ["LINESTRING (0 0, 1 1, 2 0)", None, "LINESTRING (5 5, 6 6)"],
    "polygon": [
        "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 1 2, 2 2, 1 1))",
        None,
        "POLYGON ((0 0, 1 0, 1 1, 0 0))",
    ],
    "multipoint": ["MULTIPOINT ((1 2), (3 4))", None, "MULTIPOINT ((5 6))"],
    "multilinestring": ["MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))", None, "MULTILINESTRING EMPTY"],
    "multipolygon": [
        "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))",
        None,
        "MULTIPOLYGON (((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 1 2, 2 2, 1 1)))",
    ],
}


def native(encoding: str, shapes: list[Any], axes: str = "xy", *, interleaved: bool = False) -> Any:
    """A column in an encoding of GeoArrow."""

    def value(shape: Any) -> Any:
        if shape is None:
            return None
        if encoding == "point":
            return positions(shape)[0]
        if encoding == "linestring":
            return positions(shape)
        if encoding == "polygon":
            return [positions(ring) for ring in (shape.exterior, *shape.interiors)]
        inner = encoding.removeprefix("multi")
        return [native_value(inner, part) for part in shape.geoms]

    def native_value(kind: str, part: Any) -> Any:
        if kind == "point":
            return positions(part)[0]
        if kind == "linestring":
            return positions(part)
        return [positions(ring) for ring in (part.exterior, *part.interiors)]

    def positions(shape: Any) -> list[Any]:
        rows = shapely.get_coordinates(shape, include_z="z" in axes).tolist()
        return rows if interleaved else [dict(zip(axes, row, strict=True)) for row in rows]

    kind: Any = pa.struct([pa.field(axis, pa.float64()) for axis in axes])
    if interleaved:
        kind = pa.list_(pa.field(axes, pa.float64()), len(axes))
    depths = {"point": 0, "linestring": 1, "multipoint": 1, "multipolygon": 3}
    for _ in range(depths.get(encoding, 2)):
        kind = pa.list_(kind)
    return pa.array([value(shape) for shape in shapes], kind)


def read(path: Path, **options: Any) -> tuple[SourceLayer, list[Any]]:
    """The layer of a file, and its geometries as WKT."""
    [layer] = open_layers(path, options=ReadOptions(**options))
    geometries = np.concatenate([batch.geometries for batch in layer.batches()])
    return layer, [None if shape is None else shape.wkt for shape in geometries]


def write(path: Path, columns: dict[str, Any], metadata: Any = None, **options: Any) -> Path:
    content = pa.table(columns)
    pq.write_table(content.replace_schema_metadata(metadata), path, **options)
    return path


def geo(encoding: str, **column: Any) -> dict[str, str]:
    columns = {"geometry": {"encoding": encoding, "geometry_types": [], **column}}
    document = {"version": "1.1.0", "primary_column": "geometry", "columns": columns}
    return {"geo": json.dumps(document)}


@pytest.mark.parametrize("encoding", SHAPES)
def test_native_encodings(tmp_path: Path, encoding: str) -> None:
    shapes = [wkt and shapely.from_wkt(wkt) for wkt in SHAPES[encoding]]
    path = write(
        tmp_path / "a.parquet",
        {"n": [1, 2, 3], "geometry": native(encoding, shapes)},
        geo(encoding),
    )
    layer, wkt = read(path)
    assert wkt == SHAPES[encoding]
    assert (layer.format, layer.crs and layer.crs.name) == ("GeoParquet", "WGS 84 (CRS84)")
    assert list(layer.kinds) == ["n"]
    raised = [None if shape is None else shapely.force_3d(shape, 7) for shape in shapes]
    path = write(
        tmp_path / "z.parquet", {"geometry": native(encoding, raised, "xyz")}, geo(encoding)
    )
    assert read(path)[1] == [None if shape is None else shape.wkt for shape in raised]


@pytest.mark.parametrize("encoding", ["point", "polygon", "wkb"])
def test_columns_that_geoarrow_marks(tmp_path: Path, encoding: str) -> None:
    wkt = SHAPES["point" if encoding == "wkb" else encoding]
    shapes = [text and shapely.from_wkt(text) for text in wkt]
    column = (
        pa.array([shape and shapely.to_wkb(shape) for shape in shapes], pa.binary())
        if encoding == "wkb"
        else native(encoding, shapes, interleaved=True)
    )
    crs = json.dumps({"crs": CRS.from_epsg(4258).to_json_dict()})
    marked = pa.field(
        *("shape", column.type),
        metadata={
            "ARROW:extension:name": f"geoarrow.{encoding}",
            "ARROW:extension:metadata": crs,
        },
    )
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_arrays([column], schema=pa.schema([marked])), path)
    layer, read_wkt = read(path)
    assert read_wkt == wkt
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 4258
    assert layer.crs_origin == "the metadata of GeoArrow"


class WKBType(pa.ExtensionType):
    """The type from which Arrow makes Parquet's own geometries."""

    def __init__(self, crs: bytes = b"{}") -> None:
        self.crs = crs
        super().__init__(pa.binary(), "geoarrow.wkb")

    def __arrow_ext_serialize__(self) -> bytes:
        return self.crs

    @classmethod
    def __arrow_ext_deserialize__(cls, _: pa.DataType, serialized: bytes) -> "WKBType":
        return cls(serialized)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, "OGC:CRS84"),
        ({"crs": "EPSG:3006"}, "EPSG:3006"),
        ({"crs": "srid:3035"}, "EPSG:3035"),
        ({"crs": CRS.from_epsg(32633).to_json()}, "EPSG:32633"),
        ({"crs": "projjson:sea"}, "EPSG:25832"),
        ({"edges": "spherical"}, "OGC:CRS84"),
    ],
)
def test_geometries_of_parquet_itself(tmp_path: Path, metadata: Any, expected: str) -> None:
    path = tmp_path / "a.parquet"
    kind = WKBType(json.dumps(metadata).encode())
    pa.register_extension_type(kind)
    try:
        wkb = pa.array([shapely.to_wkb(shapely.Point(1, 2)), None], pa.binary())
        column = pa.ExtensionArray.from_storage(kind, wkb)
        sea = {"sea": CRS.from_epsg(25832).to_json()}
        with pq.ParquetWriter(path, pa.schema([("g", kind)]), store_schema=False) as writer:
            writer.write_table(pa.table({"g": column}))
            writer.add_key_value_metadata(sea)
    finally:
        pa.unregister_extension_type("geoarrow.wkb")
    layer, wkt = read(path)
    assert wkt == ["POINT (1 2)", None]
    assert layer.crs == CRS(expected)
    assert any("globe" in note for note in layer.all_notes()) == ("edges" in metadata)


@pytest.mark.parametrize(
    ("crs", "expected"),
    [
        (CRS.from_epsg(3006).to_json_dict(), "EPSG:3006"),
        (CRS("EPSG:3006+5613").to_json_dict(), "EPSG:3006+5613"),
        (CRS.from_epsg(4258).to_json_dict(), "EPSG:4258"),
        (CRS.from_epsg(3006).to_wkt(), "EPSG:3006"),
        ("EPSG:3006", "EPSG:3006"),
        (None, None),
        ({"type": "nonsense"}, None),
        ("no CRS", None),
    ],
)
def test_crs_of_any_kind(tmp_path: Path, crs: Any, expected: str | None) -> None:
    content = table([shapely.Point(674000, 6580000)])
    path = write_parquet(tmp_path / "a.parquet", content, {"crs": crs})
    layer, _ = read(path)
    assert layer.crs == (CRS(expected) if expected else None)
    if expected is None:
        with pytest.raises(UnreadableFileError, match="--crs"):
            source_crs(layer, path, None)
        assert any("not known" in note for note in layer.notes) == (crs is not None)


def test_several_geometry_columns(tmp_path: Path) -> None:
    wkb = [shapely.to_wkb(shapely.Point(1, 2))]
    columns = {"geometry": wkb, "centre": [shapely.to_wkb(shapely.Point(3, 4))], "n": [1]}
    metadata = json.loads(geo("WKB")["geo"])
    metadata["columns"]["centre"] = {"encoding": "WKB", "geometry_types": []}
    path = write(tmp_path / "a.parquet", columns, {"geo": json.dumps(metadata)})
    layer, wkt = read(path)
    assert (wkt, list(layer.kinds)) == (["POINT (1 2)"], ["n"])
    assert any("'centre'" in note for note in layer.notes)
    layer, wkt = read(path, wkt="centre")
    assert (wkt, list(layer.kinds)) == (["POINT (3 4)"], ["n"])


@pytest.mark.parametrize(
    ("columns", "options", "expected", "crs"),
    [
        ({"lon": [1.5], "lat": [2]}, {}, "POINT (1.5 2)", "OGC:CRS84"),
        ({"Longitude": [1.5], "LATITUDE": ["2"]}, {}, "POINT (1.5 2)", "OGC:CRS84"),
        ({"x": [1.5], "y": [2]}, {}, "POINT (1.5 2)", None),
        ({"a": [1.5], "b": [2]}, {"x": "a", "y": "b"}, "POINT (1.5 2)", None),
        ({"geometry": ["LINESTRING (0 0, 1 1)"]}, {}, "LINESTRING (0 0, 1 1)", None),
        ({"Geom": [shapely.Point(1, 2).wkb]}, {}, "POINT (1 2)", None),
        ({"form": ["POINT (1 2)"]}, {"wkt": "form"}, "POINT (1 2)", None),
    ],
)
def test_plain_parquet(
    tmp_path: Path, columns: Any, options: Any, expected: str, crs: str | None
) -> None:
    path = write(tmp_path / "a.parquet", columns)
    layer, wkt = read(path, **options)
    assert wkt == [expected]
    assert layer.crs == (CRS(crs) if crs else None)
    assert layer.crs_origin.startswith("assumed") == (crs is not None)


def test_columns_that_are_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"name": ["a"]})
    with pytest.raises(UnreadableFileError, match="--x and --y"):
        open_layers(path)
    for options in ({"x": "a", "y": "b"}, {"wkt": "form"}):
        with pytest.raises(InvalidParameterError):
            open_layers(path, options=ReadOptions(**options))  # type: ignore[arg-type]


def test_rows_that_cannot_be_read_are_faults(tmp_path: Path) -> None:
    shapes: list[Any] = [shapely.Point(1, 2), shapely.Point(3, 4), shapely.Point(5, 6)]
    wkb = [*shapely.to_wkb(shapes), b"\x01\x01", None]
    path = write(tmp_path / "a.parquet", {"n": range(5), "geometry": wkb}, geo("WKB"))
    [layer] = open_layers(path)
    [batch] = layer.batches()
    assert [json.loads(str(text))["n"] for text in batch.properties] == [0, 1, 2, 4]
    assert [batch.number(index) for index in range(4)] == [1, 2, 3, 5]
    [fault] = layer.faults.faults
    assert (fault.number, fault.field) == (4, None)
    assert fault.reason == "its geometry cannot be read: it ends too early"
    ring = [[{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 0.0}]]
    kind = native("polygon", []).type
    path = write(
        tmp_path / "b.parquet", {"geometry": pa.array([ring, [], None], kind)}, geo("polygon")
    )
    [layer] = open_layers(path)
    [batch] = layer.batches()
    assert [None if shape is None else shape.wkt for shape in batch.geometries] == [
        "POLYGON EMPTY",
        None,
    ]
    assert "fewer than four positions" in layer.faults.faults[0].reason
    inner = pa.array([[[]], [ring]], native("multipolygon", []).type)
    path = write(tmp_path / "c.parquet", {"geometry": inner}, geo("multipolygon"))
    [layer] = open_layers(path)
    assert [len(batch.geometries) for batch in layer.batches()] == [0]
    assert layer.faults.count == 2
    path = write(tmp_path / "d.parquet", {"lon": ["1", "east", "3"], "lat": [1, 2, None]})
    [layer] = open_layers(path)
    assert [len(batch.geometries) for batch in layer.batches()] == [1]
    assert [fault.number for fault in layer.faults.faults] == [2, 3]


def test_a_column_without_values_has_no_type(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"lon": [1.0], "lat": [2.0], "empty": pa.nulls(1)})
    layer, _ = read(path)
    assert layer.kinds["empty"] is None


def test_an_encoding_that_its_column_does_not_have(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"geometry": ["POINT (1 2)"]}, geo("polygon"))
    with pytest.raises(SamsynError, match="WKB"):
        open_layers(path)


def test_downloads_and_plain_coordinates(shared: Path) -> None:
    _, wkt = read(shared / "files" / "pq_plain_lonlat.parquet")
    assert wkt == ["POINT (11.5 57.5)"]
    path = shared / "files" / "samsyn_own_download_of_gpkg_3006.parquet"
    [own] = open_layers(path)
    [batch] = in_crs84(own.batches(), source_crs(own, path, None))
    assert shapely.get_coordinates(batch.geometries[0])[0] == pytest.approx([11, 57])
