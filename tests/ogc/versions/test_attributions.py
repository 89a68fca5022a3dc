"""`…/items/{featureId}/blame`: who set what; and the change sets of a layer."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import writing
from samsyn_model.identity.accounts import close_account
from tests.ogc.conftest import Person

POINT = "POINT(11 57)"


@pytest.fixture
def people(
    empty_database: Engine, person: Callable[[str], Person]
) -> tuple[Person, Person, Person]:
    """The owner, somebody with a name, and somebody with a user name."""
    made = (person("owner"), person("anna"), person("bo"))
    with empty_database.begin() as connection:
        connection.execute(
            text("UPDATE users SET first_name = 'Anna', last_name = 'Å' WHERE id = :id"),
            {"id": made[1].id},
        )
        connection.execute(
            text("UPDATE users SET username = 'bo' WHERE id = :id"), {"id": made[2].id}
        )
    return made


class Edited:
    """A feature that several people edit."""

    def __init__(self, client: FlaskClient, layer_id: str, owner: Person) -> None:
        self.client, self.layer = client, layer_id
        items = f"/ogc/collections/{layer_id}/items"
        body = {"type": "Feature", "geometry": None, "properties": {"a": 1, "b": 1, "c": 1.50}}
        sent = client.post(items, json=body, headers=owner.headers)
        self.key = int(sent.headers["Location"].rpartition("/")[2])
        self.path = f"{items}/{self.key}"

    def patch(self, who: Person, side: str = "/ogc/collections", items: str = "items", **body: Any):
        path = f"{side}/{self.layer}/{items}/{self.key}"
        sent = self.client.patch(path, json=body, headers=who.headers)
        assert sent.status_code == 200, sent.text

    def blame(self) -> dict[str, Any]:
        response = self.client.get(f"{self.path}/blame")
        assert response.status_code == 200, response.text
        document: dict[str, Any] = response.json
        return document

    def set_by(self) -> dict[str, Any]:
        """Return whose change set is the last one of each attribute."""
        return {
            one["name"]: one["changeSet"]["person"] and one["changeSet"]["person"]["name"]
            for one in self.blame()["attributes"]
        }


@pytest.fixture
def edited(client: FlaskClient, layer: Callable[..., str], people: tuple[Person, ...]) -> Edited:
    return Edited(client, layer(editable="everyone"), people[0])


def test_who_set_each_attribute_last(edited: Edited, people: tuple[Person, ...]) -> None:
    owner, anna, bo = people
    edited.patch(anna, properties={"a": 2}, geometry={"type": "Point", "coordinates": [11, 57]})
    edited.patch(bo, "/api/v1/layers", "features", properties={"b": 2})
    edited.patch(owner, properties={"b": 3, "d": "new"})
    edited.patch(bo, properties={"b": 2})
    assert edited.set_by() == {"a": "Anna Å", "b": "bo", "c": None, "d": None}
    document = edited.blame()
    assert document["id"] == edited.key
    assert document["geometry"]["changeSet"]["person"]["name"] == "Anna Å"
    ways = {one["name"]: one["changeSet"]["via"] for one in document["attributes"]}
    assert ways == dict.fromkeys("abcd", "ogc")
    ids = {one["name"]: one["changeSet"]["person"]["id"] for one in document["attributes"]}
    assert ids == {"a": str(anna.id), "b": str(bo.id), "c": str(owner.id), "d": str(owner.id)}
    times = {one["name"]: one["since"] for one in document["attributes"]}
    assert times["c"] < times["a"] < times["d"] < times["b"]
    numbers = {one["name"]: one["changeSet"]["id"] for one in document["attributes"]}
    listed = edited.client.get(f"/ogc/collections/{edited.layer}/change-sets").json["changeSets"]
    assert numbers["b"] == listed[0]["id"]
    assert numbers["d"] == listed[1]["id"]


def test_emails_are_not_told_and_who_is_deleted_has_no_name(
    edited: Edited, people: tuple[Person, ...], empty_database: Engine
) -> None:
    _, anna, _ = people
    edited.patch(anna, properties={"a": 2})
    with empty_database.begin() as connection:
        close_account(connection, anna.id)
    assert edited.set_by()["a"] is None
    for path in (f"{edited.path}/blame", f"/ogc/collections/{edited.layer}/change-sets"):
        told = edited.client.get(path).text
        assert "example.org" not in told
        assert "Anna" not in told
    page = edited.client.get(f"/ogc/collections/{edited.layer}/change-sets?f=html").text
    assert "no name" in page
    assert "example.org" not in page


def test_a_feature_that_came_back_was_set_anew(
    edited: Edited, people: tuple[Person, ...], empty_database: Engine
) -> None:
    owner, anna, bo = people
    edited.patch(anna, properties={"a": 2})
    edited.client.delete(edited.path, headers=owner.headers)
    assert edited.client.get(f"{edited.path}/blame").status_code == 410
    last = edited.client.get(f"/ogc/collections/{edited.layer}/change-sets").json["changeSets"][0]
    path = f"/api/v1/layers/{edited.layer}/change-sets/{last['id']}/undo"
    assert edited.client.post(path, headers=bo.headers).status_code == 200
    edited.patch(anna, properties={"c": 7})
    assert edited.set_by() == {"a": "bo", "b": "bo", "c": "Anna Å"}
    other = edited.path.rpartition("/")[0]
    assert edited.client.get(f"{other}/{edited.key + 1}/blame").status_code == 404
    assert edited.client.get(f"{edited.path}/blame?x=1").status_code == 400


def test_what_was_so_when_history_began(edited: Edited, empty_database: Engine) -> None:
    with empty_database.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(
            text("UPDATE layer_features SET change_set = NULL WHERE id = :id"), {"id": edited.key}
        )
    document = edited.blame()
    assert {one["changeSet"] for one in document["attributes"]} == {None}
    assert document["geometry"]["changeSet"] is None


def test_change_sets_are_listed(
    edited: Edited, people: tuple[Person, ...], empty_database: Engine
) -> None:
    _, anna, _ = people
    edited.patch(anna, "/api/v1/layers", "features", properties={"a": 2})
    with writing(empty_database, via="import", message="zones.gpkg") as connection:
        run(
            connection,
            "INSERT INTO layer_features (layer_id) SELECT %(layer)s FROM generate_series(1, 3)",
            {"layer": edited.layer},
        )
    path = f"/ogc/collections/{edited.layer}/change-sets"
    first, second, third = edited.client.get(path).json["changeSets"]
    counts = [[one[name] for name in ("made", "changed", "deleted")] for one in (first, second)]
    assert counts == [[3, 0, 0], [0, 1, 0]]
    assert (first["via"], first["message"], first["person"]) == ("import", "zones.gpkg", None)
    assert (second["via"], second["person"]["name"]) == ("web", "Anna Å")
    assert third["made"] == 1
    (json_link, features_link) = second["links"]
    changed = edited.client.get(json_link["href"]).json
    assert [one["id"] for one in changed["changed"]] == [edited.key]
    assert changed["made"] == changed["deleted"] == []
    features = edited.client.get(features_link["href"])
    assert features.mimetype == "application/geo+json"
    assert [one["change"] for one in features.json["features"]] == ["changed"]

    read = []
    response = edited.client.get(f"{path}?limit=2")
    while True:
        read += [one["id"] for one in response.json["changeSets"]]
        following = [one["href"] for one in response.json["links"] if one["rel"] == "next"]
        if not following:
            break
        assert f"<{following[0]}>" in response.headers["Link"]
        response = edited.client.get(following[0])
    assert read == [one["id"] for one in (first, second, third)]
    page = edited.client.get(f"{path}?f=html&limit=2").text
    assert "zones.gpkg" in page
    assert "Next" in page
    for query in ("limit=0", "after=x", "x=1", "f=csv"):
        assert edited.client.get(f"{path}?{query}").status_code == 400
