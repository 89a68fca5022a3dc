"""Downloads are imported again: the same features come back."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shapely
from flask.testing import FlaskClient
from sqlalchemy import Engine

from tests.ogc import conftest as ogc
from tests.source_files import Remarks, add_user, features_of, load

app, client, layer, person = ogc.app, ogc.client, ogc.layer, ogc.person

Layer = Callable[..., str]

FIELDS = {
    "text": {"type": "string", "x-ogc-propertySeq": 1},
    "n": {"type": "integer", "x-ogc-propertySeq": 2},
    "x": {"type": "number", "x-ogc-propertySeq": 3},
    "yes": {"type": "boolean", "x-ogc-propertySeq": 4},
    "day": {"type": "string", "format": "date", "x-ogc-propertySeq": 5},
    "seen": {"type": "string", "format": "date-time", "x-ogc-propertySeq": 6},
}
VALUES: list[dict[str, Any]] = [
    {
        **{"text": '=1+1; å, "x"\n', "n": -12, "x": 12.25, "yes": True, "day": "2024-02-29"},
        **{"seen": "2024-05-01T10:00:00.500Z"},
    },
    {"text": "'-1", "n": 2**53 + 1, "x": -1e-7, "yes": False},
    {"text": "''+1", "n": 0, "x": 3.5, "seen": "2024-05-01T10:00:00Z"},
    {"text": "'plain", "n": 5, "x": 0.1 + 0.2},
]
SHAPES = {
    "points": ["POINT(11.123456789 57)", "POINT(-1 -2)", None, "POINT(5 6)"],
    "heights": ["POINT Z(11 57 -12.5)", "POINT Z(-1 -2 3)", None, "POINT Z(5 6 7)"],
    "multipoints": ["MULTIPOINT((1 2))", "MULTIPOINT((1 2),(3 4))", None, "MULTIPOINT((1 2))"],
    "polygons": [
        "POLYGON((0 0,4 0,4 4,0 4,0 0),(1 1,1 2,2 2,1 1))",
        "MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((5 5,6 5,6 6,5 5)))",
        None,
        "POLYGON((0 0,1 0,1 1,0 0))",
    ],
    "mixed": ["POINT(1 2)", "LINESTRING(0 0,1 1)", None, "POLYGON((0 0,1 0,1 1,0 0))"],
}
FORMATS = {
    "csv": "csv",
    "csv&dialect=excel": "csv",
    "csv&dialect=excel-semicolon": "csv",
    "geojson": "geojson",
    "geojsonseq": "geojsonl",
    "fgb": "fgb",
    "gpkg": "gpkg",
    "parquet": "parquet",
    "shp": "shp.zip",
}


@pytest.fixture
def owner(empty_database: Engine) -> uuid.UUID:
    return add_user(empty_database)


def in_order(features: list[tuple[str | None, dict[str, Any]]]) -> list[Any]:
    """Features without their ids as attributes and what is absent, in the order of `n`.

    A geometry is the same as that of its Multi type, which downloads make of mixtures of both.
    """
    rows = []
    for ewkt, row in features:
        shape = shapely.from_wkt(ewkt.removeprefix("SRID=4326;")) if ewkt else None
        parts = sorted(part.wkt for part in shapely.get_parts(shape)) if shape else None
        present = {name: value for name, value in row.items() if name != "id" and value is not None}
        rows.append((parts, present))
    return sorted(rows, key=lambda row: row[1]["n"])


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("code", FORMATS)
def test_a_download_comes_back(  # noqa: PLR0917 - fixtures
    client: FlaskClient,
    layer: Layer,
    empty_database: Engine,
    owner: uuid.UUID,
    tmp_path: Path,
    code: str,
    kind: str,
) -> None:
    features = list(zip(SHAPES[kind], VALUES, strict=True))
    layer_id = layer(features, fields=FIELDS)
    response = client.get(f"/ogc/collections/{layer_id}/items?f={code}")
    path = tmp_path / f"file.{FORMATS[code]}"
    path.write_bytes(response.data)
    again = load(empty_database, owner, path)
    imported = [row for one in again for row in features_of(empty_database, one.layer_id)]
    stored = in_order(features_of(empty_database, uuid.UUID(layer_id)))
    if code == "fgb":  # it has no dates
        stored = [
            (parts, {**row, "day": f"{row['day']}T00:00:00Z"} if "day" in row else row)
            for parts, row in stored
        ]
    if code == "shp":  # its numbers have fifteen decimals
        stored = [(parts, {**row, "x": round(row["x"], 15)}) for parts, row in stored]
    assert in_order(imported) == stored
    if code.startswith("csv"):
        assert {row["id"] for _, row in imported} == {
            item["id"]
            for item in client.get(f"/ogc/collections/{layer_id}/items").json["features"]  # type: ignore[index]
        }


def test_a_dialect_edited_in_a_spreadsheet(
    empty_database: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    """Coordinates that differ from the WKT are attributes."""
    path = tmp_path / "edited.csv"
    path.write_text(
        "\ufeffid,longitude,latitude,geometry\n"
        "1,11.5,57,POINT (11.5 57)\n"
        "2,12.0,57,POINT (12 57)\n",
        encoding="utf-8",
    )
    progress = Remarks()
    [one] = load(empty_database, owner, path, progress=progress)
    rows = features_of(empty_database, one.layer_id)
    assert rows[1] == ("SRID=4326;POINT(12 57)", {"id": 2, "longitude": 12.0, "latitude": 57})
    assert not any("repeat" in text for text in progress.texts)


def test_other_csv_keeps_its_apostrophes(
    empty_database: Engine, owner: uuid.UUID, tmp_path: Path
) -> None:
    text = "name,longitude,latitude,geometry\n'=1,1,2,POINT (1 2)\n"
    for mark, expected in (
        ("", {"name": "'=1", "longitude": 1, "latitude": 2}),
        ("\ufeff", {"name": "=1"}),
    ):
        path = tmp_path / "other.csv"
        path.write_text(mark + text, encoding="utf-8")
        progress = Remarks()
        [one] = load(empty_database, owner, path, progress=progress)
        ((_, row),) = features_of(empty_database, one.layer_id)
        assert row == expected
        assert any("Apostrophes" in remark for remark in progress.texts) == bool(mark)
