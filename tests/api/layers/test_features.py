"""`/api/v1/layers/{id}/features`: the OGC resources, to read and to write one by one."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.api.layer_requests import LINE, RING, Person, collection, feature, pointers, vector
from tests.statements import statements

POINT = {"type": "Point", "coordinates": [11.5, 57.5]}
AREA = {"type": "Polygon", "coordinates": [RING]}
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
SCHEMA = {
    "properties": {"name": {"type": "string"}, "depth": {"type": "integer"}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.fixture
def layer(owner: Person) -> str:
    """A public layer of the owner's with a schema, and one feature."""
    body = vector(feature(POINT, name="a"), property_schema=SCHEMA, visibility="public")
    answer = owner.post(body)
    assert answer.status_code == 201, answer.text
    return str((answer.json or {})["id"])


@pytest.fixture
def path(owner: Person, layer: str) -> str:
    """The path of the layer's feature, below that of the layers."""
    (found,) = owner.get(f"{layer}/features").json["features"]
    return f"{layer}/features/{found['id']}"


def test_reads_what_ogc_clients_read(owner: Person, anybody: Person, layer: str) -> None:
    mine = anybody.get(f"{layer}/features", query_string="limit=1&name=a").json
    theirs = anybody.client.get(f"/ogc/collections/{layer}/items?limit=1&name=a").json
    for document in (mine, theirs):
        del document["links"], document["timeStamp"]
    assert mine == theirs
    assert anybody.get(f"{layer}/features", query_string="colour=red").status_code == 400
    assert anybody.get(f"{layer}/features", query_string="limit=0").status_code == 400


def test_pages_stay_on_their_path(owner: Person, layer: str) -> None:
    for name in "bcd":
        owner.send("POST", f"{layer}/features", feature(POINT, name=name))
    seen, address = [], f"/api/v1/layers/{layer}/features?limit=2"
    while address:
        page = owner.client.get(address).json
        seen += [member["properties"]["name"] for member in page["features"]]
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        address = following[0].removeprefix("http://localhost") if following else ""
        assert not address or address.startswith(f"/api/v1/layers/{layer}/features?")
    assert seen == ["a", "b", "c", "d"]


def test_areas(owner: Person) -> None:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]}
    crossing = {"type": "LineString", "coordinates": [[1, 1], [3, 3]]}
    within = {"type": "Point", "coordinates": [1, 1]}
    layer = owner.post(
        vector(feature(within, name="in"), feature(crossing, name="over"), feature(None))
    ).json["id"]

    def names(**query: Any) -> list[str]:
        answer = owner.get(f"{layer}/features", query_string=query)
        assert answer.status_code == 200, answer.text
        assert answer.json["numberMatched"] == len(answer.json["features"])
        return [member["properties"]["name"] for member in answer.json["features"]]

    area = json.dumps(square)
    assert names(intersects=area) == ["in", "over"]
    assert names(within=area) == ["in"]
    assert names(within=area, intersects=json.dumps(crossing)) == ["in"]
    assert names(within=area, bbox="5,5,6,6") == []
    # The OGC side knows neither.
    other = owner.client.get(
        f"/ogc/collections/{layer}/items", query_string={"within": area}, headers=owner.headers
    )
    assert other.status_code == 400


@pytest.mark.parametrize(
    "area",
    [
        *("", "null", "{}", "[1,2]", "POINT(1 1)", '{"type":"Point","coordinates":[1]}'),
        '{"type":"Point","coordinates":[200,0]}',
        '{"type":"Polygon","coordinates":[[[0,0],[2,2],[2,0],[0,2],[0,0]]]}',
        '{"type":"Point","coordinates":[NaN,0]}',
        "[" * 5000,
    ],
)
def test_areas_that_are_none(owner: Person, layer: str, area: str) -> None:
    for name in ("intersects", "within"):
        answer = owner.get(f"{layer}/features", query_string={name: area})
        assert answer.status_code == 400, answer.text


def test_one_is_made(owner: Person, layer: str) -> None:
    sent = {**feature(AREA, name="new", depth=7), "id": 1, "bbox": [0, 0, 1, 1]}
    answer = owner.send("POST", f"{layer}/features", sent, Content_Type="application/geo+json")
    assert answer.status_code == 201, answer.text
    assert answer.headers["ETag"] == '"1"'
    assert answer.json["id"] != 1
    assert answer.json["geometry"] == AREA
    location = answer.headers["Location"].removeprefix("http://localhost/api/v1/layers/")
    assert location == f"{layer}/features/{answer.json['id']}"
    found = owner.get(location)
    assert found.json["properties"] == {"name": "new", "depth": 7}
    assert found.headers["ETag"] == answer.headers["ETag"]
    in_ogc = owner.client.get(f"/ogc/collections/{layer}/items/{answer.json['id']}")
    assert in_ogc.json["geometry"] == AREA


def test_one_is_replaced(owner: Person, path: str) -> None:
    answer = owner.put(path, {**feature(LINE, name="b"), "id": 77}, If_Match='"1"')
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == '"2"'
    own = int(path.rsplit("/", 1)[1])
    assert answer.json == {**feature(LINE, name="b"), "id": own}
    answer = owner.put(path, {"type": "Feature", "properties": {"name": "bare"}})
    assert answer.json["geometry"] is None


def test_one_is_merged(owner: Person, path: str) -> None:
    for media_type in ("application/merge-patch+json", "application/geo+json; charset=utf-8"):
        answer = owner.patch(path, {"properties": {"depth": 3}}, Content_Type=media_type)
        assert answer.json["properties"] == {"name": "a", "depth": 3}
    answer = owner.patch(path, {"properties": {"depth": None}, "geometry": LINE})
    assert answer.json["properties"] == {"name": "a"}
    assert answer.json["geometry"] == LINE
    assert owner.patch(path, {"geometry": None}).json["geometry"] is None
    assert owner.get(path).headers["ETag"] == '"5"'


def test_one_is_deleted(owner: Person, path: str) -> None:
    assert owner.delete(path, **{"If-Match": '"7"'}).status_code == 412
    assert owner.delete(path, **{"If-Match": '"1"'}).status_code == 204
    for answer in (owner.get(path), owner.delete(path), owner.put(path, feature(POINT))):
        assert answer.status_code == 404
    assert owner.get(path.split("/", maxsplit=1)[0]).json["feature_count"] == 0


@pytest.mark.parametrize("own", ["0", "-1", "x", "1.5", "9" * 30, "%00", "1e3"])
def test_ids_that_are_none(owner: Person, layer: str, own: str) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body = None if method in {"GET", "DELETE"} else feature(POINT, name="x")
        assert owner.send(method, f"{layer}/features/{own}", body).status_code == 404


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (feature(POINT), ["/properties"]),
        (feature(POINT, name=1, depth="x"), ["/properties/name", "/properties/depth"]),
        (feature({"type": "Point", "coordinates": [181, 0]}, name="a"), ["/geometry/coordinates"]),
        (feature({"type": "Pint"}, name="a"), ["/geometry/type"]),
        ({"type": "Point", "coordinates": [1, 2]}, [""]),
        ({"type": "Feature", "properties": [], "geometry": None}, ["/properties"]),
        ([], [""]),
    ],
)
def test_faults_are_named(owner: Person, layer: str, path: str, body: Any, expected: Any) -> None:
    assert pointers(owner.send("POST", f"{layer}/features", body)) == expected
    assert pointers(owner.put(path, body)) == expected
    assert owner.get(path).headers["ETag"] == '"1"'


@pytest.mark.parametrize("body", [{}, {"name": "x"}, [], "x", {"properties": [1]}, {"geometry": 1}])
def test_patches_that_are_none(owner: Person, path: str, body: Any) -> None:
    assert owner.patch(path, body).status_code == 422
    assert owner.get(path).headers["ETag"] == '"1"'


def test_other_bodies(owner: Person, layer: str, path: str) -> None:
    headers = owner.headers
    for method, address in (("POST", f"{layer}/features"), ("PUT", path), ("PATCH", path)):
        where = f"/api/v1/layers/{address}"
        for data, kind, status in (
            (b"{", "application/json", 400),
            (b"", "application/geo+json", 400),
            (b"\xff", "application/json", 400),
            (b'{"type": NaN}', "application/json", 400),
            (b"<a/>", "text/xml", 415),
            (b"{}", "", 415),
        ):
            answer = owner.client.open(
                where, method=method, data=data, content_type=kind, headers=headers
            )
            assert answer.status_code == status, (method, data, kind, answer.text)


def test_coordinates_in_another_crs(owner: Person, layer: str) -> None:
    for code, coordinates in (
        ("4326", [57.5, 11.5]),
        ("25832", [649807.0543, 6375802.9524]),
        ("3857", [1280174.1441, 7863008.5111]),
    ):
        for name in (f"<{EPSG}{code}>", f"{EPSG}{code}"):
            sent = feature({"type": "Point", "coordinates": coordinates}, name=code)
            answer = owner.send("POST", f"{layer}/features", sent, Content_Crs=name)
            assert answer.status_code == 201, answer.text
            assert answer.headers["Content-Crs"] == f"<{EPSG}{code}>"
            found = owner.get(f"{layer}/features/{answer.json['id']}").json
            assert found["geometry"]["coordinates"] == pytest.approx([11.5, 57.5], abs=1e-5)
    far = feature({"type": "Point", "coordinates": [1e12, 1e12]}, name="far")
    answer = owner.send("POST", f"{layer}/features", far, Content_Crs=f"{EPSG}25832")
    assert pointers(answer) == ["/geometry/coordinates"]
    answer = owner.send("POST", f"{layer}/features", far, Content_Crs=f"{EPSG}999999")
    assert answer.status_code == 400


def test_minimal_answers(owner: Person, layer: str, path: str) -> None:
    minimal = {"Prefer": "return=minimal"}
    answer = owner.send("POST", f"{layer}/features", feature(POINT, name="b"), **minimal)
    assert (answer.status_code, answer.data) == (201, b"")
    assert "Location" in answer.headers
    answer = owner.put(path, feature(POINT, name="b"), **minimal)
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (204, b"", '"2"')
    assert answer.headers["Preference-Applied"] == "return=minimal"


def test_who_may_write(
    owner: Person, anybody: Person, person: Callable[..., Person], layer: str, path: str
) -> None:
    sent = feature(POINT, name="x")
    requests = [("POST", f"{layer}/features"), ("PUT", path), ("PATCH", path), ("DELETE", path)]
    stranger, reader = person("stranger"), person("owner", scope="read")

    def told(who: Person) -> set[int]:
        return {who.send(method, address, sent).status_code for method, address in requests}

    assert told(anybody) == {401}
    assert told(stranger) == told(reader) == {403}
    owner.patch(layer, {"visibility": "private"})
    assert told(stranger) == told(anybody) == {404}
    owner.patch(layer, {"visibility": "public", "editable": "everyone"})
    assert told(stranger) == {200, 201, 204}


def test_only_vector_layers_have_features(owner: Person) -> None:
    body = {"url": "https://x.org/a.tif"}
    layer = owner.post({"name": "x", "source_type": "geotiff", "source_config": body}).json["id"]
    assert owner.get(f"{layer}/features").status_code == 404
    assert owner.send("POST", f"{layer}/features", feature(POINT)).status_code == 404
    assert owner.send("POST", f"{layer}/features/bulk", collection()).status_code == 404


def test_two_writers_of_one_feature(owner: Person, path: str) -> None:
    for turn in range(50):
        tag = owner.get(path).headers["ETag"]
        barrier = threading.Barrier(2)
        statuses: dict[str, int] = {}

        def write(name: str, tag: str = tag, barrier: Any = barrier, to: Any = statuses) -> None:
            client = Person(owner.id, owner.client.application.test_client(), owner.headers)
            barrier.wait()
            to[name] = client.put(path, feature(POINT, name=name), If_Match=tag).status_code

        names = [f"{turn}{letter}" for letter in "ab"]
        threads = [threading.Thread(target=write, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses.values()) == [200, 412]
        (winner,) = (name for name, status in statuses.items() if status == 200)
        assert owner.get(path).json["properties"]["name"] == winner


def test_merges_at_once_lose_nothing(owner: Person) -> None:
    layer = owner.post(vector(feature(POINT))).json["id"]
    (found,) = owner.get(f"{layer}/features").json["features"]
    names = [f"n{number}" for number in range(20)]

    def merge(name: str) -> None:
        client = Person(owner.id, owner.client.application.test_client(), owner.headers)
        client.patch(f"{layer}/features/{found['id']}", {"properties": {name: 1}})

    threads = [threading.Thread(target=merge, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(owner.get(f"{layer}/features/{found['id']}").json["properties"]) == sorted(names)


def test_the_number_of_statements(owner: Person, empty_database: Engine) -> None:
    taken = []
    for size in (1, 50):
        layer = owner.post(vector(*[feature(POINT)] * size)).json["id"]
        counts = []
        for method, address, body in (
            ("GET", "?limit=7", None),
            ("POST", "", feature(POINT)),
            ("PUT", "/{}", feature(POINT)),
            ("PATCH", "/{}", {"geometry": LINE}),
            ("GET", "/{}", None),
            ("DELETE", "/{}", None),
        ):
            own = owner.get(f"{layer}/features").json["features"][0]["id"]
            with statements() as seen:
                answer = owner.send(method, f"{layer}/features{address.format(own)}", body)
            assert answer.status_code < 300, answer.text
            counts.append(len(seen))
        taken.append(counts)
    assert taken == [[2, 5, 6, 6, 2, 5]] * 2
