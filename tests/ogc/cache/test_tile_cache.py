"""Cached tiles: shared by all processes, not after a change, not without read permission."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_model.database.transactions import reading
from samsyn_model.settings import Settings
from samsyn_provider.cache import tile_cache
from samsyn_provider.cache.response_cache import ResponseCache
from samsyn_provider.cache.tile_cache import TileCache
from samsyn_provider.tiles import routes as tile_routes
from tests.redis_server import redis_server
from tests.statements import statements

Layer = Callable[..., str]
MARK = b"cached"


@pytest.fixture(autouse=True)
def every_tile_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_routes, "_SHARED_CACHE_THRESHOLD", 0)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis for this module alone."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(params=["database", "redis"])
def process(request: Any, empty_database: Engine) -> Callable[[], FlaskClient]:
    """Make a client of another process of one server."""
    url = request.getfixturevalue("redis_url") if request.param == "redis" else None
    settings = Settings(_env_file=None, redis_url=url)
    return lambda: create_app(settings, empty_database).test_client()


def _address(layer_id: str) -> str:
    return f"/ogc/collections/{layer_id}/tiles/WebMercatorQuad/3/3/4"


def _layer(layer: Layer, **columns: Any) -> str:
    return layer([("POINT(11.5 21)", {"name": "one"})], fields={"name": {}}, **columns)


def _falsify(engine: Engine, redis: Redis | None) -> None:
    """Replace every shared tile by content that no statement makes."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE tile_cache SET content = :mark"), {"mark": MARK})
    for key in redis.keys("samsyn:tile:*") if redis else []:
        redis.set(key, MARK)  # type: ignore[union-attr]


def test_other_processes_share_a_tile_until_the_layer_changes(
    process: Callable[[], FlaskClient], layer: Layer, empty_database: Engine, request: Any
) -> None:
    layer_id = _layer(layer)
    address = _address(layer_id)
    first = process()
    made = first.get(address)
    assert b"name" in made.data
    with_redis = "redis" in request.node.name
    redis = Redis.from_url(request.getfixturevalue("redis_url")) if with_redis else None
    _falsify(empty_database, redis)
    assert first.get(address).data == made.data  # from its local cache
    assert process().get(address).data == MARK
    assert process().get(f"{address}?properties=name").data == made.data  # another tile
    for change in (
        'UPDATE layer_features SET properties = \'{"name": "two"}\' WHERE layer_id = :layer',
        'UPDATE layers SET style_config = \'{"color": "#ff0000"}\' WHERE id = :layer',
        "DELETE FROM layer_features WHERE layer_id = :layer",
    ):
        with empty_database.begin() as connection:
            connection.execute(text(change), {"layer": layer_id})
        responses = [client.get(address) for client in (first, process())]
        assert MARK not in {response.data for response in responses}
        assert (b"two" in responses[0].data) == (b"two" in responses[1].data)
        _falsify(empty_database, redis)
    assert responses[0].status_code == 204


def test_no_cached_tile_without_read_permission(
    process: Callable[[], FlaskClient],
    layer: Layer,
    person: Callable[[str], Any],
) -> None:
    layer_id = _layer(layer, visibility="private")
    client = process()
    assert client.get(_address(layer_id), headers=person("owner").headers).status_code == 200
    headers: dict[str, str]
    for headers in ({}, person("stranger").headers):
        for each in (client, process()):
            assert each.get(_address(layer_id), headers=headers).status_code == 404


def test_a_cached_tile_takes_one_statement(
    process: Callable[[], FlaskClient], layer: Layer
) -> None:
    client, address = process(), _address(_layer(layer))
    client.get(address)
    with statements() as seen:
        assert client.get(address).status_code == 200
    assert len(seen) == 1


def test_an_empty_tile_is_cached_too(process: Callable[[], FlaskClient], layer: Layer) -> None:
    address = _address(layer(fields={"name": {}}))
    for client in (process(), process()):
        assert [client.get(address).status_code for _ in range(2)] == [204, 204]


def test_a_slot_is_overwritten_by_the_next_tile(
    client: FlaskClient, layer: Layer, empty_database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tile_cache, "SLOTS", 1)
    with empty_database.begin() as connection:
        connection.execute(text("DELETE FROM tile_cache"))
    tiles = {client.get(_address(_layer(layer))).data for _ in range(3)}
    assert len(tiles) == 3
    with empty_database.begin() as connection:
        cached = connection.execute(text("SELECT content FROM tile_cache")).scalars().all()
    assert len(cached) == 1
    assert cached[0] in tiles


@pytest.mark.parametrize("url", ["unix:///nowhere/redis", "redis://127.0.0.1:1/0"])
def test_without_redis_tiles_are_made(layer: Layer, empty_database: Engine, url: str) -> None:
    client = create_app(
        Settings(_env_file=None, redis_url=url),  # type: ignore[call-arg]
        empty_database,
    ).test_client()
    layer_id = _layer(layer)
    assert b"name" in client.get(_address(layer_id)).data


def test_a_database_that_can_only_be_read(layer: Layer, empty_database: Engine) -> None:
    cache = TileCache(None, ResponseCache())
    with reading(empty_database) as connection:
        connection.connection.cursor().execute("SET default_transaction_read_only = on")
        cache.put(connection, "0" * 24, b"tile")
        connection.connection.cursor().execute("RESET default_transaction_read_only")
