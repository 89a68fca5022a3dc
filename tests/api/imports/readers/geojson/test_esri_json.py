"""Esri JSON: feature sets as ArcGIS writes them."""

import json
from pathlib import Path
from typing import Any

import pytest
import shapely

from samsyn_admin.imports.readers.files import open_layers
from samsyn_admin.imports.sources.layer import source_crs
from samsyn_model.errors import UnreadableFileError
from tests.api.imports.reading import Read, read

FIELDS = [
    {"name": "OBJECTID", "type": "esriFieldTypeOID", "alias": "Nummer"},
    {"name": "namn", "type": "esriFieldTypeString", "length": 20},
    {"name": "dag", "type": "esriFieldTypeDate"},
    {"name": "antal", "type": "esriFieldTypeSmallInteger"},
    {"name": "djup", "type": "esriFieldTypeDouble"},
    {"name": "tom", "type": "esriFieldTypeDouble"},
]
OUTER = [[0, 0], [0, 4], [4, 4], [4, 0], [0, 0]]
HOLE = [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]
ISLAND = [[9, 9], [9, 10], [10, 10], [9, 9]]


def of(path: Path, *features: Any, **members: Any) -> Read:
    document = {"spatialReference": {"wkid": 4326}, "fields": FIELDS, **members}
    path.write_text(json.dumps({**document, "features": features}))
    return read(path)


def shape(geometry: Any, **attributes: Any) -> dict[str, Any]:
    return {"attributes": attributes, "geometry": geometry}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.json"


def test_values(path: Path) -> None:
    layer = of(
        path,
        shape(
            {"x": 11, "y": 57},
            **{"OBJECTID": 7, "namn": "Ö", "dag": 1714557600000, "antal": 3.0, "djup": 2},
        ),
        shape({"x": "NaN", "y": "NaN"}, OBJECTID=8, namn=None, dag=-1, antal=None, djup=2.5),
        shape(None, OBJECTID=9, antal="2,5"),
        geometryType="esriGeometryPoint",
        exceededTransferLimit=True,
    )
    assert layer.layer.format == "Esri JSON"
    assert layer.features == [
        (
            "POINT (11 57)",
            {"OBJECTID": 7, "namn": "Ö", "dag": "2024-05-01T10:00:00Z", "antal": 3, "djup": 2},
        ),
        (
            None,
            {"OBJECTID": 8, "namn": None, "dag": "1969-12-31T23:59:59.999Z", "antal": None}
            | {"djup": 2.5},
        ),
        (None, {"OBJECTID": 9, "antal": None}),
    ]
    [fault] = layer.layer.faults.faults
    assert (fault.number, fault.field, fault.feature_id) == (3, "antal", 9)
    assert fault.reason == "'2,5' is not a whole number."
    assert layer.kinds == {
        **{"OBJECTID": "integer", "namn": "string", "dag": "date-time", "antal": "integer"},
        **{"djup": "number", "tom": "number"},
    }
    assert "exceededTransferLimit" in layer.notes


@pytest.mark.parametrize(
    ("geometry", "wkt"),
    [
        ({"x": 1, "y": 2, "z": 3}, "POINT Z (1 2 3)"),
        ({"hasM": True, "points": [[1, 2, 9], [3, 4, 9]]}, "MULTIPOINT ((1 2), (3 4))"),
        ({"hasZ": True, "hasM": True, "points": [[1, 2, 3, 9]]}, "MULTIPOINT Z ((1 2 3))"),
        ({"paths": [[[1, 2], [3, 4]]]}, "LINESTRING (1 2, 3 4)"),
        (
            {"paths": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]},
            "MULTILINESTRING ((1 2, 3 4), (5 6, 7 8))",
        ),
        ({"rings": [HOLE[::-1]]}, "POLYGON ((1 1, 1 2, 2 2, 2 1, 1 1))"),
        (
            {"rings": [HOLE, ISLAND, OUTER]},
            "MULTIPOLYGON (((9 9, 9 10, 10 10, 9 9)),"
            " ((0 0, 0 4, 4 4, 4 0, 0 0), (1 1, 2 1, 2 2, 1 2, 1 1)))",
        ),
        ({"rings": [HOLE]}, "POLYGON ((1 1, 2 1, 2 2, 1 2, 1 1))"),
        ({"xmin": 0, "ymin": 1, "xmax": 2, "ymax": 3}, "POLYGON ((0 1, 2 1, 2 3, 0 3, 0 1))"),
        ({"rings": []}, "MULTIPOLYGON EMPTY"),
    ],
)
def test_geometries(path: Path, geometry: Any, wkt: str) -> None:
    assert of(path, shape(geometry)).features[0][0] == wkt


def test_curves(path: Path) -> None:
    half = {"curvePaths": [[[0, 0], {"c": [[2, 0], [1, 1]]}]]}
    bezier = {"curvePaths": [[[0, 0], {"b": [[3, 0], [1, 1], [2, 1]]}]]}
    ellipse = {"curveRings": [[[0, 0], {"a": [[3, 0], [1, 1], 0, 1, 0.5, 2, 1]}]]}
    layer = of(path, shape(half), shape(bezier), shape(ellipse))
    arc, curve = (shapely.from_wkt(wkt) for wkt, _ in layer.features)
    assert shapely.length(arc) == pytest.approx(3.14159, abs=1e-3)
    assert arc.bounds == pytest.approx((0, 0, 2, 1), abs=1e-3)
    assert curve.bounds == pytest.approx((0, 0, 3, 0.75))
    assert layer.faults == [
        (3, "It has an elliptic curve: turn it into lines (Densify of ArcGIS).")
    ]


@pytest.mark.parametrize(
    "geometry", [{"rings": [None]}, {"paths": 3}, {"x": {}}, [1], "x", {"q": 1}]
)
def test_what_is_no_geometry_is_a_fault(path: Path, geometry: Any) -> None:
    layer = of(path, shape({"x": 1, "y": 2}), shape(geometry))
    assert [number for number, _ in layer.faults] == [2]


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ({"wkid": 102100, "latestWkid": 3857}, "EPSG:3857"),
        ({"wkid": 102100}, "ESRI:102100"),
        ({"wkid": 3006}, "EPSG:3006"),
    ],
)
def test_references(path: Path, reference: Any, code: str) -> None:
    layer = of(path, shape({"x": 1, "y": 2}), spatialReference=reference)
    assert layer.layer.crs is not None
    assert ":".join(layer.layer.crs.to_authority() or ()) == code


def test_without_a_reference(path: Path) -> None:
    path.write_text(json.dumps({"features": [shape({"x": 1, "y": 2})]}))
    [layer] = open_layers(path)
    with pytest.raises(UnreadableFileError, match=r"no spatialReference.*--crs"):
        source_crs(layer, path, None)


def test_an_error_of_a_server(path: Path) -> None:
    path.write_text(json.dumps({"error": {"code": 498, "message": "Invalid Token"}}))
    with pytest.raises(UnreadableFileError, match="Invalid Token"):
        read(path)
