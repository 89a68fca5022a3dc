"""Comments on a map or on a layer as collections of features."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from tests.ogc.conftest import Person
from tests.statements import statements

AREA = {"type": "Polygon", "coordinates": [[[11, 57], [12, 57], [12, 58], [11, 57]]]}
Write = Callable[..., dict[str, Any]]


@pytest.fixture
def owner(person: Callable[[str], Person]) -> Person:
    return person("owner")


@pytest.fixture
def write(client: FlaskClient, owner: Person) -> Write:
    """Write a comment; return it."""

    def send(content: str = "Mind the cod.", author: Person = owner, **members: Any) -> Any:
        body = {"content": content, **members}
        response = client.post("/api/v1/comments", json=body, headers=author.headers)
        assert response.status_code == 201, response.text
        return response.json

    return send


@pytest.fixture
def sea(layer: Callable[..., str]) -> str:
    """A public layer with a zone and a feature without geometry."""
    zone = "POLYGON ((10 55, 11 55, 11 56, 10 56, 10 55))"
    return layer([(zone, {"name": "zone"}), (None, {"name": "nowhere"})])


@pytest.fixture
def hidden(layer: Callable[..., str], person: Callable[[str], Person]) -> str:
    """A private layer of somebody else."""
    return layer([("POINT (1 2)", {})], visibility="private", created_by=person("other").id)


def make_map(engine: Engine, owner: Person, *layers: str, view: str = "public") -> str:
    with engine.begin() as connection:
        map_id = connection.execute(
            text(
                "INSERT INTO maps (name, created_by, view_permission)"
                " VALUES ('Kattegat', :owner, :view) RETURNING id"
            ),
            {"owner": owner.id, "view": view},
        ).scalar_one()
        for order, layer_id in enumerate(layers):
            connection.execute(
                text(
                    'INSERT INTO map_layers (map_id, layer_id, "order")'
                    " VALUES (:map, :layer, :order)"
                ),
                {"map": map_id, "layer": layer_id, "order": order},
            )
    return str(map_id)


def features_of(engine: Engine, layer_id: str) -> list[int]:
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT id FROM layer_features WHERE layer_id = :layer ORDER BY id"),
            {"layer": layer_id},
        )
        return [row.id for row in found]


def items(
    client: FlaskClient, collection: str, caller: Person | None = None, **query: Any
) -> dict[str, Any]:
    response = client.get(
        f"/ogc/collections/{collection}/items",
        query_string=query,
        headers=caller.headers if caller else {},
    )
    assert response.status_code == 200, response.text
    return dict(response.json or {})


def contents(document: dict[str, Any]) -> list[str]:
    return [feature["properties"]["content"] for feature in document["features"]]


def test_a_map_has_its_comments_as_features(
    client: FlaskClient, empty_database: Engine, owner: Person, sea: str, write: Write
) -> None:
    zone, nowhere = features_of(empty_database, sea)
    map_id = make_map(empty_database, owner, sea)
    point = {"type": "Point", "coordinates": [9.5, 54.5]}
    placed = write("at a point", map_id=map_id, position=point)
    write("on an area", map_id=map_id, geometry=AREA)
    on_zone = write("on a zone", map_id=map_id, layer_id=sea, feature_id=zone)
    write("on nothing that has a place", layer_id=sea, feature_id=nowhere)
    write("on the map", map_id=map_id)
    write("a reply", map_id=map_id, parent_id=on_zone["id"])
    document = items(client, f"comments-of-map-{map_id}")
    assert document["numberMatched"] == document["numberReturned"] == 6
    geometries = [feature["geometry"] for feature in document["features"]]
    assert geometries[:2] == [point, AREA]
    assert geometries[3:5] == [None, None]
    for geometry in (geometries[2], geometries[5]):
        assert 10 < geometry["coordinates"][0] < 11
        assert 55 < geometry["coordinates"][1] < 56
    ids = [feature["id"] for feature in document["features"]]
    assert ids == sorted(ids)
    first = document["features"][0]["properties"]
    assert first == {
        "comment_id": placed["id"],
        "thread_id": placed["id"],
        "parent_id": None,
        "map_id": map_id,
        "layer_id": None,
        "feature_id": None,
        "author": None,
        "content": "at a point",
        "resolved": False,
        "target_state": "current",
        "created": placed["created_at"],
        "updated": placed["updated_at"],
        "deleted": False,
    }
    reply = document["features"][5]["properties"]
    assert reply["parent_id"] == reply["thread_id"] == on_zone["id"]
    assert contents(items(client, f"comments-of-layer-{sea}")) == [
        *("on a zone", "on nothing that has a place", "a reply")
    ]


def test_one_comment_is_a_feature(
    client: FlaskClient, empty_database: Engine, owner: Person, write: Write
) -> None:
    map_id = make_map(empty_database, owner)
    write("one", map_id=map_id)
    write("another", map_id=map_id)
    collection = f"comments-of-map-{map_id}"
    found = items(client, collection)["features"]
    address = f"/ogc/collections/{collection}/items/{found[1]['id']}"
    response = client.get(address)
    assert response.json
    assert response.json["properties"] == found[1]["properties"]
    links = {link["rel"]: link["href"] for link in response.json["links"]}
    assert links["collection"].endswith(f"/ogc/collections/{collection}")
    tag = response.headers["ETag"]
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
    assert (
        client.get(f"/ogc/collections/{collection}/items/{found[1]['id'] + 1}").status_code == 404
    )
    with_version = client.get(address, query_string={"version-datetime": "2026-01-01T00:00:00Z"})
    assert with_version.status_code == 400


def test_open_threads_are_selected(
    client: FlaskClient, empty_database: Engine, owner: Person, write: Write
) -> None:
    map_id = make_map(empty_database, owner)
    done = write("done", map_id=map_id)
    write("indeed", map_id=map_id, parent_id=done["id"])
    write("open", map_id=map_id)
    resolve = f"/api/v1/comments/{done['id']}/resolve"
    assert client.put(resolve, headers=owner.headers).status_code == 200
    collection = f"comments-of-map-{map_id}"
    assert contents(items(client, collection, filter="resolved = false")) == ["open"]
    assert contents(items(client, collection, resolved="true")) == ["done", "indeed"]
    assert contents(items(client, collection, filter="content LIKE 'o%'")) == ["open"]
    assert contents(items(client, collection, sortby="-created")) == ["open", "indeed", "done"]
    hits = items(client, collection, filter="resolved = true", resulttype="hits")
    assert hits["numberMatched"] == 2


def test_comments_are_selected_by_place_and_time(
    client: FlaskClient, empty_database: Engine, owner: Person, sea: str, write: Write
) -> None:
    zone, _ = features_of(empty_database, sea)
    first = write("in the zone", layer_id=sea, feature_id=zone)
    write("elsewhere", layer_id=sea, position={"type": "Point", "coordinates": [1, 2]})
    collection = f"comments-of-layer-{sea}"
    assert contents(items(client, collection, bbox="10,55,11,56")) == ["in the zone"]
    box = "S_INTERSECTS(geometry, BBOX(0, 0, 5, 5))"
    assert contents(items(client, collection, filter=box)) == ["elsewhere"]
    assert contents(items(client, collection, datetime=f"../{first['created_at']}")) == [
        "in the zone"
    ]
    both = items(client, collection, bbox="0,0,20,60", filter="target_state = 'current'")
    assert both["numberMatched"] == 2
    found = items(client, collection, crs="http://www.opengis.net/def/crs/EPSG/0/3857", limit=1)
    assert found["features"][0]["geometry"]["coordinates"][0] > 1_000_000


@pytest.mark.parametrize("sortby", [None, "-created", "resolved,content"])
def test_pages_follow_one_another(
    client: FlaskClient, empty_database: Engine, owner: Person, write: Write, sortby: str | None
) -> None:
    map_id = make_map(empty_database, owner)
    for number in range(7):
        write(f"comment {number}", map_id=map_id)
    address: str | None = f"/ogc/collections/comments-of-map-{map_id}/items?limit=3"
    if sortby:
        address = f"{address}&sortby={sortby}"
    seen, sizes = list[str](), list[int]()
    while address:
        document = client.get(address).json or {}
        assert document["numberMatched"] == 7
        seen += contents(document)
        sizes.append(document["numberReturned"])
        address = next((link["href"] for link in document["links"] if link["rel"] == "next"), None)
    assert sizes == [3, 3, 1]
    expected = [f"comment {number}" for number in range(7)]
    assert seen == (expected[::-1] if sortby == "-created" else expected)
    streamed = items(client, f"comments-of-map-{map_id}", limit=1000)
    assert contents(streamed) == expected


def test_a_comment_shows_what_has_become_of_its_feature(
    client: FlaskClient, empty_database: Engine, owner: Person, sea: str, write: Write
) -> None:
    zone, nowhere = features_of(empty_database, sea)
    write("on the zone", layer_id=sea, feature_id=zone)
    write("on nowhere", layer_id=sea, feature_id=nowhere)
    collection = f"comments-of-layer-{sea}"

    def states() -> list[str]:
        document = items(client, collection)
        return [feature["properties"]["target_state"] for feature in document["features"]]

    assert states() == ["current", "current"]
    feature = f"/ogc/collections/{sea}/items/{zone}"
    moved = {"geometry": {"type": "Point", "coordinates": [20, 60]}}
    assert client.patch(feature, json=moved, headers=owner.headers).status_code == 200
    assert states() == ["changed", "current"]
    assert items(client, collection, target_state="changed")["numberMatched"] == 1
    assert items(client, collection)["features"][0]["geometry"]["coordinates"] == [20, 60]
    assert client.delete(feature, headers=owner.headers).status_code == 204
    assert states() == ["gone", "current"]
    place = items(client, collection)["features"][0]["geometry"]["coordinates"]
    assert 10 < place[0] < 11


def test_nobody_reads_more_than_the_list_of_comments_has(
    client: FlaskClient, empty_database: Engine, owner: Person, hidden: str, write: Write
) -> None:
    map_id = make_map(empty_database, owner, hidden)
    write("on the map", map_id=map_id)
    write("on what few read", map_id=map_id, layer_id=hidden)
    assert contents(items(client, f"comments-of-map-{map_id}")) == ["on the map"]
    assert len(items(client, f"comments-of-map-{map_id}", owner)["features"]) == 2
    assert client.get(f"/ogc/collections/comments-of-layer-{hidden}/items").status_code == 404
    private = make_map(empty_database, owner, view="private")
    for path in ("", "/items", "/items/1", "/schema", "/queryables", "/sortables"):
        address = f"/ogc/collections/comments-of-map-{private}{path}"
        assert client.get(address).status_code == 404, path
        if path != "/items/1":
            assert client.get(address, headers=owner.headers).status_code == 200, path


def test_a_deleted_comment_is_a_tombstone(
    client: FlaskClient, empty_database: Engine, owner: Person, write: Write
) -> None:
    map_id = make_map(empty_database, owner)
    first = write("a secret", map_id=map_id)
    write("a reply", map_id=map_id, parent_id=first["id"])
    deleted = client.delete(f"/api/v1/comments/{first['id']}", headers=owner.headers)
    assert deleted.status_code == 204
    document = items(client, f"comments-of-map-{map_id}")
    assert contents(document) == ["[deleted]", "a reply"]
    tombstone = document["features"][0]["properties"]
    assert (tombstone["author"], tombstone["deleted"]) == ("[deleted]", True)


def test_comments_are_not_written_here(
    client: FlaskClient, empty_database: Engine, owner: Person, write: Write
) -> None:
    map_id = make_map(empty_database, owner, view="private")
    write(map_id=map_id)
    path = f"/ogc/collections/comments-of-map-{map_id}/items"
    feature = {"type": "Feature", "geometry": None, "properties": {}}
    for method, address in (
        *(("POST", path), ("PUT", f"{path}/1"), ("PATCH", f"{path}/1"), ("DELETE", f"{path}/1")),
    ):
        body = {} if method == "DELETE" else {"json": feature}
        refused = client.open(address, method=method, headers=owner.headers, **body)
        assert refused.status_code == 405, refused.text
        assert refused.headers["Allow"] == "GET, HEAD, OPTIONS"
        assert client.open(address, method=method, **body).status_code == 404
        offered = client.options(address, headers=owner.headers)
        assert offered.headers["Allow"] == "GET, HEAD, OPTIONS"
    for method, address in (("DELETE", path), ("PUT", path), ("POST", f"{path}/1")):
        for headers in ({}, owner.headers):
            refused = client.open(address, method=method, headers=headers)
            assert refused.status_code == 405, refused.text
            assert {*refused.headers["Allow"].split(", ")} == {"GET", "HEAD", "OPTIONS"}
            assert "/api/v1/comments" in refused.text
    layers = client.delete(f"/ogc/collections/{map_id}/items")
    assert "POST" in layers.headers["Allow"]
    for path in ("tiles", "styles", "changes", "items/1/versions"):
        address = f"/ogc/collections/comments-of-map-{map_id}/{path}"
        assert client.get(address, headers=owner.headers).status_code == 404
    features = f"/api/v1/layers/comments-of-map-{map_id}/features"
    assert client.get(features, headers=owner.headers).status_code == 404


def test_the_collection_is_described_and_linked(
    client: FlaskClient, empty_database: Engine, owner: Person, sea: str, write: Write
) -> None:
    map_id = make_map(empty_database, owner, sea)
    collection = f"comments-of-map-{map_id}"
    address = f"/ogc/collections/{collection}"
    empty = client.get(address).json or {}
    assert (empty["itemCount"], "extent" in empty) == (0, False)
    write(map_id=map_id, geometry=AREA)
    document = client.get(address).json or {}
    assert document["id"] == collection
    assert document["title"] == "Comments on Kattegat"
    assert document["itemCount"] == 1
    assert document["extent"]["spatial"]["bbox"] == [[11, 57, 12, 58]]
    assert "temporal" in document["extent"]
    for link in document["links"]:
        path = link["href"].partition("/ogc/")[2]
        assert client.get(f"/ogc/{path}").status_code == 200, link
    assert address in client.get(f"/api/v1/maps/{map_id}").headers["Link"]
    for document in (
        client.get(f"/ogc/collections/{sea}").json,
        client.get(f"/api/v1/layers/{sea}").json,
    ):
        linked = next(link for link in document["links"] if link["rel"] == "comments")
        assert linked["href"].endswith(f"/ogc/collections/comments-of-layer-{sea}")


@pytest.mark.parametrize("path", ["", "/items", "/items/{}", "/schema", "/queryables"])
def test_an_entity_tag_lasts_as_long_as_what_it_is_of(
    client: FlaskClient, empty_database: Engine, owner: Person, write: Write, path: str
) -> None:
    map_id = make_map(empty_database, owner)
    first = write(map_id=map_id, geometry=AREA)
    collection = f"comments-of-map-{map_id}"
    (feature,) = items(client, collection)["features"]
    address = f"/ogc/collections/{collection}{path.format(feature['id'])}"
    before = client.get(address)
    begun = time.time()
    while int(time.time()) <= int(begun):
        time.sleep(0.05)
    after = client.get(address, headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.headers["ETag"]) == (304, before.headers["ETag"])
    edited = client.patch(
        f"/api/v1/comments/{first['id']}", json={"content": "Mind"}, headers=owner.headers
    )
    assert edited.status_code == 200, edited.text
    write(map_id=map_id)
    changed = client.get(address, headers={"If-None-Match": before.headers["ETag"]})
    assert (changed.status_code == 304) == (path in {"/schema", "/queryables"})


@pytest.mark.parametrize("path", ["", "/items", "/schema", "/queryables", "/sortables"])
def test_pages(
    client: FlaskClient, empty_database: Engine, owner: Person, write: Write, path: str
) -> None:
    map_id = make_map(empty_database, owner)
    write("<b>Mind</b> the cod.", map_id=map_id, geometry=AREA)
    address = f"/ogc/collections/comments-of-map-{map_id}{path}"
    page = client.get(address, headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "Comments on Kattegat" in page.text
    assert "<b>Mind" not in page.text
    if path == "/items":
        assert "&lt;b&gt;Mind" in page.text
        assert "/tiles/" not in page.text
        form = client.get(f"/ogc/collections/comments-of-map-{map_id}/form?is.resolved=false")
        assert form.status_code == 303
        assert client.get(form.headers["Location"]).status_code == 200
        (feature,) = items(client, f"comments-of-map-{map_id}")["features"]
        one = client.get(f"{address}/{feature['id']}", headers={"Accept": "text/html"})
        assert one.status_code == 200
        assert "History" not in one.text


@pytest.mark.parametrize("code", ["csv", "geojson", "gpkg", "xlsx", "fgb", "jsonfg"])
def test_downloads(
    client: FlaskClient, empty_database: Engine, owner: Person, write: Write, code: str
) -> None:
    map_id = make_map(empty_database, owner)
    write("Mind the cod.", map_id=map_id, geometry=AREA)
    path = f"/ogc/collections/comments-of-map-{map_id}/items?f={code}"
    response = client.get(path)
    assert response.status_code == 200, response.text
    assert len(response.data) > 100
    if code in {"csv", "geojson", "jsonfg"}:
        assert b"Mind the cod." in response.data


def test_the_number_of_statements_does_not_grow(
    client: FlaskClient, empty_database: Engine, owner: Person, sea: str, write: Write
) -> None:
    zone, _ = features_of(empty_database, sea)
    map_id = make_map(empty_database, owner, sea)
    for number in range(4):
        write(f"{number}", map_id=map_id, layer_id=sea, feature_id=zone)
    counts = set()
    for limit in (1, 4):
        with statements() as seen:
            items(client, f"comments-of-map-{map_id}", limit=limit, filter="resolved = false")
        counts.add(len(seen))
    assert counts == {2}


def test_search(client: FlaskClient, empty_database: Engine, owner: Person, write: Write) -> None:
    map_id = make_map(empty_database, owner)
    write("one", map_id=map_id)
    write("another", map_id=map_id)
    body = {"filter": {"op": "=", "args": [{"property": "content"}, "one"]}}
    found = client.post(f"/ogc/collections/comments-of-map-{map_id}/search", json=body)
    assert contents(found.json or {}) == ["one"]


def test_those_on_own_maps_are_listed_before_the_layers(
    client: FlaskClient, empty_database: Engine, owner: Person, sea: str, write: Write
) -> None:
    maps = [make_map(empty_database, owner) for _ in range(4)]
    for map_id in maps[:3]:
        write(map_id=map_id)
    expected = [*(f"comments-of-map-{map_id}" for map_id in reversed(maps[:3])), sea]

    def listed(query: str, headers: dict[str, str]) -> list[list[str]]:
        pages, address = list[list[str]](), f"/ogc/collections?{query}"
        while address:
            document = client.get(address, headers=headers).json or {}
            pages.append([entry["id"] for entry in document["collections"]])
            links = {link["rel"]: link["href"] for link in document["links"]}
            address = links.get("next", "")
        return pages

    assert listed("", owner.headers) == [expected]
    assert listed("", {}) == [[sea]]
    for limit in (1, 2, 3):
        pages = listed(f"limit={limit}", owner.headers)
        assert [entry for page in pages for entry in page] == expected
        assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert listed("q=comments%20kattegat&limit=2", owner.headers) == [expected[:2], [expected[2]]]
    assert listed("bbox=10,55,11,56", owner.headers) == [[sea]]
    page = client.get("/ogc/collections?f=html", headers=owner.headers)
    assert page.text.count("Comments on Kattegat") == 3
