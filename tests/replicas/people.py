"""People who read and write through an app, and what they do."""

import uuid
from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from samsyn_model.identity import api_tokens

POINT = {"type": "Point", "coordinates": [11.5, 57.5]}


@dataclass(frozen=True)
class Person:
    """A user with a token of scope `write`; nobody without."""

    app: Flask
    id: uuid.UUID | None = None
    token: str | None = None

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        """Send a request; `If_Match` stands for the header If-Match."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        options = {} if body is None else {"json": body}
        return self.app.test_client().open(path, method=method, headers=sent, **options)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.send("GET", path, **headers)

    def layer(self, **members: Any) -> str:
        """Make a layer and return its id."""
        body = {"name": "Zones", "source_type": "vector", **members}
        return str(self.done(self.send("POST", "/api/v1/layers", body)).json["id"])

    def map(self, *layers: str, **members: Any) -> str:
        """Make a map of layers and return its id."""
        made = self.done(self.send("POST", "/api/v1/maps", {"name": "Plan", **members}))
        for layer in layers:
            path = f"/api/v1/maps/{made.json['id']}/layers"
            self.done(self.send("POST", path, {"layer_id": layer}))
        return str(made.json["id"])

    def insert(self, layer: str, **properties: Any) -> str:
        """Insert a feature and return its path."""
        body = {"type": "Feature", "geometry": POINT, "properties": properties}
        response = self.send("POST", items_of(layer), body, Content_Type="application/geo+json")
        return f"{items_of(layer)}/{self.done(response).headers['Location'].rsplit('/', 1)[1]}"

    @staticmethod
    def done(response: TestResponse) -> Any:
        assert response.status_code < 400, response.text
        return response


def items_of(layer: str) -> str:
    return f"/ogc/collections/{layer}/items"


def person(app: Flask, engine: Engine) -> Person:
    """Return somebody new."""
    with engine.begin() as connection:
        name = f"{uuid.uuid4().hex}@example.org"
        user_id = api_tokens.find_or_create_user(connection, name)
        token = api_tokens.create_token(connection, user_id, name="test", scope="write")
    return Person(app, user_id, token)
