"""No parameter that has an address in it makes the server connect to one within, for anybody."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_model.identity import api_tokens
from samsyn_model.settings import Settings
from samsyn_provider.rates.rate_limits import Rate
from tests.security.outgoing.conftest import Net
from tests.security.outgoing.hostile_addresses import hostile_addresses
from tests.security.outgoing.parameters import (
    ADDRESSES_OF_LAYERS,
    TITILER,
    WMS,
    Headers,
    Parameter,
    is_refusal,
    layer_of,
)

PARAMETERS = (*WMS, *TITILER)


@pytest.fixture
def app(empty_database: Engine, net: Net, tiler: dict[str, str]) -> Flask:
    unlimited: dict[str, Any] = {rate.value: 0 for rate in Rate}
    return create_app(Settings(_env_file=None, **unlimited, **tiler), empty_database)


@pytest.fixture
def callers(app: Flask, empty_database: Engine) -> dict[str, Headers]:
    """The headers of nobody, of a user and of an administrator."""
    headers: dict[str, Headers] = {"nobody": {}}
    with empty_database.begin() as connection:
        for name in ("user", "administrator"):
            user_id = api_tokens.find_or_create_user(connection, f"{name}@example.org")
            token = api_tokens.create_token(connection, user_id, name="test", scope="write")
            headers[name] = {"Authorization": f"Bearer {token}"}
        api_tokens.set_admin(connection, "administrator@example.org")
    return headers


@pytest.fixture
def stored(app: Flask, callers: dict[str, Headers], net: Net) -> list[str]:
    """All addresses, of which those that a layer may hold are held by public ones: whoever reads
    those has more rights to have them asked."""
    addresses = hostile_addresses(net.inner.port)
    statuses = []
    for source, member in ADDRESSES_OF_LAYERS:
        for url in addresses if member == "url" else addresses[::5]:
            statuses.append(store(app, callers["user"], source, member, url).status_code)
    assert statuses.count(201) > 700
    assert net.inner.connections == []
    return addresses


def store(app: Flask, headers: Headers, source: str, member: str, url: str) -> TestResponse:
    body = layer_of(source, member, url)
    response = app.test_client().post("/api/v1/layers", json=body, headers=headers)
    assert response.status_code == 201 or is_refusal(response.status_code, response.data), repr(url)
    return response


def send(app: Flask, parameter: Parameter, headers: Headers, url: str) -> TestResponse:
    request = parameter.request(url)
    query = request.pop("params", None)
    return app.test_client().open(**request, query_string=query, headers=headers)


@pytest.mark.timeout(900)
def test_no_address_leads_in(
    app: Flask, callers: dict[str, Headers], stored: list[str], net: Net
) -> None:
    """Each is tried on every parameter, by one caller or another."""
    for parameter in PARAMETERS:
        for turn, (name, headers) in enumerate(callers.items()):
            for url in stored[turn :: len(callers)]:
                response = send(app, parameter, headers, url)
                place = (parameter.path, name, url, response.status_code)
                assert net.inner.connections == [], place
                assert is_refusal(response.status_code, response.data), (*place, response.data)
    assert net.public.requests, "the public server was never asked: nothing was tried"


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.path)
def test_the_addresses_are_tried(
    app: Flask,
    callers: dict[str, Headers],
    net: Net,
    parameter: Parameter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the check of addresses each parameter does lead in: the test above can fail."""
    monkeypatch.setattr("samsyn_admin.outgoing.addresses.is_public", lambda _: True)
    may_ask = callers if parameter.is_for_nobody else {"administrator": callers["administrator"]}
    for number, headers in enumerate(may_ask.values()):
        url = f"http://127.0.0.1:{net.inner.port}/{number}"  # none is kept
        for source, member in ADDRESSES_OF_LAYERS:
            assert store(app, callers["user"], source, member, url).status_code == 201
        before = len(net.inner.connections)
        send(app, parameter, headers, url)
        assert len(net.inner.connections) > before


def test_a_name_that_moves_in(app: Flask, callers: dict[str, Headers], net: Net) -> None:
    """A server that was public when it was added is not asked once its name is one within."""
    client = app.test_client()
    url = f"http://public.example:{net.inner.port}/capabilities"
    body = {"name": "Sea", "base_url": url}
    added = client.post("/api/v1/wms-servers", json=body, headers=callers["administrator"])
    assert added.status_code == 201, added.json
    net.resolver.moved["public.example"] = ("127.0.0.1",)
    path = added.headers["Location"]
    for name, status in (("nobody", 401), ("user", 400), ("administrator", 400)):
        response = client.post(f"{path}/refresh", headers=callers[name])
        assert response.status_code == status, response.json
    assert net.inner.connections == []
    kept = client.get(f"{path}/layers").json
    assert [layer["name"] for layer in kept["layers"]] == ["depth"]  # type: ignore[index]
