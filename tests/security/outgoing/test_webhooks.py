"""No address of a webhook leads in: neither when it is named, nor when something is sent to it."""

import uuid
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_admin.notifications.telling import Teller
from samsyn_admin.outgoing.requests import Outgoing
from samsyn_model.errors import InvalidParameterError, RemoteServerError
from samsyn_model.identity import api_tokens
from samsyn_model.settings import Settings
from samsyn_provider.rates.rate_limits import Rate
from tests.security.outgoing.conftest import Net
from tests.security.outgoing.hostile_addresses import hostile_addresses
from tests.security.outgoing.parameters import MAP, WEBHOOK

_PUBLIC = ("http://public.example", "http://rebinding")


@pytest.fixture
def settings() -> Settings:
    unlimited: dict[str, Any] = {rate.value: 0 for rate in Rate}
    return Settings(_env_file=None, titiler_url="off", max_subscriptions_per_user=0, **unlimited)


@pytest.fixture
def app(empty_database: Engine, net: Net, settings: Settings) -> Flask:
    return create_app(settings, empty_database)


@pytest.fixture
def user(empty_database: Engine) -> tuple[uuid.UUID, dict[str, str]]:
    """The owner of the map, and their credentials."""
    with empty_database.begin() as connection:
        user_id = api_tokens.find_or_create_user(connection, "user@example.org")
        token = api_tokens.create_token(connection, user_id, name="test", scope="write")
        statement = text("INSERT INTO maps (id, name, created_by) VALUES (:map, 'Sea', :user)")
        connection.execute(statement, {"map": MAP, "user": user_id})
    return user_id, {"Authorization": f"Bearer {token}"}


def follow(engine: Engine, user_id: uuid.UUID, url: str) -> None:
    """Follow the map as if the address had been admitted, with something to be told."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO subscriptions (user_id, map_id, subject_id, frequency, webhook_url,"
                " webhook_secret, position, due_at)"
                " VALUES (:user, :map, :map, 'immediate', :url, '\\x00', 0, now())"
            ),
            {"user": user_id, "map": MAP, "url": url},
        )


def change_map(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE maps SET name = name || '.'"))


def test_no_address_leads_in_when_it_is_named(
    app: Flask, user: tuple[uuid.UUID, dict[str, str]], net: Net
) -> None:
    client, statuses = app.test_client(), []
    for url in hostile_addresses(net.inner.port):
        response = client.open(**WEBHOOK.request(url), headers=user[1])
        statuses.append(response.status_code)
        assert net.inner.connections == [], repr(url)
        if response.status_code == 201:
            assert url.startswith(_PUBLIC), repr(url)
        else:
            assert response.status_code == 422, (repr(url), response.json)
            assert response.json is not None
            assert response.json["errors"][0]["pointer"] == "/webhook_url"
    assert 201 in statuses
    assert statuses.count(422) > 250
    assert net.public.requests == [], "nothing is asked before there is something to tell"


def test_nothing_that_is_posted_goes_in(net: Net, settings: Settings) -> None:
    door, asked = Outgoing(settings), 0
    for url in hostile_addresses(net.inner.port):
        try:
            status = door.post(url, b"[]", caller="somebody", seconds=0.5, headers={})
        except (InvalidParameterError, RemoteServerError):
            continue
        finally:
            assert net.inner.connections == [], repr(url)
        asked += 1
        assert url.startswith(_PUBLIC), repr(url)
        assert status >= 200
    assert asked
    assert all(request.startswith("POST ") for request in net.public.requests)


def test_no_delivery_goes_in(
    empty_database: Engine, user: tuple[uuid.UUID, dict[str, str]], net: Net, settings: Settings
) -> None:
    urls = [url for url in hostile_addresses(net.inner.port)[::7] if "\0" not in url]
    for url in urls:
        follow(empty_database, user[0], url)
    change_map(empty_database)
    teller = Teller(empty_database, settings)
    for _ in urls:
        assert teller.tell_next()
    assert net.inner.connections == []
    statement = "SELECT webhook_url FROM subscriptions WHERE failures = 0"
    with empty_database.begin() as connection:
        told = list(connection.execute(text(statement)).scalars())
    assert all(url.startswith(_PUBLIC) for url in told)


def test_the_address_is_tried(
    empty_database: Engine,
    user: tuple[uuid.UUID, dict[str, str]],
    net: Net,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the check of addresses a delivery does go in: the tests above can fail."""
    monkeypatch.setattr("samsyn_admin.outgoing.addresses.is_public", lambda _: True)
    follow(empty_database, user[0], f"http://127.0.0.1:{net.inner.port}/")
    change_map(empty_database)
    assert Teller(empty_database, settings).tell_next()
    assert len(net.inner.connections) == 1
