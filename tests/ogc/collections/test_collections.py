"""Collections: who may read which, and their documents."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from tests.ogc.conftest import Person
from tests.statements import statements

Layer = Callable[..., str]


def _timed(form: str, *roles: str) -> dict[str, Any]:
    """Schemas of the properties a, b, … with a format and these roles."""
    fields: dict[str, Any] = {"a": {"type": "string", "format": form}}
    for name, role in zip("ab", roles, strict=False):
        fields[name] = {"type": "string", "format": form, "x-ogc-role": role}
    return fields


def _ids(client: FlaskClient, **arguments: Any) -> list[str]:
    response = client.get("/ogc/collections", **arguments)
    assert response.status_code == 200, response.text
    return [collection["id"] for collection in response.json["collections"]]  # type: ignore[index]


def test_no_layer_at_all(client: FlaskClient) -> None:
    response = client.get("/ogc/collections")
    assert response.json["collections"] == []  # type: ignore[index]
    assert client.get("/ogc/collections", headers={"Accept": "text/html"}).status_code == 200


def test_a_collection(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer(
        [("POINT(11 57)", {"name": "Læsø"}), ("LINESTRING(12 56, 13.5 56.5)", {}), (None, {})],
        fields={"name": {"type": "string"}},
        name="Ports",
        description="Where ships call",
        category="shipping",
    )
    document = client.get(f"/ogc/collections/{layer_id}").json
    assert document is not None
    assert document["id"] == layer_id
    assert document["title"] == "Ports"
    assert document["description"] == "Where ships call"
    assert document["keywords"] == ["shipping"]
    assert document["itemType"] == "feature"
    assert document["itemCount"] == 3
    assert document["extent"]["spatial"]["bbox"] == [[11, 56, 13.5, 57]]
    assert document["storageCrs"] == document["crs"][0]
    assert "http://www.opengis.net/def/crs/EPSG/0/3035" in document["crs"]
    hub = next(link for link in document["links"] if link["rel"] == "hub")
    assert hub["href"].endswith("/events")
    for link in document["links"]:
        if link is hub:  # a stream, which is sent by a process that is not here
            continue
        address = link["href"].replace("{?since,", "?since=2000-01-01T00:00:00Z{&")
        assert client.get(address.partition("{")[0]).status_code == 200, link
    assert _ids(client) == [layer_id]


@pytest.mark.parametrize(
    ("columns", "features", "interval"),
    [
        (
            {"fields": _timed("date"), "time_field": "a"},
            [{"a": "2026-05-02"}, {"a": "1899-12-31"}, {"a": None}],
            ["1899-12-31T00:00:00Z", "2026-05-02T00:00:00Z"],
        ),
        (
            {"fields": _timed("date-time", "primary-interval-start", "primary-interval-end")},
            [
                {"a": "2026-05-01T00:00:00.25+02:00", "b": "2026-06-01T00:00:00Z"},
                {"a": "2026-05-03T00:00:00Z"},
            ],
            ["2026-04-30T22:00:00Z", "2026-06-01T00:00:00Z"],
        ),
        ({"fields": _timed("date", "primary-instant")}, [{}], None),
        ({"fields": _timed("date")}, [{"a": "2026-05-02"}], None),
    ],
)
def test_the_extent_in_time(
    client: FlaskClient,
    layer: Layer,
    empty_database: Engine,
    *,
    columns: dict[str, Any],
    features: list[dict[str, Any]],
    interval: list[str] | None,
) -> None:
    layer_id = layer([("POINT(1 1)", properties) for properties in features], **columns)

    def temporal_interval() -> list[Any]:
        (listed,) = client.get("/ogc/collections").json["collections"]  # type: ignore[index]
        one = client.get(f"/ogc/collections/{layer_id}").json
        assert one is not None
        assert one["extent"] == listed["extent"]
        return one["extent"].get("temporal", {}).get("interval", [None])[0]  # type: ignore[no-any-return]

    assert temporal_interval() == interval
    if interval:
        assert interval[0] in client.get(f"/ogc/collections/{layer_id}?f=html").text
        with empty_database.begin() as connection:
            connection.execute(
                text(
                    'UPDATE layer_features SET properties = \'{"a": "2030-01-01"}\','
                    " geom = NULL WHERE layer_id = :layer"
                ),
                {"layer": layer_id},
            )
        response = client.get(f"/ogc/collections/{layer_id}")
        assert response.json["extent"] == {  # type: ignore[index]
            "temporal": {
                "interval": [["2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]],
                "trs": "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian",
            }
        }
        assert client.get(f"/ogc/collections/{layer_id}?f=html").status_code == 200


def test_a_time_field_is_indexed_from_when_it_is_set(
    client: FlaskClient, layer: Layer, person: Callable[[str], Person]
) -> None:
    fields = {"a": {"type": "string", "format": "date"}, "n": {"type": "integer"}}
    layer_id = layer([("POINT(1 1)", {"a": "2026-05-02"})], fields=fields)
    headers = person("owner").headers
    path = f"/api/v1/layers/{layer_id}"
    assert client.get(f"{path}/indexes").json == []
    assert client.patch(path, json={"time_field": "a"}, headers=headers).status_code == 200
    assert client.get(f"{path}/indexes").json == [{"property": "a", "type": "string"}]
    extent = client.get(f"/ogc/collections/{layer_id}").json["extent"]  # type: ignore[index]
    assert extent["temporal"]["interval"] == [["2026-05-02T00:00:00Z", "2026-05-02T00:00:00Z"]]
    set_others = client.put(f"{path}/indexes", json={"properties": ["n"]}, headers=headers)
    assert [entry["property"] for entry in set_others.json] == ["n", "a"]  # type: ignore[union-attr]
    for same in (["n"], ["a", "n"]):
        again = client.put(f"{path}/indexes", json={"properties": same}, headers=headers)
        assert again.headers["ETag"] == set_others.headers["ETag"]
    assert client.delete(f"{path}/indexes/n", headers=headers).status_code == 204
    assert client.delete(f"{path}/indexes/a", headers=headers).status_code == 409
    assert client.patch(path, json={"time_field": None}, headers=headers).status_code == 200
    assert client.delete(f"{path}/indexes/a", headers=headers).status_code == 204


def test_metadata_of_a_layer(client: FlaskClient, layer: Layer) -> None:
    metadata = {
        "keywords": ["sea", 7, "", "bed"],
        "attribution": "© The <Agency>",
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "provider": {"name": "Agency", "url": "https://agency.example.org"},
    }
    mistyped = {
        "keywords": "sea",
        "attribution": 5,
        "license": "javascript:alert(1)",
        "provider": [1],
    }
    named, plain = (layer(layer_metadata=json.dumps(value)) for value in (metadata, mistyped))
    listed = {one["id"]: one for one in client.get("/ogc/collections").json["collections"]}  # type: ignore[index]
    for document in (client.get(f"/ogc/collections/{named}").json, listed[named]):
        assert document is not None
        assert document["keywords"] == ["sea", "bed"]
        assert document["attribution"] == "© The <Agency>"
        assert document["license"] == metadata["license"]
        assert document["providers"] == [metadata["provider"]]
        links = [link["href"] for link in document["links"] if link["rel"] == "license"]
        assert links == [metadata["license"]]
    page = client.get(f"/ogc/collections/{named}?f=html").text
    assert "© The &lt;Agency&gt;" in page
    assert '<a href="https://agency.example.org"' in page
    document = client.get(f"/ogc/collections/{plain}").json
    assert document is not None
    assert document["keywords"] == []
    assert not {"attribution", "providers"} & set(document)
    assert document["license"] == "javascript:alert(1)"
    assert "license" not in {link["rel"] for link in document["links"]}
    assert 'href="javascript' not in client.get(f"/ogc/collections/{plain}?f=html").text


def test_an_empty_layer_has_its_type_and_fields_but_no_extent(
    client: FlaskClient, layer: Layer
) -> None:
    layer_id = layer(
        fields={
            "name": {"type": "string", "x-ogc-propertySeq": 2},
            "built": {"type": "string", "format": "date", "x-ogc-propertySeq": 1},
        },
        geometry_type="MultiPolygon",
        time_field="built",
    )
    document = client.get(f"/ogc/collections/{layer_id}").json
    assert document is not None
    assert "extent" not in document
    schema = client.get(f"/ogc/collections/{layer_id}/schema").json
    assert schema is not None
    assert schema["properties"]["geometry"]["format"] == "geometry-polygon-or-multipolygon"
    assert list(schema["properties"]) == ["id", "geometry", "built", "name", "updated"]
    assert schema["properties"]["id"] == {
        "title": "Id",
        "type": "integer",
        "readOnly": True,
        "x-ogc-role": "id",
        "x-ogc-propertySeq": 0,
    }
    assert schema["properties"]["built"]["x-ogc-role"] == "primary-instant"
    items = client.get(f"/ogc/collections/{layer_id}/items").json
    assert items is not None
    assert (items["features"], items["numberMatched"], items["numberReturned"]) == ([], 0, 0)


def test_a_layer_without_a_schema_is_described_by_its_features(
    client: FlaskClient, layer: Layer
) -> None:
    layer_id = layer([("POINT(1 1)", {"n": 1, "s": "a", "m": 1}), (None, {"m": "x", "z": None})])
    queryables = client.get(f"/ogc/collections/{layer_id}/queryables").json
    assert queryables is not None
    assert {
        name: schema.get("type")
        for name, schema in queryables["properties"].items()
        if name not in {"geometry", "updated"}
    } == {"n": "number", "s": "string", "m": "string"}
    assert queryables["additionalProperties"] is False


def test_a_property_named_geometry_does_not_take_its_place(
    client: FlaskClient, layer: Layer
) -> None:
    layer_id = layer(
        [("POINT(1 1)", {"geometry": "round", "id": 7})],
        fields={"geometry": {"type": "string"}, "id": {"type": "integer"}},
    )
    for path in ("schema", "queryables"):
        served = client.get(f"/ogc/collections/{layer_id}/{path}").json
        assert served is not None
        assert served["properties"]["geometry"]["x-ogc-role"] == "primary-geometry"
        assert served["properties"]["id"]["type"] == "integer"


def test_sortables_are_listed_and_no_others_accepted(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer(
        [("POINT(1 1)", {"n": 1, "tags": ["a"], "more": {}, "geometry": "round"})],
        fields={
            "n": {"type": "integer", "title": "Number"},
            "tags": {"type": "array"},
            "more": {"type": "object"},
            "geometry": {"type": "string"},
        },
    )
    address = f"/ogc/collections/{layer_id}"
    served = client.get(f"{address}/sortables")
    assert served.mimetype == "application/schema+json"
    assert served.json is not None
    properties = dict(served.json["properties"])
    assert properties.pop("updated")["format"] == "date-time"
    assert properties == {"n": {"title": "Number", "type": "integer"}}
    assert served.json["additionalProperties"] is False
    assert served.json["$id"].endswith(f"{address}/sortables")
    assert "Sortables" in client.get(f"{address}/sortables?f=html").text
    assert client.get(f"{address}/items?sortby=-n").status_code == 200
    for name in ("tags", "more", "geometry", "other"):
        refused = client.get(f"{address}/items", query_string={"sortby": name})
        assert refused.status_code == 400, name
        assert name in refused.json["detail"]  # type: ignore[index]


def test_private_layers_do_not_exist_for_others(
    client: FlaskClient, layer: Layer, person: Callable[[str], Person]
) -> None:
    secret = layer([("POINT(1 1)", {})], visibility="private", name="Secret")
    owner, stranger = person("owner"), person("stranger")
    for path in ("", "/schema", "/queryables", "/sortables", "/items", "/items/1"):
        address = f"/ogc/collections/{secret}{path}"
        assert client.get(address).status_code == 404
        hidden = client.get(address, headers=stranger.headers)
        absent = client.get(address.replace(secret, str(uuid.uuid4())), headers=stranger.headers)
        assert (hidden.status_code, hidden.json) == (404, absent.json)
    for path in ("", "/schema", "/queryables", "/sortables", "/items"):
        address = f"/ogc/collections/{secret}{path}"
        assert client.get(address, headers=owner.headers).status_code == 200
    assert _ids(client) == _ids(client, headers=stranger.headers) == []
    assert _ids(client, headers=owner.headers) == [secret]
    assert _ids(client, headers=stranger.headers, query_string={"q": "Secret"}) == []
    assert secret not in client.get("/ogc/openapi").text


def test_layers_of_other_kinds_are_no_collections(client: FlaskClient, layer: Layer) -> None:
    wms = layer(source_type="wms", source_config='{"url": "https://example.org/wms"}')
    assert _ids(client) == []
    assert client.get(f"/ogc/collections/{wms}").status_code == 404


def test_paging_searching_and_boxes(client: FlaskClient, layer: Layer) -> None:
    north = layer([("POINT(10 60)", {})], name="Wind farms, 100% offshore")
    south = layer([("POINT(10 50)", {}), ("POINT(20 55)", {})], name="Fishing", description="wind")
    empty = layer(name="Empty")
    assert _ids(client) == [empty, south, north]
    assert _ids(client, query_string={"q": "wind"}) == [south, north]
    assert _ids(client, query_string={"q": "WIND farms"}) == [north]
    assert _ids(client, query_string={"q": "100%"}) == [north]
    assert _ids(client, query_string={"bbox": "9,59,11,61"}) == [north]
    assert _ids(client, query_string={"bbox": "14,51,15,52"}) == [south]
    seen, address = [], "/ogc/collections?limit=1"
    while address:
        page = client.get(address).json
        assert page is not None
        seen += [collection["id"] for collection in page["collections"]]
        address = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
    assert seen == [empty, south, north]
    second = client.get("/ogc/collections?limit=1&offset=1").json
    assert any(link["rel"] == "prev" for link in second["links"])  # type: ignore[index]
    for bad in ({"limit": "0"}, {"limit": "x"}, {"offset": "-1"}, {"bbox": "1,2,3"}):
        assert client.get("/ogc/collections", query_string=bad).status_code == 400


def _statements(request: Callable[[], Any]) -> int:
    with statements() as seen:
        request()
    return len(seen)


def test_statements_do_not_grow_with_layers_or_features(
    client: FlaskClient, layer: Layer, empty_database: Engine, person: Callable[[str], Person]
) -> None:
    fields = {"a": {"type": "integer"}}
    one = layer([("POINT(1 1)", {"a": 1})], fields=fields)
    headers = person("owner").headers
    client.get("/ogc/collections", headers=headers)

    def counts() -> dict[str, int]:
        return {
            path: _statements(lambda p=path: client.get(p, headers=headers))  # type: ignore[misc]
            for path in (
                "/ogc/collections",
                f"/ogc/collections/{one}",
                f"/ogc/collections/{one}/schema",
                f"/ogc/collections/{one}/items?a=1&bbox=0,0,9,9",
                f"/ogc/collections/{one}/items?f=html",
            )
        }

    before = counts()
    for _ in range(20):
        layer([("POINT(1 1)", {"a": 1})] * 3, fields=fields)
    with empty_database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO layer_features (layer_id, geom)"
                " SELECT :layer, ST_SetSRID(ST_MakePoint(n % 90, 1), 4326)"
                " FROM generate_series(1, 500) AS n"
            ),
            {"layer": one},
        )
    assert counts() == before
    assert list(before.values()) == [3, 2, 1, 2, 2]
    assert _statements(lambda: client.get("/ogc/conformance")) == 0


def test_a_write_is_seen_at_once(client: FlaskClient, layer: Layer, empty_database: Engine) -> None:
    layer_id = layer([("POINT(1 1)", {}), ("POINT(9 9)", {})])
    with empty_database.begin() as connection:
        connection.execute(
            text("DELETE FROM layer_features WHERE ST_X(geom) = 9 AND layer_id = :layer"),
            {"layer": layer_id},
        )
    document = client.get(f"/ogc/collections/{layer_id}").json
    assert document is not None
    assert document["itemCount"] == 1
    assert document["extent"]["spatial"]["bbox"] == [[1, 1, 1, 1]]
    with empty_database.begin() as connection:
        connection.execute(text("DELETE FROM layers WHERE id = :layer"), {"layer": layer_id})
    assert client.get(f"/ogc/collections/{layer_id}").status_code == 404
