"""TopoJSON: objects as layers, with their arcs put together."""

import json
from pathlib import Path
from typing import Any

import pytest

from samsyn_model.errors import UnreadableFileError
from samsyn_model.settings import get_settings
from tests.api.imports.reading import read, read_all

TOPOLOGY: dict[str, Any] = {
    "type": "Topology",
    "transform": {"scale": [0.5, 0.25], "translate": [10, 50]},
    "arcs": [[[0, 0], [4, 0], [0, 4]], [[0, 0], [0, 4], [4, 0]], [[8, 8], [1, 1]]],
    "objects": {
        "zones": {
            "type": "GeometryCollection",
            "geometries": [
                {"type": "Polygon", "arcs": [[0, -2]], "id": "a", "properties": {"namn": "Ö"}},
                {"type": "MultiLineString", "arcs": [[2], [-3]]},
                {"type": "Point", "coordinates": [2, 4]},
                {"type": None, "properties": {"namn": "inget"}},
                {"type": "LineString", "arcs": [9]},
                {"type": "LineString", "arcs": ["x"]},
                {"type": "Circle"},
                7,
            ],
        },
        "line": {"type": "LineString", "arcs": [2]},
    },
}


def test_objects_are_layers(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(TOPOLOGY))
    zones, line = read_all(path)
    assert (zones.layer.name, line.layer.name, zones.layer.format) == ("zones", "line", "TopoJSON")
    assert zones.features == [
        ("POLYGON ((10 50, 12 50, 12 51, 10 51, 10 50))", {"namn": "Ö"}),
        ("MULTILINESTRING ((14 52, 14.5 52.25), (14.5 52.25, 14 52))", {}),
        ("POINT (11 51)", {}),
        (None, {"namn": "inget"}),
    ]
    assert [number for number, _ in zones.faults] == [5, 6, 7, 8]
    assert line.features == [("LINESTRING (14 52, 14.5 52.25)", {})]


def test_without_quantisation_and_with_a_late_type(tmp_path: Path) -> None:
    path = tmp_path / "a.topojson"
    arcs = {"arcs": [[[1, 2], [3, 4]]], "objects": {"a": {"type": "LineString", "arcs": [0]}}}
    path.write_text(json.dumps({**arcs, "type": "Topology"}))
    assert read(path).features == [("LINESTRING (1 2, 3 4)", {})]


@pytest.mark.parametrize(
    "changes",
    [{"arcs": None}, {"objects": {}}, {"arcs": [[1]]}, {"transform": {}}, {"objects": [1]}],
)
def test_damaged_topologies(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**TOPOLOGY, **changes}))
    with pytest.raises(UnreadableFileError):
        read_all(path)


def test_an_arc_a_million_times_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    arc = [[0, 0], *[[1, 0]] * 10_000]
    many = {"type": "LineString", "arcs": [0] * (get_settings().max_vertices // 10_000 + 2)}
    objects = {"a": {"type": "GeometryCollection", "geometries": [many]}}
    path.write_text(json.dumps({"type": "Topology", "arcs": [arc], "objects": objects}))
    assert "positions" in read(path).faults[0][1]
