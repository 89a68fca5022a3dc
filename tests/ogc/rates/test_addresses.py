"""Callers without an account are counted by their address."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from samsyn_provider.rates.callers import address_key

Layer = Callable[..., str]


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unknown", "unknown"),
        ("192.0.2.7:4711", "192.0.2.7:4711"),
        ("x" * 100_000, "x" * 64),
    ],
)
def test_ipv6_addresses_are_counted_by_their_network(address: str, key: str) -> None:
    assert address_key(address) == key


def searches(client: FlaskClient, address: str, forwarded: str | None = None) -> int:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    path = "/ogc/collections?q=x"
    return client.get(path, headers=headers, environ_overrides={"REMOTE_ADDR": address}).status_code


def make(engine: Engine, proxies: int) -> FlaskClient:
    settings = Settings(_env_file=None, searches_per_minute=1, trusted_proxies=proxies)
    return create_app(settings, engine).test_client()


def test_hosts_of_one_ipv6_network_are_one_caller(empty_database: Engine) -> None:
    client = make(empty_database, 0)
    assert searches(client, "2001:db8::1") == 200
    assert searches(client, "2001:db8::2") == 429
    assert searches(client, "2001:db8:0:1::1") == 200


def test_behind_trusted_proxies_the_client_counts(empty_database: Engine) -> None:
    client = make(empty_database, 1)
    assert searches(client, "127.0.0.1", "192.0.2.1") == 200
    assert searches(client, "127.0.0.1", "198.51.100.66, 192.0.2.1") == 429
    assert searches(client, "127.0.0.1", "192.0.2.2") == 200


def test_without_trusted_proxies_a_header_is_not_believed(empty_database: Engine) -> None:
    client = make(empty_database, 0)
    assert searches(client, "192.0.2.1", "198.51.100.1") == 200
    assert searches(client, "192.0.2.1", "198.51.100.2") == 429


def test_the_clients_of_an_unknown_proxy_on_this_machine_are_not_one_caller(
    empty_database: Engine,
) -> None:
    client = make(empty_database, 0)
    for number in range(5):
        assert searches(client, "127.0.0.1", f"192.0.2.{number}") == 200
    assert [searches(client, "127.0.0.1") for _ in range(2)] == [200, 429]
