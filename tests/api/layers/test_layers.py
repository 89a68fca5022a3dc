"""`/api/v1/layers`: making, reading and deleting layers."""

import uuid
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from tests.api.layer_requests import LAYERS, LINE, RING, Person, feature, place_on_map, vector
from tests.statements import statements


def test_what_is_drawn_is_answered_and_is_a_collection(owner: Person, anybody: Person) -> None:
    drawn = [
        feature(LINE, name="Ferry", featureType="LineString"),
        feature({"type": "Polygon", "coordinates": [RING]}, name='Site <1> & \\ "2" åäö'),
        feature({"type": "Point", "coordinates": [12.5, 56.5, -18.25]}, name="Wreck", icon="x"),
    ]
    created = owner.post(
        vector(
            *drawn,
            description=None,
            category=None,
            editable="creator-only",
            is_global=False,
            visibility="public",
            creation_source="layer_creator",
            style_config={"color": "#ff0000", "lineWidth": 2, "fillPolygons": True},
            layer_metadata={"author": "A. Sea"},
        )
    )
    assert created.status_code == 201, created.text
    layer = created.json
    assert layer
    assert created.headers["Location"].endswith(f"{LAYERS}/{layer['id']}")
    config = layer["source_config"]
    assert [f["geometry"] for f in config["geojson"]["features"]] == [f["geometry"] for f in drawn]
    found = [f["properties"] for f in config["geojson"]["features"]]
    assert found == [f["properties"] for f in drawn]
    assert all(isinstance(f["id"], int) for f in config["geojson"]["features"])
    assert config["featureCount"] == layer["feature_count"] == 3
    assert config["bounds"] == layer["bounds"] == [11.0, 56.5, 12.5, 57.5]
    assert layer["layer_metadata"] == layer["metadata"] == {"author": "A. Sea"}
    assert layer["property_schema"] is None
    assert layer["geometry_type"] is None
    assert layer["features"] == layer["map_layers"] == []
    assert layer["created_by"] == layer["creator"]["id"] == str(owner.id)
    assert layer["can_edit"] is True
    read = anybody.get(layer["id"])
    assert read.json
    assert read.json == {
        **layer,
        "can_edit": False,
        "creator": {**layer["creator"], "email": None},
    }
    for link in layer["links"]:
        assert anybody.client.get(link["href"]).status_code == 200
    items = anybody.client.get(f"/ogc/collections/{layer['id']}/items").json
    assert items
    assert [f["properties"] for f in items["features"]] == found


def test_features_live_nowhere_but_in_their_table(owner: Person, engine: Engine) -> None:
    assert owner.post(vector(feature(LINE))).status_code == 201
    with engine.connect() as connection:
        config = connection.execute(text("SELECT source_config FROM layers")).scalar_one()
        writer = connection.execute(text("SELECT created_by FROM layer_features")).scalar_one()
    assert config == {"geometryType": "Polygon"}
    assert writer == owner.id


def test_who_may_make_a_layer(person: Callable[..., Person], anybody: Person) -> None:
    refused = anybody.post(vector())
    assert refused.status_code == 401
    assert "WWW-Authenticate" in refused.headers
    assert person("reader", "read").post(vector()).status_code == 403
    assert person("owner").post(vector(is_global=True)).status_code == 403
    assert person("chief", admin=True).post(vector(is_global=True)).status_code == 201
    assert anybody.client.post(f"{LAYERS}?x=1", json=vector()).status_code == 401
    assert person("owner").post(vector(), query_string={"x": "1"}).status_code == 400


def test_who_may_read_and_delete_a_layer(person: Callable[..., Person], anybody: Person) -> None:
    owner, other = person("owner"), person("other")
    private = owner.post(vector()).json
    public = owner.post(vector(visibility="public", editable="everyone")).json
    assert private
    assert public
    for stranger in (anybody, other):
        assert stranger.get(private["id"]).status_code == 404
        assert stranger.delete(private["id"]).status_code == 404
        assert stranger.get(public["id"]).status_code == 200
    assert anybody.delete(public["id"]).status_code == 401
    assert other.delete(public["id"]).status_code == 403
    assert person("owner", "read").delete(public["id"]).status_code == 403
    assert (other.get(public["id"]).json or {})["can_edit"] is True
    assert (person("other", "read").get(public["id"]).json or {})["can_edit"] is False
    assert owner.delete(public["id"]).status_code == 204
    assert owner.get(public["id"]).status_code == 404
    assert anybody.client.get(f"/ogc/collections/{public['id']}").status_code == 404
    for unknown in (str(uuid.uuid4()), "x", private["id"].replace("-", "")):
        assert owner.get(unknown).status_code == 404
        assert owner.delete(unknown).status_code == 404


def test_only_maps_that_the_caller_may_read_are_named(
    person: Callable[..., Person], anybody: Person, engine: Engine
) -> None:
    owner, other = person("owner"), person("other")
    layer = owner.post(vector(visibility="public")).json
    assert layer
    own = place_on_map(engine, owner.id, layer["id"])
    shown = place_on_map(engine, other.id, layer["id"], "public")
    seen = {
        caller: [entry["map_id"] for entry in (person_.get(layer["id"]).json or {})["map_layers"]]
        for caller, person_ in (("owner", owner), ("other", other), ("anybody", anybody))
    }
    assert seen == {"owner": [own, shown], "other": [shown], "anybody": [shown]}
    entry = (anybody.get(layer["id"]).json or {})["map_layers"][0]
    assert sorted(entry) == ["created_at", "id", "map_id", "opacity", "order", "visible"]


def test_the_creators_email_is_for_those_of_a_common_map(
    person: Callable[..., Person], engine: Engine
) -> None:
    owner, other = person("owner"), person("other")
    layer = owner.post(vector(visibility="public")).json
    assert layer
    assert layer["creator"]["email"] == "owner@example.org"
    map_id = place_on_map(engine, owner.id, layer["id"], "public")
    assert (other.get(layer["id"]).json or {})["creator"]["email"] is None
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO map_collaborators (map_id, user_id) VALUES (:map, :user)"),
            {"map": map_id, "user": other.id},
        )
    assert (other.get(layer["id"]).json or {})["creator"]["email"] == "owner@example.org"


def test_a_layer_on_maps_of_others_is_deleted_by_force_only(
    person: Callable[..., Person], engine: Engine
) -> None:
    owner, other = person("owner"), person("other")
    layer = owner.post(vector(feature(LINE), visibility="public")).json
    assert layer
    place_on_map(engine, owner.id, layer["id"])
    for _ in range(2):
        place_on_map(engine, other.id, layer["id"])
    refused = owner.delete(layer["id"])
    assert refused.status_code == 409
    assert refused.json
    assert "2 maps" in refused.json["detail"]
    assert owner.delete(layer["id"], "?force=false").status_code == 409
    assert owner.delete(layer["id"], "?force=yes").status_code == 400
    assert owner.delete(layer["id"], "?force=true").status_code == 204
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM layer_features")).scalar_one() == 0


def test_large_layers_are_answered_without_their_features(
    person: Callable[..., Person], empty_database: Engine
) -> None:
    owner = person("owner")
    app = create_app(Settings(_env_file=None, inline_features=2), empty_database)
    few = owner.post(vector(feature(LINE), feature(LINE))).json
    many = owner.post(vector(*[feature(LINE)] * 3)).json
    wide = owner.post(vector(feature(LINE, text="x" * 600_000))).json
    # short coordinates take less room as text than they do in the database
    stairs = {"type": "LineString", "coordinates": [[n % 9, n % 8] for n in range(50)]}
    short = owner.post(vector(*[feature(stairs)] * 900)).json
    assert few
    assert many
    assert wide
    assert short
    limited = Person(owner.id, app.test_client(), owner.headers)
    carried = [
        "geojson" in (caller.get(layer["id"]).json or {})["source_config"]
        for caller, layer in ((limited, few), (limited, many), (owner, wide), (owner, short))
    ]
    assert carried == [True, False, False, True]
    left_out = owner.get(few["id"], query_string={"inline": "false"}).json
    assert left_out
    assert "geojson" not in left_out["source_config"]
    assert left_out["feature_count"] == 2
    assert owner.get(few["id"], query_string={"inline": "no"}).status_code == 400
    assert owner.get(few["id"], query_string={"outline": "1"}).status_code == 400


def test_an_entity_tag_follows_the_answer(owner: Person, engine: Engine) -> None:
    created = owner.post(vector(feature(LINE)))
    assert created.json
    layer_id = created.json["id"]
    tag = created.headers["ETag"]
    assert owner.get(layer_id).headers["ETag"] == tag
    conditional = {**owner.headers, "If-None-Match": tag}
    address = f"{LAYERS}/{layer_id}"
    assert owner.client.get(address, headers=conditional).status_code == 304
    assert owner.client.get(f"{address}?inline=false", headers=conditional).status_code == 200
    place_on_map(engine, owner.id, layer_id)
    assert owner.client.get(address, headers=conditional).status_code == 200


def test_a_stale_precondition_keeps_the_layer(owner: Person, engine: Engine) -> None:
    created = owner.post(vector(feature(LINE)))
    assert created.json
    layer_id, tag = created.json["id"], created.headers["ETag"]
    with engine.begin() as connection:
        connection.execute(text("""UPDATE layer_features SET properties = '{"a": 1}'"""))
    for stale in (tag, '"x"', "", f"W/{tag}"):
        assert owner.delete(layer_id, **{"If-Match": stale}).status_code == 412
    fresh = owner.get(layer_id, query_string={"inline": "false"}).headers["ETag"]
    assert owner.delete(layer_id, **{"If-Match": f'"x", {fresh}'}).status_code == 204
    other = owner.post(vector()).json
    assert other
    assert owner.delete(other["id"], **{"If-Match": "*"}).status_code == 204


def test_head_and_options(owner: Person) -> None:
    layer = owner.post(vector(feature(LINE))).json
    assert layer
    address = f"{LAYERS}/{layer['id']}"
    head = owner.client.head(address, headers=owner.headers)
    whole = owner.get(layer["id"])
    assert head.status_code == 200
    assert head.data == b""
    assert head.headers["ETag"] == whole.headers["ETag"]
    assert head.headers["Content-Length"] == str(len(whole.data))
    for path, methods in ((address, {"GET", "HEAD", "DELETE"}), (LAYERS, {"POST"})):
        answer = owner.client.options(path)
        assert answer.status_code == 200
        assert methods <= set(answer.headers["Allow"].split(", "))
    wrong = owner.client.patch(LAYERS, json={}, headers=owner.headers)
    assert wrong.status_code == 405
    assert "POST" in wrong.headers["Allow"]


@pytest.mark.parametrize("size", [1, 50])
def test_the_number_of_statements_does_not_grow(owner: Person, engine: Engine, size: int) -> None:
    body = vector(*[feature(LINE, name=str(n)) for n in range(size)], visibility="public")
    owner.get(str(uuid.uuid4()))  # a token's first use is noted
    with statements() as creating:
        layer = owner.post(body).json
    assert layer
    for _ in range(size):
        place_on_map(engine, owner.id, layer["id"], "public")
    with statements() as reading:
        assert len((owner.get(layer["id"]).json or {})["map_layers"]) == size
    with statements() as deleting:
        assert owner.delete(layer["id"]).status_code == 204
    assert (len(creating), len(reading), len(deleting)) == (5, 3, 6)
