"""The limits of imports: time, the disk, nesting."""

import json
import resource
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from samsyn_admin.imports.readers.ogr.layer import OgrLayer
from samsyn_model.errors import TooLargeError
from samsyn_model.features.batch import FeatureBatch
from tests.api.layer_requests import Caller, collection, vector
from tests.api.layers.test_bulk_import import POINT, bulk, points
from tests.source_files import add_user, grid, refused, write_ogr


@pytest.fixture
def layer(owner: Caller) -> str:
    return str(owner.post(vector()).json["id"])


def test_a_file_without_an_end(
    empty_database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner: uuid.UUID = add_user(empty_database)
    path = write_ogr(tmp_path / "a.gpkg", grid(3), "GPKG")
    once = OgrLayer.batches

    def without_end(source: OgrLayer) -> Iterator[FeatureBatch]:
        while True:
            yield from once(source)

    monkeypatch.setattr(OgrLayer, "batches", without_end)
    detail = refused(empty_database, owner, path, TooLargeError, timeout=2)
    assert "IMPORT_TIMEOUT" in detail


def test_a_body_on_a_full_disk(
    owner: Caller, layer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    body = collection(*points(5000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        response = bulk(owner, layer, body)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert response.status_code == 503, response.text
    assert response.headers["Retry-After"]
    assert "full" in response.json["detail"]
    assert list(tmp_path.iterdir()) == []
    assert bulk(owner, layer, body).json["created_count"] == 5000


@pytest.mark.parametrize("depth", [900, 100_000])
@pytest.mark.parametrize("member", ["geometry", "coordinates", "properties", "features"])
def test_a_body_that_is_nested_deeply(owner: Caller, layer: str, member: str, depth: int) -> None:
    starts = {
        "geometry": '{"type": "GeometryCollection", "geometries": [',
        "coordinates": '{"type": "Polygon", "coordinates": [',
    }
    start = starts.get(member, '{"a": [')
    end = "]}"
    if member == "coordinates":
        nested = start + "[" * depth + "]" * depth + end
        name = "geometry"
    else:
        nested, name = start * depth + end * depth, member
    whole = {"type": "Feature", "geometry": POINT, "properties": {}, name: None}
    text = json.dumps(whole).replace(f'"{name}": null', f'"{name}": {nested}')
    response = bulk(owner, layer, f'{{"type": "FeatureCollection", "features": [{text}]}}'.encode())
    assert response.status_code in {400, 422} or (depth == 900 and response.status_code == 201)
