"""How many positions and properties a feature may have, by every way in."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from samsyn_admin.imports.loading.file_import import import_file
from samsyn_model.errors import InvalidBodyError, UnstorableFeatureError
from samsyn_model.settings import get_settings
from tests.api.layer_requests import Caller, collection, feature, vector

_VERTICES, _PROPERTIES = 1_000, 10
_POINT = {"type": "Point", "coordinates": [11.5, 57.5]}


@pytest.fixture(autouse=True)
def _limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MAX_VERTICES", str(_VERTICES))
    monkeypatch.setenv("MAX_PROPERTIES", str(_PROPERTIES))
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


def _circle(positions: int) -> dict[str, Any]:
    """Return a polygon with so many positions."""
    angles = [math.tau * number / (positions - 1) for number in range(positions - 1)]
    ring = [[10 + math.cos(angle), 55 + math.sin(angle)] for angle in angles]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def _properties(number: int) -> dict[str, int]:
    return {f"p{index}": index for index in range(number)}


_ALLOWED = feature(_circle(_VERTICES), **_properties(_PROPERTIES))
_TOO_MANY = [
    (feature(_circle(_VERTICES + 1)), "/geometry", f"{_VERTICES:,} positions"),
    (feature(_POINT, **_properties(_PROPERTIES + 1)), "/properties", f"{_PROPERTIES} properties"),
]


@pytest.fixture
def layer(owner: Caller) -> str:
    return str(owner.post(vector(visibility="public")).json["id"])


def _send(caller: Caller, method: str, address: str, body: Any) -> TestResponse:
    return caller.client.open(
        address,
        method=method,
        data=json.dumps(body),
        content_type="application/json",
        headers=caller.headers,
    )


def _check(response: TestResponse, pointer: str, detail: str) -> None:
    assert response.status_code == 422, response.text
    [error] = response.json["errors"]
    assert (error["pointer"], detail in error["detail"]) == (pointer, True)


@pytest.mark.parametrize(("refused", "pointer", "detail"), _TOO_MANY)
def test_features_in_requests(
    owner: Caller, layer: str, refused: dict[str, Any], pointer: str, detail: str
) -> None:
    items = f"/ogc/collections/{layer}/items"
    created = _send(owner, "POST", items, _ALLOWED)
    assert created.status_code == 201, created.text
    item = f"{items}/{created.json['id']}"
    _check(_send(owner, "POST", items, refused), pointer, detail)
    _check(
        _send(owner, "POST", items, collection(_ALLOWED, refused)),
        f"/features/1{pointer}",
        detail,
    )
    _check(_send(owner, "PUT", item, refused), pointer, detail)
    part = pointer.removeprefix("/")
    _check(_send(owner, "PATCH", item, {part: refused[part]}), pointer, detail)
    bulk = f"/api/v1/layers/{layer}/features/bulk"
    _check(_send(owner, "POST", bulk, collection(_ALLOWED, refused)), pointer, detail)
    body = vector(source_config={"geojson": collection(_ALLOWED, refused)})
    _check(owner.post(body), f"/source_config/geojson/features/1{pointer}", detail)


def test_the_properties_of_a_schema(owner: Caller) -> None:
    for number, status in ((_PROPERTIES, 201), (_PROPERTIES + 1, 422)):
        schema = {"properties": {name: {"type": "integer"} for name in _properties(number)}}
        response = owner.post(vector(property_schema=schema))
        assert response.status_code == status, response.text


@pytest.mark.parametrize(
    ("features", "detail"),
    [
        (
            [_TOO_MANY[0][0]],
            f"Feature 1 cannot be stored: it has more than {_VERTICES:,}",
        ),
        ([_TOO_MANY[1][0]], f"a layer has at most {_PROPERTIES}"),
        (
            [feature(_POINT, **{f"q{index}": 1}) for index in range(_PROPERTIES + 1)],
            f"a layer has at most {_PROPERTIES}",
        ),
    ],
)
def test_files(
    empty_database: Engine, owner: Caller, tmp_path: Path, features: list[Any], detail: str
) -> None:
    path = tmp_path / "features.geojson"
    path.write_text(json.dumps(collection(*features)))
    with pytest.raises((InvalidBodyError, UnstorableFeatureError)) as raised:
        import_file(empty_database, path, owner_id=owner.id)
    assert detail in raised.value.detail


@pytest.mark.parametrize("code", ["kml", "csv", "gpkg", "parquet"])
def test_files_with_too_many_columns_are_refused(owner: Caller, layer: str, code: str) -> None:
    features = [feature(_POINT, **{f"q{index}": 1}) for index in range(_PROPERTIES + 1)]
    items = f"/ogc/collections/{layer}/items"
    assert _send(owner, "POST", items, collection(*features)).status_code == 201
    refused = owner.client.get(f"{items}?f={code}")
    assert (refused.status_code, "properties" in refused.text) == (400, True)
    assert owner.client.get(f"{items}?f={code}&properties=q1,q2").status_code == 200
