"""Metrics and the log of a server with two workers: what they say, and whom they do not name."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from tests.clients.samsyn_server import OWNER, Server, free_port, make_token, serve
from tests.databases import migrated_database
from tests.faults.server_processes import workers

REQUESTS = 60
NAME = "Hemliga grundet"
_ITEMS = "/ogc/collections/<collection_id>/items"
_REQUEST_ID = re.compile(r"[0-9a-f]{16}")


@dataclass
class Observed:
    """A server whose metrics are published, its owner's token and a private layer of theirs."""

    server: Server
    port: int
    token: str
    layer: str

    @property
    def signed_in(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def metrics(self) -> str:
        response = requests.get(f"http://127.0.0.1:{self.port}/metrics", timeout=60)
        assert response.status_code == HTTPStatus.OK
        return response.text

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the samples that have these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.metrics())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def lines(self) -> list[dict[str, Any]]:
        """Return the log; its last line may not be whole yet."""
        whole = self.server.log.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]


@pytest.fixture(scope="module")
def observed(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    log = tmp_path_factory.mktemp("metrics") / "log"
    port = free_port()
    settings = {"METRICS_PORT": str(port), "LOG_FORMAT": "json", "SLOW_STATEMENTS": "1"}
    settings["JOBS_WORKERS"] = "1"
    with migrated_database(server_url) as database:
        token = make_token(database, OWNER)
        with serve(database, log, workers=2, **settings) as server:
            feature = {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [11.5, 57.5]},
                "properties": {"name": NAME},
            }
            content = {"geojson": {"type": "FeatureCollection", "features": [feature]}}
            layer = {"name": NAME, "source_type": "vector", "source_config": content}
            yield Observed(server, port, token, server.make_layer(token, layer))


def test_numbers_of_all_workers_add_up_and_outlast_them(observed: Observed) -> None:
    before = observed.value("samsyn_requests_total", route=_ITEMS, status="2xx", method="GET")
    looked_up = observed.value("samsyn_cache_lookups_total", cache="responses")
    _ask_for_items(observed)
    served = observed.value("samsyn_requests_total", route=_ITEMS, status="2xx", method="GET")
    assert served - before == REQUESTS
    assert observed.value("samsyn_cache_lookups_total", cache="responses") - looked_up == REQUESTS
    durations = observed.value("samsyn_request_seconds_count", route=_ITEMS)
    assert durations == observed.value("samsyn_requests_total", route=_ITEMS)
    assert observed.value("samsyn_statement_seconds_count") > REQUESTS
    assert len(_files(observed, "counter_worker*")) == 2
    victim = workers(observed.server)[0]
    starts = observed.value("samsyn_process_starts_total", part="worker")
    os.kill(victim, signal.SIGKILL)
    _wait(lambda: observed.value("samsyn_process_starts_total", part="worker") == starts + 1)
    assert observed.value("samsyn_requests_total", route=_ITEMS, status="2xx") == served
    _wait(lambda: observed.value("samsyn_pool_connections_limit") == 2 * 6)
    _ask_for_items(observed)
    counted = observed.value("samsyn_requests_total", route=_ITEMS, status="2xx", method="GET")
    assert counted == served + REQUESTS
    assert len(_files(observed, "counter_worker*")) == 2


def test_a_worker_that_ends_is_counted_among_the_living_no_more(observed: Observed) -> None:
    for victim in workers(observed.server):
        os.kill(victim, signal.SIGKILL)
    _wait(lambda: not set(workers(observed.server)) & {victim})
    _wait(lambda: _answers(observed))
    assert len(_files(observed, "gauge_livesum_worker*")) == 2
    assert observed.value("samsyn_pool_connections_in_use") == 0
    assert observed.value("samsyn_pool_connections_limit") == 2 * 6


def test_metrics_name_templates_and_nobody(observed: Observed, engine: Engine) -> None:
    base = observed.server.url
    for number in range(20):
        requests.get(f"{base}/ogc/collections/{number}/items?token={observed.token}", timeout=60)
        requests.get(f"{base}/nowhere/{number}?email={OWNER}", timeout=60)
        requests.request(f"ODD{number}", f"{base}/ogc", timeout=60)
    _ask_for_items(observed)
    text = observed.metrics()
    for secret in (observed.token, OWNER, "owner", NAME, observed.layer, "127.0.0.1", "nowhere"):
        assert secret not in text
    assert "ODD" not in text
    app = create_app(Settings(_env_file=None), engine)
    templates = {rule.rule for rule in app.url_map.iter_rules()}
    routes = set(re.findall(r'route="([^"]*)"', text))
    assert _ITEMS in routes
    assert routes - {"none"} <= templates
    assert set(re.findall(r'status="([^"]*)"', text)) <= {
        *("2xx", "3xx", "4xx", "5xx", "accepted", "running")
    }


def test_the_queue_is_told_and_metrics_are_not_at_the_public_port(observed: Observed) -> None:
    text = observed.metrics()
    assert "samsyn_database_up 1.0" in text
    assert 'samsyn_jobs_pending{status="accepted"} 0.0' in text
    public = requests.get(f"{observed.server.url}/metrics", timeout=60)
    assert public.status_code == HTTPStatus.NOT_FOUND
    other = requests.get(f"http://127.0.0.1:{observed.port}/", timeout=60)
    assert other.status_code == HTTPStatus.NOT_FOUND


def test_jobs_clients_of_events_and_requests_to_others_are_counted(observed: Observed) -> None:
    layer = f"{observed.server.url}/api/v1/layers/{observed.layer}"
    exported = requests.post(f"{layer}/export?f=csv", headers=observed.signed_in, timeout=60)
    assert exported.status_code == HTTPStatus.ACCEPTED
    with requests.get(f"{layer}/events", headers=observed.signed_in, stream=True, timeout=60):
        _wait(lambda: observed.value("samsyn_live_clients") == 1)
    _wait(lambda: observed.value("samsyn_live_clients") == 0)
    with requests.get(f"{layer}/events", headers=observed.signed_in, stream=True, timeout=60):
        _wait(lambda: observed.value("samsyn_live_clients") == 1)
        os.kill(_companion(observed, b"samsyn_admin.live.process"), signal.SIGKILL)
        _wait(lambda: observed.value("samsyn_live_clients") == 0)
    address = f"{observed.server.url}/api/v1/wms/capabilities?url=http://127.0.0.1:9/wms"
    assert requests.get(address, headers=observed.signed_in, timeout=60).status_code == 400
    assert observed.value("samsyn_outgoing_requests_total", outcome="refused") == 1
    assert observed.value("samsyn_outgoing_request_seconds_count") == 1
    done = {"kind": "export_layer", "outcome": "successful"}
    _wait(lambda: observed.value("samsyn_jobs_total", **done) == 1)


def test_lines_of_the_log_are_json_without_credentials(observed: Observed) -> None:
    token, base, items = observed.token, observed.server.url, f"/ogc/collections/{observed.layer}"
    basic = base64.b64encode(f"ann@example.org:{token}".encode()).decode()
    session = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyXzEifQ.c2lnbmF0dXJl"
    secrets = [token, basic, session, "aB-_9xyz", "c00kie", "ann@example.org"]
    ways: list[tuple[str, dict[str, str]]] = [
        (items, {"Authorization": f"Bearer {token}"}),
        (items, {"Authorization": f"Basic {basic}"}),
        (items, {"Authorization": f"Bearer {session}"}),
        (items, {"Authorization": f"Digest {token}"}),
        (items, {"Cookie": "__session=c00kie; samsyn=c00kie; samsyn_session=c00kie"}),
        (items, {"Referer": f"https://a.example/?ticket=aB-_9xyz&x={token}"}),
        (items, {"User-Agent": f"client of ann@example.org, {token}"}),
        (f"{items}?token={token}", {}),
        (f"{items}?access_token={session}", {}),
        (f"{items}/{token}", {}),
        (f"/api/v1/layers/{observed.layer}/events?ticket=aB-_9xyz", {}),
        (f"/api/v1/layers/{observed.layer}/file?ticket=aB-_9xyz", {}),
    ]
    for path, headers in ways:
        requests.get(f"{base}{path}", headers=headers, timeout=60)
    requests.post(f"{base}/api/v1/layers", json={}, headers=observed.signed_in, timeout=60)
    user = _user_id(observed)
    lines = _wait_for_lines(observed, path="/api/v1/users/me", status=200)
    assert [line for line in lines if line.get("user") == user and line.get("route")]
    requested = [line for line in lines if line["logger"] == "gunicorn.access"]
    assert all(_REQUEST_ID.fullmatch(line["request_id"]) for line in requested)
    assert all({"method", "path", "status", "seconds"} <= line.keys() for line in requested)
    log = observed.server.log.read_text()
    for secret in secrets:
        assert secret not in log


def test_a_slow_statement_is_told_by_its_shape_and_its_request(observed: Observed) -> None:
    response = requests.get(
        f"{observed.server.ogc}/collections/{observed.layer}/items",
        {"filter": f"name = '{NAME}' AND CASEI(name) LIKE 'geheim%'"},
        headers=observed.signed_in,
        timeout=60,
    )
    assert response.status_code == HTTPStatus.OK
    request_id = response.headers["X-Request-Id"]
    lines = _wait_for_lines(observed, request_id=request_id, status=200)
    told = [line for line in lines if line.get("request_id") == request_id]
    statements = [line for line in told if "statement" in line]
    assert any("layer_features" in line["statement"] for line in statements)
    assert all(line["seconds"] >= 0.001 for line in statements)
    for value in (NAME, "geheim", observed.layer):
        assert all(value not in json.dumps(line, ensure_ascii=False) for line in statements)


def test_where_metrics_are_off_the_library_is_not_loaded() -> None:
    program = (
        "import sys, samsyn_admin.app, samsyn_admin.serving.server, samsyn_admin.jobs.worker,"
        " samsyn_admin.live.process\n"
        "from samsyn_model.metrics import counting\n"
        "counting.begin('worker0'); counting.count_request('GET', '/', 200, 0.1)\n"
        "assert not counting.is_on(); assert 'prometheus_client' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_a_taken_port_is_named(test_database_url: str, observed: Observed, tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="METRICS_PORT"),
        serve(test_database_url, tmp_path / "log", METRICS_PORT=str(observed.port)),
    ):
        pass


def _ask_for_items(observed: Observed) -> None:
    address = f"{observed.server.ogc}/collections/{observed.layer}/items"

    def ask(_: int) -> int:
        return requests.get(address, headers=observed.signed_in, timeout=60).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(REQUESTS))) == {HTTPStatus.OK}


def _user_id(observed: Observed) -> str:
    me = requests.get(
        f"{observed.server.url}/api/v1/users/me", headers=observed.signed_in, timeout=60
    )
    return str(me.json()["id"])


def _files(observed: Observed, pattern: str) -> list[Path]:
    """Return the files that processes of the server count in."""
    environment = Path(f"/proc/{_companion(observed)}/environ").read_bytes().split(b"\0")
    folder = next(line for line in environment if line.startswith(b"SAMSYN_METRICS="))
    return [*Path(folder.decode().partition("=")[2]).glob(f"{pattern}.db")]


def _companion(observed: Observed, module: bytes = b"samsyn_admin.metrics.process") -> int:
    """Return the process beside the server that runs a module: the one that answers Prometheus."""
    variable = f"METRICS_PORT={observed.port}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_it = module in (folder / "cmdline").read_bytes()
            if is_it and variable in (folder / "environ").read_bytes().split(b"\0"):
                return int(folder.name)
        except OSError:  # it has ended
            continue
    raise AssertionError(f"{module.decode()} does not run")


def _answers(observed: Observed) -> bool:
    try:
        return requests.get(f"{observed.server.url}/api/health", timeout=30).ok
    except requests.RequestException:
        return False


def _wait_for_lines(observed: Observed, **members: Any) -> list[dict[str, Any]]:
    """Return the lines of the log once it has one with these members."""
    _wait(lambda: any(members.items() <= line.items() for line in observed.lines()))
    return observed.lines()


def _wait(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
