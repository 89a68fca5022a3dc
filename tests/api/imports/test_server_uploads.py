"""Uploads to a real server with its worker: large, cut off, dismissed, by way of a bucket."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from sqlalchemy import Engine

from samsyn_model.identity import api_tokens
from tests.api.imports.upload_requests import POINTS, part
from tests.api.jobs.workers import OVER, rows, wait_for
from tests.api.storage.s3_server import BUCKET, s3_server
from tests.clients.samsyn_server import serve

BOUNDARY = "b0undary"
END = f"--{BOUNDARY}--\r\n".encode()


@dataclass(frozen=True)
class Client:
    """Requests to a running server."""

    url: str
    headers: dict[str, str]
    storage: Path

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        address = f"{self.url}/api/v1{path}"
        return requests.request(method, address, headers=headers, timeout=60, **options)

    def ended(self, job: dict[str, Any]) -> dict[str, Any]:
        """Return a job once it is over."""
        path = f"/jobs/{job['id']}"
        wait_for(lambda: self.send("GET", path).json()["status"] in OVER)
        found: dict[str, Any] = self.send("GET", path).json()
        return found

    def stored(self) -> list[str]:
        return [path.name for path in self.storage.rglob("*") if path.is_file()]


@contextmanager
def served(engine: Engine, tmp_path: Path, **settings: str) -> Iterator[Client]:
    with engine.begin() as connection:
        user_id = api_tokens.find_or_create_user(connection, "owner@example.org")
        token = api_tokens.create_token(connection, user_id, name="test", scope="write")
    url = engine.url.render_as_string(hide_password=False)
    storage = tmp_path / "storage"
    options = {"JOBS_WORKERS": "1", "STORAGE_DIR": str(storage), **settings}
    with serve(url, tmp_path / "log", 1, **options) as server:
        yield Client(server.url, {"Authorization": f"Bearer {token}"}, storage)


def slow_points(count: int) -> bytes:
    """Return GeoJSON that takes a while to read."""
    head = '{"type":"Feature","geometry":{"type":"Point","coordinates":[11,57]},"properties":{"n":'
    features = ",\n".join(f"{head}{number}}}}}" for number in range(count))
    text = f'{{"type":"FeatureCollection","features":[{features}]}}'
    return text.encode()


def test_files_of_any_size_go_to_the_storage_and_into_layers(
    empty_database: Engine, tmp_path: Path
) -> None:
    with served(empty_database, tmp_path, MAX_BODY_SIZE="1000000") as client:
        content = slow_points(60_000)
        assert len(content) > 5_000_000
        response = client.send("POST", "/imports", files={"file": ("points.geojson", content)})
        assert response.status_code == 201, response.text
        created = response.json()
        assert client.ended(created["job"])["status"] == "successful"
        # other bodies are limited as before
        assert client.send("POST", "/layers", data=content, headers=_json()).status_code == 413
        committed = client.send("POST", f"/imports/{created['id']}/commit", json={}).json()
        assert client.ended(committed)["result"]["layers"][0]["inserted"] == 60_000

        # a client that goes away in the middle leaves nothing
        _break_off(client, content)
        waits = "SELECT FROM imports WHERE status = 'uploading'"
        wait_for(lambda: not rows(empty_database, waits))
        assert client.stored() == ["0-points.geojson"]

        # a job that is dismissed ends within two seconds, and leaves no layer
        content = slow_points(250_000)
        response = client.send("POST", "/imports", files={"file": ("many.geojson", content)})
        created = response.json()
        client.ended(created["job"])
        job = client.send("POST", f"/imports/{created['id']}/commit", json={}).json()
        wait_for(lambda: client.send("GET", f"/jobs/{job['id']}").json()["progress"] > 5)
        begun = time.monotonic()
        assert client.send("DELETE", f"/jobs/{job['id']}").status_code == 200
        assert client.send("GET", f"/imports/{created['id']}").json()["status"] == "inspected"
        writing = (
            "SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND query LIKE 'COPY%' AND state <> 'idle'"
        )
        wait_for(lambda: not rows(empty_database, writing), 10)
        took = time.monotonic() - begun
        assert len(rows(empty_database, "SELECT FROM layers")) == 1
        assert client.send("DELETE", f"/imports/{created['id']}").status_code == 204
        assert client.stored() == ["0-points.geojson"]
        assert took < 5, took


def test_a_file_goes_to_a_bucket_past_the_server(empty_database: Engine, tmp_path: Path) -> None:
    with s3_server(tmp_path / "s3") as settings:
        assert settings.aws_secret_access_key is not None
        bucket = {
            "S3_BUCKET": str(settings.s3_bucket),
            "AWS_ENDPOINT_URL": str(settings.aws_endpoint_url),
            "AWS_ACCESS_KEY_ID": str(settings.aws_access_key_id),
            "AWS_SECRET_ACCESS_KEY": settings.aws_secret_access_key.get_secret_value(),
        }
        with served(empty_database, tmp_path, **bucket) as client:
            body = {"name": "orter å.csv", "size": len(POINTS)}
            begun = client.send("POST", "/imports", json=body).json()
            upload = begun["upload"]
            assert urlsplit(upload["url"]).netloc == urlsplit(bucket["AWS_ENDPOINT_URL"]).netloc
            assert upload["expires_at"] is not None
            early = client.send("POST", f"/imports/{begun['id']}/inspect")
            assert early.status_code == 409
            put = requests.put(upload["url"], POINTS[:-5], headers=upload["headers"], timeout=30)
            assert put.ok
            cut = client.send("POST", f"/imports/{begun['id']}/inspect")
            assert cut.status_code == 409
            assert requests.put(upload["url"], POINTS, timeout=30).ok
            job = client.send("POST", f"/imports/{begun['id']}/inspect").json()
            assert client.ended(job)["status"] == "successful"
            # by the server, which puts it into the bucket
            content = {"file": ("points.csv", POINTS)}
            sent = client.send("POST", "/imports", files=content).json()
            assert client.ended(sent["job"])["status"] == "successful"
            # a file that was changed after its inspection is not imported
            assert requests.put(upload["url"], b"x,y\n1,2\n", timeout=30).ok
            job = client.send("POST", f"/imports/{begun['id']}/commit", json={}).json()
            assert client.ended(job)["problem"]["status"] == 409
            for created in (begun, sent):
                path = f"/imports/{created['id']}"
                assert client.send("DELETE", path).status_code == 204
        assert not [
            path for path in (tmp_path / "s3" / "root" / BUCKET).rglob("*") if path.is_file()
        ]


def _json() -> dict[str, str]:
    return {"Content-Type": "application/json"}


def _break_off(client: Client, content: bytes) -> None:
    """Send the beginning of an upload that is read as it arrives, and close the connection."""
    address = urlsplit(client.url)
    body = part("cut.geojson", content * 4)
    head = (
        f"POST /api/v1/imports HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: {client.headers['Authorization']}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body) + len(END)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), 30) as connection:
        connection.sendall(head.encode() + body[: len(body) // 2])
        time.sleep(1)
