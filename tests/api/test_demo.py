"""The demo plan: what is in it, who sees it, and that it is loaded once."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import shapely
import yaml
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_admin.demo import FOLDER, DemoError, DemoSummary, load_demo
from samsyn_model import tokens
from samsyn_model.settings import Settings

PLAN = yaml.safe_load((FOLDER / "plan.yaml").read_text())
VECTORS = [key for key, layer in PLAN["layers"].items() if "fields" in layer]
KATTEGAT = shapely.box(10.0, 55.9, 12.95, 57.95)
ISLANDS = shapely.MultiPoint([(11.03, 57.27), (11.56, 56.71)]).buffer(0.03)


def _features(key: str) -> list[dict[str, Any]]:
    features: list[dict[str, Any]] = json.loads((FOLDER / f"{key}.geojson").read_text())["features"]
    return features


def _titles(engine: Engine, email: str | None) -> set[str]:
    client = create_app(Settings(_env_file=None), engine).test_client()
    headers = {}
    if email:
        with engine.begin() as connection:
            user = tokens.find_or_create_user(connection, email)
            token = tokens.create_token(connection, user, name="test")
        headers = {"Authorization": f"Bearer {token}"}
    answer = client.get("/ogc/collections", headers=headers)
    return {collection["title"] for collection in answer.json["collections"]}


def test_the_plan_is_whole() -> None:
    assert len(VECTORS) == 6
    assert 150 <= sum(len(_features(key)) for key in VECTORS) <= 400
    assert {layer.get("source_type") for layer in PLAN["layers"].values()} >= {"wms", "geotiff"}
    size = sum(file.stat().st_size for file in FOLDER.iterdir())
    assert size < 600_000


@pytest.mark.parametrize("key", VECTORS)
def test_features_keep_to_their_schema_and_the_sea(key: str) -> None:
    layer = PLAN["layers"][key]
    schema = {"type": "object", "properties": layer["fields"], "additionalProperties": False}
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    features = _features(key)
    assert features
    for feature in features:
        assert not list(validator.iter_errors(feature["properties"])), feature["properties"]
        assert set(feature["properties"]) == set(layer["fields"])
        geometry = shapely.geometry.shape(feature["geometry"])
        kind = layer["geometry_type"]
        assert geometry.geom_type in {kind, kind.removeprefix("Multi")}
        assert geometry.is_valid
        assert KATTEGAT.contains(geometry)
        if kind != "Point":
            assert not geometry.intersects(ISLANDS)
        assert not re.search(r"\d\.\d{7}", json.dumps(feature["geometry"]))


def test_who_sees_what(empty_database: Engine) -> None:
    summary = load_demo(empty_database)
    assert summary == DemoSummary(8, sum(len(_features(key)) for key in VECTORS), 2)
    secret = PLAN["layers"]["cables"]["name"]
    names = {PLAN["layers"][key]["name"] for key in VECTORS}
    assert _titles(empty_database, None) == names - {secret}
    assert _titles(empty_database, "somebody@example.org") == names - {secret}
    for user in PLAN["users"].values():
        assert _titles(empty_database, user["email"]) == names


def test_counts_and_threads(empty_database: Engine) -> None:
    load_demo(empty_database)
    with empty_database.connect() as connection:
        counts = dict(
            connection.execute(
                text(
                    "SELECT name, sum(feature_count)::int FROM layer_changes"
                    " JOIN layers ON layers.id = layer_id GROUP BY name"
                )
            ).all()
        )
        assert counts == {PLAN["layers"][key]["name"]: len(_features(key)) for key in VECTORS}
        threads = connection.execute(
            text(
                "SELECT count(*) FILTER (WHERE c.parent_id IS NULL) AS roots,"
                " count(*) FILTER (WHERE c.resolved_at IS NOT NULL) AS resolved,"
                " bool_and(c.parent_id IS NULL OR (p.map_id, p.layer_id, p.feature_id)"
                "   IS NOT DISTINCT FROM (c.map_id, c.layer_id, c.feature_id)) AS consistent,"
                " bool_and(c.feature_id IS NULL OR f.id IS NOT NULL) AS features_exist"
                " FROM comments c LEFT JOIN comments p ON p.id = c.parent_id"
                " LEFT JOIN layer_features f ON f.layer_id = c.layer_id AND f.id = c.feature_id"
            )
        ).one()
        assert (threads.roots, threads.resolved) == (len(PLAN["comments"]), 1)
        assert threads.consistent
        assert threads.features_exist


def _rows(engine: Engine) -> list[int]:
    tables = ("users", "maps", "layers", "map_layers", "layer_features", "comments")
    with engine.connect() as connection:
        return [
            connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in tables
        ]


def test_it_is_loaded_once(empty_database: Engine) -> None:
    with ThreadPoolExecutor(3) as threads:
        summaries = list(threads.map(lambda _: load_demo(empty_database), range(3)))
    assert sorted(bool(summary.layers) for summary in summaries) == [False, False, True]
    before = _rows(empty_database)
    with empty_database.begin() as connection:
        connection.execute(text("DELETE FROM layers WHERE name = 'Ports'"))
        connection.execute(text("UPDATE maps SET name = 'Ours'"))
    changed = _rows(empty_database)
    assert changed != before
    assert load_demo(empty_database) == DemoSummary()
    assert _rows(empty_database) == changed


def test_a_person_with_an_example_address_is_kept(empty_database: Engine) -> None:
    with empty_database.begin() as connection:
        known = tokens.find_or_create_user(connection, PLAN["users"]["owner"]["email"])
    load_demo(empty_database)
    with empty_database.connect() as connection:
        owners = connection.execute(text("SELECT DISTINCT created_by FROM maps")).scalars().all()
    assert owners == [known]


def test_a_broken_plan_loads_nothing(empty_database: Engine, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text((FOLDER / "plan.yaml").read_text())
    with pytest.raises(DemoError, match="geojson"):
        load_demo(empty_database, tmp_path)
    assert _rows(empty_database) == [0] * 6
