"""Requests of the tests of `/api/v1/maps`, and synchronization of concurrent ones."""

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from tests.api.layer_requests import LAYERS, Caller

MAPS = "/api/v1/maps"
USER = {
    *("id", "clerk_id", "email", "username", "first_name", "last_name", "profile_image_url"),
    *("created_at", "updated_at"),
}
MAP = {
    *("id", "name", "description", "center_lat", "center_lng", "zoom", "view_permission"),
    *("edit_permission", "map_metadata", "created_by", "creator", "created_at", "updated_at"),
    *("collaborators", "map_layers", "user_role"),
}
COLLABORATOR = {"id", "user_id", "role", "created_at", "user"}
MAP_LAYER = {
    *("id", "layer_id", "order", "visible", "opacity", "style_override", "created_at", "layer"),
}


def send(
    caller: Caller, method: str, path: str = "", body: Any = None, **options: Any
) -> TestResponse:
    """Send a request below `/api/v1/maps`; `headers` extend the caller's."""
    headers = {**caller.headers, **options.pop("headers", {})}
    if body is not None:
        options["json"] = body
    return caller.client.open(f"{MAPS}{path}", method=method, headers=headers, **options)


def json_of(response: TestResponse, status: int = 200) -> Any:
    """Return the JSON of a response, asserting its status."""
    assert response.status_code == status, response.text
    return response.json


def read(caller: Caller, path: str, **query: Any) -> Any:
    """Return the JSON of a GET, asserting success."""
    options = {"query_string": query} if query else {}
    return json_of(send(caller, "GET", path, **options))


def make_map(caller: Caller, name: str = "A plan", **members: Any) -> str:
    """Create a map and return its path below `/api/v1/maps`."""
    return f"/{json_of(send(caller, 'POST', body={'name': name, **members}), 201)['id']}"


def make_layer(creator: Caller, name: str = "Depth", **members: Any) -> str:
    """Create a vector layer without features and return its id."""
    body = {"name": name, "source_type": "vector", "source_config": {}, **members}
    return str(json_of(creator.post(body), 201)["id"])


def invite(
    caller: Caller, path: str, other: Caller, role: str = "viewer", *, email: str | None = None
) -> dict[str, Any]:
    """Add a collaborator to the caller's map, by id or by an email, asserting success."""
    person = {"user_id": str(other.id)} if email is None else {"email": email}
    body = {**person, "role": role}
    return dict(json_of(send(caller, "POST", f"{path}/collaborators", body), 201))


def add_layer(caller: Caller, path: str, layer_id: str, **members: Any) -> dict[str, Any]:
    """Add a layer to a map, asserting success."""
    body = {"layer_id": layer_id, **members}
    return dict(json_of(send(caller, "POST", f"{path}/layers", body), 201))


def listed_layers(caller: Caller, path: str) -> list[str]:
    """Return the ids of the layers on a map, asserting that both resources agree."""
    layers = read(caller, f"{path}/layers")
    assert [entry["order"] for entry in layers] == list(range(len(layers)))
    assert read(caller, path)["map_layers"] == layers
    return [entry["layer_id"] for entry in layers]


def reorder(caller: Caller, path: str, layer_ids: Sequence[str]) -> TestResponse:
    """Send a new order of a map's layers."""
    layer_orders = [{"layer_id": layer_id, "order": n} for n, layer_id in enumerate(layer_ids)]
    return send(caller, "PUT", f"{path}/layers/reorder", {"layer_orders": layer_orders})


def stored_layers(engine: Engine, path: str) -> list[str]:
    """Return the ids of all layers on a map in the order that is stored."""
    statement = 'SELECT layer_id::text FROM map_layers WHERE map_id = :map ORDER BY "order"'
    with engine.connect() as connection:
        return list(connection.execute(text(statement), {"map": path[1:]}).scalars())


def execute(engine: Engine, statement: str, **values: Any) -> None:
    """Run a statement and commit."""
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def fill(engine: Engine, owner: Caller, path: str, count: int) -> None:
    """Add `count` public layers of different users, and as many collaborators, to a map."""
    statement = """
    WITH people AS (
        INSERT INTO users (email) SELECT gen_random_uuid() || '@example.org'
        FROM generate_series(1, :count) RETURNING id
    ), collaborators AS (
        INSERT INTO map_collaborators (map_id, user_id) SELECT :map, id FROM people
    ), made AS (
        INSERT INTO layers (name, source_type, visibility, created_by)
        SELECT 'Full', 'vector', 'public', id FROM people RETURNING id
    )
    INSERT INTO map_layers (map_id, layer_id, "order")
    SELECT :map, id, 1000 + row_number() OVER () FROM made"""
    execute(engine, statement, map=path[1:], count=count)


def delete_layer(creator: Caller, layer_id: str) -> None:
    """Delete a layer, also from all maps."""
    assert creator.client.delete(
        f"{LAYERS}/{layer_id}?force=true", headers=creator.headers
    ).status_code in {204, 404}


def run_concurrently(actions: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run actions in threads that start together; return their results."""
    together = Barrier(len(actions))

    def act(action: Callable[[], Any]) -> Any:
        together.wait()
        return action()

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(act, actions))


def unknown() -> str:
    """Return an unused id."""
    return str(uuid.uuid4())


def wait_for_lock(engine: Engine, waiting: int = 1) -> None:
    """Return once `waiting` statements in the database wait for a lock."""
    statement = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with engine.connect() as connection:
            if connection.execute(text(statement)).scalar_one() >= waiting:
                return
        time.sleep(0.01)
    raise AssertionError("no statement waits for a lock")
