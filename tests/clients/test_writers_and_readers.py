"""Twenty writers and five paging readers of one layer: what was there throughout is read once."""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from sqlalchemy import text

from samsyn_model.database.engine import open_engine
from tests.clients.samsyn_server import Server, make_token

SECONDS = float(os.environ.get("WRITERS_SECONDS", "8"))
WRITERS, READERS = 20, 5
PERMANENT = 120
QUERIES = ("limit=7", "limit=7&sortby=rank", "limit=11&bbox=10,54,13,59", "limit=13&sortby=-name",
           "limit=9&filter=rank >= 0")  # fmt: skip


class Editor:
    """Somebody with a token, and a connection that is kept."""

    def __init__(self, server: Server, name: str) -> None:
        token = make_token(server.database, f"{name}@example.org")
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.url = server.url


def feature(number: int, *, permanent: bool) -> dict[str, Any]:
    place = random.Random(number)
    return {
        "type": "Feature",
        "geometry": {
            "type": "Point",
            "coordinates": [place.uniform(10, 13), place.uniform(54, 59)],
        },
        "properties": {
            "name": f"feature {number % 17}",
            "rank": number % 23,
            "permanent": permanent,
        },
    }


@pytest.fixture
def layer(server: Server) -> Iterator[tuple[str, list[Editor]]]:
    """A layer that anybody may edit, with its permanent features; and three editors."""
    editors = [Editor(server, f"editor{number}") for number in range(3)]
    features = [feature(number, permanent=True) for number in range(PERMANENT)]
    body = {
        "name": "Busy",
        "source_type": "vector",
        "visibility": "public",
        "editable": "everyone",
        "source_config": {"geojson": {"type": "FeatureCollection", "features": features}},
        "property_schema": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "rank": {"type": "integer"},
                "permanent": {"type": "boolean"},
            },
        },
    }
    response = editors[0].session.post(f"{server.url}/api/v1/layers", json=body, timeout=30)
    assert response.status_code == 201, response.text
    yield f"{server.ogc}/collections/{response.json()['id']}", editors
    for editor in editors:
        editor.session.close()


def write(items: str, editor: Editor, seed: int, deadline: float) -> Counter[str]:
    """Make features, move, change, replace and delete one's own; return the statuses."""
    chance = random.Random(seed)
    own: list[str] = []
    done: Counter[str] = Counter()
    with requests.Session() as session:
        session.headers.update(editor.session.headers)
        while time.monotonic() < deadline:
            new = feature(chance.randrange(10**6), permanent=False)
            if len(own) < 5 or chance.random() < 0.3:
                response = session.post(items, json=new, timeout=30)
                if response.status_code == 201:
                    own.append(response.headers["Location"])
            else:
                address = chance.choice(own)
                kind = chance.choice(("move", "patch", "put", "delete"))
                if kind == "move":
                    response = session.patch(
                        address, json={"geometry": new["geometry"]}, timeout=30
                    )
                elif kind == "patch":
                    response = session.patch(
                        address, json={"properties": {"rank": chance.randrange(23)}}, timeout=30
                    )
                elif kind == "put":
                    response = session.put(address, json=new, timeout=30)
                else:
                    own.remove(address)
                    response = session.delete(address, timeout=30)
            done[f"{response.request.method} {response.status_code}"] += 1
    return done


def read(collection: str, query: str, deadline: float, permanent: set[int]) -> int:
    """Read the whole layer again and again; return how often. Fail where a page leaves out or
    repeats what was there all along."""
    times = 0
    with requests.Session() as session:
        while time.monotonic() < deadline:
            address, seen = f"{collection}/items?{query}", Counter[int]()
            while address:
                response = session.get(address, timeout=30)
                assert response.status_code == 200, response.text
                page = response.json()
                seen.update(f["id"] for f in page["features"] if f["properties"]["permanent"])
                address = next((x["href"] for x in page["links"] if x["rel"] == "next"), "")
            assert set(seen) == permanent, query
            assert set(seen.values()) == {1}, query
            times += 1
    return times


def rows(server: Server, collection: str) -> int:
    """How many features of a collection the database has."""
    engine = open_engine(server.database)
    try:
        with engine.connect() as connection:
            statement = text("SELECT count(*) FROM layer_features WHERE layer_id = :layer")
            layer = {"layer": collection.rpartition("/")[2]}
            return int(connection.execute(statement, layer).scalar_one())
    finally:
        engine.dispose()


def test_what_was_there_throughout_is_read_exactly_once(
    server: Server, layer: tuple[str, list[Editor]]
) -> None:
    collection, editors = layer
    page = requests.get(f"{collection}/items?limit=1000", timeout=30).json()
    permanent = {f["id"] for f in page["features"]}
    assert len(permanent) == PERMANENT
    deadline = time.monotonic() + SECONDS
    with ThreadPoolExecutor(WRITERS + READERS) as pool:
        writers = [
            pool.submit(write, f"{collection}/items", editors[n % 3], n, deadline)
            for n in range(WRITERS)
        ]
        readers = [pool.submit(read, collection, query, deadline, permanent) for query in QUERIES]
        written = sum((future.result() for future in writers), Counter[str]())
        whole = [future.result() for future in readers]
    sys.stdout.write(f"{SECONDS:g} s: {dict(written)}, whole reads by query {whole}\n")
    assert {status.split()[1] for status in written} == {"200", "201", "204"}, written
    assert all(whole), "every reader has read the whole layer"
    hits = requests.get(f"{collection}/items?resulttype=hits", timeout=30).json()["numberMatched"]
    assert requests.get(collection, timeout=30).json()["itemCount"] == hits
    assert hits == rows(server, collection)
    assert hits == PERMANENT + written["POST 201"] - written["DELETE 204"]
