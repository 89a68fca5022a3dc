"""What cannot be put back: changed again since, or nothing that suits the layer any more."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from tests.api.layer_requests import LAYERS, Caller
from tests.api.layers.history.edits import EditedLayer, point

NUMBERS = {"type": "object", "properties": {"n": {"type": "number", "maximum": 5}}}


@pytest.fixture
def layer(owner: Caller, empty_database: Engine) -> EditedLayer:
    return EditedLayer.of(owner, empty_database)


def test_conflicts_are_named_and_nothing_is_written(layer: EditedLayer) -> None:
    keys = layer.insert(*"abcd")
    changed, deleted, back, fine = keys
    layer.at_once(
        "UPDATE layer_features SET properties = '{}' WHERE layer_id = :layer AND id <> :back",
        back=back,
    )
    number = layer.change_sets()[-1]
    layer.update(changed, n="again")
    layer.delete(deleted)
    now = layer.content()
    refused = layer.undo(number)
    assert refused.status_code == 409
    assert refused.json["conflict_count"] == 2
    first, second = refused.json["conflicts"]
    assert (first["feature_id"], first["reason"]) == (changed, "changed")
    assert (second["feature_id"], second["reason"]) == (deleted, "deleted")
    assert [first["change_set"], second["change_set"]] == list(layer.change_sets()[-2:])
    assert layer.content() == now
    skipped = layer.undo(number, "?on_conflict=skip").json
    assert (skipped["updated"], skipped["conflict_count"]) == (1, 2)
    assert skipped["conflicts"] == refused.json["conflicts"]
    assert layer.content()[changed] == now[changed]
    assert '"d"' in layer.content()[fine][2]

    layer.delete(back)
    deletion = layer.change_sets()[-1]
    layer.undo(deletion)
    layer.update(back, n="new")
    (conflict,) = layer.undo(deletion).json["conflicts"]
    assert (conflict["feature_id"], conflict["reason"]) == (back, "made")


def test_the_list_of_conflicts_is_bounded(layer: EditedLayer) -> None:
    layer.insert(*range(150))
    number = layer.change_sets()[-1]
    layer.at_once("UPDATE layer_features SET properties = '{}' WHERE layer_id = :layer")
    refused = layer.undo(number).json
    assert refused["conflict_count"] == 150
    assert len(refused["conflicts"]) == 100
    assert "150 features conflict" in refused["detail"]


def test_what_does_not_suit_the_layer_any_more(layer: EditedLayer) -> None:
    fits, large, shaped, unknown = layer.insert(1, 9, 2, 3)
    layer.at_once(
        "UPDATE layer_features SET geom = ST_GeomFromText('LINESTRING(1 1,2 2)', 4326)"
        " WHERE layer_id = :layer AND id = :id",
        id=shaped,
    )
    layer.at_once(
        "UPDATE layer_features SET properties = '{\"x\": 1}' WHERE layer_id = :layer AND id = :id",
        id=unknown,
    )
    moment = layer.change_sets()[-1]
    layer.at_once("DELETE FROM layer_features WHERE layer_id = :layer")
    sent = layer.owner.patch(layer.id, {"property_schema": NUMBERS, "geometry_type": "Point"})
    assert sent.status_code == 200, sent.text
    refused = layer.restore(moment)
    assert refused.status_code == 409, refused.text
    assert [one["feature_id"] for one in refused.json["conflicts"]] == [large, shaped, unknown]
    assert {one["reason"] for one in refused.json["conflicts"]} == {"invalid"}
    assert refused.json["conflicts"][0]["detail"].startswith("/n: 9")
    assert layer.content() == {}
    one = layer.owner.send("POST", f"{layer.id}/features/{large}/restore", {"as_of": moment})
    assert one.status_code == 409
    done = layer.restore(moment, "?on_conflict=skip").json
    assert (done["inserted"], done["conflict_count"]) == (1, 3)
    assert list(layer.content()) == [fits]


def test_quotas_hold(layer: EditedLayer, empty_database: Engine) -> None:
    layer.insert(*range(5))
    moment = layer.change_sets()[-1]
    layer.at_once("DELETE FROM layer_features WHERE layer_id = :layer")
    app = create_app(Settings(_env_file=None, max_features_per_layer=4), empty_database)
    refused = app.test_client().post(
        f"{LAYERS}/{layer.id}/features/restore",
        json={"as_of": moment},
        headers=layer.owner.headers,
    )
    assert refused.status_code == 422
    assert "up to 4 features" in refused.json["detail"]
    assert layer.content() == {}


def test_an_import_that_is_taken_back_twice_brings_no_tag_back(layer: EditedLayer) -> None:
    (key,) = layer.insert("a")
    versions = set()
    for _ in range(3):
        layer.at_once("DELETE FROM layer_features WHERE layer_id = :layer")
        assert layer.undo(layer.change_sets()[-1]).json["inserted"] == 1
        tag = layer.owner.get(f"{layer.id}/features/{key}").headers["ETag"]
        assert tag not in versions
        versions.add(tag)


def test_two_at_once_do_it_once(app: Flask, layer: EditedLayer) -> None:
    keys = layer.insert(*range(30))
    moment, content = layer.change_sets()[-1], layer.content()
    layer.at_once("DELETE FROM layer_features WHERE layer_id = :layer")
    deletion = layer.change_sets()[-1]

    def send(path: str, body: Any) -> Any:
        address = f"{LAYERS}/{layer.id}/{path}"
        response = app.test_client().post(address, json=body, headers=layer.owner.headers)
        return response.status_code, response.json

    requests = [
        ("features/restore", {"as_of": moment}),
        (f"change-sets/{deletion}/undo", {}),
        (f"features/{keys[0]}/restore", {"as_of": moment}),
        (f"features/{keys[0]}/restore", {"as_of": moment}),
        ("features/restore", {"as_of": moment}),
    ]
    with ThreadPoolExecutor(len(requests)) as threads:
        answers = list(threads.map(lambda one: send(*one), requests))
    assert layer.content() == content
    assert {status for status, _ in answers} <= {200, 409}
    assert sum(answer["inserted"] for status, answer in answers if status == 200) == len(keys)
    assert layer.counted() == (30, 30)


def test_nobody_edits_while_a_layer_is_put_back(layer: EditedLayer) -> None:
    """A feature that somebody saves is either part of what is put back, or saved after it."""
    keys = layer.insert(*range(40))
    moment, content = layer.change_sets()[-1], layer.content()

    def save(number: int) -> int:
        client = layer.owner.client.application.test_client()
        path = f"{LAYERS}/{layer.id}/features/{keys[number]}"
        body = {"geometry": point(20), "properties": {"n": "edited"}}
        return client.patch(path, json=body, headers=layer.owner.headers).status_code

    with ThreadPoolExecutor(4) as threads:
        saving = [threads.submit(save, number) for number in range(20)]
        answers = [layer.restore(moment) for _ in range(3)]
        assert {one.result() for one in saving} == {200}
    assert [one.status_code for one in answers] == [200] * 3
    layer.restore(moment)
    assert layer.content() == content
    with layer.engine.connect() as connection:
        versions = connection.execute(
            text("SELECT count(*) FROM feature_versions WHERE layer_id = :l AND was_deleted"),
            {"l": layer.id},
        ).scalar_one()
    assert versions == 0


def test_a_layer_that_was_deleted_and_restored(layer: EditedLayer) -> None:
    layer.insert(1, 2)
    moment, content = layer.change_sets()[-1], layer.content()
    assert layer.owner.delete(layer.id).status_code == 204
    assert layer.send("restore").status_code == 201
    deletion, restoring = layer.change_sets()[-2:]
    nothing = layer.undo(deletion)
    assert nothing.json["change_set"] is None
    assert layer.content() == content
    emptied = layer.undo(restoring)
    assert emptied.json["deleted"] == 2
    assert layer.undo(deletion).json["inserted"] == 2
    assert layer.content() == content
    assert layer.restore(moment).json["change_set"] is None
