"""Requests and callers of the tests of the management API."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

LAYERS = "/api/v1/layers"
LINE = {"type": "LineString", "coordinates": [[11.5, 57.5], [11.9, 57.1]]}
RING = [[11.0, 57.0], [11.4, 57.0], [11.4, 57.3], [11.0, 57.0]]


@dataclass(frozen=True)
class Caller:
    """A user, and a client with their credentials."""

    id: uuid.UUID
    client: FlaskClient
    headers: dict[str, str] = field(default_factory=dict)

    def post(self, body: Any, **options: Any) -> TestResponse:
        return self.client.post(LAYERS, json=body, headers=self.headers, **options)

    def get(self, layer_id: str, **options: Any) -> TestResponse:
        return self.client.get(f"{LAYERS}/{layer_id}", headers=self.headers, **options)

    def list(self, query: str = "") -> TestResponse:
        return self.client.get(f"{LAYERS}{query}", headers=self.headers)

    def put(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.send("PUT", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.send("PATCH", path, body, **headers)

    def send(self, method: str, path: str, body: Any, **headers: str) -> TestResponse:
        """Send JSON to a path below the layers; `If_Match` stands for the header If-Match."""
        renamed = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.open(
            f"{LAYERS}/{path}", method=method, json=body, headers={**self.headers, **renamed}
        )

    def delete(self, layer_id: str, query: str = "", **headers: str) -> TestResponse:
        return self.client.delete(
            f"{LAYERS}/{layer_id}{query}", headers={**self.headers, **headers}
        )


type MakeCaller = Callable[..., Caller]
"""The fixture `make_caller`: creates a user by name and scope."""


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def vector(*features: Any, **members: Any) -> dict[str, Any]:
    """Return a layer as the web frontend sends it: always with type Polygon and a count."""
    return {
        "name": "Drawn",
        "source_type": "vector",
        "source_config": {
            "geometryType": "Polygon",
            "featureCount": 77,
            "geojson": {"type": "FeatureCollection", "features": list(features)},
        },
        **members,
    }


def wms(**config: Any) -> dict[str, Any]:
    source = {"url": "https://wms.example.org/ows?map=sea", "layers": "depth", **config}
    return {"name": "Depth", "source_type": "wms", "source_config": source}


def geotiff(**config: Any) -> dict[str, Any]:
    return {"name": "Noise", "source_type": "geotiff", "source_config": config}


def add_to_map(
    engine: Engine, map_owner: uuid.UUID, layer_id: str, view_permission: str = "private"
) -> str:
    with engine.begin() as connection:
        map_id = connection.execute(
            text(
                "INSERT INTO maps (name, created_by, view_permission)"
                " VALUES ('A map', :owner, :view) RETURNING id"
            ),
            {"owner": map_owner, "view": view_permission},
        ).scalar_one()
        connection.execute(
            text('INSERT INTO map_layers (map_id, layer_id, "order") VALUES (:map, :layer, 0)'),
            {"map": map_id, "layer": layer_id},
        )
    return str(map_id)


def pointers(response: TestResponse) -> list[str]:
    assert response.status_code == 422, response.text
    assert response.json
    return [fault["pointer"] for fault in response.json["errors"]]


def collection(*features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}
