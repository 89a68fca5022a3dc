"""Spans that a server and its jobs send to a receiver of OTLP."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from gzip import decompress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.clients.samsyn_server import OWNER, Server, run_samsyn, serve
from tests.databases import migrated_database

NAME = "Hemliga grundet"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
_ITEMS = "/ogc/collections/<collection_id>/items"


@dataclass
class Receiver:
    """What has been received: spans by their names, and all of it as bytes."""

    url: str = ""
    spans: list[Any] = field(default_factory=list)
    parts: set[str] = field(default_factory=set)
    content: bytes = b""
    fails: bool = False

    def take(self, body: bytes) -> None:
        message = ExportTraceServiceRequest.FromString(body)
        for resource in message.resource_spans:
            named = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            assert named["service.name"] == "samsyn"
            self.parts.add(named["samsyn.part"])
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        self.content += body

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    received = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_packed = self.headers.get("Content-Encoding") == "gzip"
            if not received.fails:
                received.take(decompress(body) if is_packed else body)
            self.send_response(HTTPStatus.SERVICE_UNAVAILABLE if received.fails else HTTPStatus.OK)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        received.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield received
        server.shutdown()


@pytest.fixture(scope="module")
def traced(
    server_url: str, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, str, str]]:
    """Yield a server behind a proxy, a token, and a layer, which a job has exported."""
    settings = {
        "TRACING": "true",
        "TRUSTED_PROXIES": "1",
        "JOBS_WORKERS": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    log = tmp_path_factory.mktemp("tracing") / "log"
    with migrated_database(server_url) as database:
        token = run_samsyn(database, "token", "create", OWNER)
        with serve(database, log, workers=1, **settings) as server:
            content = {"geojson": {"type": "FeatureCollection", "features": []}}
            layer = {"name": NAME, "source_type": "vector", "source_config": content}
            yield server, token, server.make_layer(token, layer)


def test_a_request_is_a_span_with_its_statements(
    traced: tuple[Server, str, str], receiver: Receiver
) -> None:
    server, token, layer = traced
    traceparent = f"00-{TRACE}-{PARENT}-01"
    response = requests.get(
        f"{server.url}/ogc/collections/{layer}/items",
        params={"bbox": "1.2345,50,20,60"},
        headers={"Authorization": f"Bearer {token}", "traceparent": traceparent},
        timeout=60,
    )
    assert response.status_code == HTTPStatus.OK
    (span,) = _waited(lambda: receiver.named(f"GET {_ITEMS}"))
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    attributes = {pair.key: pair.value for pair in span.attributes}
    assert attributes["http.response.status_code"].int_value == HTTPStatus.OK
    assert attributes["http.route"].string_value == _ITEMS
    assert attributes["samsyn.request_id"].string_value == response.headers["X-Request-Id"]
    assert len(attributes["user.id"].string_value) == 36
    parts = [part for part in receiver.spans if part.parent_span_id == span.span_id]
    assert parts
    for part in parts:
        text = {pair.key: pair.value.string_value for pair in part.attributes}["db.query.text"]
        assert text.startswith(part.name)
        assert span.start_time_unix_nano <= part.start_time_unix_nano < part.end_time_unix_nano
    for secret in (token, OWNER, NAME, layer, "1.2345"):
        assert secret.encode() not in receiver.content


def test_errors_and_odd_methods(traced: tuple[Server, str, str], receiver: Receiver) -> None:
    server, _, layer = traced
    path = f"/ogc/collections/{layer}/items"
    assert requests.request("ODD", server.url + path, timeout=60).status_code == 405
    assert requests.get(f"{server.url}/nowhere", timeout=60).status_code == HTTPStatus.NOT_FOUND
    _waited(lambda: receiver.named("GET"))
    _waited(lambda: receiver.named("HTTP"))
    assert b"nowhere" not in receiver.content
    assert b"ODD" not in receiver.content


def test_a_job_is_a_span(traced: tuple[Server, str, str], receiver: Receiver) -> None:
    server, token, layer = traced
    response = requests.post(
        f"{server.url}/api/v1/layers/{layer}/export",
        json={"format": "geojson"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    assert response.status_code == HTTPStatus.ACCEPTED, response.text
    (span,) = _waited(lambda: [s for s in receiver.spans if s.name.startswith("job ")])
    assert [part for part in receiver.spans if part.parent_span_id == span.span_id]
    assert "jobs" in receiver.parts


def test_what_has_not_been_sent_is_sent_at_the_end(
    server_url: str, receiver: Receiver, tmp_path: Path
) -> None:
    settings = {
        "TRACING": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
    }
    with (
        migrated_database(server_url) as database,
        serve(database, tmp_path / "log", workers=1, **settings) as server,
    ):
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        requests.get(f"{server.url}/ogc/conformance?f=json", headers=headers, timeout=60)
        assert not receiver.named("GET /ogc/conformance")
    (span,) = _waited(lambda: receiver.named("GET /ogc/conformance"))
    assert span.trace_id.hex() != TRACE, "a client names no trace"


def test_a_receiver_that_fails_disturbs_nobody(
    traced: tuple[Server, str, str], receiver: Receiver
) -> None:
    server, _, _ = traced
    receiver.fails = True
    for _ in range(50):
        response = requests.get(f"{server.url}/ogc/conformance?f=json", timeout=5)
        assert response.json()["conformsTo"]
    receiver.fails = False


def _waited[T](look: Callable[[], list[T]]) -> list[T]:
    deadline = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < deadline, "it has not been sent"
        time.sleep(0.1)
    return found
