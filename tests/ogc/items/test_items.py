"""Items: paging, filters, projections, and every malformed parameter."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_model.database.engine import database_url, open_engine
from samsyn_model.settings import Settings
from tests.statements import statements

Layer = Callable[..., str]

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
FIELDS = {
    "name": {"type": "string"},
    "depth": {"type": "number"},
    "rank": {"type": "integer"},
    "open": {"type": "boolean"},
    "day": {"type": "string", "format": "date"},
    "at": {"type": "string", "format": "date-time"},
    "tags": {"type": "array"},
    "more": {"type": "object"},
}


def _get(client: FlaskClient, layer_id: str, **query: Any) -> dict[str, Any]:
    response = client.get(f"/ogc/collections/{layer_id}/items", query_string=query)
    assert response.status_code == 200, response.text
    assert isinstance(response.json, dict)
    return response.json


def _names(document: dict[str, Any]) -> list[Any]:
    return [feature["properties"].get("name") for feature in document["features"]]


def _walk(client: FlaskClient, layer_id: str, **query: Any) -> list[dict[str, Any]]:
    features: list[dict[str, Any]] = []
    page = _get(client, layer_id, **query)
    while True:
        features += page["features"]
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        if not following:
            return features
        response = client.get(following[0])
        assert response.status_code == 200, response.text
        page = response.json  # type: ignore[assignment]


def test_a_page(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([("POINT Z(11.5 57.25 -12)", {"name": "Anholt", "rank": 2**60})] * 3)
    response = client.get(f"/ogc/collections/{layer_id}/items?limit=2")
    assert response.mimetype == "application/geo+json"
    assert response.headers["Content-Crs"] == "<http://www.opengis.net/def/crs/OGC/1.3/CRS84>"
    assert response.headers["OGC-NumberMatched"] == "3"
    page = response.json
    assert page is not None
    assert page["type"] == "FeatureCollection"
    assert (page["numberMatched"], page["numberReturned"]) == (3, 2)
    assert page["timeStamp"].endswith("Z")
    feature = page["features"][0]
    assert feature["type"] == "Feature"
    assert feature["geometry"] == {"type": "Point", "coordinates": [11.5, 57.25, -12]}
    assert feature["properties"] == {"name": "Anholt", "rank": 2**60}
    item = client.get(f"/ogc/collections/{layer_id}/items/{feature['id']}")
    assert item.mimetype == "application/geo+json"
    assert item.headers["ETag"] == '"1"'
    assert {k: item.json[k] for k in feature} == feature  # type: ignore[index]
    rels = {link["rel"] for link in item.json["links"]}  # type: ignore[index]
    assert {"self", "alternate", "collection"} <= rels


def test_next_visits_every_feature_once(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([(f"POINT({n} 1)", {"name": str(n)}) for n in range(25)])
    for limit in (1, 7, 24, 25, 26):
        assert _names({"features": _walk(client, layer_id, limit=limit)}) == [
            str(n) for n in range(25)
        ]
    assert not [link for link in _get(client, layer_id, limit=25)["links"] if link["rel"] == "next"]


def test_next_is_steady_while_others_write(
    client: FlaskClient, layer: Layer, empty_database: Engine
) -> None:
    layer_id = layer([(f"POINT({n} 1)", {"name": str(n)}) for n in range(10)])
    first = _get(client, layer_id, limit=4)
    with empty_database.begin() as connection:
        connection.execute(
            text("DELETE FROM layer_features WHERE ST_X(geom) IN (0, 1) AND layer_id = :id"),
            {"id": layer_id},
        )
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    second = client.get(following).json
    assert _names(second) == ["4", "5", "6", "7"]  # type: ignore[arg-type]


def test_offset_and_prev(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([(None, {"name": str(n)}) for n in range(9)])
    page = _get(client, layer_id, limit=3, offset=4)
    assert _names(page) == ["4", "5", "6"]
    links = {link["rel"]: link["href"] for link in page["links"]}
    assert _names(client.get(links["next"]).json) == ["7", "8"]  # type: ignore[arg-type]
    assert _names(client.get(links["prev"]).json) == ["1", "2", "3"]  # type: ignore[arg-type]
    assert _names(_get(client, layer_id, offset=100)) == []


@pytest.mark.parametrize("sortby", ["depth", "-depth", "name", "-rank,name", "open,-depth,name"])
def test_sorted_pages_have_every_feature_in_order(
    client: FlaskClient, layer: Layer, sortby: str
) -> None:
    layer_id = layer(
        [
            (
                None,
                {
                    "name": "Ab0é"[n % 4],
                    "depth": [None, 1.5, -2, 1e-9, 12345678901234567890.5][n % 5],
                    **({"rank": n % 3} if n % 2 else {}),
                    "open": [True, False, None][n % 3],
                },
            )
            for n in range(40)
        ],
        fields=FIELDS,
    )
    all_features = _get(client, layer_id, limit=1000, sortby=sortby)["features"]
    assert len(all_features) == 40
    for limit in (1, 3, 7):
        assert _walk(client, layer_id, limit=limit, sortby=sortby) == all_features
    key = sortby.split(",", maxsplit=1)[0]
    values = [feature["properties"].get(key.lstrip("-")) for feature in all_features]
    known = [value for value in values if value is not None]
    assert values == known + [None] * (len(values) - len(known))
    assert known == sorted(known, reverse=key.startswith("-"))


def test_next_after_text_that_json_escapes(client: FlaskClient, layer: Layer) -> None:
    names = ["a\\user", "a\x01", 'a"b', "a\\\\u0000", "🌊", "a\tb", "x" * 2000]
    layer_id = layer([(None, {"name": name}) for name in names], fields=FIELDS)
    walked = _walk(client, layer_id, limit=1, sortby="name")
    assert sorted(_names({"features": walked})) == sorted(names)


def test_a_page_of_large_features_ends_early(
    client: FlaskClient, layer: Layer, empty_database: Engine
) -> None:
    layer_id = layer(fields={})
    with empty_database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO layer_features (layer_id, geom)"
                " SELECT :layer, (SELECT"
                "   ST_SetSRID(ST_MakeLine(ST_MakePoint(random(), random())), 4326)"
                "   FROM generate_series(1, 100000)) FROM generate_series(1, 12)"
            ),
            {"layer": layer_id},
        )
    page = _get(client, layer_id, limit=10_000)
    assert page["numberMatched"] == 12
    assert 1 <= page["numberReturned"] == len(page["features"]) < 12
    walked = _walk(client, layer_id, limit=10_000)
    assert len({feature["id"] for feature in walked}) == len(walked) == 12
    ordered = _walk(client, layer_id, limit=10_000, skipGeometry="true")
    assert [feature["id"] for feature in ordered] == [feature["id"] for feature in walked]


def test_whole_numbers_are_compared_exactly(client: FlaskClient, layer: Layer) -> None:
    large = [9007199254740993, 9223372036854775807]
    for fields in (None, {"n": {"type": "integer"}}, {"n": {"type": "number"}}):
        layer_id = layer([(None, {"name": str(n), "n": n}) for n in large], fields=fields)
        for number in large:
            assert _names(_get(client, layer_id, n=number)) == [str(number)]


def test_equality_by_type(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer(
        [
            (None, {"name": "5", "rank": 5, "depth": 5.0, "open": True, "tags": ["a", 1]}),
            (None, {"name": "five", "rank": 6, "depth": -0.25, "open": False, "more": {"x": 1}}),
            (None, {"name": "a&b=c", "rank": None, "day": "2026-05-01"}),
        ],
        fields=FIELDS,
    )
    for query, names in [
        ({"name": "5"}, ["5"]),
        ({"rank": "5"}, ["5"]),
        ({"depth": "5"}, ["5"]),
        ({"depth": "-2.5e-1"}, ["five"]),
        ({"open": "true"}, ["5"]),
        ({"name": "a&b=c"}, ["a&b=c"]),
        ({"day": "2026-05-01"}, ["a&b=c"]),
        ({"tags": '["a", 1]'}, ["5"]),
        ({"tags": '["a"]'}, []),
        ({"more": '{"x": 1}'}, ["five"]),
        ({"name": "five", "rank": "5"}, []),
        ({"name": "' OR 1=1 --"}, []),
        ({"name": "%(layer)s"}, []),
    ]:
        page = _get(client, layer_id, **query)
        assert _names(page) == names, query
        assert page["numberMatched"] == len(names)


def test_boxes(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer(
        [
            ("POINT(10 56)", {"name": "west"}),
            ("POINT(12 57)", {"name": "east"}),
            ("POINT(179.5 10)", {"name": "dateline west"}),
            ("POINT(-179.5 10)", {"name": "dateline east"}),
            ("POLYGON((0 0, 10 0, 0 10, 0 0))", {"name": "triangle"}),
            ("POINT Z(30 30 -50)", {"name": "deep"}),
            (None, {"name": "nowhere"}),
        ],
        fields=FIELDS,
    )

    def names(bbox: str, crs: str | None = None) -> list[str]:
        query = {"bbox": bbox} | ({"bbox-crs": crs} if crs else {})
        page = _get(client, layer_id, **query)
        assert page["numberMatched"] == len(page["features"])
        return _names(page)

    assert names("9,55,11,58") == ["west"]
    assert names("9,55,13,58") == ["west", "east"]
    assert names("10,56,10,56") == ["west"]
    assert names("55,9,58,11", EPSG + "4326") == ["west"]
    assert names("179,0,-179,20") == ["dateline west", "dateline east"]
    assert names("8,8,9,9") == [], "the triangle's box meets it, the triangle does not"
    assert names("1,1,2,2") == ["triangle"]
    assert names("29,29,-60,31,31,-40") == ["deep"]
    assert names("29,29,-40,31,31,0") == []
    assert names("9,55,0,11,58,1") == ["west"]
    assert names("560000,6205000,580000,6210000", EPSG + "25832") == ["west"]
    assert names("3600000,4300000,3750000,4400000", EPSG + "3035") == ["west"]
    assert len(names("-180,-90,180,90")) == 6
    for world in (
        "-20037508.34,-20048966.1,20037508.34,20048966.1",
        "-30000000,-20000000,30000000,20000000",
        "-40075016,-30000000,40075016,30000000",
    ):
        assert len(names(world, EPSG + "3857")) == 6
    assert names("1000000,7400000,1200000,7600000", EPSG + "3857") == ["west"]
    assert names("19900000,1000000,20200000,1200000", EPSG + "3857") == [
        "dateline west",
        "dateline east",
    ]


def test_projections_and_axis_order(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([("POINT(10 56)", {}), ("POLYGON((0 -90, 1 -90, 1 80, 0 -90))", {})])

    def first(code: str) -> list[float]:
        response = client.get(
            f"/ogc/collections/{layer_id}/items", query_string={"crs": EPSG + code}
        )
        assert response.headers["Content-Crs"] == f"<{EPSG}{code}>"
        coordinates: list[float] = response.json["features"][0]["geometry"]["coordinates"]  # type: ignore[index]
        return coordinates

    assert first("4326") == [56, 10]
    assert first("3857") == pytest.approx([1113194.908, 7558415.656], abs=0.01)
    assert first("25832") == pytest.approx([562366.630, 6206530.811], abs=0.01)
    assert first("3035") == pytest.approx([3655112.139, 4321000], abs=0.01)
    item = _get(client, layer_id)["features"][0]["id"]
    response = client.get(
        f"/ogc/collections/{layer_id}/items/{item}", query_string={"crs": EPSG + "4326"}
    )
    assert response.json["geometry"]["coordinates"] == [56, 10]  # type: ignore[index]


@pytest.mark.parametrize(
    ("datetime", "names"),
    [
        ("2026-05-01T12:00:00Z", ["noon"]),
        ("2026-05-01T14:00:00+02:00", ["noon"]),
        ("2026-05-01", ["noon", "midnight"]),
        ("2026-05-01T00:00:00Z/2026-05-01T11:59:59Z", ["midnight"]),
        ("2026-05-02/..", ["later"]),
        ("../2026-05-01T00:00:00Z", ["midnight"]),
        ("/2026-04-30", []),
        ("../..", ["noon", "midnight", "later"]),
        ("9999-12-31", []),
        ("2026-05-02/9999-12-31", ["later"]),
        ("2026-05-01/2026-06-01", ["noon", "midnight", "later"]),
    ],
)
def test_instants(client: FlaskClient, layer: Layer, datetime: str, names: list[str]) -> None:
    layer_id = layer(
        [
            (None, {"name": "noon", "at": "2026-05-01T12:00:00Z"}),
            (None, {"name": "midnight", "at": "2026-05-01T02:00:00+02:00"}),
            (None, {"name": "later", "at": "2026-06-01T23:59:59.5Z"}),
            (None, {"name": "never", "at": None}),
        ],
        fields=FIELDS,
        time_field="at",
    )
    assert _names(_get(client, layer_id, datetime=datetime)) == names


def test_days_and_layers_without_time(client: FlaskClient, layer: Layer) -> None:
    days = layer(
        [(None, {"name": d, "day": d}) for d in ("2026-05-01", "2026-05-02")],
        fields=FIELDS,
        time_field="day",
    )
    assert _names(_get(client, days, datetime="2026-05-01")) == ["2026-05-01"]
    assert _names(_get(client, days, datetime="2026-05-01T15:00:00Z")) == ["2026-05-01"]
    assert _names(_get(client, days, datetime="2026-05-01T23:00:00Z/..")) == [
        "2026-05-01",
        "2026-05-02",
    ]
    timeless = layer([(None, {"name": "always"})])
    assert _names(_get(client, timeless, datetime="2999-01-01T00:00:00Z")) == ["always"]
    assert _names(_get(client, timeless, datetime="1900-01-01")) == []  # it was not there yet


_PERIOD = {
    "name": {"type": "string"},
    "from": {"type": "string", "format": "date", "x-ogc-role": "primary-interval-start"},
    "to": {"type": "string", "format": "date", "x-ogc-role": "primary-interval-end"},
}


@pytest.mark.parametrize(
    ("datetime", "names"),
    [
        ("2026-01-31", ["winter", "open", "began"]),
        ("2026-02-01T00:00:00Z", ["winter", "open", "began"]),
        ("2026-03-02", ["open", "began"]),
        ("2025-12-31T23:59:59Z", ["began"]),
        ("2026-03-01T23:59:59Z/..", ["winter", "open", "began"]),
        ("2026-03-02/..", ["open", "began"]),
        ("../2025-12-31", ["began"]),
        ("../..", ["winter", "open", "began"]),
    ],
)
def test_features_with_an_interval(
    client: FlaskClient, layer: Layer, datetime: str, names: list[str]
) -> None:
    layer_id = layer(
        [
            (None, {"name": "winter", "from": "2026-01-01", "to": "2026-03-01"}),
            (None, {"name": "open", "from": "2026-01-15"}),
            (None, {"name": "began", "from": None, "to": "2026-12-31"}),
            (None, {"name": "never"}),
        ],
        fields=_PERIOD,
    )
    assert _names(_get(client, layer_id, datetime=datetime)) == names
    schema = client.get(f"/ogc/collections/{layer_id}/schema").json["properties"]  # type: ignore[index]
    roles = {name: field.get("x-ogc-role") for name, field in schema.items()}
    assert (roles["from"], roles["to"]) == ("primary-interval-start", "primary-interval-end")


def test_a_text_that_is_not_a_time_is_ignored(client: FlaskClient, layer: Layer) -> None:
    features = [(None, {"name": text, "at": text}) for text in ("2026-02-30", "soon", "2026-02-28")]
    layer_id = layer([*features, (None, {"name": "n", "at": 7})], time_field="at")
    assert _names(_get(client, layer_id, datetime="../..")) == ["2026-02-28"]
    assert _names(_get(client, layer_id, datetime="2026-01-01/..")) == ["2026-02-28"]


def test_fewer_members(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([("POINT(1 1)", {"name": "a", "rank": 1, "depth": 2})], fields=FIELDS)
    feature = _get(client, layer_id, properties="name,rank", skipGeometry="true")["features"][0]
    assert feature["properties"] == {"name": "a", "rank": 1}
    assert feature["geometry"] is None
    assert _get(client, layer_id, properties="")["features"][0]["properties"] == {}
    hits = _get(client, layer_id, resulttype="hits", name="a")
    assert (hits["numberMatched"], hits["numberReturned"], hits["features"]) == (1, 0, [])


def test_boxes_of_few_and_of_many(
    client: FlaskClient, layer: Layer, empty_database: Engine
) -> None:
    layer_id = layer()
    with empty_database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO layer_features (layer_id, id, geom)"
                " SELECT :layer, n, ST_SetSRID(ST_MakePoint(n % 3 * 10, n * 0.001), 4326)"
                " FROM generate_series(1, 3000) AS n"
            ),
            {"layer": layer_id},
        )
    for bbox, ids, matched, count in (
        ("9,-1,11,4", range(1, 3001, 3), 1000, 2),
        ("-1,-1,21,2", range(1, 2001), 2000, 2),
        (
            "-1,-1,21,4",
            range(1, 3001),
            3000,
            4,
        ),  # then read, and counted, by statements of their own
    ):
        with statements() as seen:
            page = _get(client, layer_id, bbox=bbox, limit=500)
        assert len(seen) == count, seen
        assert page["numberMatched"] == matched
        assert page["numberReturned"] == 500
        walked = _walk(client, layer_id, bbox=bbox, limit=400)
        assert [feature["id"] for feature in walked] == list(ids)


def test_large_ids(client: FlaskClient, layer: Layer, empty_database: Engine) -> None:
    layer_id = layer()
    ids = [1, 2**31 + 5, 2**53 + 1, 2**63 - 1]
    with empty_database.begin() as connection:
        for number in ids:
            connection.execute(
                text("INSERT INTO layer_features (layer_id, id) VALUES (:layer, :id)"),
                {"layer": layer_id, "id": number},
            )
    assert [feature["id"] for feature in _walk(client, layer_id, limit=1)] == ids
    for number in ids:
        item = client.get(f"/ogc/collections/{layer_id}/items/{number}")
        assert item.json["id"] == number  # type: ignore[index]
    for absent in ("0", "-1", "2", str(2**63), "9" * 30, "1.0", "x", "1e3", "%00"):
        response = client.get(f"/ogc/collections/{layer_id}/items/{absent}")
        assert response.status_code == 404, absent


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=-1", "limit=1.5", "limit=ten", "limit=", "limit=1&limit=2",
        "offset=-1", "offset=x", "offset=99999999999999999999",
        "bbox=1,2,3", "bbox=1,2,3,x", "bbox=", "bbox=1,2,3,4,5", "bbox=nan,1,2,3",
        "bbox=inf,1,2,3", "bbox=1e400,1,2,3", "bbox=0,10,1,5", "bbox=0,0,9,1,1,1",
        "bbox-crs=http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        f"bbox=0,0,1,1&bbox-crs={EPSG}9999", f"bbox=1e300,0,1e301,1&bbox-crs={EPSG}3035",
        f"bbox=2,0,1,1&bbox-crs={EPSG}3857",
        "crs=EPSG:2154", f"crs={EPSG}2154", f"crs={EPSG}4326'",
        "datetime=yesterday", "datetime=2026-13-01", "datetime=2026-02-30", "datetime=",
        "datetime=2026-05-02/2026-05-01", "datetime=2026-05-01/2026-05-02/2026-05-03",
        "datetime=0001-01-01T00:00:00%2B23:00", "datetime=2026-05-01T12:00:00",
        "properties=nothing", "sortby=nothing", "sortby=", "sortby=name,name",
        "skipGeometry=maybe", "resulttype=all", "rank=x", "rank=1.5", "depth=NaN", "open=1",
        "day=tomorrow", "tags=a", "more=[]", "unknown=1", "after=x", "after=WyJ4Il0", "after=W10",
        "after=WzFlOTk5XQ", "after=WzkyMjMzNzIwMzY4NTQ3NzU4MDhd", "f=shapefile", "f=",
        "name=%00", "filter=rank%3D%27a%27", "filter-lang=cql2-text",
    ],
)  # fmt: skip
def test_malformed_parameters_have_a_reason(client: FlaskClient, layer: Layer, query: str) -> None:
    layer_id = layer([("POINT(1 1)", {"name": "a"})], fields=FIELDS)
    response = client.get(f"/ogc/collections/{layer_id}/items?{query}")
    assert response.status_code == 400, response.text
    assert len(response.json["detail"]) > 10  # type: ignore[index]


def test_after_of_another_order_is_refused(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([(None, {"name": "a"}), (None, {"name": "b"})], fields=FIELDS)
    page = _get(client, layer_id, limit=1, sortby="name")
    following = next(link["href"] for link in page["links"] if link["rel"] == "next")
    assert client.get(following.replace("sortby=name&", "")).status_code == 400


def test_database_gone_or_not_migrated(server_url: str) -> None:
    name = f"samsyn_bare_{uuid.uuid4().hex[:12]}"
    server = open_engine(server_url).execution_options(isolation_level="AUTOCOMMIT")
    bare = open_engine(
        database_url(server_url).set(database=name).render_as_string(hide_password=False)
    )
    gone = open_engine("postgresql://nobody@/nothing?host=/nonexistent")
    with server.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE template0'))
    try:
        for engine in (gone, bare):
            client = create_app(Settings(_env_file=None), engine).test_client()
            for path in ("", f"/{uuid.uuid4()}/items"):
                response = client.get(f"/ogc/collections{path}")
                assert response.status_code == 503
                assert response.headers["Retry-After"]
                assert "Traceback" not in response.text
            assert client.get("/ogc/").status_code == 200
            assert client.get("/api/health").status_code == 503
    finally:
        bare.dispose()
        with server.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}"'))
        server.dispose()
