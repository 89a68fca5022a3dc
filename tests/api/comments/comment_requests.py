"""Maps and comments for the tests of `/api/v1/comments`, and who asks for them."""

import uuid
from typing import Any

from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from tests.api.layer_requests import Person, vector

COMMENTS = "/api/v1/comments"


def ask(caller: Person, method: str, path: str = "", **more: Any) -> TestResponse:
    """A request to `/api/v1/comments` and on; `headers` come on top of the caller's."""
    headers = {**caller.headers, **more.pop("headers", {})}
    return caller.client.open(f"{COMMENTS}{path}", method=method, headers=headers, **more)


def write(caller: Person, content: str = "Mind the cod.", **members: Any) -> dict[str, Any]:
    """Make a comment, which has to succeed."""
    answer = ask(caller, "POST", json={"content": content, **members})
    assert answer.status_code == 201, answer.text
    assert answer.json
    return dict(answer.json)


def read(caller: Person, path: str, **query: Any) -> Any:
    """Return the JSON of a GET, which has to succeed."""
    answer = ask(caller, "GET", path, query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def ids(caller: Person, **query: Any) -> list[str]:
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


def place(engine: Engine, map_id: str, layer_id: str) -> None:
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


def make_layer(creator: Person, *features: Any, **members: Any) -> dict[str, Any]:
    answer = creator.post(vector(*features, **members))
    assert answer.status_code == 201
    return dict(answer.json or {})
