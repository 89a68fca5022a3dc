"""A layer replaced by its own download stays as it is, in every format."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from tests.api.imports.test_own_downloads import FIELDS, FORMATS, SHAPES, VALUES
from tests.ogc import conftest as ogc
from tests.source_files import features_of, load

app, client, layer, person = ogc.app, ogc.client, ogc.layer, ogc.person


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
    response = client.get(f"/ogc/collections/{layer_id}/items?f={code}")
    path = tmp_path / f"file.{FORMATS[code]}"
    path.write_bytes(response.data)
    with empty_database.connect() as connection:
        owner = connection.execute(text("SELECT created_by FROM layers")).scalar_one()
    [report] = load(empty_database, owner, path, layer_id=uuid.UUID(layer_id), replace=True)
    updated = 1 if code == "shp" else 0  # its numbers have fifteen decimals
    assert (report.inserted, report.updated, report.deleted) == (0, updated, 0)
    assert report.unchanged == len(VALUES) - updated


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
