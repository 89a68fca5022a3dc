"""`/api/v1/layers`: making, reading and deleting layers."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text
from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_model import tokens
from samsyn_model.settings import Settings

LAYERS = "/api/v1/layers"
LINE = {"type": "LineString", "coordinates": [[11.5, 57.5], [11.9, 57.1]]}
RING = [[11.0, 57.0], [11.4, 57.0], [11.4, 57.3], [11.0, 57.0]]


@dataclass(frozen=True)
class Person:
    """A user, and a client that asks as them."""

    id: uuid.UUID
    client: FlaskClient
    headers: dict[str, str] = field(default_factory=dict)

    def post(self, body: Any, **more: Any) -> TestResponse:
        return self.client.post(LAYERS, json=body, headers=self.headers, **more)

    def get(self, layer_id: str, **more: Any) -> TestResponse:
        return self.client.get(f"{LAYERS}/{layer_id}", headers=self.headers, **more)

    def delete(self, layer_id: str, query: str = "", **headers: str) -> TestResponse:
        return self.client.delete(
            f"{LAYERS}/{layer_id}{query}", headers={**self.headers, **headers}
        )


@pytest.fixture
def app(empty_database: Engine) -> Flask:
    return create_app(
        Settings(_env_file=None, titiler_url="https://tiles.example.org"), empty_database
    )


@pytest.fixture
def person(empty_database: Engine, app: Flask) -> Callable[..., Person]:
    def make(name: str, scope: Any = "write", *, admin: bool = False) -> Person:
        email = f"{name}@example.org"
        with empty_database.begin() as connection:
            user_id = tokens.find_or_create_user(connection, email)
            token = tokens.create_token(connection, user_id, name="test", scope=scope)
            if admin:
                tokens.set_admin(connection, email)
        return Person(user_id, app.test_client(), {"Authorization": f"Bearer {token}"})

    return make


@pytest.fixture
def owner(person: Callable[..., Person]) -> Person:
    return person("owner")


@pytest.fixture
def anybody(app: Flask) -> Person:
    return Person(uuid.uuid4(), app.test_client())


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Collect the SQL that is run within the block."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def vector(*features: Any, **members: Any) -> dict[str, Any]:
    """A layer as the web frontend sends one: it says Polygon and a count whatever was drawn."""
    return {
        "name": "Drawn",
        "source_type": "vector",
        "source_config": {
            "geometryType": "Polygon",
            "featureCount": 77,
            "geojson": {"type": "FeatureCollection", "features": list(features)},
        },
        **members,
    }


def wms(**config: Any) -> dict[str, Any]:
    source = {"url": "https://wms.example.org/ows?map=sea", "layers": "depth", **config}
    return {"name": "Depth", "source_type": "wms", "source_config": source}


def geotiff(**config: Any) -> dict[str, Any]:
    return {"name": "Noise", "source_type": "geotiff", "source_config": config}


def place_on_map(
    engine: Engine, map_owner: uuid.UUID, layer_id: str, view_permission: str = "private"
) -> str:
    with engine.begin() as connection:
        map_id = connection.execute(
            text(
                "INSERT INTO maps (name, created_by, view_permission)"
                " VALUES ('A map', :owner, :view) RETURNING id"
            ),
            {"owner": map_owner, "view": view_permission},
        ).scalar_one()
        connection.execute(
            text('INSERT INTO map_layers (map_id, layer_id, "order") VALUES (:map, :layer, 0)'),
            {"map": map_id, "layer": layer_id},
        )
    return str(map_id)


def pointers(answer: TestResponse) -> list[str]:
    assert answer.status_code == 422, answer.text
    assert answer.json
    return [fault["pointer"] for fault in answer.json["errors"]]


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


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Fishing", "source_type": "vector", "source_config": {
            "gfw4wings": {"dataset": "effort", "interval": "YEAR",
                          "dateRange": {"start": "2023-01-01", "end": "2023-12-31"}},
            "geometryType": "Polygon", "featureCount": 0}},
        wms(version="1.3.0", format="image/png", transparent=True, queryable=False, temporal=True,
            timeDimension={"extent": "2011-01-01/2024-09-01/P1M", "default": "2024-09-01"}),
        geotiff(delivery="direct", url="https://x.example.org/a.tif", bounds=[10, 54, 13, 58],
                processing={"colormap": "viridis", "rescale": "0,40", "bidx": "1"}),
        {"name": "Empty", "source_type": "vector",
         "source_config": {"geometryType": "Polygon", "featureCount": 0}},
    ],
)  # fmt: skip
def test_what_the_frontend_sends_is_taken_and_kept(owner: Person, body: dict[str, Any]) -> None:
    created = owner.post(body)
    assert created.status_code == 201, created.text
    assert created.json
    answered = created.json["source_config"]
    for name, value in body["source_config"].items():
        assert answered[name] == value


def test_a_wms_layer_gets_its_defaults_and_keeps_unknown_members(owner: Person) -> None:
    layer = owner.post(wms(attribution={"title": "SMHI"})).json
    assert layer
    config = layer["source_config"]
    assert config["version"] == "1.3.0"
    assert config["format"] == "image/png"
    assert config["transparent"] is True
    assert config["attribution"] == {"title": "SMHI"}
    assert layer["links"] == []
    assert layer["bounds"] is None


def test_a_geotiff_layer_links_to_its_tiles(owner: Person) -> None:
    layer = owner.post(
        geotiff(
            url="https://x.example.org/a b.tif".replace(" ", "%20"),
            bounds=[10, 54, 13, 58],
            processing={"colormap": "viridis", "rescale": "0,40"},
        )
    ).json
    assert layer
    assert layer["bounds"] == [10, 54, 13, 58]
    assert [link["href"] for link in layer["links"]] == [
        "https://tiles.example.org/cog/tiles/WebMercatorQuad/{z}/{x}/{y}.png"
        "?url=https%3A%2F%2Fx.example.org%2Fa%2520b.tif&colormap_name=viridis&rescale=0%2C40"
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([], [""]),
        ({}, ["/name", "/source_type"]),
        (vector(name=""), ["/name"]),
        (vector(name="x" * 256), ["/name"]),
        (vector(name=7), ["/name"]),
        (vector(name="a\0b"), ["/name"]),
        (vector(name="\ud800"), ["/name"]),
        (vector(style_config={"a/b": ["\0"]}), ["/style_config/a~1b/0"]),
        (vector(feature(None, name="\0")),
         ["/source_config/geojson/features/0/properties/name"]),
        (vector(colour="red"), ["/colour"]),
        (vector(id=str(uuid.uuid4())), ["/id"]),
        (vector(category="x" * 101), ["/category"]),
        (vector(is_global="true"), ["/is_global"]),
        (vector(visibility="secret"), ["/visibility"]),
        (vector(style_config={"a": "x" * 1_100_000}), ["/style_config"]),
        (vector(metadata={"a": 1}, layer_metadata={"a": 2}), [""]),
        (vector(geometry_type="Circle"), ["/geometry_type"]),
        (vector(source_type="shapefile"), ["/source_type"]),
        (wms(url=None), ["/source_config/url"]),
        (wms(url="ftp://example.org/"), ["/source_config/url"]),
        (wms(url="https://a:b@example.org/"), ["/source_config/url"]),
        (wms(url="https://"), ["/source_config/url"]),
        (wms(url="https://example.org/\nX: y"), ["/source_config/url"]),
        (wms(url="https://[::1/"), ["/source_config/url"]),
        (wms(url="javascript:alert(1)"), ["/source_config/url"]),
        (wms(layers=""), ["/source_config/layers"]),
        (wms(timeDimension={}), ["/source_config/timeDimension/extent"]),
        (wms(geojson={}), ["/source_config/geojson"]),
        ({**wms(), "time_field": "when"}, ["/time_field"]),
        (geotiff(), ["/source_config"]),
        (geotiff(cogUrl="https://x.example.org/a.tif", bounds=[1, 2]), ["/source_config/bounds"]),
        (geotiff(url="https://x.example.org/a.tif", delivery="mail"), ["/source_config/delivery"]),
    ],
)  # fmt: skip
def test_each_broken_rule_is_named(owner: Person, body: Any, expected: list[str]) -> None:
    assert pointers(owner.post(body)) == expected


@pytest.mark.parametrize(
    ("geometry", "at"),
    [
        ("POINT(1 2)", ""),
        ({"type": "Circle", "coordinates": [1, 2]}, "/type"),
        ({"type": ["Point"], "coordinates": [1, 2]}, "/type"),
        ({"type": "Point"}, "/coordinates"),
        ({"type": "Point", "coordinates": [181, 2]}, "/coordinates"),
        ({"type": "Point", "coordinates": [1, -90.5]}, "/coordinates"),
        ({"type": "Point", "coordinates": [1, 2, 10**400]}, "/coordinates"),
        ({"type": "Point", "coordinates": [True, 2]}, "/coordinates"),
        ({"type": "Point", "coordinates": [1, 2, 3, 4]}, "/coordinates"),
        ({"type": "LineString", "coordinates": [[1, 2]]}, "/coordinates"),
        ({"type": "Polygon", "coordinates": [RING[:3]]}, "/coordinates/0"),
        ({"type": "Polygon", "coordinates": [[*RING[:3], [11.1, 57]]]}, "/coordinates/0"),
        ({"type": "MultiPolygon", "coordinates": [[RING, [["a", 1]]]]}, "/coordinates/0/1/0"),
        ({"type": "GeometryCollection", "geometries": [LINE, None]}, "/geometries/1"),
    ],
)
def test_a_broken_geometry_is_refused_and_nothing_is_kept(
    owner: Person, engine: Engine, geometry: Any, at: str
) -> None:
    found = pointers(owner.post(vector(feature(LINE), feature(geometry))))
    assert found[0] == f"/source_config/geojson/features/1/geometry{at}"
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM layers")).scalar_one() == 0


def test_every_kind_of_geometry_is_taken(owner: Person) -> None:
    mixed = {"type": "LineString", "coordinates": [[1, 2, 3], [2, 3]]}
    own_crs = {
        "type": "Point",
        "coordinates": [1, 2],
        "crs": {"type": "name", "properties": {"name": "EPSG:99999"}},
    }
    sound = [
        {"type": "MultiPoint", "coordinates": [[1, 2, 3], [1, 2, 4]]},
        {"type": "MultiLineString", "coordinates": [LINE["coordinates"]]},
        {"type": "MultiPolygon", "coordinates": [[RING], [RING]]},
        {"type": "GeometryCollection", "geometries": [LINE]},
        None,
    ]
    created = owner.post(vector(*map(feature, [*sound, mixed, own_crs])))
    assert created.status_code == 201, created.text
    assert created.json
    answered = created.json["source_config"]["geojson"]["features"]
    assert [f["geometry"] for f in answered[: len(sound)]] == sound
    assert answered[-1]["geometry"] == {"type": "Point", "coordinates": [1, 2]}


def test_a_layers_geometry_type_binds(owner: Person) -> None:
    point = {"type": "Point", "coordinates": [1, 2]}
    assert owner.post(vector(feature(point), geometry_type="MultiPoint")).status_code == 201
    assert pointers(owner.post(vector(feature(point), geometry_type="Polygon"))) == [
        "/source_config/geojson/features/0/geometry/type"
    ]


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": ["year"]}


def test_features_are_checked_against_the_layers_schema(owner: Person) -> None:
    rules = schema(
        year={"type": "integer", "minimum": 1900},
        seen={"type": "string", "format": "date-time"},
        day={"$ref": "#/$defs/day"},
    )
    rules["$defs"] = {"day": {"type": "string", "format": "date"}}
    good = feature(LINE, year=2024, seen="2024-02-29T10:00:00.5+02:00", day="2024-02-29")
    created = owner.post(vector(good, property_schema=rules, time_field="seen"))
    assert created.status_code == 201, created.text
    assert created.json
    assert created.json["property_schema"] == rules
    bad = [
        feature(LINE),
        feature(LINE, year=1, seen="2024-02-30T10:00:00Z", day="2024-W01-1"),
        {"type": "Feature", "geometry": None, "properties": []},
    ]
    found = pointers(owner.post(vector(*bad, property_schema=rules)))
    place = "/source_config/geojson/features"
    assert sorted(found) == [
        f"{place}/0/properties",
        f"{place}/1/properties/day",
        f"{place}/1/properties/seen",
        f"{place}/1/properties/year",
        f"{place}/2/properties",
    ]


@pytest.mark.parametrize(
    ("rules", "at"),
    [
        ({"type": "array"}, "/type"),
        ({"type": "thing"}, "/type"),
        ({"properties": {"a": {"minimum": "1"}}}, "/properties/a/minimum"),
        ({"properties": {"a": {"pattern": "("}}}, "/properties/a/pattern"),
        ({"properties": {"a": True}}, "/properties/a"),
        ({"properties": {"a": {"x-ogc-propertySeq": "1"}}}, "/properties/a/x-ogc-propertySeq"),
        ({"properties": {"a": {"$ref": "https://example.org/a"}}}, "/properties/a/$ref"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}}, "/properties/a/$ref"),
        ({"allOf": [{"$ref": "#"}]}, "/allOf/0/$ref"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}}, "/$defs/a/$ref"),
        ({"properties": {"a": {"$id": "https://example.org/"}}}, "/properties/a/$id"),
        ({"description": "x" * 300_000}, ""),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(
    owner: Person, rules: dict[str, Any], at: str
) -> None:
    assert pointers(owner.post(vector(property_schema=rules)))[0] == f"/property_schema{at}"


@pytest.mark.parametrize("named", [None, {"type": "string"}])
def test_a_time_field_is_a_date_of_the_schema(owner: Person, named: Any) -> None:
    rules = {"type": "object", "properties": {"when": named} if named else {}}
    assert pointers(owner.post(vector(property_schema=rules, time_field="when"))) == ["/time_field"]
    assert pointers(owner.post(vector(time_field="when"))) == ["/time_field"]


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{}", None, 415),
        (b"{}", "application/json; charset=utf-8", 422),
        (b"", "application/json", 400),
        (b'{"name":', "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b'{"name": -Infinity}', "application/json", 400),
        (b'{"name": 1e999}', "application/json", 400),
        (b'{"name": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b'{"name": "\xff"}', "application/json", 400),
        (b'{"name": "\x00"}', "application/json", 400),
        (b"[" * 100_000 + b"]" * 100_000, "application/json", 400),
        (b'{"name": ' + b"[" * 80 + b"]" * 80 + b"}", "application/json", 400),
    ],
)
def test_a_body_that_cannot_be_read(
    owner: Person, data: bytes, content_type: str | None, status: int
) -> None:
    answer = owner.client.post(LAYERS, data=data, content_type=content_type, headers=owner.headers)
    assert answer.status_code == status, answer.text
    assert answer.json
    assert answer.json["detail"]


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
    dense = [[n % 180, n % 90] for n in range(40_000)]
    short = owner.post(vector(feature({"type": "LineString", "coordinates": dense}))).json
    assert few
    assert many
    assert wide
    assert short
    limited = Person(owner.id, app.test_client(), owner.headers)
    carried = {
        name: "geojson" in (limited.get(layer["id"]).json or {})["source_config"]
        for name, layer in (("few", few), ("many", many), ("wide", wide), ("short", short))
    }
    assert carried == {"few": True, "many": False, "wide": False, "short": True}
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
    asking = {**owner.headers, "If-None-Match": tag}
    address = f"{LAYERS}/{layer_id}"
    assert owner.client.get(address, headers=asking).status_code == 304
    assert owner.client.get(f"{address}?inline=false", headers=asking).status_code == 200
    place_on_map(engine, owner.id, layer_id)
    assert owner.client.get(address, headers=asking).status_code == 200


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
    with statements(engine) as creating:
        layer = owner.post(body).json
    assert layer
    for _ in range(size):
        place_on_map(engine, owner.id, layer["id"], "public")
    with statements(engine) as reading:
        assert len((owner.get(layer["id"]).json or {})["map_layers"]) == size
    with statements(engine) as deleting:
        assert owner.delete(layer["id"]).status_code == 204
    assert (len(creating), len(reading), len(deleting)) == (5, 3, 6)


def test_errors_are_problem_documents(owner: Person) -> None:
    accepting = {**owner.headers, "Accept": "application/problem+json, application/json"}
    answer = owner.client.post(LAYERS, data=json.dumps({}), headers=accepting)
    assert answer.mimetype == "application/problem+json"
    assert set(answer.json or {}) == {"type", "title", "status", "detail"}
