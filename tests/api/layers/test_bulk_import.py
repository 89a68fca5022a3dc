"""`POST /api/v1/layers/{id}/features/bulk`: many features, all or none."""

import io
import itertools
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pyproj import Transformer
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from samsyn_admin.layers import bulk_import
from samsyn_provider.geography.crs_member import crs_name
from tests.api.layer_requests import LINE, Caller, MakeCaller, collection, feature, vector
from tests.crs_members import NAMELESS, named
from tests.statements import statements

POINT = {"type": "Point", "coordinates": [11.5, 57.5]}
SCHEMA = {"properties": {"name": {"type": "string"}}, "required": ["name"]}


@pytest.fixture
def layer(owner: Caller) -> str:
    """A public layer of points that have names."""
    body = vector(property_schema=SCHEMA, geometry_type="Point", visibility="public")
    return str(owner.post(body).json["id"])


def bulk(caller: Caller, layer: str, body: Any, query: str = "", kind: str = "") -> TestResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return caller.client.post(
        f"/api/v1/layers/{layer}/features/bulk{query}",
        data=data,
        content_type=kind or "application/geo+json",
        headers=caller.headers,
    )


def count(engine: Engine, layer: str) -> int:
    with engine.begin() as connection:
        statement = text("SELECT count(*) FROM layer_features WHERE layer_id = :layer")
        return int(connection.execute(statement, {"layer": layer}).scalar_one())


def points(number: int, prefix: str = "n") -> list[dict[str, Any]]:
    return [feature(POINT, name=f"{prefix}{number_of_point}") for number_of_point in range(number)]


@pytest.mark.parametrize("number", [0, 1, 999, 1000, 2500])
def test_a_collection(owner: Caller, layer: str, number: int) -> None:
    response = bulk(owner, layer, collection(*points(number)))
    assert response.status_code == 201, response.text
    assert set(response.json) == {"success", "created_count", "feature_ids"}
    assert response.json["created_count"] == len(response.json["feature_ids"]) == number
    if number:
        last = owner.get(f"{layer}/features/{response.json['feature_ids'][-1]}").json
        assert last["properties"] == {"name": f"n{number - 1}"}
    assert owner.get(layer).json["feature_count"] == number


@pytest.mark.parametrize("mark", [b"\x1e", b""])
@pytest.mark.parametrize("kind", ["application/geo+json-seq", "application/x-ndjson"])
def test_a_text_sequence(owner: Caller, layer: str, mark: bytes, kind: str) -> None:
    body = b"".join(mark + json.dumps(one).encode() + b"\n" for one in points(3))
    assert bulk(owner, layer, body, kind=kind).json["created_count"] == 3


def test_ids_are_returned_up_to_a_limit(
    owner: Caller, layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_import, "MAX_IDS", 10)
    response = bulk(owner, layer, collection(*points(25)))
    assert response.json["created_count"] == 25
    assert len(response.json["feature_ids"]) == 10


def test_a_dry_run(owner: Caller, layer: str, empty_database: Engine) -> None:
    response = bulk(owner, layer, collection(*points(1500)), "?dry_run=true")
    assert (response.status_code, response.json) == (200, {"success": True, "valid_count": 1500})
    assert count(empty_database, layer) == 0
    invalid = bulk(owner, layer, collection(feature(LINE)), "?dry_run=true")
    valid = bulk(owner, layer, collection(feature(LINE)))
    assert invalid.json == valid.json
    assert bulk(owner, layer, collection(), "?dry_run=perhaps").status_code == 400
    assert bulk(owner, layer, collection(), "?colour=red").status_code == 400


def test_all_or_nothing(owner: Caller, layer: str, empty_database: Engine) -> None:
    features: list[Any] = points(2500)
    features[3] = None
    features[1200] = feature(LINE, name="line")
    features[2400] = feature({"type": "Point", "coordinates": [1, 2]}, name=7)
    response = bulk(owner, layer, collection(*features))
    assert response.status_code == 422
    assert response.json["error_count"] == 3
    assert [(error["index"], error["pointer"]) for error in response.json["errors"]] == [
        (3, ""),
        (1200, "/geometry/type"),
        (2400, "/properties/name"),
    ]
    assert count(empty_database, layer) == 0
    with empty_database.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM layer_changes")).scalar_one() == 0


def test_the_first_hundred_faults_are_listed(owner: Caller, layer: str) -> None:
    response = bulk(owner, layer, collection(*[feature(POINT)] * 1234))
    assert len(response.json["errors"]) == 100
    assert response.json["error_count"] == 1234
    assert "1,234" in response.json["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b" ", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'{"type":"FeatureCollection","features":[', 400),
        (b'{"type":"FeatureCollection","features":[]}{', 400),
        (b'{"type":"FeatureCollection"}', 422),
        (b'{"type":{"a":1}}', 422),
        (b'{"type":["Feature"],"geometry":null,"properties":{}}', 422),
        (b'{"type":"Feature","geometry":{"type":["Point"],"coordinates":[1,2]}}', 422),
        (b'{"type":"FeatureCollection","features":{}}', 422),
        (b"\xff\xfe", 400),
        (b'{"type":"Feature","properties":{"name":"\xe5"}}', 400),
        (b'{"type":"Feature","geometry":null,"properties":{"name":"a","n":NaN}}', 400),
        (b'{"type":"Feature","geometry":null,"properties":{"name":"a","n":1e999}}', 422),
        (b'{"type":"Feature","geometry":null,"properties":{"name":"\\u0000"}}', 422),
        (b'{"type":"Feature","geometry":null,"properties":{"name":"\\ud800"}}', 422),
        (b'{"type":"Feature","geometry":null,"properties":' + b"[" * 100_000, 400),
        (b'{"type":"Feature","geometry":{"type":"Point","coordinates":[1e400,1]}}', 422),
        (
            b'{"crs":{"properties":{"name":"EPSG:3006"}},"type":"FeatureCollection","features":[]}',
            422,
        ),
        (b'{"crs":7,"type":"FeatureCollection","features":[]}', 422),
    ],
)
def test_other_bodies(
    owner: Caller, layer: str, empty_database: Engine, body: bytes, status: int
) -> None:
    response = bulk(owner, layer, body)
    assert response.status_code == status, response.text
    assert response.json["detail"]
    assert count(empty_database, layer) == 0


def test_the_old_name_of_the_same_crs(owner: Caller, layer: str) -> None:
    for name in ("urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4326"):
        crs = {"type": "name", "properties": {"name": name}}
        assert bulk(owner, layer, {"crs": crs, **collection(*points(1))}).status_code == 201


def test_positions_with_and_without_height(owner: Caller) -> None:
    layer = owner.post(vector()).json["id"]
    mixed = {"type": "LineString", "coordinates": [[1, 1, 5], [2, 2]]}
    response = bulk(owner, layer, collection(feature(POINT), feature(mixed)))
    assert [error["index"] for error in response.json["errors"]] == [1]


def test_content_types(owner: Caller, layer: str) -> None:
    for kind in ("text/plain", "application/zip"):
        assert bulk(owner, layer, collection(), kind=kind).status_code == 415
    for kind in ("application/json", "application/geo+json; charset=utf-8"):
        assert bulk(owner, layer, collection(), kind=kind).status_code == 201


def test_who_may(owner: Caller, anonymous: Caller, make_caller: MakeCaller, layer: str) -> None:
    for query in ("", "?dry_run=true"):
        assert bulk(anonymous, layer, collection(), query).status_code == 401
        assert bulk(make_caller("stranger"), layer, collection(), query).status_code == 403
        assert (
            bulk(make_caller("owner", scope="read"), layer, collection(), query).status_code == 403
        )
    owner.patch(layer, {"visibility": "private"})
    assert bulk(make_caller("stranger"), layer, collection()).status_code == 404


def test_a_body_that_is_too_large(
    owner: Caller, layer: str, monkeypatch: pytest.MonkeyPatch, empty_database: Engine
) -> None:
    limits = owner.client.application.extensions["samsyn"].settings.__dict__
    monkeypatch.setitem(limits, "max_bulk_size", 1024)
    large = json.dumps(collection(*points(100))).encode()
    assert bulk(owner, layer, large).status_code == 413
    sequence = b"".join(json.dumps(one).encode() + b"\n" for one in points(100))
    response = owner.client.post(  # without a length
        f"/api/v1/layers/{layer}/features/bulk",
        input_stream=io.BytesIO(sequence),
        content_type="application/geo+json-seq",
        headers=owner.headers,
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )
    assert response.status_code == 413
    assert count(empty_database, layer) == 0
    monkeypatch.setattr(bulk_import, "MAX_FEATURE", 10)
    monkeypatch.setitem(limits, "max_bulk_size", 10**9)
    huge = {"type": "Feature", "geometry": None, "properties": {"name": "x" * 5_000_000}}
    assert bulk(owner, layer, huge).status_code == 400


def test_a_larger_body_than_that_of_other_requests(owner: Caller, empty_database: Engine) -> None:
    layer = owner.post(vector()).json["id"]
    body = collection(*[feature(POINT, text="x" * 100_000) for _ in range(170)])
    assert bulk(owner, layer, body).json["created_count"] == 170


def test_concurrent_imports(owner: Caller, layer: str, empty_database: Engine) -> None:
    responses: dict[str, Any] = {}

    def run(name: str) -> None:
        client = Caller(owner.id, owner.client.application.test_client(), owner.headers)
        responses[name] = bulk(client, layer, collection(*points(3000, name))).json

    threads = [threading.Thread(target=run, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    returned = [
        feature_id for response in responses.values() for feature_id in response["feature_ids"]
    ]
    assert len(set(returned)) == count(empty_database, layer) == 12_000
    assert owner.get(layer).json["feature_count"] == 12_000
    for name, response in responses.items():
        first = owner.get(f"{layer}/features/{response['feature_ids'][0]}").json
        assert first["properties"]["name"] == f"{name}0"


def test_no_request_waits_for_an_import(
    owner: Caller, layer: str, empty_database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """During an import other callers save features, and the layer with its features."""
    started, go_on = threading.Event(), threading.Event()
    batches = bulk_import._CheckedFeatures.batches

    def slowly(self: Any) -> Iterator[Any]:
        for batch in batches(self):
            yield batch
            started.set()
            assert go_on.wait(30)

    monkeypatch.setattr(bulk_import._CheckedFeatures, "batches", slowly)
    responses: list[Any] = []

    def run() -> None:
        client = Caller(owner.id, owner.client.application.test_client(), owner.headers)
        responses.append(bulk(client, layer, collection(*points(2500))))

    importing = threading.Thread(target=run)
    importing.start()
    try:
        assert started.wait(30)
        start = time.monotonic()
        saved = owner.send("POST", f"{layer}/features", feature(POINT, name="mine"))
        assert saved.status_code == 201
        content = {"source_config": {"geojson": collection(feature(POINT, name="drawn"))}}
        assert owner.put(layer, content).status_code == 200
        assert owner.patch(layer, {"name": "renamed"}).status_code == 200
        assert time.monotonic() - start < 5
    finally:
        go_on.set()
        importing.join()
    assert responses[0].status_code == 201
    assert count(empty_database, layer) == 2501


def test_the_number_of_statements(owner: Caller, layer: str, empty_database: Engine) -> None:
    counts = []
    for number in (1, 2500):
        body = collection(*points(number))
        with statements() as executed:
            assert bulk(owner, layer, body).status_code == 201
        counts.append(len(executed))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("name", "position"),
    [("EPSG:3857", [1280174.1440378, 7868310.2]), ("urn:ogc:def:crs:EPSG::25832", [6e5, 6.37e6])],
)
def test_a_crs_member_is_honoured(
    owner: Caller, layer: str, empty_database: Engine, name: str, position: list[float]
) -> None:
    code = int(name.rsplit(":", 1)[1])
    expected = Transformer.from_crs(code, "OGC:CRS84", always_xy=True).transform(*position)
    crs = {"crs": {"type": "name", "properties": {"name": name}}}
    member = feature({"type": "Point", "coordinates": position}, name="a")
    for body in ({**crs, **collection(member)}, collection({**crs, **member})):
        response = bulk(owner, layer, body)
        assert response.status_code == 201, response.text
        (added,) = response.json["feature_ids"]
        stored = owner.get(f"{layer}/features/{added}").json["geometry"]["coordinates"]
        assert stored == pytest.approx(expected, abs=1e-9)
    assert count(empty_database, layer) == 2


@pytest.mark.parametrize("crs", NAMELESS)
def test_a_crs_member_that_names_none_is_refused(
    owner: Caller, layer: str, empty_database: Engine, crs: Any
) -> None:
    """As everywhere else: it is not the same as no member."""
    whole = collection(feature(POINT, name="a"))
    for body, pointer in (
        ({"crs": crs, **whole}, "/crs"),
        ({"crs": crs, **collection()}, "/crs"),
        ({**whole, "crs": crs}, "/crs"),
        (collection({**feature(POINT, name="a"), "crs": crs}), "/crs"),
        (collection(feature({**POINT, "crs": crs}, name="a")), "/geometry/crs"),
    ):
        response = bulk(owner, layer, body)
        if list(body)[-1] == "crs" and crs_name(crs) is not None:
            assert response.status_code == 400, "a name comes after the features"
            continue
        assert response.status_code == 422, response.text
        assert [error["pointer"] for error in response.json["errors"]] == [pointer]
    assert count(empty_database, layer) == 0


def test_a_features_own_crs_is_not_that_of_those_behind_it(
    owner: Caller, layer: str, empty_database: Engine
) -> None:
    """In a text sequence, whose first line is a feature."""
    mercator = {
        "crs": named("EPSG:3857"),
        **feature({**POINT, "coordinates": [1e6, 1e6]}, name="a"),
    }
    lines = "\n".join(json.dumps(line) for line in (mercator, feature(POINT, name="b")))
    response = bulk(owner, layer, lines.encode())
    assert response.status_code == 201, response.text
    first, second = (
        owner.get(f"{layer}/features/{key}").json["geometry"]["coordinates"]
        for key in response.json["feature_ids"]
    )
    assert first == pytest.approx([8.9831528, 8.9465739])
    assert second == POINT["coordinates"]
    later = f"{lines}\n{json.dumps({**collection(mercator), 'crs': named('EPSG:3857')})}"
    assert bulk(owner, layer, later.encode()).status_code == 400


def test_crs_members_that_cannot_be_honoured(
    owner: Caller, layer: str, empty_database: Engine
) -> None:
    mercator = {"type": "name", "properties": {"name": "EPSG:3857"}}
    swedish = {"type": "name", "properties": {"name": "EPSG:3006"}}
    utm = {"type": "name", "properties": {"name": "EPSG:25832"}}
    near, far = ({"type": "Point", "coordinates": [x, 1e6]} for x in (1e6, 1e9))
    for query in ("", "?dry_run=true"):
        for body, where in (
            (collection({"crs": swedish, **feature(near, name="a")}), "/crs"),
            ({"crs": mercator, **collection({"crs": utm, **feature(near, name="a")})}, "/crs"),
            (
                {"crs": mercator, **collection(feature(far, name="a"))},
                "/geometry/coordinates",
            ),
        ):
            response = bulk(owner, layer, body, query)
            assert response.status_code == 422, response.text
            assert [error["pointer"] for error in response.json["errors"]] == [where]
            assert count(empty_database, layer) == 0
        response = bulk(owner, layer, {"crs": swedish, **collection()}, query)
        assert response.status_code == 422
        assert response.json["errors"][0]["pointer"] == "/crs"


def test_a_bulk_import_has_a_deadline(
    owner: Caller, layer: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = itertools.count(step=200)
    monkeypatch.setattr(bulk_import, "monotonic", lambda: next(times))
    assert bulk(owner, layer, collection(*points(1000))).status_code == 201
    for query in ("", "?dry_run=true"):
        response = bulk(owner, layer, collection(*points(2500)), query)
        assert response.status_code == 413
        assert "BULK_TIMEOUT" in response.json["detail"]
    assert count(engine, layer) == 1000


def test_a_star_of_many_vertices_takes_no_quadratic_time(owner: Caller) -> None:
    """Finding out whether it is valid would take minutes."""
    vertices, turns = 200_001, 100_000
    angles = 2 * np.pi * turns / vertices * np.arange(vertices)
    ring = np.c_[np.cos(angles), np.sin(angles)].tolist()
    star = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    layer = owner.post(vector()).json["id"]
    start = time.thread_time()
    assert bulk(owner, layer, collection(feature(star))).status_code == 201
    assert time.thread_time() - start < 20
