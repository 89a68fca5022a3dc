"""What the clients find: people with tokens, layers, and a map of both."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from bench.databases import session, vacuum, written
from bench.dataset import write_polygons
from bench.production.arrangement import Arrangement
from bench.production.client import Client
from bench.subject import OWNER
from samsyn_model.database.engine import open_engine
from samsyn_model.database.transactions import writing
from samsyn_model.identity import api_tokens

SHARED = 40
"""Features that many change."""
_FILE = "polygons.fgb"


@dataclass(frozen=True)
class World:
    """The layers are public and for everyone to edit, but the private one."""

    tokens: list[str]
    """Of people each."""
    owner: str
    """The token of who owns all."""
    polygons: str
    """A layer of many polygons."""
    ids: range
    """Those of its features."""
    zones: str
    """A layer of points that are changed all the time."""
    shared: list[int]
    """Features of it that many change."""
    private: str
    map: str


async def make_world(arrangement: Arrangement, people: int, polygons: int) -> World:
    """Make people, layers and a map, as commands and clients do."""
    tokens = _tokens(arrangement, people)
    owner = tokens[0]
    client = Client(arrangement.url, arrangement.tls, "127.1.255.1", owner)
    file = arrangement.folder / _FILE
    await asyncio.to_thread(write_polygons, file, polygons)
    imported = await asyncio.to_thread(
        arrangement.samsyn, "import", file, "--owner", OWNER, "--public"
    )
    public = {"visibility": "public", "editable": "everyone"}
    await _send(client, "PATCH", f"/api/v1/layers/{imported}", {"editable": "everyone"})
    zones = await _layer(client, "Zones", SHARED, public)
    private = await _layer(client, "Secret", 100, {"visibility": "private"})
    plan = await _send(
        client, "POST", "/api/v1/maps", {"name": "Plan", "view_permission": "public"}
    )
    for layer in (imported, zones):  # who sees a map sees its layers
        await _send(client, "POST", f"/api/v1/maps/{plan['id']}/layers", {"layer_id": layer})
    client.close()
    await asyncio.to_thread(vacuum, arrangement.database)
    with session(arrangement.database) as cursor:
        cursor.execute(
            "SELECT min(id), max(id) FROM layer_features WHERE layer_id = %s", (imported,)
        )
        first, last = next(cursor)
        cursor.execute("SELECT id FROM layer_features WHERE layer_id = %s", (zones,))
        shared = [row[0] for row in cursor]
    ids = range(first, last + 1)
    return World(tokens, owner, imported, ids, zones, shared, private, str(plan["id"]))


def _tokens(arrangement: Arrangement, people: int) -> list[str]:
    engine = open_engine(written(arrangement.database))
    try:
        with writing(engine) as connection:
            names = [OWNER, *(f"person{number}@example.org" for number in range(1, people))]
            return [
                api_tokens.create_token(
                    connection,
                    api_tokens.find_or_create_user(connection, name),
                    name="bench",
                    scope="write",
                    expires_at=None,
                )
                for name in names
            ]
    finally:
        engine.dispose()


async def _layer(client: Client, name: str, features: int, members: dict[str, str]) -> str:
    collection = {
        "type": "FeatureCollection",
        "features": [point(number, 0) for number in range(features)],
    }
    body = {"name": name, "source_type": "vector", **members}
    body["source_config"] = {"geojson": collection}  # type: ignore[assignment]
    return str((await _send(client, "POST", "/api/v1/layers", body))["id"])


def point(place: int, value: int) -> dict[str, Any]:
    """Return a feature at one of many places."""
    coordinates = [round(place * 7.31 % 32, 5), round(50 + place * 3.17 % 17, 5)]
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": coordinates},
        "properties": {"n": value},
    }


async def _send(client: Client, method: str, path: str, body: Any) -> Any:
    headers = {"Content-Type": "application/json"}
    answer = await client.send(method, path, json.dumps(body).encode(), headers)
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {answer.body.decode()}")
    return json.loads(answer.body)
