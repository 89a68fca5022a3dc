"""What the tests of `/api/v1/maps` send, and how they wait for one another."""

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from tests.api.layer_requests import LAYERS, Person

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


def ask(caller: Person, method: str, path: str = "", body: Any = None, **more: Any) -> TestResponse:
    """A request to `/api/v1/maps` and on; `headers` come on top of the caller's."""
    headers = {**caller.headers, **more.pop("headers", {})}
    if body is not None:
        more["json"] = body
    return caller.client.open(f"{MAPS}{path}", method=method, headers=headers, **more)


def done(answer: TestResponse, status: int = 200) -> Any:
    """Return the JSON of an answer that has to have this status."""
    assert answer.status_code == status, answer.text
    return answer.json


def read(caller: Person, path: str, **query: Any) -> Any:
    """Return the JSON of a GET, which has to succeed."""
    more = {"query_string": query} if query else {}
    return done(ask(caller, "GET", path, **more))


def make_map(caller: Person, name: str = "A plan", **members: Any) -> str:
    """Make a map and return its path below `/api/v1/maps`."""
    return f"/{done(ask(caller, 'POST', body={'name': name, **members}), 201)['id']}"


def make_layer(creator: Person, name: str = "Depth", **members: Any) -> str:
    """Make a vector layer without features and return its id."""
    body = {"name": name, "source_type": "vector", "source_config": {}, **members}
    return str(done(creator.post(body), 201)["id"])


def invite(caller: Person, path: str, other: Person, role: str = "viewer") -> dict[str, Any]:
    """Make somebody a collaborator of the caller's map, which has to succeed."""
    body = {"user_id": str(other.id), "role": role}
    return dict(done(ask(caller, "POST", f"{path}/collaborators", body), 201))


def put_on(caller: Person, path: str, layer_id: str, **members: Any) -> dict[str, Any]:
    """Put a layer on a map, which has to succeed."""
    body = {"layer_id": layer_id, **members}
    return dict(done(ask(caller, "POST", f"{path}/layers", body), 201))


def seen_layers(caller: Person, path: str) -> list[str]:
    """Return the ids of the layers on a map, which has to say the same of them twice."""
    layers = read(caller, f"{path}/layers")
    assert [entry["order"] for entry in layers] == list(range(len(layers)))
    assert read(caller, path)["map_layers"] == layers
    return [entry["layer_id"] for entry in layers]


def reorder(caller: Person, path: str, layer_ids: Sequence[str]) -> TestResponse:
    """Ask for this order of a map's layers."""
    places = [{"layer_id": layer_id, "order": n} for n, layer_id in enumerate(layer_ids)]
    return ask(caller, "PUT", f"{path}/layers/reorder", {"layer_orders": places})


def stored_layers(engine: Engine, path: str) -> list[str]:
    """Return the ids of all layers on a map in the order that is stored."""
    statement = 'SELECT layer_id::text FROM map_layers WHERE map_id = :map ORDER BY "order"'
    with engine.connect() as connection:
        return list(connection.execute(text(statement), {"map": path[1:]}).scalars())


def execute(engine: Engine, statement: str, **values: Any) -> None:
    """Run a statement and commit."""
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def fill(engine: Engine, owner: Person, path: str, count: int) -> None:
    """Put so many new public layers, each of a user of its own, and users on a map."""
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


def delete_layer(creator: Person, layer_id: str) -> None:
    """Delete a layer, on whose maps it may be."""
    assert creator.client.delete(
        f"{LAYERS}/{layer_id}?force=true", headers=creator.headers
    ).status_code in {204, 404}


def at_once(actions: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run actions in threads that start together; return what each returned."""
    together = Barrier(len(actions))

    def act(action: Callable[[], Any]) -> Any:
        together.wait()
        return action()

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(act, actions))


def unknown() -> str:
    """Return an id that nothing has."""
    return str(uuid.uuid4())


def wait_for_lock(engine: Engine, waiting: int = 1) -> None:
    """Return once so many statements in the database wait for somebody else's lock."""
    statement = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with engine.connect() as connection:
            if connection.execute(text(statement)).scalar_one() >= waiting:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits for a lock")
