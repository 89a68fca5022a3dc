"""The demo plan: its files are consistent and lie in the sea, and loading stores them."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import shapely
from shapely.geometry import Point, Polygon, box, shape
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_admin.demo.loading import DEMO_FOLDER, demo_id, load_demo
from samsyn_admin.demo.plan import read_features, read_plan
from samsyn_model.errors import UnreadableFileError
from samsyn_model.identity import api_tokens
from samsyn_model.settings import Settings

PLAN = read_plan(DEMO_FOLDER / "plan.yaml")
VECTOR = [key for key, layer in PLAN.layers.items() if layer.source_type == "vector"]
PRIVATE = {"Cables (draft)"}
KATTEGAT = box(10.3, 56.0, 12.9, 57.9)
ISLANDS = {
    "Anholt": Polygon([(11.52, 56.715), (11.54, 56.70), (11.60, 56.71), (11.64, 56.73)]),
    "Læsø": Polygon([(10.92, 57.26), (11.02, 57.22), (11.15, 57.27), (11.02, 57.31)]),
}
PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
}


def _titles(engine: Engine, email: str | None) -> set[str]:
    headers = {}
    if email:
        with engine.begin() as connection:
            user_id = api_tokens.find_or_create_user(connection, email)
            token = api_tokens.create_token(connection, user_id, name="test")
        headers["Authorization"] = f"Bearer {token}"
    client = create_app(Settings(_env_file=None), engine).test_client()
    response = client.get("/ogc/collections?limit=100", headers=headers)
    assert response.status_code == 200
    return {collection["title"] for collection in response.get_json()["collections"]}


def _rows(engine: Engine, statement: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text(statement)).all())


def _all(engine: Engine) -> list[Any]:
    tables = ("users", "maps", "map_collaborators", "layers", "map_layers", "layer_features")
    return [
        _rows(engine, f"SELECT t::text FROM {table} t ORDER BY 1")
        for table in (*tables, "layer_changes", "comments")
    ]


def test_there_is_a_plan_of_some_size() -> None:
    assert len(VECTOR) == 6
    assert 150 <= sum(len(read_features(DEMO_FOLDER / f"{key}.geojson")) for key in VECTOR) <= 400
    assert sum(path.stat().st_size for path in DEMO_FOLDER.iterdir()) < 500_000
    assert {path.stem for path in DEMO_FOLDER.glob("*.geojson")} == set(VECTOR)


@pytest.mark.parametrize("key", VECTOR)
def test_schema_describes_the_data(key: str) -> None:
    layer = PLAN.layers[key]
    features = read_features(DEMO_FOLDER / f"{key}.geojson")
    for feature in features:
        assert list(feature["properties"]) == list(layer.fields)
        for name, value in feature["properties"].items():
            field = layer.fields[name]
            if value is None:
                continue
            assert isinstance(value, PYTHON_TYPES[field["type"]]), (name, value)
            assert isinstance(value, bool) == (field["type"] == "boolean"), (name, value)
            assert value in field.get("enum", [value])
            assert value >= field["minimum"] if "minimum" in field else True
    assert layer.time_field is None or layer.fields[layer.time_field]["format"] == "date"
    names = [feature["properties"]["name"] for feature in features]
    assert len(set(names)) == len(names)
    for name in layer.fields:
        assert any(feature["properties"][name] is not None for feature in features), name


@pytest.mark.parametrize("key", VECTOR)
def test_geometries_lie_in_the_sea(key: str) -> None:
    expected = PLAN.layers[key].geometry_type or ""
    for feature in read_features(DEMO_FOLDER / f"{key}.geojson"):
        name = feature["properties"]["name"]
        geometry = shape(feature["geometry"])
        assert geometry.geom_type in {expected, expected.removeprefix("Multi")}, name
        assert geometry.is_valid, name
        assert not geometry.is_empty, name
        assert geometry.within(KATTEGAT), name
        for island, land in ISLANDS.items():
            assert not geometry.intersects(land), (name, island)
        for part in shapely.get_parts(geometry):
            if part.geom_type == "Polygon":
                assert part.exterior.is_ccw, name
                assert not any(hole.is_ccw for hole in part.interiors), name
        rounded = shapely.transform(geometry, lambda xy: xy.round(6))
        assert shapely.equals_exact(geometry, rounded), name


@pytest.mark.parametrize("key", VECTOR)
def test_style_is_what_the_web_application_reads(key: str) -> None:
    style = PLAN.layers[key].style_config
    assert {"color"} <= style.keys() <= {"color", "lineWidth", "fillPolygons", "markerIcon"}


def test_loading_stores_the_files(empty_database: Engine) -> None:
    summary = load_demo(empty_database)
    stored = dict(
        _rows(empty_database, "SELECT layer_id, count(*) FROM layer_features GROUP BY layer_id")
    )
    counted = dict(_rows(empty_database, "SELECT layer_id, feature_count FROM layer_changes"))
    files = {
        demo_id("layer", key): len(read_features(DEMO_FOLDER / f"{key}.geojson")) for key in VECTOR
    }
    assert stored == counted == files
    assert summary.loaded
    assert summary.features == sum(files.values())
    assert str(sum(files.values())) in str(summary)
    assert _rows(empty_database, "SELECT count(*) FROM layer_features WHERE NOT ST_IsValid(geom)")[
        0
    ] == (0,)


def test_who_may_read_what(empty_database: Engine) -> None:
    load_demo(empty_database)
    all_names = {PLAN.layers[key].name for key in VECTOR}
    assert _titles(empty_database, None) == all_names - PRIVATE
    assert _titles(empty_database, "stranger@example.org") == all_names - PRIVATE
    discussed = {f"Comments on {planned.name}" for planned in PLAN.maps.values()}
    for user in PLAN.users.values():
        titles = _titles(empty_database, user.email)
        assert titles - discussed == all_names
        assert titles & discussed


@pytest.mark.parametrize("key", VECTOR)
def test_every_layer_is_served_as_a_collection(empty_database: Engine, key: str) -> None:
    load_demo(empty_database)
    with empty_database.begin() as connection:
        owner = api_tokens.find_or_create_user(connection, PLAN.users["maja"].email)
        token = api_tokens.create_token(connection, owner, name="test")
    client = create_app(Settings(_env_file=None), empty_database).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    base = f"/ogc/collections/{demo_id('layer', key)}"
    schema = client.get(f"{base}/schema").get_json()
    fields = {name for name in schema["properties"] if "format" not in schema["properties"][name]}
    assert fields <= {*PLAN.layers[key].fields, "id"}
    items = client.get(f"{base}/items?limit=1000").get_json()
    planned = read_features(DEMO_FOLDER / f"{key}.geojson")
    assert items["numberMatched"] == len(planned)
    assert [item["properties"] for item in items["features"]] == [
        feature["properties"] for feature in planned
    ]


def test_a_second_load_changes_nothing(empty_database: Engine) -> None:
    load_demo(empty_database)
    with empty_database.begin() as connection:
        connection.execute(text("DELETE FROM maps"))
        connection.execute(text("DELETE FROM layers WHERE name = 'Ports'"))
        connection.execute(text("UPDATE layers SET name = 'Mine' WHERE name = 'Shipping lanes'"))
        connection.execute(
            text("UPDATE users SET email = 'other@example.org' WHERE username = 'maja'")
        )
    before = _all(empty_database)
    summary = load_demo(empty_database)
    assert not summary.loaded
    assert _all(empty_database) == before


def test_two_concurrent_callers_load_it_once(empty_database: Engine) -> None:
    with ThreadPoolExecutor(2) as pool:
        summaries = list(pool.map(load_demo, [empty_database] * 2))
    assert sorted(summary.loaded for summary in summaries) == [False, True]
    assert _rows(empty_database, "SELECT count(*) FROM layers")[0][0] == len(PLAN.layers)


def test_an_existing_user_is_used(empty_database: Engine) -> None:
    with empty_database.begin() as connection:
        owner = api_tokens.find_or_create_user(connection, "Maja.Owner@example.org")
    load_demo(empty_database)
    assert _rows(empty_database, "SELECT DISTINCT created_by FROM maps") == [(owner,)]
    assert _rows(empty_database, "SELECT count(*) FROM users") == [(3,)]
    assert not load_demo(empty_database).loaded


def test_threads_are_consistent(empty_database: Engine) -> None:
    load_demo(empty_database)
    count, on_maps, on_features, on_points, resolved, replies = _rows(
        empty_database,
        "SELECT count(*), count(map_id), count(feature_id), count(position), count(resolved_at),"
        " count(parent_id) FROM comments",
    )[0]
    assert count == sum(1 + len(comment.replies) for comment in PLAN.comments)
    assert on_maps
    assert on_features
    assert on_points
    assert replies
    assert resolved == 1
    assert not _rows(
        empty_database,
        "SELECT reply.id FROM comments reply JOIN comments parent ON parent.id = reply.parent_id"
        " WHERE (reply.map_id, reply.layer_id, reply.feature_id) IS DISTINCT FROM"
        " (parent.map_id, parent.layer_id, parent.feature_id)"
        " OR reply.created_at <= parent.created_at OR parent.parent_id IS NOT NULL"
        " OR parent.resolved_at < reply.created_at",
    )
    assert not _rows(
        empty_database,
        "SELECT c.id FROM comments c LEFT JOIN layer_features f"
        " ON (f.layer_id, f.id) = (c.layer_id, c.feature_id)"
        " WHERE c.feature_id IS NOT NULL AND f.id IS NULL",
    )
    assert not _rows(
        empty_database,
        "SELECT c.id FROM comments c WHERE c.map_id IS NOT NULL AND c.layer_id IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM map_layers m"
        " WHERE (m.map_id, m.layer_id) = (c.map_id, c.layer_id))",
    )
    points = _rows(
        empty_database,
        "SELECT ST_X(position), ST_Y(position) FROM comments WHERE position IS NOT NULL",
    )
    assert all(Point(*point).within(KATTEGAT) for point in points)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("ports.geojson", None, "cannot be read"),
        ("ports.geojson", '{"features": [{}]}', "not a GeoJSON"),
        (
            "ports.geojson",
            json.dumps(
                {"features": [{"geometry": {"type": "Dot"}, "properties": {"name": "a port"}}]}
            ),
            "geometry",
        ),
        ("plan.yaml", None, "cannot be read"),
        ("plan.yaml", "users: [", "cannot be read"),
        ("plan.yaml", "users: {}", "is not valid"),
    ],
)
def test_an_invalid_file_is_reported_and_loads_nothing(
    empty_database: Engine, tmp_path: Path, file: str, content: str | None, reason: str
) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(DEMO_FOLDER, folder)
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(UnreadableFileError, match=reason) as caught:
        load_demo(empty_database, folder)
    assert file in caught.value.detail
    assert _rows(empty_database, "SELECT count(*) FROM users") == [(0,)]


def test_the_threads_are_listed_and_answered_as_the_web_app_does(empty_database: Engine) -> None:
    """It asks by map, and sends the map or the layer of the comment that it replies to."""
    load_demo(empty_database)
    with empty_database.begin() as connection:
        maja = api_tokens.find_or_create_user(connection, "maja.owner@example.org")
        token = api_tokens.create_token(connection, maja, name="test", scope="write")
    headers = {"Authorization": f"Bearer {token}"}
    client = create_app(Settings(_env_file=None), empty_database).test_client()
    listed: dict[str, Any] = {}
    for key in PLAN.maps:
        response = client.get(f"/api/v1/comments?map_id={demo_id('map', key)}", headers=headers)
        listed |= {comment["id"]: comment for comment in response.get_json()}
    assert {str(demo_id("comment", f"{n}")) for n in range(len(PLAN.comments))} <= set(listed)
    for comment in list(listed.values()):
        named = "layer_id" if comment["layer_id"] else "map_id"
        body = {"content": "Yes", named: comment[named], "parent_id": comment["id"]}
        response = client.post("/api/v1/comments", json=body, headers=headers)
        assert response.status_code == 201, response.text
        reply = response.get_json()
        assert [reply[name] for name in ("map_id", "layer_id", "thread_id")] == [
            comment[name] for name in ("map_id", "layer_id", "thread_id")
        ]
