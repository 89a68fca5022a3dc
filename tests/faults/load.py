"""Clients that write and read during a fault, and remember what was confirmed."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import requests

from tests.clients.samsyn_server import OWNER, Server, make_token
from tests.faults.database_server import DatabaseServer

BATCH = 40
_PAUSE = 0.02
_TIMEOUT = 60
_EXPECTED = {200, 201, 503}
_POINT = {"type": "Point", "coordinates": [11.5, 57.5]}


@dataclass
class Layer:
    """A layer that its owner writes to."""

    id: str
    headers: dict[str, str]


@dataclass
class Outcome:
    """What clients have seen: writes by their name, and how many features each has."""

    confirmed: dict[str, int] = field(default_factory=dict)
    tried: dict[str, int] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    slowest: float = 0.0


def make_layer(server: Server) -> Layer:
    """Make a user with a token, and an empty layer of theirs."""
    token = make_token(server.database, OWNER)
    headers = {"Authorization": f"Bearer {token}"}
    body = {"name": "Writes", "source_type": "vector", "visibility": "public"}
    response = requests.post(
        f"{server.url}/api/v1/layers", json=body, headers=headers, timeout=_TIMEOUT
    )
    assert response.status_code == 201, response.text
    return Layer(response.json()["id"], headers)


class Clients:
    """Two that add a feature after another, one with a batch of them, and one that reads."""

    def __init__(self, url: str, layer: Layer) -> None:
        self._api = f"{url}/api/v1/layers/{layer.id}/features"
        self._collection = f"{url}/ogc/collections/{layer.id}/items"
        self._headers = layer.headers
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self.outcome = Outcome()

    @contextmanager
    def at_work(self) -> Iterator[Outcome]:
        """Let them work while the block runs."""
        tasks = (self.add_feature, self.add_feature, self.add_batch, self.read)
        threads = [threading.Thread(target=self._repeat, args=(task,)) for task in tasks]
        for thread in threads:
            thread.start()
        try:
            yield self.outcome
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()

    def _repeat(self, task: Callable[[], None]) -> None:
        while not self._is_over.is_set():
            task()
            time.sleep(_PAUSE)

    def add_feature(self) -> None:
        """Send one feature."""
        name = uuid.uuid4().hex
        self._write(self._api, {"type": "Feature", **_properties(name)}, name, 1)

    def add_batch(self) -> None:
        """Send many at once."""
        name = uuid.uuid4().hex
        features = [{"type": "Feature", **_properties(name)}] * BATCH
        body = {"type": "FeatureCollection", "features": features}
        self._write(f"{self._api}/bulk", body, name, BATCH)

    def read(self) -> None:
        """Ask for a page, and for all as a file."""
        self._send("GET", f"{self._collection}?limit=10&f=json")
        self._send("GET", f"{self._collection}?f=csv")

    def _write(self, url: str, body: object, name: str, count: int) -> None:
        with self._lock:
            self.outcome.tried[name] = count
        if self._send("POST", url, body) == 201:
            with self._lock:
                self.outcome.confirmed[name] = count

    def _send(self, method: str, url: str, body: object = None) -> int | None:
        start, status = time.monotonic(), None
        try:
            response = requests.request(
                method, url, json=body, headers=self._headers, timeout=_TIMEOUT
            )
            status = response.status_code
            if status not in _EXPECTED:
                self.outcome.unexpected.append(f"{method} {url}: {status} {response.text[:300]}")
        except requests.RequestException:
            pass  # the connection was broken off
        with self._lock:
            self.outcome.statuses[str(status) if status else "broken"] += 1
            self.outcome.slowest = max(self.outcome.slowest, time.monotonic() - start)
        return status


def _properties(name: str) -> dict[str, object]:
    return {"geometry": _POINT, "properties": {"name": name}}


def stored(database: DatabaseServer, layer: Layer) -> dict[str, int]:
    """Return how many features the layer has by name, past the server.

    Raises AssertionError when the number that the layer is said to have is another.
    """
    with psycopg.connect(database.plain_url) as connection:
        rows = connection.execute(
            "SELECT properties->>'name', count(*) FROM layer_features WHERE layer_id = %s"
            " GROUP BY 1",
            (layer.id,),
        ).fetchall()
        counted = connection.execute(
            "SELECT coalesce(sum(feature_count), 0) FROM layer_changes WHERE layer_id = %s",
            (layer.id,),
        ).fetchone()
    found = {str(name): int(count) for name, count in rows}
    assert counted == (sum(found.values()),), "the counts of the triggers"
    return found


def lost(outcome: Outcome, found: dict[str, int]) -> list[str]:
    """Return the names of what was confirmed and is not there, as a whole."""
    return [name for name, count in outcome.confirmed.items() if found.get(name) != count]


def half_written(outcome: Outcome, found: dict[str, int]) -> list[str]:
    """Return the names of what is there in part, or more than once."""
    return [name for name, count in outcome.tried.items() if found.get(name, count) != count]
