"""`numberMatched` of filtered pages, within a time limit."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_model.database.execution import run, run_within
from samsyn_model.database.transactions import reading
from samsyn_model.settings import Settings
from samsyn_provider.cache.count_cache import CountCache
from samsyn_provider.features import counting
from tests.statements import statements

Layer = Callable[..., str]

FIELDS = {"rank": {"type": "integer"}, "note": {"type": "string"}}
COUNT = 10_001
BOX = "0,0,2,2"
FILTERED: list[dict[str, Any]] = [
    {"rank": 1},
    {"filter": "rank > 0"},
    {"filter": "rank > 0 AND S_INTERSECTS(geometry, BBOX(0,0,2,2))"},
    {"bbox": BOX, "rank": 1},
    {"bbox": BOX, "sortby": "-rank"},
    {"rank": 1, "limit": 600},  # streamed
    {"bbox": BOX, "limit": 600},
]


@pytest.fixture
def large_layer(layer: Layer, empty_database: Engine) -> str:
    layer_id = layer(fields=FIELDS)
    with empty_database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO layer_features (layer_id, geom, properties)"
                " SELECT :layer, ST_SetSRID(ST_MakePoint(1, 1), 4326), '{\"rank\": 1}'"
                " FROM generate_series(1, :count)"
            ),
            {"layer": layer_id, "count": COUNT},
        )
    return layer_id


def _client(engine: Engine, budget: int) -> FlaskClient:
    return create_app(Settings(_env_file=None, count_budget=budget), engine).test_client()


def _get(client: FlaskClient, layer_id: str, **query: Any) -> dict[str, Any]:
    response = client.get(f"/ogc/collections/{layer_id}/items", query_string=query)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json
    header = response.headers.get("OGC-NumberMatched")
    assert header == (str(page["numberMatched"]) if "numberMatched" in page else None)
    return page


@pytest.mark.parametrize("query", FILTERED, ids=str)
def test_filtered_pages_of_large_layers(
    client: FlaskClient, large_layer: str, query: dict[str, Any]
) -> None:
    assert _get(client, large_layer, **query)["numberMatched"] == COUNT


def test_exact_counts(client: FlaskClient, large_layer: str, empty_database: Engine) -> None:
    assert _get(client, large_layer)["numberMatched"] == COUNT
    assert _get(client, large_layer, rank=1, resulttype="hits")["numberMatched"] == COUNT
    assert _get(client, large_layer, rank=2)["numberMatched"] == 0
    assert _get(client, large_layer, bbox="2,2,3,3")["numberMatched"] == 0
    assert _get(client, large_layer, rank=1, offset=20_000)["numberMatched"] == COUNT
    assert _get(client, large_layer, rank=1)["numberMatched"] == COUNT
    with empty_database.begin() as connection:
        connection.execute(
            text("DELETE FROM layer_features WHERE layer_id = :layer AND id % 4 = 0"),
            {"layer": large_layer},
        )
        remaining = connection.execute(
            text("SELECT count(*) FROM layer_features WHERE layer_id = :layer"),
            {"layer": large_layer},
        ).scalar_one()
    assert _get(client, large_layer, rank=1)["numberMatched"] == remaining, "a new version"


def test_one_more_statement_at_most(client: FlaskClient, large_layer: str, layer: Layer) -> None:
    """Beside the layer and the page. The statement of a streamed page is not seen."""
    small = layer([("POINT(1 1)", {"rank": 1})], fields=FIELDS)
    for layer_id, query, count in (
        (small, {"rank": 1}, 2),
        (small, {"bbox": BOX}, 2),
        (large_layer, {}, 2),
        (large_layer, {"limit": 600}, 1),
        (large_layer, {"bbox": "5,5,6,6"}, 2),
        (large_layer, {"rank": 2}, 2),
        (large_layer, {"rank": 1}, 3),
        (large_layer, {"rank": 1, "limit": 20}, 2),  # the same result, already counted
        (large_layer, {"rank": 1, "limit": 600}, 1),
        (large_layer, {"rank": 1, "sortby": "rank", "skipGeometry": "true"}, 2),
        (large_layer, {"bbox": BOX}, 4),
        (large_layer, {"bbox": BOX, "limit": 20}, 3),
    ):
        with statements() as seen:
            _get(client, layer_id, **query)
        assert len(seen) == count, (query, seen)


def test_pages_that_follow_have_the_count_of_the_first(
    client: FlaskClient, large_layer: str
) -> None:
    page = _get(client, large_layer, rank=1)
    (following,) = (link["href"] for link in page["links"] if link["rel"] == "next")
    with statements() as seen:
        response = client.get(following)
    assert response.json["numberMatched"] == COUNT  # type: ignore[index]
    assert len(seen) == 2, seen


@pytest.mark.parametrize("query", FILTERED, ids=str)
def test_no_count_and_no_error_beyond_the_limit(
    empty_database: Engine,
    large_layer: str,
    monkeypatch: pytest.MonkeyPatch,
    query: dict[str, Any],
) -> None:
    select_hits = counting.select_hits

    def slow(*arguments: Any, **options: Any) -> Any:
        statement = select_hits(*arguments, **options)
        text = f"SELECT pg_sleep(20), matched FROM ({statement.text}) AS slow"
        return type(statement)(text, statement.values)

    monkeypatch.setattr(counting, "select_hits", slow)
    client = _client(empty_database, 20)
    for _ in range(2):
        page = _get(client, large_layer, **query)
        assert "numberMatched" not in page
        assert page["numberReturned"] == query.get("limit", 10)
    monkeypatch.undo()
    client = _client(empty_database, 20_000)
    assert _get(client, large_layer, **query)["numberMatched"] == COUNT


def test_a_scan_that_takes_too_long_is_not_tried_for_each_value(
    empty_database: Engine, large_layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def run_out(*arguments: Any) -> None:
        tried.append(arguments)

    monkeypatch.setattr(counting, "run_within", run_out)
    client = _client(empty_database, 300)
    for threshold in (0, -1, -2):
        assert "numberMatched" not in _get(client, large_layer, filter=f"rank > {threshold}")
    assert len(tried) == 1
    for size in (2, 3):  # a smaller box may be counted in time
        assert "numberMatched" not in _get(client, large_layer, bbox=f"0,0,{size},{size}")
    assert len(tried) == 3
    for day in (1, 2):  # so may the last changes
        condition = f"updated > TIMESTAMP('2026-01-0{day}T00:00:00Z')"
        assert "numberMatched" not in _get(client, large_layer, filter=condition)
    assert len(tried) == 5


def test_a_limit_of_zero_counts_what_is_free(empty_database: Engine, large_layer: str) -> None:
    client = _client(empty_database, 0)
    for query in FILTERED:
        assert "numberMatched" not in _get(client, large_layer, **query)
    assert _get(client, large_layer)["numberMatched"] == COUNT
    assert _get(client, large_layer, rank=2)["numberMatched"] == 0
    assert _get(client, large_layer, rank=1, offset=9_996)["numberMatched"] == COUNT


def test_what_fails_beyond_the_page_leaves_the_count_out(
    client: FlaskClient, large_layer: str, empty_database: Engine
) -> None:
    """The page is complete before the feature whose geometry cannot be compared."""
    with empty_database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO layer_features (layer_id, geom) VALUES (:layer, ST_GeomFromText("
                "'POLYGON((0 0, 1 1, 1 0, 0 1, 0 0))', 4326))"
            ),
            {"layer": large_layer},
        )
    area = "POLYGON((0 0, 3 0, 3 3, 0 3, 0 0))"
    page = _get(client, large_layer, filter=f"S_OVERLAPS(geometry, {area}) OR rank = 1")
    assert page["numberReturned"] == 10


def test_the_connection_is_as_before(empty_database: Engine) -> None:
    with reading(empty_database) as connection:
        before = run(connection, "SHOW statement_timeout").scalar_one()
        assert run_within(connection, 20, "SELECT pg_sleep(%(s)s)", {"s": 20}) is None
        assert run(connection, "SHOW statement_timeout").scalar_one() == before
        assert run_within(connection, 1_000, "SELECT 1 / %(zero)s", {"zero": 0}) is None
        rows = run_within(connection, 1_000, "SELECT '%%' || %(text)s", {"text": "a;b'%"})
        assert rows is not None
        assert rows.scalar_one() == "%a;b'%"
        assert run(connection, "SHOW statement_timeout").scalar_one() == before


def test_the_cache_of_counts_is_bounded() -> None:
    time = [0.0]
    cache = CountCache(lambda: time[0])
    cache.put("slow", None)
    assert cache.get("slow") == (None,)
    time[0] = 601
    assert cache.get("slow") is None, "it is tried again"
    for number in range(5_000):
        cache.put(str(number), number)
    assert cache.get("0") is None
    assert cache.get("4999") == (4999,)
    assert len(cache._counts) < 5_000
