"""A layer replaced by its own download stays as it is, in every format."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from tests.api.imports.test_own_downloads import FIELDS, FORMATS, SHAPES, VALUES
from tests.ogc import conftest as ogc
from tests.source_files import load

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
