"""Requests and fixtures of the tests of `/api/v1/comments`."""

import uuid
from typing import Any

from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from tests.api.layer_requests import Caller, vector

COMMENTS = "/api/v1/comments"


def send(caller: Caller, method: str, path: str = "", **options: Any) -> TestResponse:
    """Send a request below `/api/v1/comments`; `headers` extend the caller's."""
    headers = {**caller.headers, **options.pop("headers", {})}
    return caller.client.open(f"{COMMENTS}{path}", method=method, headers=headers, **options)


def write(caller: Caller, content: str = "Mind the cod.", **members: Any) -> dict[str, Any]:
    """Create a comment, asserting success."""
    response = send(caller, "POST", json={"content": content, **members})
    assert response.status_code == 201, response.text
    assert response.json
    return dict(response.json)


def read(caller: Caller, path: str, **query: Any) -> Any:
    """Return the JSON of a GET, asserting success."""
    response = send(caller, "GET", path, query_string=query)
    assert response.status_code == 200, response.text
    return response.json


def ids(caller: Caller, **query: Any) -> list[str]:
    """Return the ids of a list."""
    return [comment["id"] for comment in read(caller, "", **query)]


def make_map(engine: Engine, owner: uuid.UUID, view: str = "private", edit: str = "private") -> str:
    with engine.begin() as connection:
        statement = text(
            "INSERT INTO maps (name, created_by, view_permission, edit_permission)"
            " VALUES ('A map', :owner, :view, :edit) RETURNING id"
        )
        values = {"owner": owner, "view": view, "edit": edit}
        return str(connection.execute(statement, values).scalar_one())


def add_to_map(engine: Engine, map_id: str, layer_id: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                'INSERT INTO map_layers (map_id, layer_id, "order") SELECT :map, :layer,'
                " count(*) FROM map_layers WHERE map_id = :map"
            ),
            {"map": map_id, "layer": layer_id},
        )


def invite(engine: Engine, map_id: str, user_id: uuid.UUID, role: str = "viewer") -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO map_collaborators (map_id, user_id, role) VALUES (:map, :user, :role)"
            ),
            {"map": map_id, "user": user_id, "role": role},
        )


def make_layer(creator: Caller, *features: Any, **members: Any) -> dict[str, Any]:
    response = creator.post(vector(*features, **members))
    assert response.status_code == 201
    return dict(response.json or {})
