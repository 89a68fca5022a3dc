"""Layers that are too large to be sent whole are sent as pictures, and not overwritten by them."""

import json
import math
import time
from typing import Any

import pytest
import shapely
from sqlalchemy import Engine, text

from samsyn_admin.layers import inline_features
from samsyn_admin.layers.simplification_notice import NOTICE
from samsyn_provider.features import pictures
from tests.api.layer_requests import LINE, Caller, collection, feature, vector
from tests.statements import statements

POINT = {"type": "Point", "coordinates": [11.1, 57.5]}
TOO_LARGE = "This layer is too large to edit here: use QGIS."


def ring(x: float, y: float, radius: float, positions: int) -> list[list[float]]:
    turns = [2 * math.pi * n / positions for n in range(positions)]
    around = [[x + radius * math.cos(a), y + radius * math.sin(a)] for a in turns]
    return [*around, around[0]]


def filled(owner: Caller, engine: Engine, statement: str) -> str:
    """Return a new layer with the features that a SELECT returns: `geom` and `properties`."""
    layer = owner.post(vector()).json
    assert layer
    insert = f"INSERT INTO layer_features (layer_id, geom, properties) SELECT :layer, {statement}"
    with engine.begin() as connection:
        connection.execute(text(insert), {"layer": layer["id"]})
    return str(layer["id"])


def picture_of(owner: Caller, layer_id: str) -> list[Any]:
    config = owner.get(layer_id).json["source_config"]
    assert config["geojson_generalized"] is True
    assert len(json.dumps(config["geojson"], separators=(",", ":"))) <= pictures.MAX_PICTURE
    features = config["geojson"]["features"]
    assert all(set(member) == {"type", "geometry", "properties"} for member in features)
    return list(features)


def test_a_picture_shows_all_of_a_layer(owner: Caller, empty_database: Engine) -> None:
    """Few large polygons stay recognisable; of many points no region is empty."""
    coasts = [
        feature({"type": "Polygon", "coordinates": [ring(x, 57, 0.4, 20_000)]}, name=f"c {x}", n=x)
        for x in range(10, 16)
    ]
    layer = owner.post(vector(*coasts)).json
    assert layer
    shown = picture_of(owner, layer["id"])
    assert [member["properties"] for member in shown] == [{"name": f"c {x}"} for x in range(10, 16)]
    for member, coast in zip(shown, coasts, strict=True):
        assert member["geometry"]["type"] == "MultiPolygon"
        one, other = (shapely.from_geojson(json.dumps(f["geometry"])) for f in (member, coast))
        assert one.symmetric_difference(other).area < 0.01 * other.area
    grid = 'ST_SetSRID(ST_MakePoint(n % 200 / 20.0, n / 200 / 20.0), 4326), \'{"name": "x"}\''
    points = picture_of(
        owner, filled(owner, empty_database, f"{grid} FROM generate_series(0, 39999) AS n")
    )
    places = {tuple(map(int, member["geometry"]["coordinates"][0])) for member in points}
    assert places == {(x, y) for x in range(10) for y in range(10)}
    assert len(points) > 2000


def test_a_picture_has_every_kind_of_geometry(
    owner: Caller, empty_database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline_features, "INLINE_SIZE", 10)
    kinds: list[Any] = [
        POINT,
        LINE,
        {"type": "Point", "coordinates": [1, 2, 3]},
        {"type": "Polygon", "coordinates": [ring(11, 57, 1e-9, 5)]},
        {"type": "GeometryCollection", "geometries": [POINT, LINE]},
        None,
    ]
    layer = owner.post(vector(*map(feature, kinds))).json
    assert layer
    kinds_shown = [member["geometry"]["type"] for member in picture_of(owner, layer["id"])]
    assert {"MultiLineString", "GeometryCollection", "MultiPoint"} <= set(kinds_shown)
    empty = filled(owner, empty_database, "NULL, '{}' FROM generate_series(1, 5001)")
    assert picture_of(owner, empty) == []
    nothing = filled(
        owner, empty_database, "'SRID=4326;POINT EMPTY', '{}' FROM generate_series(1, 5001)"
    )
    assert picture_of(owner, nothing) == []


def test_a_picture_is_bounded_however_many_features_there_are(
    owner: Caller, empty_database: Engine
) -> None:
    """Thousands of lines that are all large: those that do not fit are left out."""
    line = "ST_MakeLine(ST_MakePoint(10 + sin(n) * k, 55 + cos(n * k)), ST_MakePoint(k, n % 60))"
    lines = f"""(SELECT ST_SetSRID(ST_Collect({line}), 4326) FROM generate_series(1, 30) AS k),
        jsonb_build_object('name', repeat('n', 90)) FROM generate_series(1, 6000) AS n"""
    assert len(picture_of(owner, filled(owner, empty_database, lines))) > 100


def test_a_picture_is_made_once_a_version(owner: Caller, empty_database: Engine) -> None:
    points = "ST_SetSRID(ST_MakePoint(n / 1000.0, 55), 4326), '{}' FROM generate_series(1, 5001) n"
    layer = filled(owner, empty_database, points)

    def made() -> int:
        with statements() as executed:
            assert owner.list().status_code == 200
        return sum("AS picture" in statement for statement in executed)

    assert [made(), made()] == [1, 0]
    added = owner.send("POST", f"{layer}/features", feature({**POINT, "coordinates": [60, 60]}))
    assert added.status_code == 201
    assert [made(), made()] == [1, 0]
    far = [m for m in picture_of(owner, layer) if m["geometry"]["coordinates"][0] == [60, 60]]
    assert len(far) == 1


def test_a_picture_is_not_saved_over_its_layer(
    owner: Caller, empty_database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = owner.post(vector(*[feature(LINE, name=str(n)) for n in range(200)])).json
    assert layer
    count = layer["feature_count"]
    assert len(json.dumps(layer["source_config"]["geojson"])) > inline_features.ALWAYS_WHOLE
    shown = {**layer["source_config"], "geojson_generalized": True}
    # As a drawing editor that opened a picture, and so shows nothing, with one point drawn.
    unseen = {"geojson": collection(feature(POINT, name="0"))}
    for config in (shown, unseen):
        response = owner.put(layer["id"], {"source_config": config})
        assert response.status_code == 409
        assert response.json["detail"] == TOO_LARGE
    assert owner.get(layer["id"]).json["feature_count"] == count
    few = {"geojson": collection(feature(LINE, name="0"))}
    assert owner.put(layer["id"], {"source_config": few}).json["feature_count"] == 1
    assert owner.put(layer["id"], {"source_config": unseen}).json["feature_count"] == 1


def test_a_layer_that_was_just_filled_is_drawn_as_fast(
    owner: Caller, empty_database: Engine
) -> None:
    """The planner knows it as a layer of few features."""
    few = "'SRID=4326;POINT(1 1)', '{}' FROM generate_series(1, 20)"
    filled(owner, empty_database, few)
    with empty_database.begin() as connection:
        connection.execute(text("ANALYZE layer_features"))
    boxes = """ST_MakeEnvelope(x, y, x + 0.01, y + 0.01, 4326), jsonb_build_object('name', n)
        FROM (SELECT n, n % 1000 / 100.0 AS x, n / 1000 / 100.0 AS y
              FROM generate_series(1, 300000) AS n) AS places"""
    layer = filled(owner, empty_database, boxes)
    start = time.perf_counter()
    assert len(picture_of(owner, layer)) > 1000
    assert time.perf_counter() - start < 60


@pytest.fixture
def pictured(owner: Caller, monkeypatch: pytest.MonkeyPatch) -> str:
    """A layer that is answered as a picture."""
    monkeypatch.setattr(inline_features, "INLINE_SIZE", 10)
    layer = owner.post(vector(feature(LINE, name="a"))).json
    assert layer
    return str(layer["id"])


def stored_metadata(engine: Engine, layer_id: str) -> Any:
    statement = text("SELECT layer_metadata, updated_at FROM layers WHERE id = :layer")
    with engine.begin() as connection:
        return connection.execute(statement, {"layer": layer_id}).one()


def set_metadata(engine: Engine, layer_id: str, metadata: Any) -> None:
    statement = text("UPDATE layers SET layer_metadata = :metadata WHERE id = :layer")
    with engine.begin() as connection:
        connection.execute(statement, {"layer": layer_id, "metadata": json.dumps(metadata)})


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ({}, NOTICE),
        ({"author": ""}, NOTICE),
        ({"author": None}, NOTICE),
        ({"author": "SGU "}, f"SGU  · {NOTICE}"),
        ({"author": "Havs- och vattenmyndigheten", "doi": "10/1"}, None),
        ({"author": ["a", "b"]}, ["a", "b"]),
        ({"author": {"name": "a"}}, {"name": "a"}),
    ],
)
def test_the_web_app_shows_that_a_layer_is_simplified(
    owner: Caller, empty_database: Engine, pictured: str, stored: dict[str, Any], shown: Any
) -> None:
    """As the author, which is the text of `layer_metadata` in a layer's information."""
    set_metadata(empty_database, pictured, stored)
    before = stored_metadata(empty_database, pictured)
    layer = owner.get(pictured).json
    shown = f"Havs- och vattenmyndigheten · {NOTICE}" if shown is None else shown
    assert layer["layer_metadata"] == layer["metadata"] == {**stored, "author": shown}
    assert owner.list().json[0]["metadata"] == layer["metadata"]
    whole = owner.client.get(f"/api/v1/layers/{pictured}?inline=false", headers=owner.headers).json
    assert (whole or {})["layer_metadata"] == stored
    both = {name: layer[name] for name in ("layer_metadata", "metadata")}
    for body in (both, {"layer_metadata": both["metadata"]}, {"metadata": both["metadata"]}):
        for send in (owner.put, owner.patch):
            response = send(pictured, body)
            assert response.status_code == 200, response.text
            assert stored_metadata(empty_database, pictured) == before, "nothing has changed"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (f"SGU, Uppsala · {NOTICE}", "SGU, Uppsala"),
        (f"SGU {NOTICE}", "SGU"),
        (f"SGU · {NOTICE} ", "SGU"),
        (f"{NOTICE} · SGU", "SGU"),
        (f"SGU · {NOTICE} · {NOTICE}", "SGU"),
        ("Simplified", "Simplified"),
        (NOTICE, None),
        (f" · {NOTICE}", None),
    ],
)
def test_an_author_is_changed_where_it_is_shown_with_the_sentence(
    owner: Caller, empty_database: Engine, pictured: str, sent: str, expected: str | None
) -> None:
    author = {} if expected is None else {"author": expected}
    for send in (owner.put, owner.patch):
        set_metadata(empty_database, pictured, {"author": "S", "doi": "10/1"})
        response = send(pictured, {"layer_metadata": {"author": sent, "doi": "10/2"}})
        assert response.status_code == 200, response.text
        metadata, _ = stored_metadata(empty_database, pictured)
        assert metadata == {"doi": "10/2", **author}
    changed = {**owner.get(pictured).json, "metadata": {"author": sent}}
    del changed["source_config"]
    assert owner.put(pictured, changed).status_code == 200
    assert stored_metadata(empty_database, pictured)[0] == author


def test_a_copy_of_a_simplified_layer_does_not_have_the_sentence(
    owner: Caller, empty_database: Engine, pictured: str
) -> None:
    metadata = owner.get(pictured).json["metadata"]
    copy = owner.post({**vector(feature(LINE)), "metadata": metadata, "layer_metadata": metadata})
    assert copy.status_code == 201, copy.text
    assert stored_metadata(empty_database, copy.json["id"])[0] == {}
    for body in ([], 7, {"metadata": 7}, {"metadata": {"author": {}}}):
        assert owner.send("POST", "", body).status_code in {400, 422}


def test_a_whole_layer_does_not_say_that_it_is_simplified(owner: Caller) -> None:
    layer = owner.post({**vector(feature(LINE)), "metadata": {"author": "SGU"}}).json
    assert layer
    assert owner.get(layer["id"]).json["metadata"] == {"author": "SGU"}
