"""Changes through one worker are visible in all others at the next request."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from sqlalchemy import Engine

from tests.clients.samsyn_server import OWNER, Server, make_token, serve

WORKERS = 4
REQUESTS = 100
LAYER = {
    "name": "Made by one worker",
    "source_type": "vector",
    "visibility": "public",
    "source_config": {
        "geojson": {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "geometry": {"type": "Point", "coordinates": [11.5, 57.5]},
                    "properties": {"name": "Vinga"},
                }
            ],
        }
    },
}


def test_a_layer_is_a_collection_of_every_worker_at_once(
    test_database_url: str, empty_database: Engine, tmp_path: Path
) -> None:
    token = make_token(test_database_url, OWNER)
    signed_in = {"Authorization": f"Bearer {token}"}
    with serve(test_database_url, tmp_path / "server.log", workers=WORKERS) as server:
        assert _workers(server) == WORKERS
        layers = f"{server.url}/api/v1/layers"
        created = requests.post(layers, json=LAYER, headers=signed_in, timeout=60)
        assert created.status_code == 201, created.text
        layer_id = created.json()["id"]
        collection = f"{server.ogc}/collections/{layer_id}"
        assert _statuses(collection) == {200: REQUESTS}
        deleted = requests.delete(f"{layers}/{layer_id}", headers=signed_in, timeout=60)
        assert deleted.status_code == 204, deleted.text
        assert _statuses(collection) == {404: REQUESTS}


def _statuses(address: str) -> Counter[int]:
    """Send concurrent requests, each over a new connection."""
    with ThreadPoolExecutor(REQUESTS) as pool:
        responses = pool.map(lambda _: requests.get(address, timeout=60), range(REQUESTS))
        return Counter(response.status_code for response in responses)


def _workers(server: Server) -> int:
    return server.log.read_text().count("Booting worker")
