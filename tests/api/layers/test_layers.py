"""`/api/v1/layers`: making, reading and deleting layers."""

import uuid

import pytest
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from tests.api.layer_requests import (
    LAYERS,
    LINE,
    RING,
    Caller,
    MakeCaller,
    add_to_map,
    feature,
    vector,
)
from tests.statements import statements


def test_a_drawn_layer_is_returned_and_is_a_collection(owner: Caller, anonymous: Caller) -> None:
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
    returned = [f["properties"] for f in config["geojson"]["features"]]
    assert returned == [f["properties"] for f in drawn]
    assert all(isinstance(f["id"], int) for f in config["geojson"]["features"])
    assert config["featureCount"] == layer["feature_count"] == 3
    assert config["bounds"] == layer["bounds"] == [11.0, 56.5, 12.5, 57.5]
    assert layer["layer_metadata"] == layer["metadata"] == {"author": "A. Sea"}
    assert layer["property_schema"] is None
    assert layer["geometry_type"] is None
    assert layer["features"] == layer["map_layers"] == []
    assert layer["created_by"] == layer["creator"]["id"] == str(owner.id)
    assert layer["can_edit"] is True
    read = anonymous.get(layer["id"])
    assert read.json
    assert read.json == {
        **layer,
        "can_edit": False,
        "creator": {**layer["creator"], "email": None},
    }
    for link in layer["links"]:
        if link["rel"] != "hub":  # a stream, which only a server sends
            assert anonymous.client.get(link["href"]).status_code == 200
    items = anonymous.client.get(f"/ogc/collections/{layer['id']}/items").json
    assert items
    assert [f["properties"] for f in items["features"]] == returned


def test_features_are_stored_only_in_their_table(owner: Caller, engine: Engine) -> None:
    assert owner.post(vector(feature(LINE))).status_code == 201
    with engine.connect() as connection:
        config = connection.execute(text("SELECT source_config FROM layers")).scalar_one()
        writer = connection.execute(text("SELECT created_by FROM layer_features")).scalar_one()
    assert config == {"geometryType": "Polygon"}
    assert writer == owner.id


def test_who_may_create_a_layer(make_caller: MakeCaller, anonymous: Caller) -> None:
    refused = anonymous.post(vector())
    assert refused.status_code == 401
    assert "WWW-Authenticate" in refused.headers
    assert make_caller("reader", "read").post(vector()).status_code == 403
    assert make_caller("owner").post(vector(is_global=True)).status_code == 403
    assert make_caller("chief", admin=True).post(vector(is_global=True)).status_code == 201
    assert anonymous.client.post(f"{LAYERS}?x=1", json=vector()).status_code == 401
    assert make_caller("owner").post(vector(), query_string={"x": "1"}).status_code == 400


def test_who_may_read_and_delete_a_layer(make_caller: MakeCaller, anonymous: Caller) -> None:
    owner, other = make_caller("owner"), make_caller("other")
    private = owner.post(vector()).json
    public = owner.post(vector(visibility="public", editable="everyone")).json
    assert private
    assert public
    for stranger in (anonymous, other):
        assert stranger.get(private["id"]).status_code == 404
        assert stranger.delete(private["id"]).status_code == 404
        assert stranger.get(public["id"]).status_code == 200
    assert anonymous.delete(public["id"]).status_code == 401
    assert other.delete(public["id"]).status_code == 403
    assert make_caller("owner", "read").delete(public["id"]).status_code == 403
    assert (other.get(public["id"]).json or {})["can_edit"] is True
    assert (make_caller("other", "read").get(public["id"]).json or {})["can_edit"] is False
    assert owner.delete(public["id"]).status_code == 204
    assert owner.get(public["id"]).status_code == 404
    assert anonymous.client.get(f"/ogc/collections/{public['id']}").status_code == 404
    for unknown in (str(uuid.uuid4()), "x", private["id"].replace("-", "")):
        assert owner.get(unknown).status_code == 404
        assert owner.delete(unknown).status_code == 404


def test_only_maps_that_the_caller_may_read_are_listed(
    make_caller: MakeCaller, anonymous: Caller, engine: Engine
) -> None:
    owner, other = make_caller("owner"), make_caller("other")
    layer = owner.post(vector(visibility="public")).json
    assert layer
    own_map = add_to_map(engine, owner.id, layer["id"])
    public_map = add_to_map(engine, other.id, layer["id"], "public")
    listed = {
        caller: [entry["map_id"] for entry in (reader.get(layer["id"]).json or {})["map_layers"]]
        for caller, reader in (("owner", owner), ("other", other), ("anybody", anonymous))
    }
    assert listed == {
        "owner": [own_map, public_map],
        "other": [public_map],
        "anybody": [public_map],
    }
    entry = (anonymous.get(layer["id"]).json or {})["map_layers"][0]
    assert sorted(entry) == ["created_at", "id", "map_id", "opacity", "order", "visible"]


def test_the_creators_email_is_for_who_has_invited_by_it(
    make_caller: MakeCaller, engine: Engine
) -> None:
    owner, other = make_caller("owner"), make_caller("other")
    layer = owner.post(vector(visibility="public")).json
    assert layer
    assert layer["creator"]["email"] == "owner@example.org"
    add_to_map(engine, owner.id, layer["id"], "public")
    map_id = add_to_map(engine, other.id, layer["id"], "public")
    insert = "INSERT INTO map_collaborators (map_id, user_id) VALUES (:map, :user)"
    with engine.begin() as connection:
        connection.execute(text(insert), {"map": map_id, "user": owner.id})
    assert (other.get(layer["id"]).json or {})["creator"]["email"] is None
    invite = "UPDATE map_collaborators SET invited_email = 'owner@example.org'"
    with engine.begin() as connection:
        connection.execute(text(invite))
    assert (other.get(layer["id"]).json or {})["creator"]["email"] == "owner@example.org"


def test_a_layer_on_maps_of_others_is_deleted_by_force_only(
    make_caller: MakeCaller, engine: Engine
) -> None:
    owner, other = make_caller("owner"), make_caller("other")
    layer = owner.post(vector(feature(LINE), visibility="public")).json
    assert layer
    add_to_map(engine, owner.id, layer["id"])
    for _ in range(2):
        add_to_map(engine, other.id, layer["id"])
    refused = owner.delete(layer["id"])
    assert refused.status_code == 409
    assert refused.json
    assert "2 maps" in refused.json["detail"]
    assert owner.delete(layer["id"], "?force=false").status_code == 409
    assert owner.delete(layer["id"], "?force=yes").status_code == 400
    assert owner.delete(layer["id"], "?force=true").status_code == 204
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM layer_features")).scalar_one() == 0


def test_large_layers_are_returned_as_pictures(
    make_caller: MakeCaller, empty_database: Engine
) -> None:
    owner = make_caller("owner")
    app = create_app(Settings(_env_file=None, inline_features=2), empty_database)
    few = owner.post(vector(feature(LINE), feature(LINE))).json
    many = owner.post(vector(*[feature(LINE)] * 3)).json
    wide = owner.post(vector(feature(LINE, text="x" * 2_100_000))).json
    # short coordinates are smaller as text than in the database
    stairs = {"type": "LineString", "coordinates": [[n % 9, n % 8] for n in range(50)]}
    short = owner.post(vector(*[feature(stairs)] * 3000)).json
    assert few
    assert many
    assert wide
    assert short
    limited = Caller(owner.id, app.test_client(), owner.headers)
    carried = [
        "geojson_generalized" not in (caller.get(layer["id"]).json or {})["source_config"]
        for caller, layer in ((limited, few), (limited, many), (owner, wide), (owner, short))
    ]
    assert carried == [True, False, False, True]
    left_out = owner.get(few["id"], query_string={"inline": "false"}).json
    assert left_out
    assert "geojson" not in left_out["source_config"]
    assert left_out["feature_count"] == 2
    assert owner.get(few["id"], query_string={"inline": "no"}).status_code == 400
    assert owner.get(few["id"], query_string={"outline": "1"}).status_code == 400


def test_an_entity_tag_follows_the_response(owner: Caller, engine: Engine) -> None:
    created = owner.post(vector(feature(LINE)))
    assert created.json
    layer_id = created.json["id"]
    tag = created.headers["ETag"]
    assert owner.get(layer_id).headers["ETag"] == tag
    conditional = {**owner.headers, "If-None-Match": tag}
    address = f"{LAYERS}/{layer_id}"
    assert owner.client.get(address, headers=conditional).status_code == 304
    assert owner.client.get(f"{address}?inline=false", headers=conditional).status_code == 200
    add_to_map(engine, owner.id, layer_id)
    assert owner.client.get(address, headers=conditional).status_code == 200


def test_a_stale_precondition_keeps_the_layer(owner: Caller, engine: Engine) -> None:
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


def test_head_and_options(owner: Caller) -> None:
    layer = owner.post(vector(feature(LINE))).json
    assert layer
    address = f"{LAYERS}/{layer['id']}"
    head = owner.client.head(address, headers=owner.headers)
    response = owner.get(layer["id"])
    assert head.status_code == 200
    assert head.data == b""
    assert head.headers["ETag"] == response.headers["ETag"]
    assert head.headers["Content-Length"] == str(len(response.data))
    for path, methods in ((address, {"GET", "HEAD", "DELETE"}), (LAYERS, {"POST"})):
        response = owner.client.options(path)
        assert response.status_code == 200
        assert methods <= set(response.headers["Allow"].split(", "))
    not_allowed = owner.client.patch(LAYERS, json={}, headers=owner.headers)
    assert not_allowed.status_code == 405
    assert "POST" in not_allowed.headers["Allow"]


@pytest.mark.parametrize("size", [1, 50])
def test_the_number_of_statements_does_not_grow(owner: Caller, engine: Engine, size: int) -> None:
    body = vector(*[feature(LINE, name=str(n)) for n in range(size)], visibility="public")
    owner.get(str(uuid.uuid4()))  # a token's first use is noted
    with statements() as creating:
        layer = owner.post(body).json
    assert layer
    for _ in range(size):
        add_to_map(engine, owner.id, layer["id"], "public")
    with statements() as reading:
        assert len((owner.get(layer["id"]).json or {})["map_layers"]) == size
    with statements() as deleting:
        assert owner.delete(layer["id"]).status_code == 204
    assert (len(creating), len(reading), len(deleting)) == (10, 3, 6)
