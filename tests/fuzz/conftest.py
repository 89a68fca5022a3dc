"""A server over the demo plan, and more of everything that the owner of the plan may delete."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from tests.clerk_deliveries import SECRET
from tests.clients.samsyn_server import Server, make_token, run_samsyn, serve
from tests.databases import migrated_database

OWNER = "maja.owner@example.org"
STRANGER = "stranger@example.org"
COPIES = 25
"""How many maps, layers, comments and tokens are made besides the plan's: tests delete some."""

TRACE = {
    "name": "Trace",
    "source_type": "vector",
    "source_config": {
        "geojson": {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "geometry": None,
                    "properties": {"name": "Here", "depth": depth},
                }
                for depth in (1, 2.5, None)
            ],
        }
    },
}


@dataclass(frozen=True)
class World:
    """A running server, what is on it, and who may ask it."""

    server: Server
    tokens: dict[str, str]
    """By who asks: `owner`, `stranger`."""
    ids: dict[str, list[str | int]]
    """The ids of the plan's owner: `layers`, `features`, `maps`, `comments`, `users`, `tokens`."""


@pytest.fixture(scope="module")
def world(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The demo plan, served; its owner and a stranger have tokens that may write."""
    log = tmp_path_factory.mktemp("server") / "log"
    with migrated_database(server_url) as database:
        run_samsyn(database, "demo")
        who = {"owner": OWNER, "stranger": STRANGER}
        tokens = {name: make_token(database, who[name]) for name in who}
        with serve(database, log, CLERK_WEBHOOK_SECRET=SECRET, LIVE_SOCKET="off") as running:
            yield World(running, tokens, _ids(running, tokens["owner"]))


def _ids(server: Server, token: str) -> dict[str, list[str | int]]:
    """Make copies of what the owner has, and return the ids of everything that the owner sees."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    api = f"{server.url}/api/v1"

    def made(path: str, body: object) -> str:
        response = session.post(f"{api}/{path}", json=body, timeout=10)
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    def seen(path: str, member: str = "id") -> list[str | int]:
        return [entry[member] for entry in session.get(f"{api}/{path}", timeout=10).json()]

    plan = str(seen("maps?mine=true")[0])
    others = seen(f"maps/{plan}/collaborators", "user_id")
    for copy in range(COPIES):
        made("layers", TRACE)
        made(f"maps/{plan}/duplicate", {"name": f"Copy {copy}"})
        made("comments", {"content": f"Number {copy}", "map_id": plan})
    tokens = [made("tokens", {"name": f"Number {copy}"}) for copy in range(COPIES)]
    layers = seen("layers?source_type=vector&inline=false")
    features = session.get(f"{server.ogc}/collections/{layers[0]}/items", timeout=10).json()
    return {
        "layers": layers,
        "features": [feature["id"] for feature in features["features"]] + [1, 2, 3],
        "maps": seen("maps?inline=false"),
        "comments": seen(f"comments?map_id={plan}"),
        "users": others,
        "tokens": list(tokens),
    }
