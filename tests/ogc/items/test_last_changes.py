"""`updated`, the moment of a feature's last change: requested, filtered, sorted, described."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.datastructures import MultiDict

from samsyn_provider.features.page_statements import select_page
from samsyn_provider.query.items_query import Capabilities, parse_items_query
from samsyn_provider.query.position import encode_position
from tests.ogc.tiles.decoding import decode

Layer = Callable[..., str]
NAMES = [chr(ord("a") + number) for number in range(10)]
FIELDS = {"name": {"type": "string"}, "rank": {"type": "integer"}}
START = datetime(2026, 1, 1, 12, 0, 0, 123456, UTC)


def _moment(number: int) -> str:
    """Return when the feature was changed: each pair of neighbours at the same time."""
    moment = START + timedelta(days=(number * 7 % 10) // 2)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.fixture
def changed(empty_database: Engine, layer: Layer) -> Callable[..., str]:
    """Make a layer of ten features; return its id."""

    def make(fields: dict[str, Any] | None = FIELDS, **columns: Any) -> str:
        features = [
            (f"POINT({number} 50)", {"name": name, "rank": number % 3})
            for number, name in enumerate(NAMES)
        ]
        collection = layer(features, fields=fields, **columns)
        with empty_database.begin() as connection:
            connection.execute(text("ALTER TABLE layer_features DISABLE TRIGGER USER"))
            for number, name in enumerate(NAMES):
                connection.execute(
                    text("UPDATE layer_features SET updated_at = :moment"
                         " WHERE layer_id = :layer AND properties ->> 'name' = :name"),
                    {"moment": _moment(number), "layer": collection, "name": name},
                )  # fmt: skip
            connection.execute(text("ALTER TABLE layer_features ENABLE TRIGGER USER"))
        return collection

    return make


def _get(client: FlaskClient, path: str, **query: Any) -> Any:
    response = client.get(f"/ogc/collections/{path}", query_string=query)
    assert response.status_code == 200, response.text
    return response.json


def _names(client: FlaskClient, collection: str, **query: Any) -> str:
    page = _get(client, f"{collection}/items", **query)
    return "".join(feature["properties"]["name"] for feature in page["features"])


@pytest.mark.parametrize("fields", [FIELDS, None])
def test_it_is_returned_where_properties_names_it(
    client: FlaskClient, changed: Callable[..., str], fields: Any
) -> None:
    collection = changed(fields)
    for feature in _get(client, f"{collection}/items")["features"]:
        assert set(feature["properties"]) == {"name", "rank"}
    for query in ({}, {"limit": 600}, {"limit": 600, "sortby": "name"}, {"filter": "rank < 9"}):
        page = _get(client, f"{collection}/items", properties="updated,name", **query)
        assert [feature["properties"] for feature in page["features"]] == [
            {"name": name, "updated": _moment(number)} for number, name in enumerate(NAMES)
        ]
    page = _get(client, f"{collection}/items", properties="updated", skipGeometry="true")
    assert [list(feature["properties"]) for feature in page["features"]] == [["updated"]] * 10
    query = "properties=updated&sortby=-updated&filter=S_DWITHIN(geometry,POINT(0 50),1)"
    page = client.get(f"/api/v1/layers/{collection}/features?{query}").json
    assert [feature["properties"] for feature in page["features"]] == [{"updated": _moment(0)}]
    html = client.get(f"/ogc/collections/{collection}/items?properties=updated&f=html").text
    assert _moment(3) in html


LATE, LATER = _moment(5), _moment(9)


@pytest.mark.parametrize(
    ("condition", "is_match"),
    [
        (f"updated > TIMESTAMP('{LATE}')", lambda moment: moment > LATE),
        (f"updated >= TIMESTAMP('{LATE}')", lambda moment: moment >= LATE),
        (f"TIMESTAMP('{LATE}') > updated", lambda moment: moment < LATE),
        (f"updated = TIMESTAMP('{LATE}')", lambda moment: moment == LATE),
        (f"updated = '{LATE}'", lambda moment: moment == LATE),
        (f"updated <> TIMESTAMP('{LATE}')", lambda moment: moment != LATE),
        (f"NOT updated > TIMESTAMP('{LATE}')", lambda moment: moment <= LATE),
        (f"updated BETWEEN TIMESTAMP('{LATE}') AND TIMESTAMP('{LATER}')",
         lambda moment: LATE <= moment <= LATER),
        (f"updated IN ('{LATE}', '{LATER}')", lambda moment: moment in {LATE, LATER}),
        ("updated IS NULL", lambda _: False),
        ("updated IS NOT NULL", lambda _: True),
        (f"T_AFTER(updated, TIMESTAMP('{LATE}'))", lambda moment: moment > LATE),
        (f"T_DURING(updated, INTERVAL('{LATE}', '..'))", lambda moment: moment > LATE),
        ("T_INTERSECTS(updated, DATE('2026-01-03'))",
         lambda moment: moment.startswith("2026-01-03")),
        ("updated > TIMESTAMP('2026-01-03T00:00:00Z') AND rank = 1 AND S_INTERSECTS(geometry,"
         " BBOX(-1, 49, 8, 51))", None),
    ],
)  # fmt: skip
def test_it_can_be_filtered(
    client: FlaskClient,
    changed: Callable[..., str],
    condition: str,
    is_match: Callable[[str], bool] | None,
) -> None:
    expected = "".join(
        name
        for number, name in enumerate(NAMES)
        if (is_match(_moment(number)) if is_match
            else number < 9 and number % 3 == 1 and _moment(number) > "2026-01-03T00")
    )  # fmt: skip
    collection = changed()
    assert _names(client, collection, filter=condition) == expected
    assert _names(client, collection, filter=condition, limit=600) == expected
    assert _names(client, collection, filter=condition, bbox="-1,49,20,51") == expected
    page = _get(client, f"{collection}/items", filter=condition, resulttype="hits")
    assert page["numberMatched"] == len(expected)
    assert _names(client, changed(None), filter=condition) == expected


def test_it_can_be_filtered_in_json_and_by_name(
    client: FlaskClient, changed: Callable[..., str]
) -> None:
    collection = changed()
    late = "".join(name for number, name in enumerate(NAMES) if _moment(number) > LATE)
    same = "".join(name for number, name in enumerate(NAMES) if _moment(number) == LATE)
    condition = {"op": ">", "args": [{"property": "updated"}, {"timestamp": LATE}]}
    query = {"filter": json.dumps(condition), "filter-lang": "cql2-json"}
    assert _names(client, collection, **query) == late
    page = client.post(f"/ogc/collections/{collection}/search", json={"filter": condition}).json
    assert page is not None
    assert "".join(feature["properties"]["name"] for feature in page["features"]) == late
    elsewhere = (datetime.fromisoformat(LATE) + timedelta(hours=2)).strftime("%FT%T.%f+02:00")
    assert _names(client, collection, updated=LATE) == same
    assert _names(client, collection, updated=elsewhere) == same
    response = client.get(f"/ogc/collections/{collection}/items?updated={elsewhere}")
    assert len(response.json["features"]) == len(same)  # type: ignore[index]
    assert same == "cf"
    assert _names(client, collection, updated=LATE, name="f") == "f"
    assert _names(client, collection, updated=LATE, filter="name = 'f'") == "f"


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("updated", "yesterday"),
        ("updated", "2026-01-01"),
        ("updated", "2026-13-01T00:00:00Z"),
        ("updated", ""),
        ("updated", "0001-01-01T00:00:00+02:00"),
        ("filter", "updated > 5"),
        ("filter", "updated > DATE('2026-01-01')"),
        ("filter", "updated > 'yesterday'"),
        ("filter", "updated LIKE '2026%'"),
        ("filter", "Updated > TIMESTAMP('2026-01-01T00:00:00Z')"),
        ("sortby", "updated,updated"),
        ("sortby", "Updated"),
        ("properties", "Updated"),
    ],
)
def test_misuse_names_the_parameter(
    client: FlaskClient, changed: Callable[..., str], parameter: str, value: str
) -> None:
    response = client.get(f"/ogc/collections/{changed()}/items", query_string={parameter: value})
    assert response.status_code == 400, response.text
    assert response.json is not None
    assert response.json["detail"].startswith(parameter)


@pytest.mark.parametrize("fields", [FIELDS, None])
@pytest.mark.parametrize("sortby", ["updated", "-updated", "rank,-updated", "-updated,-name"])
def test_it_can_be_sorted_by_and_paged(
    client: FlaskClient, changed: Callable[..., str], fields: Any, sortby: str
) -> None:
    collection = changed(fields)
    ordered = list(range(10))
    for key in reversed(sortby.split(",")):
        values: dict[str, Callable[[int], Any]] = {
            "updated": _moment, "rank": lambda number: number % 3, "name": lambda number: number,
        }  # fmt: skip
        ordered.sort(key=values[key.lstrip("-")], reverse=key.startswith("-"))
        # sorting in reverse keeps the order of equal elements
    expected = "".join(NAMES[number] for number in ordered)
    assert _names(client, collection, sortby=sortby, limit=1000) == expected
    for query in ({}, {"properties": "updated,name"}, {"filter": "updated IS NOT NULL"}):
        url = f"/ogc/collections/{collection}/items?limit=3&sortby={sortby}&" + "&".join(
            f"{name}={quote(value)}" for name, value in query.items()
        )
        names = ""
        while url:
            page = client.get(url).json
            assert page is not None
            assert page["numberMatched"] == 10
            names += "".join(feature["properties"]["name"] for feature in page["features"])
            url = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
        assert names == expected


def test_a_change_makes_a_new_moment_and_a_new_page(
    client: FlaskClient, changed: Callable[..., str], person: Callable[[str], Any]
) -> None:
    owner = person("owner")
    collection = changed()
    items = f"/ogc/collections/{collection}/items"
    first = client.get(f"{items}?sortby=-updated&limit=1&properties=updated,name")
    assert first.json is not None
    before = datetime.now(UTC)
    feature_id = client.get(f"{items}?name=d").json["features"][0]["id"]  # type: ignore[index]
    change = client.patch(
        f"{items}/{feature_id}", json={"properties": {"rank": 7}}, headers=owner.headers
    )
    assert change.status_code == 200
    second = client.get(f"{items}?sortby=-updated&limit=1&properties=updated,name")
    assert second.headers["ETag"] != first.headers["ETag"]
    assert second.json is not None
    (newest,) = second.json["features"]
    assert newest["properties"]["name"] == "d"
    assert before <= datetime.fromisoformat(newest["properties"]["updated"]) <= datetime.now(UTC)
    assert _names(client, collection, filter=f"updated >= TIMESTAMP('{before:%FT%T.%fZ}')") == "d"
    # the page after the old position has every feature that has not changed
    following = next(link["href"] for link in first.json["links"] if link["rel"] == "next")
    page = client.get(following.replace("limit=1", "limit=100")).json
    assert page is not None
    names = {feature["properties"]["name"] for feature in page["features"]}
    assert names == set(NAMES) - {first.json["features"][0]["properties"]["name"], "d"}


@pytest.mark.parametrize("fields", [FIELDS, None])
def test_it_is_described(client: FlaskClient, changed: Callable[..., str], fields: Any) -> None:
    collection = changed(fields)
    for document in ("schema", "queryables", "sortables"):
        schema = _get(client, f"{collection}/{document}")["properties"]["updated"]
        assert (schema["type"], schema["format"], schema["readOnly"]) == (
            "string", "date-time", True,
        )  # fmt: skip
        assert not str(schema.get("x-ogc-role")).startswith("primary")
    assert "updated" not in str(_get(client, collection))


OWN = [({"updated": {"type": "integer"}, "name": {"type": "string"}}, {}), (None, {})]


@pytest.mark.parametrize(("fields", "columns"), OWN)
def test_the_layers_own_property_wins(
    client: FlaskClient, layer: Layer, fields: Any, columns: Any
) -> None:
    features = [
        (f"POINT({number} 1)", {"name": name, "updated": number % 2})
        for number, name in enumerate("abcd")
    ]
    collection = layer(features, fields=fields, **columns)
    for document in ("schema", "queryables", "sortables"):
        schema = _get(client, f"{collection}/{document}")["properties"]["updated"]
        assert "readOnly" not in schema
        assert schema["type"] in {"integer", "number"}
    page = _get(client, f"{collection}/items", properties="updated")
    assert [feature["properties"] for feature in page["features"]] == [
        {"updated": number % 2} for number in range(4)
    ]
    assert _names(client, collection, updated=1) == "bd"
    assert _names(client, collection, filter="updated = 1") == "bd"
    assert _names(client, collection, sortby="-updated", limit=3) == "bda"
    assert len(_get(client, f"{collection}/items", filter="updated < 5")["features"]) == 4
    response = client.get(
        f"/ogc/collections/{collection}/items?filter=updated > TIMESTAMP('{LATE}')"
    )
    assert response.status_code == 400


def test_an_own_property_that_has_no_order_is_no_sortable(
    client: FlaskClient, layer: Layer
) -> None:
    collection = layer([("POINT(1 1)", {"updated": [1]})], fields={"updated": {"type": "array"}})
    response = client.get(f"/ogc/collections/{collection}/items?sortby=updated")
    assert response.status_code == 400
    assert "updated" not in _get(client, f"{collection}/sortables")["properties"]


@pytest.mark.parametrize("fields", [FIELDS, None])
@pytest.mark.parametrize("code", ["csv", "geojsonseq", "jsonfg", "kml", "parquet", "gpkg", "fgb"])
def test_downloads_have_it_where_properties_names_it(
    client: FlaskClient, changed: Callable[..., str], tmp_path: Any, code: str, fields: Any
) -> None:
    collection = changed(fields)
    items = f"/ogc/collections/{collection}/items"
    plain = client.get(f"{items}?f={code}").data
    assert b"updated" not in plain
    query = {"f": code, "properties": "name,updated", "filter": f"updated > TIMESTAMP('{LATE}')"}
    response = client.get(items, query_string={**query, "sortby": "-updated"})
    assert response.status_code == 200, response.text
    expected = {
        name: _moment(number) for number, name in enumerate(NAMES) if _moment(number) > LATE
    }
    if code in {"csv", "kml"}:
        assert all(moment in response.text for moment in expected.values())
        assert response.text.count("2026-01-0") == len(expected)
        return
    if code in {"geojsonseq", "jsonfg"}:
        parts = (
            response.text.strip("\x1e\n").split("\x1e")
            if code == "geojsonseq"
            else [json.dumps(part) for part in json.loads(response.text)["features"]]
        )
        features = [json.loads(part)["properties"] for part in parts]
        assert {feature["name"]: feature["updated"] for feature in features} == expected
        return
    pyogrio = pytest.importorskip("pyogrio.raw")
    file = tmp_path / f"file.{code}"
    file.write_bytes(response.data)
    if code == "parquet":
        from pyarrow import parquet  # noqa: PLC0415 - a library of this format

        table = parquet.read_table(file)
        values = dict(zip(table["name"].to_pylist(), table["updated"].to_pylist(), strict=True))
        assert values == {name: datetime.fromisoformat(text) for name, text in expected.items()}
        return
    meta, _, _, columns = pyogrio.read(file, layer=0)  # beside it a GeoPackage has its style
    assert set(meta["fields"]) - {"id"} == {"name", "updated"}
    assert str(meta["dtypes"][list(meta["fields"]).index("updated")]).startswith("datetime")
    assert set(columns[list(meta["fields"]).index("name")]) == set(expected)


@pytest.mark.parametrize("fields", [FIELDS, None])
def test_tiles_have_it_where_properties_names_it(
    client: FlaskClient, changed: Callable[..., str], fields: Any
) -> None:
    collection = changed(fields)
    tile = f"/ogc/collections/{collection}/tiles/WebMercatorQuad/0/0/0"
    assert b"updated" not in client.get(tile).data
    query = {"properties": "updated", "filter": f"updated = TIMESTAMP('{LATE}')"}
    response = client.get(tile, query_string=query)
    assert response.status_code == 200
    (layer,) = decode(response.data)
    assert layer
    assert response.data.count(LATE.encode()) == 1  # a value of all of its features
    assert b"rank" not in response.data


def test_a_map_tile_has_each_layers_own(
    client: FlaskClient, layer: Layer, changed: Callable[..., str], empty_database: Engine
) -> None:
    plain = changed()
    own = layer([("POINT(1 1)", {"updated": "mine"})], fields={"updated": {"type": "string"}})
    with empty_database.begin() as connection:
        map_id = connection.execute(
            text("INSERT INTO maps (name, created_by, view_permission)"
                 " SELECT 'M', created_by, 'public' FROM layers WHERE id = :own RETURNING id"),
            {"own": own},
        ).scalar_one()  # fmt: skip
        for number, layer_id in enumerate((own, plain)):
            connection.execute(
                text('INSERT INTO map_layers (map_id, layer_id, "order") VALUES (:m, :l, :n)'),
                {"m": map_id, "l": layer_id, "n": number},
            )
    tile = client.get(f"/ogc/maps/{map_id}/tiles/WebMercatorQuad/0/0/0?properties=updated")
    assert tile.status_code == 200
    assert b"mine" in tile.data
    assert _moment(1).encode() in tile.data


_KNOWN_LAYERS = text(
    "SELECT cardinality(most_common_vals::text::uuid[]) FROM pg_stats"
    " WHERE tablename = 'layer_features' AND attname = 'layer_id'"
)


@pytest.fixture
def left_alone(empty_database: Engine) -> Iterator[Engine]:
    """The empty database, in which the test alone decides what plans depend on: pages that others
    have left, and the statistics of features."""
    with empty_database.begin() as connection:
        connection.execute(text("ALTER TABLE layer_features SET (autovacuum_enabled = off)"))
        connection.execute(text("TRUNCATE layer_features CASCADE"))
    yield empty_database
    with empty_database.begin() as connection:
        connection.execute(text("ALTER TABLE layer_features RESET (autovacuum_enabled)"))


@pytest.mark.parametrize(
    "parameters",
    [
        {"sortby": "updated"},
        {"sortby": "-updated"},
        {"sortby": "updated", "after": encode_position('["2026-01-02T18:00:00+00:00", 7]')},
        {"sortby": "-updated", "after": encode_position('["2026-01-02T18:00:00+00:00", 7]')},
        {"filter": "updated > TIMESTAMP('2026-01-03T01:50:00Z')"},
        {"updated": "2026-01-02T18:00:00Z"},
    ],
    ids=str,
)
def test_it_costs_nothing_with_other_features(
    left_alone: Engine, layer: Layer, parameters: dict[str, str]
) -> None:
    """Those of other layers, those that have not changed, those before the position."""
    collection = layer([])
    insert = text(
        "INSERT INTO layer_features (layer_id, properties, updated_at)"
        " SELECT :layer, '{}', timestamptz '2026-01-01' + interval '1 minute' * number"
        " FROM generate_series(1, 3000) AS number"
    )
    with left_alone.begin() as connection:
        for layer_id in (collection, layer([])):
            connection.execute(insert, {"layer": layer_id})
    query = parse_items_query(MultiDict(parameters), Capabilities({}))
    statement = select_page(collection, query, None, is_counted=False)
    with left_alone.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE layer_features")
        known = connection.execute(_KNOWN_LAYERS).scalar_one()
        assert known == 2, "the plan is not made for these features"
        (plan,) = connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}", statement.values
        ).scalar_one()
    read = [node for node in _nodes(plan["Plan"]) if "Index Name" in node]
    assert {node["Index Name"] for node in read} == {"ix_layer_features_layer_id_updated_at_id"}
    assert sum(node["Actual Rows"] + node.get("Rows Removed by Filter", 0) for node in read) < 100


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_feature_can_be_sent_back_as_it_was_requested(
    client: FlaskClient, changed: Callable[..., str], person: Callable[[str], Any], method: str
) -> None:
    """In a layer that takes any property, the last change does not become one of the layer's."""
    owner = person("owner")
    collection = changed(None)
    items = f"/ogc/collections/{collection}/items"
    (feature,) = _get(client, f"{collection}/items", properties="name,rank,updated", name="c")[
        "features"
    ]
    feature["properties"]["rank"] = 9
    response = client.open(
        f"{items}/{feature['id']}", method=method, json=feature, headers=owner.headers
    )
    assert response.status_code == 200, response.text
    assert response.json is not None
    assert response.json["properties"] == {"name": "c", "rank": 9}
    schema = _get(client, f"{collection}/schema")["properties"]["updated"]
    assert schema["readOnly"] is True
    # any other value is the layer's own
    feature["properties"]["updated"] = "2026-01-01T00:00:00Z"
    response = client.open(
        f"{items}/{feature['id']}", method=method, json=feature, headers=owner.headers
    )
    assert response.json is not None
    assert response.json["properties"]["updated"] == "2026-01-01T00:00:00Z"
    assert "readOnly" not in _get(client, f"{collection}/schema")["properties"]["updated"]


def test_a_closed_layer_refuses_it_as_any_unknown_property(
    client: FlaskClient, changed: Callable[..., str], person: Callable[[str], Any]
) -> None:
    owner = person("owner")
    collection = changed()
    page = _get(client, f"{collection}/items", properties="name,updated", name="c")
    (feature,) = page["features"]
    items = f"/ogc/collections/{collection}/items"
    item = f"{items}/{feature['id']}"
    for method, path in (("PUT", item), ("PATCH", item), ("POST", items)):
        response = client.open(path, method=method, json=feature, headers=owner.headers)
        assert response.status_code == 422
        assert response.json is not None
        assert response.json["errors"][0]["pointer"].endswith("/properties/updated")


@pytest.mark.parametrize("is_closed", [True, False])
def test_an_empty_one_is_none(
    client: FlaskClient,
    changed: Callable[..., str],
    person: Callable[[str], Any],
    is_closed: bool,
) -> None:
    """QGIS sends every property of the schema, empty where nobody has filled it in."""
    owner = person("owner")
    collection = changed() if is_closed else changed(None)
    items = f"/ogc/collections/{collection}/items"
    body = {"type": "Feature", "geometry": None, "properties": {"name": "new", "updated": None}}
    made = client.post(items, json=body, headers=owner.headers)
    assert made.status_code == 201, made.text
    assert made.json is not None
    assert made.json["properties"] == {"name": "new"}
    for method in ("PUT", "PATCH"):
        path = f"{items}/{made.json['id']}"
        response = client.open(path, method=method, json=body, headers=owner.headers)
        assert response.status_code == 200, response.text
    assert _get(client, f"{collection}/schema")["properties"]["updated"]["readOnly"] is True
