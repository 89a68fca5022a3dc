"""XLSX: values as Excel has them, and what its cells cannot hold in a second sheet."""

import datetime
import io
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from flask.testing import FlaskClient

from samsyn_provider.downloads.formats import workbook

Layer = Callable[..., str]

FIELDS = {
    "day": {"type": "string", "format": "date"},
    "seen": {"type": "string", "format": "date-time"},
}


def downloaded(client: FlaskClient, layer_id: str, **query: str) -> Any:
    address = f"/ogc/collections/{layer_id}/items"
    response = client.get(address, query_string={"f": "xlsx", **query})
    assert response.status_code == 200, response.text
    return openpyxl.load_workbook(io.BytesIO(response.data))


def rows(book: Any) -> list[dict[str, Any]]:
    names, *lines = book["Features"].iter_rows(values_only=True)
    return [dict(zip(names, line, strict=True)) for line in lines]


def notes(book: Any) -> list[tuple[Any, ...]]:
    """The lines of the second sheet after their heading: id, column, what the cell lacks."""
    lines = list(book["Notes"].iter_rows(values_only=True, max_col=3))
    start = next((n for n, line in enumerate(lines) if line[1] == "column"), len(lines))
    return lines[start + 1 :]


def test_values(client: FlaskClient, layer: Layer) -> None:
    value = {
        **{"text": "å\n<&>", "n": 12, "x": -0.25, "yes": True, "day": "2024-02-29"},
        **{"seen": "2024-05-01T12:00:00+02:00", "list": [1, "å"], "markup": "_x0041_ \x01"},
    }
    book = downloaded(client, layer([("POINT(1 2)", value)], fields=FIELDS, name="A \x01 title"))
    (row,) = rows(book)
    assert {name: row[name] for name in ("text", "n", "x", "yes")} == {
        name: value[name] for name in ("text", "n", "x", "yes")
    }
    assert row["day"] == datetime.datetime(2024, 2, 29)  # noqa: DTZ001 - Excel has no zones
    assert row["seen"] == datetime.datetime(2024, 5, 1, 10)  # noqa: DTZ001
    assert row["list"] == '[1, "å"]'
    assert row["markup"] == "_x005F_x0041_ _x0001_"  # as Excel writes what is no XML, and itself
    cells = {cell.value: cell.column for cell in book["Features"][1]}
    second = book["Features"][2]
    assert second[cells["day"] - 1].number_format == "yyyy-mm-dd"
    assert [second[cells[name] - 1].data_type for name in ("n", "yes", "text")] == ["n", "b", "s"]
    assert not notes(book)


@pytest.mark.parametrize("text", ["=1+1", '=HYPERLINK("http://a.example")', "+1", "-1", "@SUM(1)"])
def test_texts_are_no_formulas(client: FlaskClient, layer: Layer, text: str) -> None:
    layer_id = layer([("POINT(1 2)", {"a": text, text: "b"})])
    book = downloaded(client, layer_id)
    cells = [cell for line in book["Features"] for cell in line]
    assert text in rows(book)[0]["a"]
    assert not any(cell.data_type == "f" or cell.hyperlink for cell in cells)
    response = client.get(f"/ogc/collections/{layer_id}/items?f=xlsx")
    with zipfile.ZipFile(io.BytesIO(response.data)) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")


def test_points_and_other_geometries(client: FlaskClient, layer: Layer) -> None:
    points = layer([("POINT(11.5 57)", {}), (None, {}), ("POINT(-1e-7 2)", {})])
    (first, second, third) = rows(downloaded(client, points))
    assert list(first) == ["id", "longitude", "latitude"]
    assert (first["longitude"], first["latitude"]) == (11.5, 57)
    assert second["longitude"] is None
    assert third["longitude"] == -1e-7
    mixed = layer([("POINT Z(1 2 3)", {}), ("LINESTRING(0 0,1 1)", {}), ("POINT(5 6)", {})])
    one, two, three = rows(downloaded(client, mixed))
    assert (one["longitude"], one["latitude"], one["height"]) == (1, 2, 3)
    assert one["geometry"] == "POINT Z (1 2 3)"
    assert (two["longitude"], two["geometry"]) == (None, "LINESTRING (0 0, 1 1)")
    assert (three["longitude"], three["height"]) == (5, None)
    lines = layer([("LINESTRING(0 0,1 1)", {})])
    assert list(rows(downloaded(client, lines))[0]) == ["id", "geometry"]
    assert list(rows(downloaded(client, lines, skipGeometry="true"))[0]) == ["id"]
    uri = "http://www.opengis.net/def/crs/EPSG/0/3035"
    (moved, *_) = rows(downloaded(client, points, crs=uri))
    assert list(moved) == ["id", "x", "y", "geometry"]
    assert moved["x"] > moved["y"]
    assert moved["geometry"] == f"SRID=3035;POINT ({moved['x']} {moved['y']})"


def test_names_that_the_coordinates_have(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([("POINT(1 2)", {"longitude": "own", "Latitude": "own"})])
    (row,) = rows(downloaded(client, layer_id))
    assert list(row.values())[1:] == ["own", "own", 1, 2]
    assert len({name.lower() for name in row}) == 5


def test_what_cells_cannot_hold(client: FlaskClient, layer: Layer) -> None:
    line = f"LINESTRING({','.join(f'{n / 1000} 1.5' for n in range(5000))})"
    value = {
        **{"text": "x" * 40_000, "emoji": "😀" * 20_000, "big": 2**53 + 1, "large": 10**400},
        **{"day": "1850-01-01", "seen": "2024-05-01T12:00:00.123456Z"},
    }
    fine = {"text": "x" * 32_767, "big": 2**53, "day": "1900-01-01", "large": 1e300}
    features = [(line, value), ("LINESTRING(0 0,1 1)", fine)]
    book = downloaded(client, layer(features, fields=FIELDS))
    first, second = rows(book)
    assert first["text"] == "x" * 32_767
    assert first["emoji"] == "😀" * 16_383
    assert first["big"] == str(2**53 + 1)
    assert first["large"] == "inf"
    assert first["day"] == "1850-01-01"
    assert first["geometry"] is None
    assert second["big"] == 2**53
    assert second["text"] == "x" * 32_767
    remarks = notes(book)
    assert {note[1] for note in remarks} == {
        *("text", "emoji", "big", "large", "day", "seen", "geometry")
    }
    assert {note[0] for note in remarks} == {first["id"]}
    by_column = {note[1]: note[2] for note in remarks}
    assert "40,000" in by_column["text"]
    assert "Left out" in by_column["geometry"]
    assert "123456" in by_column["seen"]


def test_many_notes(client: FlaskClient, layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "_MAX_NOTES", 3)
    book = downloaded(client, layer([("POINT(1 2)", {"n": 2**60 + n}) for n in range(8)]))
    assert len(notes(book)) == 4
    assert notes(book)[-1][0] == "and 5 more"


def test_more_features_than_rows(
    client: FlaskClient, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer_id = layer([("POINT(1 2)", {"n": n}) for n in range(6)])
    address = f"/ogc/collections/{layer_id}/items?f=xlsx"
    assert workbook.MAX_ROWS == 1_048_576
    monkeypatch.setattr(workbook, "MAX_ROWS", 6)
    refused = client.get(address)
    assert refused.status_code == 400
    assert "f=csv" in refused.json["detail"]  # type: ignore[index]
    assert client.get(f"{address}&limit=5").status_code == 200
    assert client.get(f"{address}&filter=n<5").status_code == 200


def test_more_columns_than_excel_has(
    client: FlaskClient, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer_id = layer([("POINT(1 2)", {f"p{n}": n for n in range(10)})])
    monkeypatch.setattr(workbook, "_MAX_COLUMNS", 12)
    address = f"/ogc/collections/{layer_id}/items?f=xlsx"
    refused = client.get(address)
    assert refused.status_code == 400
    assert "properties" in refused.json["detail"]  # type: ignore[index]
    assert client.get(f"{address}&properties=p1,p2").status_code == 200


def test_ogrinfo_reads_the_workbook(client: FlaskClient, layer: Layer, tmp_path: Path) -> None:
    program = shutil.which("ogrinfo")
    if program is None:
        pytest.skip("ogrinfo (Debian's gdal-bin) is not installed")
    value = {"name": "=å", "n": 3, "day": "2024-02-29", "x": 0.5}
    response = client.get(
        f"/ogc/collections/{layer([('POINT(1 2)', value)], fields=FIELDS)}/items?f=xlsx"
    )
    path = tmp_path / "book.xlsx"
    path.write_bytes(response.data)
    command = [program, "-al", "--config", "OGR_XLSX_HEADERS", "FORCE", path]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    for line in (
        "name (String) = =å",
        "n (Integer) = 3",
        "day (Date) = 2024/02/29",
        "x (Real) = 0.5",
    ):
        assert line in run.stdout, run.stdout
