"""`source_config.geojson` of a PUT becomes the layer's content, with the least change."""

import threading
import time
from typing import Any

import pytest
from sqlalchemy import Engine, text

from samsyn_admin.layers import content as layer_content
from tests.api.layer_requests import LINE, RING, Caller, collection, feature, pointers, vector
from tests.statements import statements

POINT = {"type": "Point", "coordinates": [11.123456789, 57.5]}
AREA = {"type": "Polygon", "coordinates": [RING]}


def created(owner: Caller, *features: Any, **members: Any) -> str:
    response = owner.post(vector(*features, **members))
    assert response.status_code == 201, response.text
    return str((response.json or {})["id"])


def saved(owner: Caller, layer_id: str, *features: Any, **headers: str) -> Any:
    """Save as the web frontend does: the full collection, with its own type and count."""
    config = {
        "geometryType": "Polygon",
        "featureCount": len(features),
        "geojson": collection(*features),
    }
    return owner.put(layer_id, {"name": "Saved", "source_config": config}, **headers)


def stored(engine: Engine, layer_id: str) -> dict[str, tuple[int, int, dict[str, Any]]]:
    """Id, version and properties of a layer's features by name."""
    with engine.begin() as connection:
        rows = connection.execute(
            text("SELECT id, version, properties FROM layer_features WHERE layer_id = :layer"),
            {"layer": layer_id},
        )
        return {row.properties.get("name"): tuple(row) for row in rows}  # type: ignore[misc]


def test_only_differing_features_are_changed(owner: Caller, empty_database: Engine) -> None:
    layer = created(
        owner,
        feature(LINE, name="line", length=12.5, name_sv="linje"),
        feature(POINT, name="point"),
        feature(AREA, name="area"),
        feature({**POINT, "coordinates": [1, 1]}, name="gone"),
    )
    before = stored(empty_database, layer)
    response = saved(
        owner,
        layer,
        feature(LINE, name="line", description="", featureType="LineString"),
        feature(POINT, name="point"),
        feature(LINE, name="area"),
        feature({**POINT, "coordinates": [2, 2]}, name="new"),
    )
    assert response.status_code == 200, response.text
    after = stored(empty_database, layer)
    assert set(after) == {"line", "point", "area", "new"}
    assert after["point"] == before["point"]
    assert after["line"] == before["line"]
    assert after["area"][:2] == (before["area"][0], 2)
    assert after["new"][1] == 1
    config = response.json["source_config"]
    assert config["featureCount"] == response.json["feature_count"] == 4
    names = [member["properties"]["name"] for member in config["geojson"]["features"]]
    assert names == ["line", "point", "area", "new"]


def test_a_response_sent_back_changes_nothing(owner: Caller, empty_database: Engine) -> None:
    deep = {"type": "Point", "coordinates": [0.1234567890123, -0.0, 12.3456789012345]}
    group = {"type": "GeometryCollection", "geometries": [POINT, LINE]}
    features = [feature(each, name=str(n)) for n, each in enumerate([deep, group, None, AREA])]
    layer = created(owner, *features, feature(AREA, list=[1, {"a": None}], number=1e-7))
    returned = owner.get(layer).json["source_config"]["geojson"]["features"]
    with statements() as executed:
        assert saved(owner, layer, *returned).status_code == 200
    assert not [sql for sql in executed if "layer_features" in sql and not sql.startswith("SELECT")]
    without_ids = [{n: v for n, v in member.items() if n != "id"} for member in reversed(returned)]
    assert saved(owner, layer, *without_ids).status_code == 200
    assert [version for _, version, _ in stored(empty_database, layer).values()] == [1] * 5
    with empty_database.begin() as connection:
        x = connection.execute(
            text("SELECT max(ST_X(geom)) FROM layer_features WHERE ST_NPoints(geom) = 1")
        ).scalar_one()
    assert x == deep["coordinates"][0]  # type: ignore[index]


def test_without_geojson_no_feature_is_touched(owner: Caller, empty_database: Engine) -> None:
    layer = created(owner, feature(POINT, name="a"))
    before = stored(empty_database, layer)
    for config in ({}, {"geometryType": "Point"}, {"geojson": None}, {"gfw4wings": {"a": 1}}):
        for send in (owner.put, owner.patch):
            assert send(layer, {"source_config": config}).status_code == 200
    assert stored(empty_database, layer) == before


def test_an_empty_collection_empties_the_layer(owner: Caller, empty_database: Engine) -> None:
    layer = created(owner, feature(POINT))
    assert saved(owner, layer).json["feature_count"] == 0
    assert stored(empty_database, layer) == {}
    assert saved(owner, layer, feature(POINT)).json["feature_count"] == 1


def test_faults_change_nothing(owner: Caller, empty_database: Engine) -> None:
    schema = {
        "properties": {"name": {"type": "string"}, "depth": {"type": "integer"}},
        "additionalProperties": False,
    }
    layer = created(owner, feature(POINT, name="a", depth=3), property_schema=schema)
    before = stored(empty_database, layer)
    feature_id = before["a"][0]
    pointer = "/source_config/geojson/features"
    for features, expected in (
        ([feature(POINT, name=3)], [f"{pointer}/0/properties/name"]),
        ([feature(POINT, name="a"), feature(LINE, colour=1)], [f"{pointer}/1/properties/colour"]),
        (
            [feature({"type": "Point", "coordinates": [200, 0]})],
            [f"{pointer}/0/geometry/coordinates"],
        ),
        (
            [{**feature(POINT), "id": feature_id}, {**feature(LINE), "id": feature_id}],
            [f"{pointer}/1/id"],
        ),
        ([None], [f"{pointer}/0"]),
    ):
        assert pointers(saved(owner, layer, *features)) == expected
    assert pointers(owner.put(layer, {"source_config": {"geojson": []}})) == [
        "/source_config/geojson"
    ]
    assert stored(empty_database, layer) == before
    assert owner.get(layer).json["name"] == "Drawn"
    # An unchanged feature need not suit the schema.
    assert saved(owner, layer, feature(POINT, name="b")).status_code == 200
    assert stored(empty_database, layer)["b"][2] == {"name": "b", "depth": 3}


@pytest.mark.parametrize("size", ["features", "bytes"])
def test_a_client_that_has_not_read_the_features_cannot_replace_them(
    owner: Caller, empty_database: Engine, size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if size == "features":
        layer = created(owner, *(feature(POINT, name=str(n)) for n in range(5001)))
    else:
        layer = created(owner, feature(POINT, name="x" * layer_content.INLINE_SIZE))
    config = owner.get(layer).json["source_config"]
    assert config["geojson_generalized"] is True
    response = saved(owner, layer, feature(POINT))
    assert response.status_code == 409
    assert response.json["detail"] == "This layer is too large to edit here: use QGIS."
    assert len(stored(empty_database, layer)) == owner.get(layer).json["feature_count"]
    assert owner.put(layer, {"name": "renamed"}).status_code == 200


def test_a_thousand_features(owner: Caller, empty_database: Engine) -> None:
    features = [
        feature({"type": "Point", "coordinates": [n / 100, 1]}, name=f"n {n}") for n in range(1000)
    ]
    layer = created(owner, *features)
    before = stored(empty_database, layer)
    features[7]["properties"]["name"] = "changed"
    features[8]["geometry"] = LINE
    with statements() as executed:
        start = time.perf_counter()
        assert saved(owner, layer, *features[:-1]).status_code == 200
        assert time.perf_counter() - start < 5
    assert len(executed) < 14
    after = stored(empty_database, layer)
    assert "n 999" not in after
    assert after["changed"][:2] == (before["n 7"][0], 2)
    same = [name for name in after if after[name] == before.get(name)]
    assert len(same) == 997


def test_saving_while_others_write(owner: Caller, empty_database: Engine) -> None:
    """Features that a client read and sent unchanged keep id and version; added ones remain."""
    layer = created(
        owner, *(feature({"type": "Point", "coordinates": [n, 1]}, name=f"n{n}") for n in range(50))
    )
    before = stored(empty_database, layer)
    returned = owner.get(layer).json["source_config"]["geojson"]["features"]
    json_of = threading.Event()
    statuses: list[int] = []

    def write() -> None:
        client = owner.client.application.test_client()
        path, number = f"/api/v1/layers/{layer}/features", 0
        while not json_of.is_set():
            number += 1
            sent = feature(POINT, name=f"added {number}")
            statuses.append(client.post(path, json=sent, headers=owner.headers).status_code)
            change = {"properties": {"touched": number}}
            statuses.append(
                client.patch(
                    f"{path}/{before['n0'][0]}", json=change, headers=owner.headers
                ).status_code
            )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for turn in range(20):
            returned = owner.get(layer).json["source_config"]["geojson"]["features"]
            for member in returned:
                if member["properties"]["name"] == "n1":
                    member["properties"]["turn"] = turn
            assert saved(owner, layer, *returned).status_code == 200
    finally:
        json_of.set()
        writer.join()
    after = stored(empty_database, layer)
    assert set(statuses) == {200, 201}
    assert after["n1"][:2] == (before["n1"][0], 21)
    assert after["n0"][0] == before["n0"][0]
    assert all(after[f"n{n}"] == before[f"n{n}"] for n in range(2, 50))


def test_two_savers_with_tags(owner: Caller, empty_database: Engine) -> None:
    layer = created(owner, feature(POINT, name="a"))
    for turn in range(20):
        response = owner.get(layer)
        tag = response.headers["ETag"]
        barrier = threading.Barrier(2)
        statuses: list[int] = []

        def save(
            feature_id: str, tag: str = tag, barrier: Any = barrier, to: Any = statuses
        ) -> None:
            make_caller = Caller(owner.id, owner.client.application.test_client(), owner.headers)
            barrier.wait()
            to.append(
                saved(make_caller, layer, feature(POINT, name=feature_id), If_Match=tag).status_code
            )

        threads = [threading.Thread(target=save, args=(f"{turn}{x}",)) for x in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200, 412]
    assert len(stored(empty_database, layer)) == 1
