"""What is said of a WMS while Redis is away, or OUTGOING is off."""

from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from tests.api.layer_requests import Caller
from tests.api.wms.answers import WMS
from tests.redis_server import redis_server

CAPABILITIES = "/api/v1/wms/capabilities"


def client_of(engine: Engine, remote: WMS, **values: Any) -> FlaskClient:
    allowed = (remote.remote.server,)
    settings = Settings(_env_file=None, outgoing_allow=allowed, outgoing_per_minute=0, **values)
    return create_app(settings, engine).test_client()


def test_redis_is_away(empty_database: Engine, remote: WMS, owner: Caller, tmp_path: Path) -> None:
    def read() -> Any:
        query = {"url": remote.url}
        return client.get(CAPABILITIES, query_string=query, headers=owner.headers).json

    with redis_server(tmp_path) as redis:
        client = client_of(empty_database, remote, redis_url=redis.url)
        before = read()
        assert before["layers"]
        redis.process.kill()
        assert [read(), read()] == [before, before]


def test_outgoing_is_off(empty_database: Engine, remote: WMS, owner: Caller, admin: Caller) -> None:
    """What is kept is there; the rest is refused with a sentence."""
    headers = admin.headers
    server = {"name": "Sea", "base_url": remote.url}
    added = client_of(empty_database, remote).post(
        "/api/v1/wms-servers", json=server, headers=headers
    )
    assert added.status_code == 201
    asked = len(remote.remote.requests)
    client = client_of(empty_database, remote, outgoing=False)
    path = added.headers["Location"]
    kept = [path, f"{path}/layers", f"{CAPABILITIES}?url={remote.url}"]
    assert [client.get(one).status_code for one in kept] == [200, 200, 200]
    new = f"{remote.url}/new"
    click = "layers=a&bbox=10,54,13,58&width=9&height=9&x=1&y=1"
    for response in (
        client.get(f"{CAPABILITIES}?url={new}", headers=headers),
        client.get(f"/api/v1/wms/feature-info?url={new}&{click}", headers=headers),
        client.get(f"/api/v1/wms/discover-properties?url={new}&layer=a", headers=headers),
        client.post("/api/v1/wms-servers", json={**server, "base_url": new}, headers=headers),
        client.post(f"{path}/refresh", headers=headers),
    ):
        assert response.status_code == 503, response.json
        assert "makes no requests to others" in response.json["detail"]
    assert len(remote.remote.requests) == asked
