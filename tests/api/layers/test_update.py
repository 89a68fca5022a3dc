"""PUT and PATCH of a layer: its members, and who may change which."""

import threading
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.api.layer_requests import (
    LINE,
    Caller,
    MakeCaller,
    add_to_map,
    feature,
    geotiff,
    pointers,
    vector,
    wms,
)

POINT = {"type": "Point", "coordinates": [11.5, 57.5]}
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}


@pytest.fixture
def stranger(make_caller: MakeCaller) -> Caller:
    return make_caller("stranger")


def created(owner: Caller, body: dict[str, Any]) -> dict[str, Any]:
    response = owner.post(body)
    assert response.status_code == 201, response.text
    return dict(response.json or {})


def test_put_changes_what_is_sent(owner: Caller) -> None:
    layer = created(
        owner, vector(feature(POINT), description="old", style_config={"color": "#000"})
    )
    response = owner.put(layer["id"], {"name": "new", "style_config": {"lineWidth": 2}})
    assert response.status_code == 200, response.text
    assert response.json["name"] == "new"
    assert response.json["description"] == "old"
    assert response.json["style_config"] == {"lineWidth": 2}
    assert response.json["source_config"] == layer["source_config"]
    assert response.json["updated_at"] > layer["updated_at"]
    assert owner.get(layer["id"]).json == response.json
    assert owner.get(layer["id"]).headers["ETag"] == response.headers["ETag"]


def test_patch_merges(owner: Caller) -> None:
    layer = created(owner, {**wms(temporal=True, own={"a": 1, "b": 2}), "description": "old"})
    for media_type in ("application/json", "application/merge-patch+json"):
        response = owner.patch(
            layer["id"],
            {"description": None, "source_config": {"temporal": None, "own": {"b": None, "c": 3}}},
            Content_Type=media_type,
        )
        assert response.status_code == 200, response.text
    config = response.json["source_config"]
    assert response.json["description"] is None
    assert config["own"] == {"a": 1, "c": 3}
    assert "temporal" not in config
    assert config["url"] == layer["source_config"]["url"]
    assert (
        owner.put(layer["id"], {}, Content_Type="application/merge-patch+json").status_code == 415
    )


def test_a_response_can_be_sent_back(owner: Caller) -> None:
    for body in (vector(feature(LINE), feature(None)), wms(), geotiff(url="https://x.org/a.tif")):
        layer = created(owner, {**body, "layer_metadata": {"doi": "10/1"}})
        for send in (owner.put, owner.patch):
            response = send(layer["id"], layer)
            assert response.status_code == 200, response.text
            assert response.json == layer
        tag = owner.get(layer["id"]).headers["ETag"]
        assert owner.put(layer["id"], layer, If_Match=tag).status_code == 200


def test_metadata_has_two_names(owner: Caller) -> None:
    layer = created(owner, {**wms(), "metadata": {"doi": "1"}})
    assert layer["layer_metadata"] == layer["metadata"] == {"doi": "1"}
    for name, doi in (("metadata", "2"), ("layer_metadata", "3")):
        response = owner.put(layer["id"], {**layer, name: {"doi": doi}})
        assert response.json["metadata"] == response.json["layer_metadata"] == {"doi": doi}
        layer = response.json
    both = {"metadata": {"doi": "4"}, "layer_metadata": {"doi": "5"}}
    assert owner.put(layer["id"], both).status_code == 422


def test_the_source_type_never_changes(owner: Caller) -> None:
    layer = created(owner, wms())
    response = owner.put(layer["id"], {"source_type": "vector", "name": "x"})
    assert (response.status_code, response.json["source_type"]) == (200, "wms")


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
def test_faults_are_reported(owner: Caller, body: Any, expected: list[str]) -> None:
    layer = created(owner, wms())
    assert pointers(owner.put(layer["id"], body)) == expected
    assert owner.get(layer["id"]).json == layer


def test_stale_changes_are_refused(owner: Caller) -> None:
    layer = created(owner, vector(feature(POINT)))
    tag = owner.get(layer["id"]).headers["ETag"]
    assert owner.put(layer["id"], {"name": "first"}, If_Match=tag).status_code == 200
    for send in (owner.put, owner.patch):
        assert send(layer["id"], {"name": "second"}, If_Match=tag).status_code == 412
    assert owner.put(layer["id"], {"name": "third"}, If_Match="*").status_code == 200
    response = owner.put(f"{layer['id']}/features/1", feature(POINT))
    assert response.status_code in {200, 404}


def test_a_changed_feature_makes_the_layers_tag_stale(owner: Caller) -> None:
    layer = created(owner, vector(feature(POINT)))
    tag = owner.get(layer["id"]).headers["ETag"]
    (own,) = layer["source_config"]["geojson"]["features"]
    response = owner.patch(f"{layer['id']}/features/{own['id']}", {"properties": {"a": 1}})
    assert response.status_code == 200
    assert owner.put(layer["id"], {"name": "x"}, If_Match=tag).status_code == 412


def test_who_may_change_what(
    owner: Caller, stranger: Caller, anonymous: Caller, make_caller: MakeCaller
) -> None:
    layer = created(owner, vector(visibility="public"))
    assert anonymous.put(layer["id"], {"name": "x"}).status_code == 401
    assert stranger.put(layer["id"], {"name": "x"}).status_code == 403
    owner.put(layer["id"], {"editable": "everyone"})
    assert stranger.put(layer["id"], {"name": "theirs"}).status_code == 200
    # A client sends back the response: only changes need the permission.
    same = {"name": "again", "editable": "everyone", "visibility": "public", "is_global": False}
    assert stranger.put(layer["id"], same).status_code == 200
    for change in ({"editable": "creator-only"}, {"visibility": "private"}, {"is_global": True}):
        assert stranger.put(layer["id"], change).status_code == 403
    reader = make_caller("owner", scope="read")
    assert reader.put(layer["id"], {"name": "x"}).status_code == 403
    owner.put(layer["id"], {"visibility": "private"})
    assert stranger.put(layer["id"], {"name": "x"}).status_code == 404
    assert owner.get(layer["id"]).json["name"] == "again"


def test_administrators_maintain_the_library(
    owner: Caller, make_caller: MakeCaller, empty_database: Engine
) -> None:
    admin = make_caller("admin", admin=True)
    layer = created(owner, vector(visibility="public"))
    assert owner.patch(layer["id"], {"is_global": True}).status_code == 403
    assert admin.patch(layer["id"], {"is_global": True, "name": "mine"}).status_code == 403
    assert admin.patch(layer["id"], {"is_global": True}).status_code == 200
    assert admin.patch(layer["id"], {"name": "Ours", "visibility": "private"}).status_code == 200
    assert owner.patch(layer["id"], {"is_global": False}).status_code == 403
    # Only the creator may read it after that.
    assert admin.patch(layer["id"], {"is_global": False}).status_code == 204
    assert admin.get(layer["id"]).status_code == 404
    assert owner.get(layer["id"]).json["name"] == "Ours"
    add_to_map(empty_database, admin.id, layer["id"])
    assert admin.get(layer["id"]).status_code == 200
    assert admin.patch(layer["id"], {"is_global": True}).status_code == 403


def test_a_schema_that_features_break(owner: Caller) -> None:
    layer = created(owner, vector(feature(POINT, name="a"), feature(POINT, name=1), feature(LINE)))
    for change in ({"property_schema": SCHEMA}, {"geometry_type": "MultiPoint"}):
        response = owner.put(layer["id"], change)
        assert response.status_code == 409
        assert response.json["detail"].startswith("1 feature does not suit")
    required = {**SCHEMA, "properties": {"name": {"type": "array"}}}
    assert (
        "2 features do not" in owner.put(layer["id"], {"property_schema": required}).json["detail"]
    )
    assert owner.get(layer["id"]).json == layer
    fitting = {"properties": {"name": {"type": ["string", "integer"]}}}
    assert owner.put(layer["id"], {"property_schema": fitting}).status_code == 200
    assert pointers(owner.put(layer["id"], {"property_schema": {"type": "array"}}))
    assert owner.patch(layer["id"], {"time_field": "name"}).status_code == 422


def test_a_schema_for_an_empty_layer(owner: Caller) -> None:
    layer = created(owner, {"name": "Sites", "source_type": "vector", "property_schema": SCHEMA})
    dated = {"properties": {"since": {"type": "string", "format": "date"}}}
    response = owner.patch(layer["id"], {"property_schema": dated, "time_field": "since"})
    assert response.status_code == 200
    assert set(response.json["property_schema"]["properties"]) == {"name", "since"}
    assert pointers(owner.put(layer["id"], {"property_schema": None})) == ["/time_field"]


def test_two_concurrent_requests(owner: Caller, make_caller: MakeCaller) -> None:
    layer = created(owner, wms())
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


def test_two_concurrent_merges_lose_nothing(owner: Caller) -> None:
    layer = created(owner, wms())
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
