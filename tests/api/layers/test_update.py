"""PUT and PATCH of a layer: its members, and who may change which."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.api.layer_requests import (
    LINE,
    Person,
    feature,
    geotiff,
    place_on_map,
    pointers,
    vector,
    wms,
)

POINT = {"type": "Point", "coordinates": [11.5, 57.5]}
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}


@pytest.fixture
def stranger(person: Callable[..., Person]) -> Person:
    return person("stranger")


def made(owner: Person, body: dict[str, Any]) -> dict[str, Any]:
    answer = owner.post(body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json or {})


def test_put_changes_what_is_sent(owner: Person) -> None:
    layer = made(owner, vector(feature(POINT), description="old", style_config={"color": "#000"}))
    answer = owner.put(layer["id"], {"name": "new", "style_config": {"lineWidth": 2}})
    assert answer.status_code == 200, answer.text
    assert answer.json["name"] == "new"
    assert answer.json["description"] == "old"
    assert answer.json["style_config"] == {"lineWidth": 2}
    assert answer.json["source_config"] == layer["source_config"]
    assert answer.json["updated_at"] > layer["updated_at"]
    assert owner.get(layer["id"]).json == answer.json
    assert owner.get(layer["id"]).headers["ETag"] == answer.headers["ETag"]


def test_patch_merges(owner: Person) -> None:
    layer = made(owner, {**wms(temporal=True, own={"a": 1, "b": 2}), "description": "old"})
    for media_type in ("application/json", "application/merge-patch+json"):
        answer = owner.patch(
            layer["id"],
            {"description": None, "source_config": {"temporal": None, "own": {"b": None, "c": 3}}},
            Content_Type=media_type,
        )
        assert answer.status_code == 200, answer.text
    config = answer.json["source_config"]
    assert answer.json["description"] is None
    assert config["own"] == {"a": 1, "c": 3}
    assert "temporal" not in config
    assert config["url"] == layer["source_config"]["url"]
    assert (
        owner.put(layer["id"], {}, Content_Type="application/merge-patch+json").status_code == 415
    )


def test_what_one_got_one_can_put_back(owner: Person) -> None:
    for body in (vector(feature(LINE), feature(None)), wms(), geotiff(url="https://x.org/a.tif")):
        layer = made(owner, {**body, "layer_metadata": {"doi": "10/1"}})
        for send in (owner.put, owner.patch):
            answer = send(layer["id"], layer)
            assert answer.status_code == 200, answer.text
            assert answer.json == layer
        tag = owner.get(layer["id"]).headers["ETag"]
        assert owner.put(layer["id"], layer, If_Match=tag).status_code == 200


def test_metadata_has_two_names(owner: Person) -> None:
    layer = made(owner, {**wms(), "metadata": {"doi": "1"}})
    assert layer["layer_metadata"] == layer["metadata"] == {"doi": "1"}
    for name, doi in (("metadata", "2"), ("layer_metadata", "3")):
        answer = owner.put(layer["id"], {**layer, name: {"doi": doi}})
        assert answer.json["metadata"] == answer.json["layer_metadata"] == {"doi": doi}
        layer = answer.json
    both = {"metadata": {"doi": "4"}, "layer_metadata": {"doi": "5"}}
    assert owner.put(layer["id"], both).status_code == 422


def test_the_source_type_never_changes(owner: Person) -> None:
    layer = made(owner, wms())
    answer = owner.put(layer["id"], {"source_type": "vector", "name": "x"})
    assert (answer.status_code, answer.json["source_type"]) == (200, "wms")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"colour": "red"}, ["/colour"]),
        ({"name": "", "editable": "nobody"}, ["/name", "/editable"]),
        ({"name": None}, ["/name"]),
        ({"source_config": {}}, ["/source_config/url", "/source_config/layers"]),
        ({"source_config": {"url": "ftp://x", "layers": "a"}}, ["/source_config/url"]),
        ({"property_schema": {}}, ["/property_schema"]),
        ({"is_global": "yes"}, ["/is_global"]),
        ([], [""]),
    ],
)
def test_faults_are_named(owner: Person, body: Any, expected: list[str]) -> None:
    layer = made(owner, wms())
    assert pointers(owner.put(layer["id"], body)) == expected
    assert owner.get(layer["id"]).json == layer


def test_stale_changes_are_refused(owner: Person) -> None:
    layer = made(owner, vector(feature(POINT)))
    tag = owner.get(layer["id"]).headers["ETag"]
    assert owner.put(layer["id"], {"name": "first"}, If_Match=tag).status_code == 200
    for send in (owner.put, owner.patch):
        assert send(layer["id"], {"name": "second"}, If_Match=tag).status_code == 412
    assert owner.put(layer["id"], {"name": "third"}, If_Match="*").status_code == 200
    answer = owner.put(f"{layer['id']}/features/1", feature(POINT))
    assert answer.status_code in {200, 404}


def test_a_changed_feature_makes_the_layers_tag_stale(owner: Person) -> None:
    layer = made(owner, vector(feature(POINT)))
    tag = owner.get(layer["id"]).headers["ETag"]
    (own,) = layer["source_config"]["geojson"]["features"]
    answer = owner.patch(f"{layer['id']}/features/{own['id']}", {"properties": {"a": 1}})
    assert answer.status_code == 200
    assert owner.put(layer["id"], {"name": "x"}, If_Match=tag).status_code == 412


def test_who_may_change_what(
    owner: Person, stranger: Person, anybody: Person, person: Callable[..., Person]
) -> None:
    layer = made(owner, vector(visibility="public"))
    assert anybody.put(layer["id"], {"name": "x"}).status_code == 401
    assert stranger.put(layer["id"], {"name": "x"}).status_code == 403
    owner.put(layer["id"], {"editable": "everyone"})
    assert stranger.put(layer["id"], {"name": "theirs"}).status_code == 200
    # A client sends back what it got: only a change asks for the right to it.
    same = {"name": "again", "editable": "everyone", "visibility": "public", "is_global": False}
    assert stranger.put(layer["id"], same).status_code == 200
    for change in ({"editable": "creator-only"}, {"visibility": "private"}, {"is_global": True}):
        assert stranger.put(layer["id"], change).status_code == 403
    reader = person("owner", scope="read")
    assert reader.put(layer["id"], {"name": "x"}).status_code == 403
    owner.put(layer["id"], {"visibility": "private"})
    assert stranger.put(layer["id"], {"name": "x"}).status_code == 404
    assert owner.get(layer["id"]).json["name"] == "again"


def test_administrators_keep_the_library(
    owner: Person, person: Callable[..., Person], empty_database: Engine
) -> None:
    admin = person("admin", admin=True)
    layer = made(owner, vector(visibility="public"))
    assert owner.patch(layer["id"], {"is_global": True}).status_code == 403
    assert admin.patch(layer["id"], {"is_global": True, "name": "mine"}).status_code == 403
    assert admin.patch(layer["id"], {"is_global": True}).status_code == 200
    assert admin.patch(layer["id"], {"name": "Ours", "visibility": "private"}).status_code == 200
    assert owner.patch(layer["id"], {"is_global": False}).status_code == 403
    # Nobody but the creator reads it after that.
    assert admin.patch(layer["id"], {"is_global": False}).status_code == 204
    assert admin.get(layer["id"]).status_code == 404
    assert owner.get(layer["id"]).json["name"] == "Ours"
    place_on_map(empty_database, admin.id, layer["id"])
    assert admin.get(layer["id"]).status_code == 200
    assert admin.patch(layer["id"], {"is_global": True}).status_code == 403


def test_a_schema_that_features_break(owner: Person) -> None:
    layer = made(owner, vector(feature(POINT, name="a"), feature(POINT, name=1), feature(LINE)))
    for change in ({"property_schema": SCHEMA}, {"geometry_type": "MultiPoint"}):
        answer = owner.put(layer["id"], change)
        assert answer.status_code == 409
        assert answer.json["detail"].startswith("1 feature does not suit")
    required = {**SCHEMA, "properties": {"name": {"type": "array"}}}
    assert (
        "2 features do not" in owner.put(layer["id"], {"property_schema": required}).json["detail"]
    )
    assert owner.get(layer["id"]).json == layer
    fitting = {"properties": {"name": {"type": ["string", "integer"]}}}
    assert owner.put(layer["id"], {"property_schema": fitting}).status_code == 200
    assert pointers(owner.put(layer["id"], {"property_schema": {"type": "array"}}))
    assert owner.patch(layer["id"], {"time_field": "name"}).status_code == 422


def test_a_schema_for_an_empty_layer(owner: Person) -> None:
    layer = made(owner, {"name": "Sites", "source_type": "vector", "property_schema": SCHEMA})
    dated = {"properties": {"since": {"type": "string", "format": "date"}}}
    answer = owner.patch(layer["id"], {"property_schema": dated, "time_field": "since"})
    assert answer.status_code == 200
    assert set(answer.json["property_schema"]["properties"]) == {"name", "since"}
    assert pointers(owner.put(layer["id"], {"property_schema": None})) == ["/time_field"]


def test_two_at_once(owner: Person, person: Callable[..., Person]) -> None:
    layer = made(owner, wms())
    for turn in range(50):
        tag = owner.get(layer["id"]).headers["ETag"]
        barrier = threading.Barrier(2)
        statuses: dict[str, int] = {}

        def change(name: str, tag: str = tag, barrier: Any = barrier, to: Any = statuses) -> None:
            client = owner.client.application.test_client()
            barrier.wait()
            to[name] = client.put(
                f"/api/v1/layers/{layer['id']}",
                json={"name": name},
                headers={**owner.headers, "If-Match": tag},
            ).status_code

        names = [f"{turn} {letter}" for letter in "ab"]
        threads = [threading.Thread(target=change, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses.values()) == [200, 412]
        (winner,) = (name for name, status in statuses.items() if status == 200)
        assert owner.get(layer["id"]).json["name"] == winner


def test_merges_of_two_at_once_lose_nothing(owner: Person) -> None:
    layer = made(owner, wms())
    members = [f"m{number}" for number in range(20)]

    def change(name: str) -> None:
        client = owner.client.application.test_client()
        client.patch(
            f"/api/v1/layers/{layer['id']}",
            json={"style_config": {name: 1}},
            headers=owner.headers,
        )

    threads = [threading.Thread(target=change, args=(name,)) for name in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(owner.get(layer["id"]).json["style_config"]) == sorted(members)
