"""The style inside of a GeoPackage, and its version."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyogrio
import pytest
from flask.testing import FlaskClient

Layer = Callable[..., str]
AREA = "POLYGON((10 55, 12 55, 12 57, 10 55))"
COLUMNS = [
    *("f_table_catalog", "f_table_schema", "f_table_name", "f_geometry_column", "styleName"),
    *("styleQML", "styleSLD", "useAsDefault", "description", "owner", "ui", "update_time"),
]


@pytest.fixture
def download(
    client: FlaskClient, layer: Layer, tmp_path: Path
) -> Callable[..., sqlite3.Connection]:
    """Make a layer, and open its GeoPackage."""

    def make(features: list[Any], query: str = "", **columns: Any) -> sqlite3.Connection:
        response = client.get(f"/ogc/collections/{layer(features, **columns)}/items?f=gpkg{query}")
        assert response.status_code == 200, response.text
        path = tmp_path / "download.gpkg"
        path.write_bytes(response.data)
        return sqlite3.connect(path)

    return make


def style_of(package: sqlite3.Connection) -> dict[str, Any]:
    package.row_factory = sqlite3.Row
    (row,) = package.execute("SELECT * FROM layer_styles")
    return dict(row)


def test_qgis_finds_the_style_of_the_layer(download: Callable[..., sqlite3.Connection]) -> None:
    style = json.dumps({"color": "#c2410c", "lineWidth": 3})
    with closing(download([(AREA, {})], name="Öar & skär", style_config=style)) as package:
        row = style_of(package)
        contents = package.execute(
            "SELECT table_name, data_type, identifier, srs_id FROM gpkg_contents ORDER BY 2 DESC"
        ).fetchall()
        tables = package.execute("SELECT table_name, column_name FROM gpkg_geometry_columns")
        geometry_columns = [tuple(column) for column in tables]
    assert list(row) == ["id", *COLUMNS]
    assert [tuple(entry) for entry in contents] == [
        ("Öar___skär", "features", "Öar___skär", 4326),
        ("layer_styles", "attributes", "layer_styles", 0),
    ]
    assert geometry_columns == [(row["f_table_name"], row["f_geometry_column"])]
    assert (row["f_table_catalog"], row["f_table_schema"], row["useAsDefault"]) == ("", "", 1)
    assert row["update_time"].endswith("Z")
    qml, sld = ET.fromstring(row["styleQML"]), ET.fromstring(row["styleSLD"])
    assert qml.findtext("layerGeometryType") == "2"
    assert "194,65,12,178" in row["styleQML"]
    assert sld.findtext(".//{*}NamedLayer/{*}Name") == row["f_table_name"]
    assert "#c2410c" in row["styleSLD"]


@pytest.mark.parametrize(
    ("geometries", "geometry_type"),
    [
        (["POINT Z(1 2 3)", "MULTIPOINT(1 1, 2 2)"], "0"),
        (["LINESTRING(1 1, 2 2)"], "1"),
        ([AREA, "POINT(1 1)"], None),
        (["GEOMETRYCOLLECTION(POINT(1 1))"], None),
        ([None], None),
        ([], None),
    ],
)
def test_the_style_is_for_the_geometries_of_the_file(
    download: Callable[..., sqlite3.Connection],
    geometries: list[str | None],
    geometry_type: str | None,
) -> None:
    with closing(download([(wkt, {}) for wkt in geometries])) as package:
        qml = ET.fromstring(style_of(package)["styleQML"])
    assert qml.findtext("layerGeometryType") == geometry_type
    is_open = geometry_type is None
    assert len(list(qml.iter("symbol"))) == (3 if is_open else 1)


def test_a_table_without_geometries_has_no_style(
    download: Callable[..., sqlite3.Connection], tmp_path: Path
) -> None:
    download([(AREA, {"a": 1})], "&skipGeometry=true").close()
    assert [name for name, _ in pyogrio.list_layers(tmp_path / "download.gpkg")] == ["A_layer"]


@pytest.mark.parametrize(
    "name", ["layer_styles", "Layer styles", "LAYER_STYLES", "gpkg_contents", "sqlite_master"]
)
def test_no_title_replaces_a_table_of_the_file(
    download: Callable[..., sqlite3.Connection], tmp_path: Path, name: str
) -> None:
    with closing(download([(AREA, {})], name=name)) as package:
        assert style_of(package)["f_table_name"].lower() != "layer_styles"
    table, styles = (str(name) for name, _ in pyogrio.list_layers(tmp_path / "download.gpkg"))
    assert styles == "layer_styles"
    assert pyogrio.read_info(tmp_path / "download.gpkg", layer=table)["features"] == 1


@pytest.mark.parametrize("config", [{"color": "'\"><script>", "lineWidth": []}, {"color": {}}, {}])
def test_an_unusable_style_has_defaults(
    download: Callable[..., sqlite3.Connection], config: dict[str, Any]
) -> None:
    with closing(download([(AREA, {})], style_config=json.dumps(config))) as package:
        row = style_of(package)
    assert "<script" not in row["styleQML"] + row["styleSLD"]
    assert "51,136,255,178" in row["styleQML"]


def test_the_version_is_1_3(download: Callable[..., sqlite3.Connection]) -> None:
    with closing(download([(AREA, {})])) as package:
        assert package.execute("PRAGMA user_version").fetchone() == (10300,)
        assert package.execute("PRAGMA application_id").fetchone() == (0x47504B47,)
