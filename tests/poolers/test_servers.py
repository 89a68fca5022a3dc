"""Servers whose workers reach the database through PgBouncer: many clients, none gets a 5xx."""

import logging
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from samsyn_admin.app import create_app
from samsyn_admin.live.reading import Listener
from samsyn_model.database.engine import open_engine
from samsyn_model.settings import Settings
from tests.clients.samsyn_server import OWNER, Server, make_token, run_samsyn, serve
from tests.databases import migrated_database
from tests.poolers.pgbouncer import NEWER, PACKAGED, pgbouncer

CLIENTS = 24
ROUNDS = 6
_LAYER: dict[str, Any] = {
    "name": "Grounds",
    "source_type": "vector",
    "visibility": "public",
    "source_config": {
        "geojson": {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "geometry": {"type": "Point", "coordinates": [11 + n / 50, 57.5]},
                    "properties": {"name": f"Ground {n}"},
                }
                for n in range(40)
            ],
        }
    },
}


@pytest.mark.parametrize("which", [PACKAGED, NEWER])
def test_many_clients_at_once(server_url: str, tmp_path: Path, which: str) -> None:
    with migrated_database(server_url) as database:
        run_samsyn(database, "db", "settings", "--apply")
        token = make_token(database, OWNER)
        # the worker of jobs goes past the newer one, through the other
        past = {"DIRECT_DATABASE_URL": database} if which == NEWER else {}
        with (
            pgbouncer(which, database, tmp_path, size=5) as pooled,
            serve(pooled, tmp_path / "log", workers=2, JOBS_WORKERS="1", **past) as server,
        ):
            layer = server.make_layer(token, _LAYER)
            with ThreadPoolExecutor(CLIENTS) as pool:
                clients = [pool.submit(_use, server, token, layer) for _ in range(CLIENTS)]
                statuses = sum((client.result() for client in clients), Counter[int]())
            _export(server, token, layer)
            health = requests.get(f"{server.url}/api/health", timeout=60).json()
            log = server.log.read_text()
    assert set(statuses) == {200, 201, 204}
    assert "warnings" not in health
    own = [line for line in log.splitlines() if "behind a pooler" in line]
    prepared = "are prepared" if which == NEWER else "are not prepared"
    assert [line for line in own if f"for a transaction each; statements {prepared}." in line]
    assert ("DIRECT_DATABASE_URL" in log) == (which == PACKAGED)
    assert "Traceback" not in log


def _use(server: Server, token: str, layer: str) -> Counter[int]:
    """Do what clients do, over a connection of one's own; return the statuses."""
    statuses = Counter[int]()
    items = f"{server.ogc}/collections/{layer}/items"
    feature = _LAYER["source_config"]["geojson"]["features"][0]
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        for number in range(ROUNDS):
            made = session.post(items, json=feature, timeout=60)
            responses = [
                made,
                session.get(items, params={"limit": 5, "bbox": "10,54,13,58"}, timeout=60),
                session.get(items, params={"filter": f"name = 'Ground {number}'"}, timeout=60),
                session.get(f"{server.ogc}/collections/{layer}", timeout=60),
                session.get(f"{server.ogc}/collections?limit=5", timeout=60),
                session.get(f"{server.url}/api/v1/maps", timeout=60),
                session.get(
                    f"{server.ogc}/collections/{layer}/tiles/WebMercatorQuad/6/19/33", timeout=60
                ),
                session.delete(made.headers.get("Location", items), timeout=60),
            ]
            statuses.update(response.status_code for response in responses)
    return statuses


def _export(server: Server, token: str, layer: str) -> None:
    """Have a job run to its end."""
    signed_in = {"Authorization": f"Bearer {token}"}
    address = f"{server.url}/api/v1/layers/{layer}/export?f=gpkg"
    job = requests.post(address, headers=signed_in, timeout=60)
    assert job.status_code == 202, job.text
    deadline = time.monotonic() + 120
    while True:
        found = requests.get(
            f"{server.url}/api/v1/jobs/{job.json()['id']}", headers=signed_in, timeout=60
        ).json()
        if found["status"] not in {"accepted", "running"}:
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert found["status"] == "successful", found


def test_health_warns_where_the_time_limit_is_not_in_force(
    test_database_url: str, tmp_path: Path
) -> None:
    with pgbouncer(PACKAGED, test_database_url, tmp_path) as pooled:
        engine = open_engine(pooled, statement_timeout=30, prepares=True)
        client = create_app(Settings(_env_file=None), engine).test_client()
        response = client.get("/api/health")
        engine.dispose()
    assert response.status_code == 200
    assert response.json is not None
    (warning,) = response.json["warnings"]
    assert "statement_timeout" in warning
    assert "samsyn db settings" in warning


def test_that_no_notifications_come_is_told_at_once(
    test_database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    woken: list[bool] = []
    with pgbouncer(PACKAGED, test_database_url, tmp_path) as pooled:
        engine = open_engine(pooled, statement_timeout=30)
        listener = Listener(engine, lambda: woken.append(True))
        with caplog.at_level(logging.ERROR):
            listener.start()
            listener._thread.join(30)
        assert not listener._thread.is_alive()
        engine.dispose()
    assert woken == []
    assert "DIRECT_DATABASE_URL" in caplog.text
