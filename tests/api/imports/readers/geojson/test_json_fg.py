"""JSON-FG: places in any CRS in the order of its axes, and times."""

import json
from pathlib import Path
from typing import Any

import pytest

from samsyn_admin.imports.readers.files import open_layers
from samsyn_admin.imports.sources.layer import source_crs
from samsyn_model.errors import UnreadableFileError
from tests.api.imports.reading import Read, read

SWEREF = "http://www.opengis.net/def/crs/EPSG/0/3006"
CLASSES = ["http://www.opengis.net/spec/json-fg-1/0.2/conf/core"]
NORTH_FIRST = {"type": "Point", "coordinates": [6400000, 318000]}


def placed(place: Any, geometry: Any = None, **members: Any) -> dict[str, Any]:
    return {
        **{"type": "Feature", "id": 1, "time": None, "place": place, "geometry": geometry},
        **{"properties": {"n": 1}, **members},
    }


def of(path: Path, *features: Any, **members: Any) -> Read:
    document = {"type": "FeatureCollection", "conformsTo": CLASSES, **members}
    path.write_text(json.dumps({**document, "features": features}))
    return read(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.fg.json"


@pytest.mark.parametrize(
    "reference",
    [
        SWEREF,
        "[EPSG:3006]",
        {"type": "Reference", "href": SWEREF, "epoch": 2020.0},
        [SWEREF, "http://www.opengis.net/def/crs/EPSG/0/5613"],
    ],
)
def test_places_are_in_the_order_of_the_axes(path: Path, reference: Any) -> None:
    layer = of(path, placed(NORTH_FIRST), coordRefSys=reference)
    assert layer.layer.format == "JSON-FG"
    assert layer.layer.crs is not None
    assert layer.layer.crs.to_epsg() == 3006
    assert layer.features == [("POINT (318000 6400000)", {"n": 1})]


def test_places_in_another_order_are_told(path: Path) -> None:
    layer = of(
        path,
        placed({"type": "Point", "coordinates": [318000, 6400000]}, time={"date": "2024-05-01"}),
        coordRefSys=SWEREF,
    )
    assert layer.features == [("POINT (318000 6400000)", {"n": 1, "time": "2024-05-01"})]
    assert "read as east before north, although" in layer.notes


def test_a_crs_behind_the_features_or_of_each(path: Path) -> None:
    features = [placed(NORTH_FIRST)] * 200
    path.write_text(
        json.dumps({"type": "FeatureCollection", "features": features, "coordRefSys": SWEREF})
    )
    assert read(path).features == [("POINT (318000 6400000)", {"n": 1})] * 200
    layer = of(path, *[placed(NORTH_FIRST, coordRefSys=SWEREF)] * 2)
    assert layer.features == [("POINT (318000 6400000)", {"n": 1})] * 2
    other = placed({**NORTH_FIRST, "coordRefSys": "[EPSG:3857]"})
    layer = of(path, placed(NORTH_FIRST), other, coordRefSys=SWEREF)
    assert [number for number, _ in layer.faults] == [2]
    assert "its crs is not" in layer.faults[0][1].casefold()


def test_geometries_beside_places_are_longitude_and_latitude(path: Path) -> None:
    point = {"type": "Point", "coordinates": [15, 60, 7]}
    layer = of(path, placed(NORTH_FIRST, point), placed(None, point), coordRefSys=SWEREF)
    assert [wkt for wkt, _ in layer.features] == [
        "POINT (318000 6400000)",
        "POINT Z (500000 6651411.19024 7)",
    ]
    assert of(path, placed(None, point), coordRefSys=SWEREF).features[0][0] == "POINT Z (15 60 7)"


def test_an_unknown_crs_is_asked_for(path: Path) -> None:
    document = {"type": "FeatureCollection", "coordRefSys": "http://localhost:9/crs"}
    path.write_text(json.dumps({**document, "features": [placed(NORTH_FIRST)]}))
    [layer] = open_layers(path)
    with pytest.raises(UnreadableFileError, match="--crs"):
        source_crs(layer, path, None)


def test_times(path: Path) -> None:
    point = {"type": "Point", "coordinates": [15, 60]}
    times: list[Any] = [
        {"timestamp": "2024-05-01T10:00:00Z"},
        {"interval": ["2024-05-01", ".."]},
        {"interval": ["2024-05-01", "2024-06-01"]},
        None,
    ]
    layer = of(path, *(placed(None, point, time=time) for time in times))
    assert [row for _, row in layer.features] == [
        {"n": 1, "time": "2024-05-01T10:00:00Z"},
        {"n": 1, "time_start": "2024-05-01"},
        {"n": 1, "time_start": "2024-05-01", "time_end": "2024-06-01"},
        {"n": 1},
    ]
    own = placed(None, point, time={"date": "2024-05-01"}, properties={"dag": "2024-05-01"})
    assert of(path, own).features[0][1] == {"dag": "2024-05-01"}, "it is said already"
    other = placed(None, point, time={"date": "2024-05-01"}, properties={"time": "noon"})
    assert of(path, other).features[0][1] == {"time": "noon", "time_": "2024-05-01"}


def test_bodies_are_read_as_their_surfaces(path: Path) -> None:
    face = [[[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]]]
    body = {"type": "Polyhedron", "coordinates": [[face, face]]}
    prism = {"type": "Prism", "base": {"type": "Polygon", "coordinates": face}, "upper": 5}
    layer = of(path, placed(body), placed(prism))
    assert layer.features[0][0] == (
        "MULTIPOLYGON Z (((0 0 0, 1 0 0, 1 1 0, 0 0 0)), ((0 0 0, 1 0 0, 1 1 0, 0 0 0)))"
    )
    assert layer.features[1][0] == "POLYGON Z ((0 0 0, 1 0 0, 1 1 0, 0 0 0))"
    assert "Bodies" in layer.notes
    arc = {"type": "CircularString", "coordinates": [[0, 0], [1, 1], [2, 0]]}
    assert "not a geometry type" in of(path, placed(arc)).faults[0][1]
