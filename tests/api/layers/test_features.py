"""`/api/v1/layers/{id}/features`: the OGC resources, read and written one by one."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.api.layer_requests import LINE, RING, Caller, collection, feature, pointers, vector
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
def layer(owner: Caller) -> str:
    """A public layer of the owner with a schema and one feature."""
    body = vector(feature(POINT, name="a"), property_schema=SCHEMA, visibility="public")
    response = owner.post(body)
    assert response.status_code == 201, response.text
    return str((response.json or {})["id"])


@pytest.fixture
def path(owner: Caller, layer: str) -> str:
    """The path of the layer's feature, below that of the layers."""
    (stored,) = owner.get(f"{layer}/features").json["features"]
    return f"{layer}/features/{stored['id']}"


def test_reads_what_ogc_clients_read(owner: Caller, anonymous: Caller, layer: str) -> None:
    mine = anonymous.get(f"{layer}/features", query_string="limit=1&name=a").json
    of_others = anonymous.client.get(f"/ogc/collections/{layer}/items?limit=1&name=a").json
    for document in (mine, of_others):
        del document["links"], document["timeStamp"]
    assert mine == of_others
    assert anonymous.get(f"{layer}/features", query_string="colour=red").status_code == 400
    assert anonymous.get(f"{layer}/features", query_string="limit=0").status_code == 400


def test_pages_stay_on_their_path(owner: Caller, layer: str) -> None:
    for name in "bcd":
        owner.send("POST", f"{layer}/features", feature(POINT, name=name))
    names, address = [], f"/api/v1/layers/{layer}/features?limit=2"
    while address:
        page = owner.client.get(address).json
        names += [member["properties"]["name"] for member in page["features"]]
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        address = following[0].removeprefix("http://localhost") if following else ""
        assert not address or address.startswith(f"/api/v1/layers/{layer}/features?")
    assert names == ["a", "b", "c", "d"]


def test_areas(owner: Caller) -> None:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]}
    crossing = {"type": "LineString", "coordinates": [[1, 1], [3, 3]]}
    within = {"type": "Point", "coordinates": [1, 1]}
    layer = owner.post(
        vector(feature(within, name="in"), feature(crossing, name="over"), feature(None))
    ).json["id"]

    def names(**query: Any) -> list[str]:
        response = owner.get(f"{layer}/features", query_string=query)
        assert response.status_code == 200, response.text
        assert response.json["numberMatched"] == len(response.json["features"])
        return [member["properties"]["name"] for member in response.json["features"]]

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
def test_invalid_areas(owner: Caller, layer: str, area: str) -> None:
    for name in ("intersects", "within"):
        response = owner.get(f"{layer}/features", query_string={name: area})
        assert response.status_code == 400, response.text


def test_one_is_created(owner: Caller, layer: str) -> None:
    sent = {**feature(AREA, name="new", depth=7), "id": 1, "bbox": [0, 0, 1, 1]}
    response = owner.send("POST", f"{layer}/features", sent, Content_Type="application/geo+json")
    assert response.status_code == 201, response.text
    assert response.headers["ETag"] == '"1"'
    assert response.json["id"] != 1
    assert response.json["geometry"] == AREA
    location = response.headers["Location"].removeprefix("http://localhost/api/v1/layers/")
    assert location == f"{layer}/features/{response.json['id']}"
    stored = owner.get(location)
    assert stored.json["properties"] == {"name": "new", "depth": 7}
    assert stored.headers["ETag"] == response.headers["ETag"]
    in_ogc = owner.client.get(f"/ogc/collections/{layer}/items/{response.json['id']}")
    assert in_ogc.json["geometry"] == AREA


def test_one_is_replaced(owner: Caller, path: str) -> None:
    response = owner.put(path, {**feature(LINE, name="b"), "id": 77}, If_Match='"1"')
    assert response.status_code == 200, response.text
    assert response.headers["ETag"] == '"2"'
    feature_id = int(path.rsplit("/", 1)[1])
    assert response.json == {**feature(LINE, name="b"), "id": feature_id}
    response = owner.put(path, {"type": "Feature", "properties": {"name": "bare"}})
    assert response.json["geometry"] is None


def test_one_is_merged(owner: Caller, path: str) -> None:
    for media_type in ("application/merge-patch+json", "application/geo+json; charset=utf-8"):
        response = owner.patch(path, {"properties": {"depth": 3}}, Content_Type=media_type)
        assert response.json["properties"] == {"name": "a", "depth": 3}
    response = owner.patch(path, {"properties": {"depth": None}, "geometry": LINE})
    assert response.json["properties"] == {"name": "a"}
    assert response.json["geometry"] == LINE
    assert owner.patch(path, {"geometry": None}).json["geometry"] is None
    assert owner.get(path).headers["ETag"] == '"4"', "the second patch changed nothing"


def test_one_is_deleted(owner: Caller, path: str) -> None:
    assert owner.delete(path, **{"If-Match": '"7"'}).status_code == 412
    assert owner.delete(path, **{"If-Match": '"1"'}).status_code == 204
    for response in (owner.get(path), owner.delete(path), owner.put(path, feature(POINT))):
        assert response.status_code == 404
    assert owner.get(path.split("/", maxsplit=1)[0]).json["feature_count"] == 0


@pytest.mark.parametrize("feature_id", ["0", "-1", "x", "1.5", "9" * 30, "%00", "1e3"])
def test_invalid_ids(owner: Caller, layer: str, feature_id: str) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body = None if method in {"GET", "DELETE"} else feature(POINT, name="x")
        assert owner.send(method, f"{layer}/features/{feature_id}", body).status_code == 404


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
def test_invalid_features(owner: Caller, layer: str, path: str, body: Any, expected: Any) -> None:
    assert pointers(owner.send("POST", f"{layer}/features", body)) == expected
    assert pointers(owner.put(path, body)) == expected
    assert owner.get(path).headers["ETag"] == '"1"'


@pytest.mark.parametrize("body", [{}, {"name": "x"}, [], "x", {"properties": [1]}, {"geometry": 1}])
def test_invalid_patches(owner: Caller, path: str, body: Any) -> None:
    assert owner.patch(path, body).status_code == 422
    assert owner.get(path).headers["ETag"] == '"1"'


def test_other_bodies(owner: Caller, layer: str, path: str) -> None:
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
            response = owner.client.open(
                where, method=method, data=data, content_type=kind, headers=headers
            )
            assert response.status_code == status, (method, data, kind, response.text)


def test_coordinates_in_another_crs(owner: Caller, layer: str) -> None:
    for code, coordinates in (
        ("4326", [57.5, 11.5]),
        ("25832", [649807.0543, 6375802.9524]),
        ("3857", [1280174.1441, 7863008.5111]),
    ):
        for name in (f"<{EPSG}{code}>", f"{EPSG}{code}"):
            sent = feature({"type": "Point", "coordinates": coordinates}, name=code)
            response = owner.send("POST", f"{layer}/features", sent, Content_Crs=name)
            assert response.status_code == 201, response.text
            assert response.headers["Content-Crs"] == f"<{EPSG}{code}>"
            stored = owner.get(f"{layer}/features/{response.json['id']}").json
            assert stored["geometry"]["coordinates"] == pytest.approx([11.5, 57.5], abs=1e-5)
    far = feature({"type": "Point", "coordinates": [1e12, 1e12]}, name="far")
    response = owner.send("POST", f"{layer}/features", far, Content_Crs=f"{EPSG}25832")
    assert pointers(response) == ["/geometry/coordinates"]
    response = owner.send("POST", f"{layer}/features", far, Content_Crs=f"{EPSG}999999")
    assert response.status_code == 400


def test_minimal_responses(owner: Caller, layer: str, path: str) -> None:
    minimal = {"Prefer": "return=minimal"}
    response = owner.send("POST", f"{layer}/features", feature(POINT, name="b"), **minimal)
    assert (response.status_code, response.data) == (201, b"")
    assert "Location" in response.headers
    response = owner.put(path, feature(POINT, name="b"), **minimal)
    assert (response.status_code, response.data, response.headers["ETag"]) == (204, b"", '"2"')
    assert response.headers["Preference-Applied"] == "return=minimal"


def test_who_may_write(
    owner: Caller, anonymous: Caller, make_caller: Callable[..., Caller], layer: str, path: str
) -> None:
    sent = feature(POINT, name="x")
    requests = [("POST", f"{layer}/features"), ("PUT", path), ("PATCH", path), ("DELETE", path)]
    stranger, reader = make_caller("stranger"), make_caller("owner", scope="read")

    def statuses_of(caller: Caller) -> set[int]:
        return {caller.send(method, address, sent).status_code for method, address in requests}

    assert statuses_of(anonymous) == {401}
    assert statuses_of(stranger) == statuses_of(reader) == {403}
    owner.patch(layer, {"visibility": "private"})
    assert statuses_of(stranger) == statuses_of(anonymous) == {404}
    owner.patch(layer, {"visibility": "public", "editable": "everyone"})
    assert statuses_of(stranger) == {200, 201, 204}


def test_only_vector_layers_have_features(owner: Caller) -> None:
    body = {"url": "https://x.org/a.tif"}
    layer = owner.post({"name": "x", "source_type": "geotiff", "source_config": body}).json["id"]
    assert owner.get(f"{layer}/features").status_code == 404
    assert owner.send("POST", f"{layer}/features", feature(POINT)).status_code == 404
    assert owner.send("POST", f"{layer}/features/bulk", collection()).status_code == 404


def test_two_writers_of_one_feature(owner: Caller, path: str) -> None:
    for turn in range(50):
        tag = owner.get(path).headers["ETag"]
        barrier = threading.Barrier(2)
        statuses: dict[str, int] = {}

        def write(name: str, tag: str = tag, barrier: Any = barrier, to: Any = statuses) -> None:
            client = Caller(owner.id, owner.client.application.test_client(), owner.headers)
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


def test_concurrent_merges_lose_nothing(owner: Caller) -> None:
    layer = owner.post(vector(feature(POINT))).json["id"]
    (stored,) = owner.get(f"{layer}/features").json["features"]
    names = [f"n{number}" for number in range(20)]

    def merge(name: str) -> None:
        client = Caller(owner.id, owner.client.application.test_client(), owner.headers)
        client.patch(f"{layer}/features/{stored['id']}", {"properties": {name: 1}})

    threads = [threading.Thread(target=merge, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(owner.get(f"{layer}/features/{stored['id']}").json["properties"]) == sorted(names)


def test_the_number_of_statements(owner: Caller, empty_database: Engine) -> None:
    counts_by_size = []
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
            feature_id = owner.get(f"{layer}/features").json["features"][0]["id"]
            with statements() as executed:
                response = owner.send(method, f"{layer}/features{address.format(feature_id)}", body)
            assert response.status_code < 300, response.text
            counts.append(len(executed))
        counts_by_size.append(counts)
    assert counts_by_size == [[2, 6, 6, 6, 2, 5]] * 2
