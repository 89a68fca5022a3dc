"""Zipped shapefiles: what they hold of a layer, and that the rest is named in README.txt."""

import io
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyogrio
import pytest
import shapely
from flask.testing import FlaskClient

from samsyn_provider.downloads.formats import shapefile
from tests.ogc.downloads.test_downloads import read_ogr_layer

Layer = Callable[..., str]
Shapefiles = dict[str, list[tuple[int, Any, dict[str, Any]]]]

LONG = "å" * 200  # 400 bytes


def downloaded(
    client: FlaskClient, layer_id: str, folder: Path, **query: str
) -> tuple[Shapefiles, str]:
    """The records of each shapefile of a layer by name, and the text about them."""
    response = client.get(f"/ogc/collections/{layer_id}/items", query_string={"f": "shp", **query})
    assert response.status_code == 200, response.text
    assert response.content_type == "application/zip"
    path = folder / "layer.shp.zip"
    path.write_bytes(response.data)
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".shp") for name in archive.namelist() if ".shp" in name]
        for name in names:
            parts = {f"{name}.{suffix}" for suffix in ("shp", "shx", "dbf", "prj", "cpg")}
            assert parts <= set(archive.namelist())
            assert archive.read(f"{name}.cpg") == b"UTF-8"
        text = archive.read("README.txt").decode()
    files = {
        name: read_ogr_layer(f"/vsizip/{{{path}}}/{name}.shp", has_fids=False) for name in names
    }
    return files, text


def test_a_layer_of_one_type(client: FlaskClient, layer: Layer, tmp_path: Path) -> None:
    shapes = [
        "POLYGON((0 0,4 0,4 4,0 4,0 0),(1 1,1 2,2 2,1 1))",
        "MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((5 5,6 5,6 6,5 5)))",
        None,
        "POLYGON EMPTY",
    ]
    layer_id = layer([(shape, {"n": n}) for n, shape in enumerate(shapes)], name="Öar & skär")
    files, text = downloaded(client, layer_id, tmp_path)
    ((name, rows),) = files.items()
    assert name == "Oar___skar"
    assert [row[2]["n"] for row in rows] == [0, 1, 2, 3]
    for (_, shape, _), wkt in zip(rows[:2], shapes[:2], strict=True):
        assert shape.equals(shapely.from_wkt(wkt))
    assert rows[2][1] is rows[3][1] is None
    assert "4 features" in text
    assert "2 features without a geometry" in text
    assert "GeoPackage" in text


def test_a_file_for_each_type(client: FlaskClient, layer: Layer, tmp_path: Path) -> None:
    features = [
        (None, {"n": 0}),
        ("LINESTRING(0 0,1 1)", {"n": 1}),
        ("POINT(1 2)", {"n": 2}),
        ("POINT Z(1 2 3)", {"n": 3}),
        ("MULTIPOINT((1 2),(3 4))", {"n": 4}),
        ("POLYGON((0 0,1 0,1 1,0 0))", {"n": 5}),
        ("MULTILINESTRING((0 0,1 1),(2 2,3 3))", {"n": 6}),
        (
            "GEOMETRYCOLLECTION(POINT(7 7),LINESTRING(0 0,7 7),"
            "GEOMETRYCOLLECTION(POINT(8 8),POLYGON((0 0,7 0,7 7,0 0))),POINT EMPTY)",
            {"n": 7},
        ),
        ("GEOMETRYCOLLECTION EMPTY", {"n": 8}),
    ]
    files, text = downloaded(client, layer(features, name="All"), tmp_path)
    numbers = {name: [row[2]["n"] for row in rows] for name, rows in files.items()}
    assert numbers == {
        "All_lines": [0, 1, 6, 7, 8],
        "All_points": [2],
        "All_points_z": [3],
        "All_multipoints": [4, 7],
        "All_polygons": [5, 7],
    }
    (_, point, _) = files["All_points_z"][0]
    assert point.z == 3
    assert files["All_multipoints"][1][1].equals(shapely.MultiPoint([(7, 7), (8, 8)]))
    ids = {files[f"All_{kind}"][-1][0] for kind in ("multipoints", "polygons")}
    assert len(ids) == 1, "the parts of a collection have its id"
    assert "2 geometry collections" in text
    assert "2 features without a geometry" in text
    for name, rows in files.items():
        assert f"{name}.shp" in text
        assert f"{len(rows)} records" in text


def test_limit_and_types(client: FlaskClient, layer: Layer, tmp_path: Path) -> None:
    features = [("POINT(1 2)", {"n": 0}), ("LINESTRING(0 0,1 1)", {"n": 1}), (None, {"n": 2})]
    layer_id = layer(features, name="L")
    files, _ = downloaded(client, layer_id, tmp_path, limit="1")
    assert {name: len(rows) for name, rows in files.items()} == {"L": 1}
    files, _ = downloaded(client, layer_id, tmp_path, filter="n = 2")
    assert {name: len(rows) for name, rows in files.items()} == {"L": 1}


def test_names_are_cut_uniquely(client: FlaskClient, layer: Layer, tmp_path: Path) -> None:
    properties = {
        "protected_area_name": "a",
        "protected_area_code": "b",
        "PROTECTED_": "c",
        "djup (m)": 1.5,
        "ååååååå": "d",
        "ID": "e",
        "geometry": "f",
        "": "g",
    }
    files, text = downloaded(client, layer([("POINT(1 2)", properties)], name="N"), tmp_path)
    ((_, _, row),) = files["N"]
    assert sorted(map(str, row.values())) == ["1.5", *"abcdefg"]
    names = ["fid", *row]
    assert len({name.lower() for name in names}) == len(names)
    assert all(len(name.encode()) <= 10 for name in names)
    assert "djup__m_" in row
    for old in ("protected_area_name", "djup (m)", "ååååååå"):
        new = next(name for name, value in row.items() if value == properties[old])
        assert f"{new}, {old}\r\n" in text


def test_values_and_what_is_lost(client: FlaskClient, layer: Layer, tmp_path: Path) -> None:
    fields = {
        "day": {"type": "string", "format": "date"},
        "seen": {"type": "string", "format": "date-time"},
    }
    first = {
        **{"text": LONG, "short": "ø", "day": "2024-02-29", "seen": "2024-05-01T12:00:00+02:00"},
        **{"whole": 2**53 + 1, "huge": 2**63 - 1, "small": 1e-9, "large": 1e300, "open": True},
        **{"list": [1, "å"], "mixed": 5, "tiny": 1e-18},
    }
    second = {"text": "", "short": "x  ", "open": False, "mixed": "five", "small": -0.1, "huge": 1}
    features = [("POINT(1 2)", first), ("POINT(3 4)", second), ("POINT(5 6)", {})]
    files, text = downloaded(client, layer(features, fields=fields, name="V"), tmp_path)
    one, two, three = (row[2] for row in files["V"])
    assert one["text"] == "å" * 127
    assert one["short"] == "ø"
    assert str(one["day"])[:10] == "2024-02-29"
    assert one["seen"] == "2024-05-01T12:00:00+02:00"
    assert float(one["whole"]) == 2**53
    assert (one["huge"], two["huge"]) == (str(2**63 - 1), "1")
    assert (one["small"], two["small"]) == (1e-9, -0.1)
    assert float(one["large"]) == 1e300
    assert (one["open"], two["open"]) == (True, False)
    assert one["list"] == '[1, "å"]'
    assert (one["mixed"], two["mixed"]) == ("5", "five")
    assert set(three.values()) == {None}
    assert "text: 1 values" in text  # cut, and one empty
    assert text.count("text: 1 values") == 2
    assert "short: 1 values" in text
    assert "tiny: 1 values" in text
    assert "small: " not in text
    for name in ("list", "mixed", "huge", "large"):
        assert f"  {name}\r\n" in text, name


def test_the_crs_requested(client: FlaskClient, layer: Layer, tmp_path: Path) -> None:
    layer_id = layer([("POINT(11 57)", {})], name="C")
    uri = "http://www.opengis.net/def/crs/EPSG/0/3035"
    files, text = downloaded(client, layer_id, tmp_path, crs=uri)
    point = files["C"][0][1]
    assert (round(point.x), round(point.y)) == (4381731, 3766371) or point.x > point.y
    path = f"/vsizip/{{{tmp_path / 'layer.shp.zip'}}}/C.shp"
    assert pyogrio.read_info(path)["crs"] == "EPSG:3035"
    assert "EPSG:3035" in text
    assert (
        client.get(f"/ogc/collections/{layer_id}/items?f=shp&skipGeometry=true").status_code == 400
    )


def test_more_than_two_gigabytes(
    client: FlaskClient, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = f"LINESTRING({','.join(f'{n / 100} 1' for n in range(3000))})"
    layer_id = layer([(line, {"text": "x" * 50}) for _ in range(20)])
    address = f"/ogc/collections/{layer_id}/items?f=shp"
    for size in (1_000, 100_000):  # of the attributes, of the shapes
        monkeypatch.setattr(shapefile, "MAX_SIZE", size)
        response = client.get(address)
        assert response.status_code == 400
        assert "f=gpkg" in response.json["detail"]  # type: ignore[index]
    monkeypatch.setattr(shapefile, "MAX_SIZE", 10**6)
    assert client.get(address).status_code == 200


def test_ogrinfo_reads_the_archive(client: FlaskClient, layer: Layer, tmp_path: Path) -> None:
    program = shutil.which("ogrinfo")
    if program is None:
        pytest.skip("ogrinfo (Debian's gdal-bin) is not installed")
    features = [("POINT(1 2)", {"name": "ö"}), ("POLYGON((0 0,1 0,1 1,0 0))", {"name": "å"})]
    response = client.get(f"/ogc/collections/{layer(features, name='G')}/items?f=shp")
    path = tmp_path / "g.shp.zip"
    path.write_bytes(response.data)
    run = subprocess.run([program, "-al", path], check=True, capture_output=True, text=True)
    assert "name (String) = ö" in run.stdout
    assert "POLYGON ((0 0,1 1,1 0,0 0))" in run.stdout
    assert zipfile.ZipFile(io.BytesIO(response.data)).testzip() is None


def test_fields_are_as_wide_as_their_values(client: FlaskClient, layer: Layer) -> None:
    features = [("POINT(1 2)", {"text": "åä", "n": 12}), ("POINT(1 2)", {"text": "b" * 90, "n": 1})]
    fields = {"text": {"type": "string"}, "n": {"type": "integer"}}
    address = f"/ogc/collections/{layer(features, name='W', fields=fields)}/items?f=shp"
    for query, width in (("", 90), ("&filter=n=12", 4)):
        with zipfile.ZipFile(io.BytesIO(client.get(f"{address}{query}").data)) as archive:
            row_size = int.from_bytes(archive.read("W.dbf")[10:12], "little")
        assert row_size == 1 + 18 + 9 + width, "a flag, the id, n and the text"
