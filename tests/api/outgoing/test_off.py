"""OUTGOING off: what is kept of other servers is still there, what is not is refused plainly."""

from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from tests.api.gfw.test_tiles import MVT, PATH, QUERY, TILE, TOKEN
from tests.api.outgoing.remote_server import Remote, remote_server, respond
from tests.documented_responses import validate_responses


def client_of(engine: Engine, gateway: Remote, **settings: Any) -> FlaskClient:
    values = {
        "gfw_api_token": TOKEN,
        "gfw_api_url": gateway.url,
        "outgoing_allow": (gateway.server,),
    }
    app = create_app(Settings(_env_file=None, **(values | settings)), engine)
    validate_responses(app)
    return app.test_client()


def test_tiles_of_fishing_watch(empty_database: Engine) -> None:
    with remote_server(respond(TILE, MVT)) as gateway:
        assert client_of(empty_database, gateway).get(PATH + QUERY).data == TILE
        client = client_of(empty_database, gateway, outgoing=False)
        assert client.get(PATH + QUERY).data == TILE
        other = client.get(PATH.replace("/4/2", "/4/3") + QUERY)
        assert other.status_code == 503
        assert "makes no requests to others" in other.json["detail"]  # type: ignore[index]
        assert len(gateway.requests) == 1
