"""Property indexes of a layer: permissions, indexed values, and changes of the layer."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from samsyn_model.database.transactions import set_in_transaction
from samsyn_model.errors import InvalidParameterError
from tests.api.layer_requests import (
    LINE,
    Caller,
    MakeCaller,
    collection,
    feature,
    pointers,
    vector,
    wms,
)
from tests.source_files import add_user, load

POINT = {"type": "Point", "coordinates": [11.5, 57.5]}
SCHEMA = {
    "type": "object",
    "properties": {
        "depth": {"type": ["number", "null"]},
        "name": {"type": "string"},
        "a/b c": {"type": "boolean"},
        "tags": {"type": "array"},
        "more": {"type": "object"},
    },
}


def created(owner: Caller, *features: Any, **members: Any) -> str:
    response = owner.post(vector(*features, **{"property_schema": SCHEMA, **members}))
    assert response.status_code == 201, response.text
    return str(response.json["id"])


def indexed_values(engine: Engine, layer: str) -> list[tuple[Any, ...]]:
    statement = "SELECT property, number, text FROM property_values WHERE layer_id = :layer"
    with engine.connect() as connection:
        return sorted(map(tuple, connection.execute(text(statement), {"layer": layer})), key=str)


def names(*properties: str) -> dict[str, Any]:
    return {"properties": list(properties)}


def test_the_list_is_set_returned_and_emptied(owner: Caller, empty_database: Engine) -> None:
    layer = created(owner, feature(POINT, depth=12.5, name="Deep"), feature(POINT, depth=None))
    assert owner.get(f"{layer}/indexes").json == []
    response = owner.put(f"{layer}/indexes", names("name", "depth", "a/b c"))
    assert response.status_code == 200, response.text
    assert response.json == [
        {"property": "name", "type": "string"},
        {"property": "depth", "type": "number"},
        {"property": "a/b c", "type": "boolean"},
    ]
    assert owner.get(f"{layer}/indexes").json == response.json
    assert indexed_values(empty_database, layer) == [("depth", 12.5, None), ("name", None, "Deep")]
    assert owner.delete(f"{layer}/indexes/a%2Fb%20c").status_code == 204
    assert owner.delete(f"{layer}/indexes/name").status_code == 204
    assert indexed_values(empty_database, layer) == [("depth", 12.5, None)]
    assert owner.delete(f"{layer}/indexes/name").status_code == 404
    assert owner.put(f"{layer}/indexes", names()).json == []
    assert indexed_values(empty_database, layer) == []


def test_setting_it_again_changes_nothing(owner: Caller) -> None:
    layer = created(owner)
    first = owner.put(f"{layer}/indexes", names("depth"))
    again = owner.put(f"{layer}/indexes", names("depth"))
    assert again.headers["ETag"] == first.headers["ETag"]
    assert owner.get(f"{layer}/indexes").headers["ETag"] == first.headers["ETag"]


def test_a_stale_change_is_refused(owner: Caller) -> None:
    layer = created(owner)
    stale = owner.get(f"{layer}/indexes").headers["ETag"]
    fresh = owner.put(f"{layer}/indexes", names("depth"), If_Match=stale)
    assert fresh.status_code == 200, fresh.text
    assert owner.put(f"{layer}/indexes", names(), If_Match=stale).status_code == 412
    removal = f"{layer}/indexes/depth"
    assert owner.delete(removal, **{"If-Match": stale}).status_code == 412
    assert owner.delete(removal, **{"If-Match": fresh.headers["ETag"]}).status_code == 204


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (names("nothing"), ["/properties/0"]),
        (names("depth", "tags", "more", "depth"), [f"/properties/{n}" for n in (1, 2, 3)]),
        (names(*(f"p{n}" for n in range(11))), ["/properties"]),
        (names("x" * 256), ["/properties/0"]),
        (names("\x00"), ["/properties/0"]),
        (names("\ud800"), ["/properties/0"]),
        ({"properties": "depth"}, ["/properties"]),
        ({"properties": [1]}, ["/properties/0"]),
        ({}, ["/properties"]),
        ({**names(), "more": 1}, ["/more"]),
        ([], [""]),
    ],
)
def test_properties_that_cannot_be_indexed_are_reported(
    owner: Caller, body: Any, expected: list[str]
) -> None:
    assert pointers(owner.put(f"{created(owner)}/indexes", body)) == expected


def test_a_layer_without_a_schema_is_indexed_by_its_features_properties(
    owner: Caller, empty_database: Engine
) -> None:
    layer = created(owner, feature(POINT, depth=1), property_schema=None)
    assert pointers(owner.put(f"{layer}/indexes", names("name"))) == ["/properties/0"]
    response = owner.put(f"{layer}/indexes", names("depth"))
    assert response.json == [{"property": "depth", "type": "number"}]
    assert owner.put(layer, {"source_config": {"geojson": collection()}}).status_code == 200
    again = owner.put(f"{layer}/indexes", names("depth"))
    assert again.json == [{"property": "depth", "type": "string"}], "nothing is known of it now"
    assert indexed_values(empty_database, layer) == []


def test_layers_without_features_of_their_own_have_none(owner: Caller) -> None:
    layer = owner.post(wms()).json["id"]
    assert owner.get(f"{layer}/indexes").status_code == 404
    assert owner.put(f"{layer}/indexes", names("depth")).status_code == 404
    assert owner.get("nothing/indexes").status_code == 404


def test_editors_may_not_set_indexes(owner: Caller, make_caller: MakeCaller) -> None:
    layer = created(owner, editable="everyone", visibility="public")
    editor = make_caller("editor")
    assert editor.get(f"{layer}/indexes").json == []
    refused = editor.put(f"{layer}/indexes", names("depth"))
    assert refused.status_code == 403
    assert "index it" in refused.json["detail"]
    assert make_caller("reader", "read").delete(f"{layer}/indexes/depth").status_code == 403


def test_every_write_updates_the_index(owner: Caller, empty_database: Engine) -> None:
    layer = created(owner, feature(POINT, depth=1, name="one"))
    assert owner.put(f"{layer}/indexes", names("depth")).status_code == 200
    one = owner.get(layer).json["source_config"]["geojson"]["features"][0]["id"]
    assert owner.put(f"{layer}/features/{one}", feature(POINT, depth=2)).status_code == 200
    assert indexed_values(empty_database, layer) == [("depth", 2, None)]
    bulk = io.BytesIO(json.dumps(collection(feature(POINT, depth=3), feature(POINT))).encode())
    response = owner.client.post(
        f"/api/v1/layers/{layer}/features/bulk",
        data=bulk,
        content_type="application/geo+json",
        headers=owner.headers,
    )
    assert response.status_code == 201, response.text
    assert indexed_values(empty_database, layer) == [("depth", 2, None), ("depth", 3, None)]
    content = collection(feature(LINE, depth=7), feature(LINE, name="none"))
    assert owner.put(layer, {"source_config": {"geojson": content}}).status_code == 200
    assert indexed_values(empty_database, layer) == [("depth", 7, None)]
    assert owner.delete(layer).status_code == 204
    assert indexed_values(empty_database, layer) == []


def test_a_schema_without_a_property_removes_its_index(
    owner: Caller, empty_database: Engine
) -> None:
    layer = created(owner, feature(POINT, depth=1, name="one"))
    assert owner.put(f"{layer}/indexes", names("depth", "name")).status_code == 200
    less = {"type": "object", "properties": {"name": {"type": "string"}}}
    assert owner.put(layer, {"property_schema": less}).status_code == 200
    assert owner.get(f"{layer}/indexes").json == [{"property": "name", "type": "string"}]
    assert indexed_values(empty_database, layer) == [("name", None, "one")]
    assert owner.put(layer, {"property_schema": None}).status_code == 200
    assert owner.get(f"{layer}/indexes").json == [{"property": "name", "type": "string"}]


def test_building_waits_for_writers_up_to_the_lock_timeout(
    owner: Caller, empty_database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = created(owner, feature(POINT, depth=1))
    monkeypatch.setattr(
        "samsyn_admin.layers.indexes.set_in_transaction",
        lambda connection, **_: set_in_transaction(connection, lock_timeout="200ms"),
    )
    with empty_database.begin() as writer:
        writer.execute(
            text("INSERT INTO layer_features (layer_id, properties) VALUES (:layer, :depth)"),
            {"layer": layer, "depth": '{"depth": 2}'},
        )
        assert owner.put(f"{layer}/indexes", names("depth")).status_code == 503
        assert owner.get(f"{layer}/indexes").status_code == 200
    assert owner.put(f"{layer}/indexes", names("depth")).status_code == 200
    assert indexed_values(empty_database, layer) == [("depth", 1, None), ("depth", 2, None)]


@pytest.mark.parametrize("query", ["depth=12.5", "filter=depth>12", "filter=name LIKE 'De%25'"])
def test_responses_are_the_same_with_an_index(owner: Caller, query: str) -> None:
    some = [feature(POINT, depth=n, name=f"N{n}") for n in range(40)]
    layer = created(owner, *some, feature(POINT, depth=12.5, name="Deep"))
    path = f"{layer}/features?{query}&limit=100"
    before = owner.get(path).json
    assert owner.put(f"{layer}/indexes", names("depth", "name")).status_code == 200
    after = owner.get(path).json
    assert after["features"] == before["features"] != []
    assert after["numberMatched"] == before["numberMatched"]
    hits = owner.get(f"{path}&resulttype=hits").json
    assert hits["numberMatched"] == before["numberMatched"]


POINTS = "lon,lat,depth,name\n11,57,5,a\n12,58,7.5,b\n"


def test_an_import_indexes_the_requested_properties(empty_database: Engine, tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text(POINTS)
    owner_id = add_user(empty_database)
    (layer,) = load(empty_database, owner_id, path, index=("depth", "name"))
    expected = [("depth", 5, None), ("depth", 7.5, None), ("name", None, "a"), ("name", None, "b")]
    assert indexed_values(empty_database, str(layer.layer_id)) == expected
    load(empty_database, owner_id, path, layer_id=layer.layer_id)
    assert indexed_values(empty_database, str(layer.layer_id)) == sorted(expected * 2, key=str)


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (("nothing",), "No layer has a field 'nothing'"),
        (("depth", "depth"), "listed twice"),
        (tuple("abcdefghi"), "at most 8"),
    ],
)
def test_an_import_reports_what_cannot_be_indexed(
    empty_database: Engine, tmp_path: Path, index: tuple[str, ...], reason: str
) -> None:
    path = tmp_path / "points.csv"
    path.write_text(POINTS)
    with pytest.raises(InvalidParameterError, match=reason):
        load(empty_database, add_user(empty_database), path, index=index)


def test_an_import_into_a_layer_takes_no_indexes(empty_database: Engine, tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text(POINTS)
    owner_id = add_user(empty_database)
    (layer,) = load(empty_database, owner_id, path)
    with pytest.raises(InvalidParameterError, match="keeps its name"):
        load(empty_database, owner_id, path, layer_id=layer.layer_id, index=("depth",))


def test_eight_properties_and_the_temporal_ones_are_indexed(owner: Caller) -> None:
    fields: dict[str, Any] = {f"p{n}": {"type": "integer"} for n in range(9)}
    fields["at"] = {"type": "string", "format": "date"}
    body = vector(property_schema={"properties": fields}, time_field="at")
    path = f"{owner.post(body).json['id']}/indexes"  # type: ignore[index]
    eight = [f"p{n}" for n in range(8)]
    response = owner.put(path, names(*eight, "at"))
    assert [entry["property"] for entry in response.json] == [*eight, "at"]  # type: ignore[union-attr]
    assert pointers(owner.put(path, names(*eight, "p8"))) == ["/properties"]
