"""Requests of the tests of activity, and what they make happen."""

import uuid
from typing import Any

from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from tests.api.layer_requests import LAYERS, Caller, vector
from tests.api.maps.map_requests import MAPS

POINT = {"type": "Point", "coordinates": [11.5, 57.5]}


def send(caller: Caller, method: str, path: str, **options: Any) -> TestResponse:
    """Send a request below `/api/v1`, asserting that it succeeds unless it reads."""
    headers = {**caller.headers, **options.pop("headers", {})}
    response = caller.client.open(f"/api/v1{path}", method=method, headers=headers, **options)
    if method != "GET":
        assert response.status_code < 300, response.text
    return response


def make_layer(owner: Caller, *features: Any, **members: Any) -> str:
    response = owner.post(vector(*features, **members))
    assert response.status_code == 201, response.text
    return str(response.json["id"])


def make_map(owner: Caller, *layers: str, **members: Any) -> str:
    map_id = str(send(owner, "POST", "/maps", json={"name": "Plan", **members}).json["id"])
    for layer in layers:
        send(owner, "POST", f"/maps/{map_id}/layers", json={"layer_id": layer})
    return map_id


def insert(caller: Caller, layer: str, **properties: Any) -> int:
    feature = {"type": "Feature", "geometry": POINT, "properties": properties}
    path = f"{LAYERS}/{layer}/features"
    response = caller.client.post(path, json=feature, headers=caller.headers)
    assert response.status_code == 201, response.text
    return int(response.headers["Location"].rpartition("/")[2])


def activity(caller: Caller, path: str, **query: Any) -> list[dict[str, Any]]:
    """Return the lines of a page; `path` is below `/api/v1`, without `/activity`."""
    response = page(caller, path, **query)
    assert response.status_code == 200, response.text
    return list(response.json)


def page(caller: Caller, path: str, **query: Any) -> TestResponse:
    whole = path if path == "/audit" else f"{path}/activity"
    return send(caller, "GET", whole, query_string=query)


def pages(caller: Caller, path: str, **query: Any) -> list[list[dict[str, Any]]]:
    """Return the lines of all pages."""
    found = []
    response = page(caller, path, **query)
    while True:
        assert response.status_code == 200, response.text
        found.append(list(response.json))
        link = response.headers.get("Link")
        if link is None:
            return found
        assert link.endswith('>; rel="next"')
        address = link[1:].partition(">")[0].partition("/api/v1")[2]
        response = send(caller, "GET", address)


def kinds(lines: list[dict[str, Any]]) -> list[list[tuple[str, str]]]:
    """Return kind and action of the changes of each line."""
    return [[(change["kind"], change["action"]) for change in line["changes"]] for line in lines]


def execute(engine: Engine, statement: str, **values: Any) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def shift(engine: Engine, minutes: float) -> None:
    """Let all that has happened so far have happened earlier."""
    execute(
        engine,
        "UPDATE change_sets SET created_at = created_at - make_interval(secs => :seconds)",
        seconds=minutes * 60,
    )


def invite(owner: Caller, map_id: str, user: uuid.UUID, role: str = "viewer") -> None:
    send(
        *(owner, "POST", f"{MAPS.removeprefix('/api/v1')}/{map_id}/collaborators"),
        json={"user_id": str(user), "role": role},
    )
