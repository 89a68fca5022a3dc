"""Vector tiles: their content, permissions and bounds."""

import json
import math
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from samsyn_provider.tiles import routes as tile_routes
from samsyn_provider.tiles.thinning import MAX_FEATURES
from tests.gdal_drivers import every_driver
from tests.ogc.conftest import Person
from tests.ogc.tiles.decoding import EXTENT, column_of, decode, in_units, row_of, shape
from tests.statements import statements

Layer = Callable[..., str]
MVT = "application/vnd.mapbox-vector-tile"
WORLD = "WebMercatorQuad/0/0/0"


def _path(layer_id: str, tile: str = WORLD) -> str:
    return f"/ogc/collections/{layer_id}/tiles/{tile}"


def _features(
    client: FlaskClient, layer_id: str, tile: str = WORLD, **query: str
) -> list[dict[str, Any]]:
    response = client.get(_path(layer_id, tile), query_string=query)
    if response.status_code == 204:
        assert response.data == b""
        return []
    assert response.status_code == 200, response.text
    assert response.mimetype == MVT
    layers = decode(response.data)
    assert list(layers) == [layer_id]
    return layers[layer_id]


def _insert_many(engine: Engine, layer_id: str, geometry: str, number: int) -> None:
    """Insert features 1 to `number`; `geometry` is the SQL expression of the geometry of `n`."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO layer_features (layer_id, geom, properties)"
                f" SELECT :layer, ST_SetSRID({geometry}, 4326), jsonb_build_object('n', n)"
                " FROM generate_series(1, :number) AS n"
            ),
            {"layer": layer_id, "number": number},
        )


def test_attributes_keep_their_types(client: FlaskClient, layer: Layer) -> None:
    properties = {
        "name": 'Læsø 🌊 "<&>"',
        "rank": -7,
        "large": 2**53,
        "depth": 12.25,
        "open": True,
        "closed": False,
        "nothing": None,
        "tags": ["a", 1],
        "more": {"x": {"y": None}},
        "": "no name",
        "id": "another id",
    }
    layer_id = layer([("POINT(11 57)", properties), ("POINT(12 57)", {"rank": 1.5})])
    first, second = _features(client, layer_id)
    read = first["properties"]
    assert json.loads(read.pop("tags")) == properties.pop("tags")
    assert json.loads(read.pop("more")) == properties.pop("more")
    del properties["nothing"]
    assert read == properties
    assert {name: type(value) for name, value in read.items()} == {
        name: type(value) for name, value in properties.items()
    }
    assert second["properties"] == {"rank": 1.5}
    items = client.get(f"/ogc/collections/{layer_id}/items").json
    assert items is not None
    assert [first["id"], second["id"]] == [feature["id"] for feature in items["features"]]


def test_a_tile_has_the_features_that_intersect_it(client: FlaskClient, layer: Layer) -> None:
    random = np.random.default_rng(7)
    shapes = [
        shapely.Point(x, y).buffer(size, quad_segs=4)
        for x, y, size in zip(
            random.uniform(8, 16, 400), random.uniform(53, 59, 400), random.uniform(0.02, 0.1, 400),
            strict=True,
        )
    ]  # fmt: skip
    layer_id = layer([(geometry.wkt, {"n": n}) for n, geometry in enumerate(shapes)])
    level, row, col = 7, int(row_of(56, 7)), int(column_of(12, 7))
    features = _features(client, layer_id, f"WebMercatorQuad/{level}/{row}/{col}")
    drawn = {feature["properties"]["n"]: shape(feature) for feature in features}
    square = shapely.box(0, 0, EXTENT, EXTENT)
    margin = shapely.box(-64, -64, EXTENT + 64, EXTENT + 64)
    expected = {n: in_units(geometry, level, row, col) for n, geometry in enumerate(shapes)}
    assert len(drawn) > 30
    assert {n for n, geometry in expected.items() if geometry.intersects(square)} <= set(drawn)
    assert set(drawn) <= {n for n, geometry in expected.items() if geometry.intersects(margin)}
    for n, geometry in drawn.items():
        assert shapely.hausdorff_distance(geometry, expected[n].intersection(margin)) < 2


def test_world_crs84_tiles_are_in_degrees(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([("POINT(11.25 56.25)", {}), ("POINT(-100 -89.9)", {})])
    # matrix 3 has tiles of 22.5 degrees
    (feature,) = _features(client, layer_id, "WorldCRS84Quad/3/1/8")
    assert feature["geometry"]["coordinates"] == [EXTENT // 2, EXTENT // 2]
    assert _features(client, layer_id, "WorldCRS84Quad/3/2/8") == []
    assert len(_features(client, layer_id, "WorldCRS84Quad/0/0/0")) == 1
    assert len(_features(client, layer_id, "WorldCRS84Quad/0/0/1")) == 1


def test_gdal_reads_the_same(client: FlaskClient, layer: Layer, tmp_path: Path) -> None:
    layer_id = layer(
        [
            ("POLYGON((10 55, 12 55, 12 57, 10 57, 10 55), (11 56, 11.5 56, 11.5 56.5, 11 56))",
             {"name": "zone", "depth": 1.5, "open": True}),
            ("MULTIPOLYGON(((1 1, 2 1, 2 2, 1 1)), ((5 5, 6 5, 6 6, 5 5)))", {"name": "two"}),
        ]
    )  # fmt: skip
    file = tmp_path / "tile.mvt"
    file.write_bytes(client.get(_path(layer_id, "WebMercatorQuad/3/2/4")).data)
    with every_driver():
        assert [name for name, _ in pyogrio.list_layers(file)] == [layer_id]
        info, _, geometries, values = pyogrio.raw.read(file)
    assert dict(zip(info["fields"], (column.tolist() for column in values), strict=True)) == {
        "mvt_id": [_first_id(client, layer_id)],
        "name": ["zone"],
        "depth": [1.5],
        "open": [True],
    }
    (zone,) = shapely.from_wkb(geometries)
    assert shapely.get_num_interior_rings(shapely.get_geometry(zone, 0)) == 1


def _first_id(client: FlaskClient, layer_id: str) -> int:
    items = client.get(f"/ogc/collections/{layer_id}/items").json
    assert items is not None
    number: int = items["features"][0]["id"]
    return number


def test_fewer_attributes_and_features(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer(
        [
            ("POINT(1 1)", {"name": "a", "depth": 1, "at": "2026-05-01T12:00:00Z", "tags": [1]}),
            ("POINT(2 2)", {"name": "b", "depth": 20, "at": "2026-06-01T12:00:00Z", "tags": []}),
        ],
        time_field="at",
    )

    def read(**query: str) -> list[dict[str, Any]]:
        return [feature["properties"] for feature in _features(client, layer_id, **query)]

    assert read(properties="name,tags") == [
        {"name": "a", "tags": "[1]"},
        {"name": "b", "tags": "[]"},
    ]
    assert read(properties="") == [{}, {}]
    assert read(properties="name", datetime="2026-06-01/..") == [{"name": "b"}]
    assert read(properties="name", datetime="2027-01-01") == []
    assert read(properties="name", filter="depth > 10 AND name LIKE 'b%'") == [{"name": "b"}]
    inside = {"op": "s_intersects", "args": [{"property": "geometry"}, {"bbox": [0, 0, 1.5, 1.5]}]}
    assert read(properties="name", filter=json.dumps(inside), **{"filter-lang": "cql2-json"}) == [
        {"name": "a"}
    ]


@pytest.mark.parametrize(
    ("tile", "status"),
    [
        ("WebMercatorQuad/0/0/1", 404),
        ("WebMercatorQuad/3/8/0", 404),
        ("WebMercatorQuad/3/-1/0", 404),
        ("WebMercatorQuad/25/0/0", 404),
        ("WebMercatorQuad/x/0/0", 404),
        ("WebMercatorQuad/01/0/0", 404),
        ("WebMercatorQuad/3/x/0", 400),
        ("WebMercatorQuad/3/1.0/0", 400),
        ("WebMercatorQuad/3/0/9999999999999999999999", 400),
        ("WorldCRS84Quad/0/0/2", 404),
        ("WorldCRS84Quad/0/1/0", 404),
        ("GoogleMaps/0/0/0", 404),
        ("WebMercatorQuad/0/0/0?colour=red", 400),
        ("WebMercatorQuad/0/0/0?limit=1", 400),
        ("WebMercatorQuad/0/0/0?f=json", 400),
        ("WebMercatorQuad/0/0/0?f=mvt&f=mvt", 400),
        ("WebMercatorQuad/0/0/0?properties=depth", 400),
        ("WebMercatorQuad/0/0/0?datetime=yesterday", 400),
        ("WebMercatorQuad/0/0/0?filter=name+=", 400),
        ("WebMercatorQuad/0/0/0?filter-lang=cql2-text", 400),
    ],
)
def test_malformed_or_outside(client: FlaskClient, layer: Layer, tile: str, status: int) -> None:
    layer_id = layer([("POINT(1 1)", {"name": "a"})])
    response = client.get(_path(layer_id, tile))
    assert response.status_code == status, response.text
    assert len(response.json["detail"]) > 10  # type: ignore[index]


def test_forms(client: FlaskClient, layer: Layer) -> None:
    path = _path(layer([("POINT(1 1)", {})]))
    for accept in (MVT, "*/*", "image/webp,*/*;q=0.8"):
        assert client.get(path, headers={"Accept": accept}).mimetype == MVT
    assert client.get(path, headers={"Accept": "image/png"}).status_code == 406
    assert client.get(path, headers={"Accept": "image/png"}, query_string={"f": "mvt"}).data
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405


def test_a_tile_that_the_client_has_is_not_made_again(
    client: FlaskClient, layer: Layer, empty_database: Engine, person: Callable[[str], Person]
) -> None:
    layer_id = layer([("POINT(9 -9)", {"name": "a"})])
    path = _path(layer_id)
    first = client.get(path)
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "public, max-age=60"
    assert "Authorization" in first.headers["Vary"]
    with statements() as seen:
        again = client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert not any("ST_AsMVT" in statement for statement in seen)
    assert client.get(path, headers={"If-None-Match": f'"x", {tag}'}).status_code == 304
    others = {
        client.get(address).headers["ETag"]
        for address in (
            path,
            f"{path}?properties=name",
            f"{path}?properties=",
            _path(layer_id, "WebMercatorQuad/1/0/1"),
            _path(layer_id, "WebMercatorQuad/1/1/1"),
            _path(layer_id, "WorldCRS84Quad/0/0/1"),
        )
    }
    assert len(others) == 6
    empty = client.get(_path(layer_id, "WebMercatorQuad/1/1/0"))
    assert empty.status_code == 204
    assert client.get(
        _path(layer_id, "WebMercatorQuad/1/1/0"), headers={"If-None-Match": empty.headers["ETag"]}
    ).status_code == 304  # fmt: skip
    with empty_database.begin() as connection:
        connection.execute(
            text("UPDATE layer_features SET properties = '{}' WHERE layer_id = :layer"),
            {"layer": layer_id},
        )
    changed = client.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert decode(changed.data)[layer_id][0]["properties"] == {}
    signed_in = client.get(path, headers=person("owner").headers)
    assert signed_in.headers["Cache-Control"] == "private, no-cache"


def test_private_layers_have_no_tiles_for_others(
    client: FlaskClient, layer: Layer, person: Callable[[str], Person]
) -> None:
    secret = layer([("POINT(1 1)", {})], visibility="private")
    stranger = person("stranger").headers
    for tile in ("", "/WebMercatorQuad", "/WebMercatorQuad/0/0/0", "/WebMercatorQuad/0/9/9"):
        address = f"/ogc/collections/{secret}/tiles{tile}"
        for headers in ({}, stranger):
            hidden = client.get(address, headers=headers)
            absent = client.get(address.replace(secret, str(uuid.uuid4())), headers=headers)
            assert (hidden.status_code, hidden.json) == (404, absent.json)
    owner = client.get(_path(secret), headers=person("owner").headers)
    assert (owner.status_code, owner.headers["Cache-Control"]) == (200, "private, no-cache")
    etag = {"If-None-Match": owner.headers["ETag"]}
    assert client.get(_path(secret), headers=etag).status_code == 404


def test_layers_of_other_kinds_have_no_tiles(client: FlaskClient, layer: Layer) -> None:
    wms = layer(source_type="wms", source_config='{"url": "https://example.org/wms"}')
    assert client.get(_path(wms)).status_code == 404


@pytest.fixture
def make_map(empty_database: Engine) -> Callable[..., str]:
    """Make a map of a user with layers from top to bottom; return its id."""

    def make(owner: Person, layer_ids: list[str], view: str = "public") -> str:
        with empty_database.begin() as connection:
            map_id = connection.execute(
                text(
                    "INSERT INTO maps (name, created_by, view_permission)"
                    " VALUES ('A plan', :owner, :view) RETURNING id"
                ),
                {"owner": owner.id, "view": view},
            ).scalar_one()
            for order, layer_id in enumerate(layer_ids):
                connection.execute(
                    text(
                        'INSERT INTO map_layers (map_id, layer_id, "order")'
                        " VALUES (:map, :layer, :order)"
                    ),
                    {"map": map_id, "layer": layer_id, "order": order},
                )
        return str(map_id)

    return make


def test_a_map_in_one_tile(
    client: FlaskClient,
    layer: Layer,
    person: Callable[[str], Person],
    make_map: Callable[..., str],
) -> None:
    top = layer([("POINT(1 1)", {"name": "top"}), ("POINT(2 2)", {"n": 1.5})])
    wms = layer(source_type="wms", source_config='{"url": "https://example.org/wms"}')
    timed = layer(
        [("POINT(3 3)", {"at": "2026-01-01"}), ("POINT(4 4)", {"at": "2026-02-01"})],
        time_field="at",
    )
    secret = layer([("LINESTRING(5 5, 60 60)", {})], visibility="private")
    map_id = make_map(person("planner"), [timed, wms, secret, top])
    path = f"/ogc/maps/{map_id}/tiles/{WORLD}"

    def read(headers: dict[str, str] = {}, **query: str) -> dict[str, int]:  # noqa: B006
        response = client.get(path, headers=headers, query_string=query)
        return {name: len(features) for name, features in decode(response.data).items()}

    assert list(read().items()) == [(timed, 2), (top, 2)]
    assert read(person("stranger").headers) == {timed: 2, top: 2}
    assert list(read(person("owner").headers)) == [timed, secret, top]
    assert read(datetime="2026-02-01") == {timed: 1, top: 2}
    assert read(filter="n > 1") == {top: 1}
    assert read(filter="n > 1 OR at < '2026-01-02'") == {timed: 1, top: 1}
    layers = decode(client.get(path, query_string={"properties": "name"}).data)
    assert [feature["properties"] for feature in layers[top]] == [{"name": "top"}, {}]
    assert [feature["properties"] for feature in layers[timed]] == [{}, {}]
    for refused in ({"filter": "length = 1"}, {"properties": "length"}, {"limit": "1"}):
        assert client.get(path, query_string=refused).status_code == 400
    tag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert (
        client.get(path, headers={"If-None-Match": tag, **person("owner").headers}).status_code
        == 200
    )
    far = client.get(f"/ogc/maps/{map_id}/tiles/WebMercatorQuad/3/7/7")
    assert (far.status_code, far.data) == (204, b"")


def test_private_and_empty_maps(
    client: FlaskClient,
    layer: Layer,
    person: Callable[[str], Person],
    make_map: Callable[..., str],
) -> None:
    public = layer([("POINT(1 1)", {})])
    private = make_map(person("planner"), [public], view="private")
    for path in ("", "/WebMercatorQuad", f"/{WORLD}"):
        address = f"/ogc/maps/{private}/tiles{path}"
        absent = f"/ogc/maps/{uuid.uuid4()}/tiles{path}"
        for headers in ({}, person("stranger").headers):
            hidden = client.get(address, headers=headers)
            assert (hidden.status_code, hidden.json) == (
                404,
                client.get(absent, headers=headers).json,
            )
        assert client.get(address, headers=person("planner").headers).status_code == 200
    assert client.get(f"/ogc/maps/x/tiles/{WORLD}").status_code == 404
    bare = make_map(person("planner"), [])
    assert client.get(f"/ogc/maps/{bare}/tiles/{WORLD}").status_code == 204


UNUSUAL = [
    "POLYGON((-10 80, 10 80, 10 90, -10 90, -10 80))",
    "POLYGON((0 -90, 1 -90, 1 80, 0 -90))",
    "POLYGON((0 0, 10 10, 10 0, 0 10, 0 0))",
    "POLYGON((0 0, 0 0, 0 0, 0 0))",
    "LINESTRING(1 1, 1 1)",
    "LINESTRING(-180 90, 180 -90)",
    "POINT(0 90)",
    "POINT EMPTY",
    "POLYGON EMPTY",
    "POINT Z(20 20 -5)",
    "POLYGON Z((30 30 1, 40 30 2, 40 40 3, 30 30 1))",
    "GEOMETRYCOLLECTION(POINT(50 50), LINESTRING(50 50, 60 60), POLYGON((1 1, 2 1, 2 2, 1 1)))",
    "GEOMETRYCOLLECTION EMPTY",
    "POINT(500 95)",
    "LINESTRING(170 10, 1000000 20)",
    "POLYGON((100 -1000, 120 -1000, 120 1000, 100 1000, 100 -1000))",
    None,
]


@pytest.mark.parametrize("grid", ["WebMercatorQuad", "WorldCRS84Quad"])
def test_unusual_geometries_fail_no_tile(client: FlaskClient, layer: Layer, grid: str) -> None:
    layer_id = layer(
        [*((wkt, {"wkt": str(wkt)}) for wkt in UNUSUAL), ("POINT(11 57)", {"wkt": "ok"})]
    )
    for level in range(3):
        columns = 2**level * (2 if grid == "WorldCRS84Quad" else 1)
        seen = set()
        for row in range(2**level):
            for col in range(columns):
                features = _features(client, layer_id, f"{grid}/{level}/{row}/{col}")
                seen |= {feature["properties"]["wkt"] for feature in features}
        assert {"ok", *UNUSUAL[:3], *UNUSUAL[9:12]} - {UNUSUAL[0]} <= seen, level


def test_at_the_antimeridian(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer(
        [
            ("POINT(180 10)", {"name": "east"}),
            ("POINT(-180 10)", {"name": "west"}),
            ("MULTIPOLYGON(((170 0, 180 0, 180 5, 170 5, 170 0)),"
             " ((-180 0, -170 0, -170 5, -180 5, -180 0)))", {"name": "both"}),
        ]
    )  # fmt: skip

    def names(tile: str) -> set[str]:
        return {f["properties"]["name"] for f in _features(client, layer_id, tile)}

    assert names("WebMercatorQuad/4/7/15") == {"east", "both"}
    assert names("WebMercatorQuad/4/7/0") == {"west", "both"}
    both = [f for f in _features(client, layer_id) if f["properties"]["name"] == "both"]
    assert shapely.area(shape(both[0])) == pytest.approx(2 * 114 * 57, rel=0.02)


def test_features_smaller_than_a_unit_are_drawn(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer(
        [
            ("POLYGON((11 57, 11.0001 57, 11.0001 57.0001, 11 57))", {"name": "dot"}),
            ("LINESTRING(20 57, 20.0001 57.0001)", {"name": "dash"}),
            ("POLYGON((30 50, 60 50, 60 50.0001, 30 50.0001, 30 50))", {"name": "sliver"}),
        ]
    )
    features = {f["properties"]["name"]: shape(f) for f in _features(client, layer_id)}
    assert {name: geometry.geom_type for name, geometry in features.items()} == {
        "dot": "Polygon",
        "dash": "LineString",
        "sliver": "Polygon",
    }
    x, y = column_of(11, 0) * EXTENT, row_of(57, 0) * EXTENT
    assert features["dot"].distance(shapely.Point(x, y)) < 1
    assert features["dot"].bounds[2] - features["dot"].bounds[0] < 10
    deep = f"WebMercatorQuad/18/{int(row_of(57, 18))}/{int(column_of(11, 18))}"
    (dot,) = _features(client, layer_id, deep)
    assert shapely.get_num_coordinates(shape(dot)) == 4, "drawn as it is where it can be seen"


@pytest.mark.parametrize(
    "geometry",
    [
        "ST_MakePoint(n % 300 * 0.1, n / 300 * 0.1)",
        "ST_Expand(ST_MakePoint(n % 300 * 0.1, n / 300 * 0.1), 0.03)",
        "ST_MakeLine(ST_MakePoint(n % 300 * 0.1, n / 300 * 0.1), ST_MakePoint(n % 300 * 0.1, 12))",
    ],
)
def test_crowded_tiles_are_thinned_and_leave_no_part_bare(
    client: FlaskClient, layer: Layer, empty_database: Engine, geometry: str
) -> None:
    layer_id = layer()
    number = 30_000
    _insert_many(empty_database, layer_id, geometry, number)
    with statements() as seen:
        response = client.get(_path(layer_id))
    made = [statement for statement in seen if "ST_AsMVT" in statement]
    assert len(made) == 2, "first the statement for a small tile"
    features = decode(response.data)[layer_id]
    assert 10 < len(features) < MAX_FEATURES
    assert len(response.data) < 2 * 1024 * 1024
    drawn = shapely.union_all([shape(feature) for feature in features])
    # the features cover 30 by 10 degrees: each part of them is near a drawn feature
    for longitude in range(0, 30):
        for latitude in range(0, 10):
            point = in_units(shapely.Point(longitude + 0.5, latitude + 0.5), 0, 0, 0)
            assert drawn.distance(point) < EXTENT / 64
    deep = _features(
        client, layer_id, f"WebMercatorQuad/7/{int(row_of(5.1, 7))}/{int(column_of(4.3, 7))}"
    )
    assert 0 < len(deep) < MAX_FEATURES


def test_a_tile_with_the_most_features_is_not_thinned(
    client: FlaskClient, layer: Layer, empty_database: Engine
) -> None:
    layer_id = layer()
    _insert_many(empty_database, layer_id, "ST_MakePoint(n % 100 * 0.01, n / 100 * 0.01)", 10_000)
    with statements() as seen:
        features = _features(client, layer_id)
    assert len([statement for statement in seen if "ST_AsMVT" in statement]) == 1
    assert {feature["properties"]["n"] for feature in features} == set(range(1, MAX_FEATURES + 1))


def test_large_overlapping_shapes_and_large_attributes_stay_bounded(
    client: FlaskClient, layer: Layer, empty_database: Engine
) -> None:
    layer_id = layer()
    _insert_many(
        empty_database, layer_id, "ST_Buffer(ST_MakePoint(n % 7, n % 11), 30 + n % 5, 200)", 2_000
    )
    with empty_database.begin() as connection:
        connection.execute(
            text(
                "UPDATE layer_features SET properties = jsonb_build_object('text',"
                " (SELECT string_agg(md5(id::text || n), '') FROM generate_series(1, 50) AS n))"
                " WHERE layer_id = :layer"
            ),
            {"layer": layer_id},
        )
    response = client.get(_path(layer_id))
    features = decode(response.data)[layer_id]
    assert 0 < len(response.data) < 4 * 1024 * 1024
    assert all(feature["id"] for feature in features)
    assert "text" in features[0]["properties"]


def test_statements(
    layer: Layer,
    empty_database: Engine,
    person: Callable[[str], Person],
    make_map: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tile_routes, "_SHARED_CACHE_THRESHOLD", math.inf)
    fields = {"a": {"type": "integer"}}
    layers = [layer([("POINT(1 1)", {"a": 1})], fields=fields)]
    planner = person("planner")

    def counts() -> dict[str, int]:
        map_id = make_map(planner, layers)
        numbers = {}
        for path in ("", "/WebMercatorQuad", f"/{WORLD}", f"/{WORLD}?properties=a"):
            for base in (f"collections/{layers[0]}", f"maps/{map_id}"):
                # without a cached tile: a map of one layer has that layer's tiles
                client = create_app(Settings(_env_file=None), empty_database).test_client()
                with statements() as seen:
                    client.get(f"/ogc/{base}/tiles{path}")
                numbers[f"{base.partition('/')[0]}{path}"] = len(seen)
        return numbers

    before = counts()
    layers += [layer([("POINT(1 1)", {"a": 1})] * 3) for _ in range(5)]
    after = counts()
    # the fields of layers without a schema take one more statement, for all layers
    named = ("maps/WebMercatorQuad", f"maps/{WORLD}?properties=a")
    assert after == before | {path: before[path] + 1 for path in named}
    assert before == {
        "collections": 1,
        "maps": 2,
        "collections/WebMercatorQuad": 2,
        "maps/WebMercatorQuad": 3,
        f"collections/{WORLD}": 2,
        f"maps/{WORLD}": 3,
        f"collections/{WORLD}?properties=a": 2,
        f"maps/{WORLD}?properties=a": 3,
    }
