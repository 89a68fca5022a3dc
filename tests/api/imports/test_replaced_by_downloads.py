"""A layer replaced by its own download stays as it is, in every format."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from samsyn_admin.imports.loading.report import LayerReport
from tests.api.imports.test_own_downloads import FIELDS, FORMATS, SHAPES, VALUES
from tests.ogc import conftest as ogc
from tests.source_files import Remarks, features_of, load

app, client, layer, person = ogc.app, ogc.client, ogc.layer, ogc.person

SPREADSHEETS = {"xlsx": "xlsx", "csv&dialect=excel": "csv", "csv&dialect=excel-semicolon": "csv"}
NUMBERS = {name: {"type": "number"} for name in ("x", "y", "lat", "lon", "latitude", "longitude")}
ROWS = [{"text": f"ö{n}", "n": n, **dict.fromkeys(NUMBERS, 57.25 + n)} for n in range(4)]
IN_3035 = "&crs=http://www.opengis.net/def/crs/EPSG/0/3035"


def replaced(  # noqa: PLR0917 - fixtures
    client: FlaskClient,
    engine: Engine,
    folder: Path,
    layer_id: str,
    code: str,
    progress: Remarks | None = None,
) -> LayerReport:
    """Replace a layer by its download."""
    response = client.get(f"/ogc/collections/{layer_id}/items?f={code}")
    path = folder / f"file.{(FORMATS | SPREADSHEETS).get(code.removesuffix(IN_3035))}"
    path.write_bytes(response.data)
    with engine.connect() as connection:
        owner = connection.execute(text("SELECT created_by FROM layers")).scalar_one()
    [report] = load(
        engine,
        owner,
        path,
        layer_id=uuid.UUID(layer_id),
        replace=True,
        progress=progress or Remarks(),
    )
    return report


@pytest.mark.parametrize("code", FORMATS)
@pytest.mark.parametrize("kind", ["polygons", "heights"])
def test_nothing_changes(  # noqa: PLR0917 - fixtures
    client: FlaskClient,
    layer: Callable[..., str],
    empty_database: Engine,
    tmp_path: Path,
    code: str,
    kind: str,
) -> None:
    layer_id = layer(list(zip(SHAPES[kind], VALUES, strict=True)), fields=FIELDS)
    report = replaced(client, empty_database, tmp_path, layer_id, code)
    updated = 1 if code == "shp" else 0  # its numbers have fifteen decimals
    assert (report.inserted, report.updated, report.deleted) == (0, updated, 0)
    assert report.unchanged == len(VALUES) - updated


@pytest.mark.parametrize("kind", ["points", "heights", "multipoints", "mixed", "polygons"])
@pytest.mark.parametrize("code", SPREADSHEETS)
@pytest.mark.parametrize("fields", [{}, NUMBERS], ids=["", "coordinates"])
def test_nothing_changes_by_one_for_spreadsheets(  # noqa: PLR0917 - fixtures
    client: FlaskClient,
    layer: Callable[..., str],
    empty_database: Engine,
    tmp_path: Path,
    code: str,
    kind: str,
    fields: dict[str, dict[str, str]],
) -> None:
    """The coordinates that it has beside the properties are none, also where the layer has
    properties that are named as coordinates."""
    schema = {"text": {"type": "string"}, "n": {"type": "integer"}, **fields}
    values = [{name: row[name] for name in schema} for row in ROWS]
    layer_id = layer(list(zip(SHAPES[kind], values, strict=True)), fields=schema)
    progress = Remarks()
    report = replaced(client, empty_database, tmp_path, layer_id, code, progress)
    assert (report.inserted, report.updated, report.deleted) == (0, 0, 0)
    assert report.unchanged == len(values)
    if kind in {"points", "heights"}:
        assert any("columns longitude" in remark for remark in progress.texts)


@pytest.mark.parametrize("code", SPREADSHEETS)
def test_no_field_is_added_by_one_in_another_crs(
    client: FlaskClient,
    layer: Callable[..., str],
    empty_database: Engine,
    tmp_path: Path,
    code: str,
) -> None:
    fields = {"n": {"type": "integer"}}
    layer_id = layer([("POINT(11.5 57.25)", {"n": 1})], fields=fields)
    report = replaced(client, empty_database, tmp_path, layer_id, code + IN_3035)
    assert (report.inserted, report.deleted, report.unchanged + report.updated) == (0, 0, 1)


@pytest.mark.parametrize("code", [*FORMATS, "kml"])
@pytest.mark.parametrize("mode", ["replace", "append"])
def test_a_layer_without_a_schema_gets_no_ids(  # noqa: PLR0917 - fixtures
    client: FlaskClient,
    layer: Callable[..., str],
    empty_database: Engine,
    tmp_path: Path,
    code: str,
    mode: str,
) -> None:
    """As one that is drawn on a map."""
    drawn = [
        {"name": "reef", "n": 1, "when": "2024-05-01"},
        {"name": "bank", "n": 2.5},
        {"name": "moved", "n": 3},
        {},
    ]
    layer_id = layer(list(zip(SHAPES["polygons"], drawn, strict=True)))
    response = client.get(f"/ogc/collections/{layer_id}/items?f={code}")
    path = tmp_path / f"file.{FORMATS.get(code, code)}"
    path.write_bytes(response.data)
    with empty_database.connect() as connection:
        owner = connection.execute(text("SELECT created_by FROM layers")).scalar_one()
    replaces = mode == "replace"
    [report] = load(empty_database, owner, path, layer_id=uuid.UUID(layer_id), replace=replaces)
    stored = features_of(empty_database, uuid.UUID(layer_id))
    assert {name for _, properties in stored for name in properties} == {"name", "n", "when"}
    if replaces:
        assert (report.inserted, report.updated, report.deleted) == (0, 0, 0)
        assert report.unchanged == len(drawn)


@pytest.mark.parametrize("ids", [[1, 2], [10_001, 10_002]])
def test_numbers_of_ones_own_are_a_property(
    layer: Callable[..., str], empty_database: Engine, tmp_path: Path, ids: list[int]
) -> None:
    layer_id = layer([("POINT(1 2)", {"name": "a"}), ("POINT(3 4)", {"name": "b"})])
    path = tmp_path / "own.csv"
    path.write_text(f"id,name,wkt\n{ids[0]},c,POINT (1 3)\n{ids[1]},d,POINT (5 4)\n")
    with empty_database.connect() as connection:
        owner = connection.execute(text("SELECT created_by FROM layers")).scalar_one()
    load(empty_database, owner, path, layer_id=uuid.UUID(layer_id), replace=True)
    stored = features_of(empty_database, uuid.UUID(layer_id))
    assert sorted(properties["id"] for _, properties in stored) == ids
