"""`/collections/{collectionId}/changes`: what differs between two moments."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from tests.ogc.conftest import Person

START = "2000-01-01T00:00:00Z"


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def feature(number: int) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": [number / 10, 57]}
    return {"type": "Feature", "geometry": geometry, "properties": {"n": number}}


State = dict[int, dict[str, Any]]


class Layer:
    """A layer, and somebody who follows it."""

    def __init__(self, client: FlaskClient, owner: Person, layer_id: str) -> None:
        self.client, self.headers = client, owner.headers
        self.path = f"/ogc/collections/{layer_id}"

    def state(self) -> State:
        page = self.client.get(f"{self.path}/items?limit=1000")
        return {one["id"]: one for one in page.json["features"]}

    def changes(self, **query: Any) -> TestResponse:
        response = self.client.get(f"{self.path}/changes", query_string=query)
        assert response.status_code == 200, response.text
        return response

    def insert(self, number: int) -> int:
        sent = self.client.post(f"{self.path}/items", json=feature(number), headers=self.headers)
        return int(sent.headers["Location"].rpartition("/")[2])

    def update(self, key: int, number: int) -> None:
        path = f"{self.path}/items/{key}"
        changed = self.client.put(path, json=feature(number), headers=self.headers)
        assert changed.status_code == 200

    def delete(self, key: int) -> None:
        self.client.delete(f"{self.path}/items/{key}", headers=self.headers)

    def change(self, chance: random.Random, number: int) -> None:
        ids = list(self.state())
        action = chance.choice([self.insert, self.update, self.update, self.delete])
        if not ids or action == self.insert:
            self.insert(number)
        elif action == self.update:
            self.update(chance.choice(ids), number)
        else:
            self.delete(chance.choice(ids))


@pytest.fixture
def followed(
    client: FlaskClient, layer: Callable[..., str], person: Callable[[str], Person]
) -> Layer:
    return Layer(client, person("owner"), layer())


def apply(state: State, page: Any) -> None:
    for one in (*page["made"], *page["changed"]):
        state[one["id"]] = one
    for key in page["deleted"]:
        del state[key]


def test_what_is_made_changed_and_deleted(followed: Layer) -> None:
    kept, moved, lost = followed.insert(1), followed.insert(2), followed.insert(3)
    since = now()
    followed.update(moved, 20)
    followed.update(kept, 10)
    followed.update(kept, 1)  # back again
    made, brief = followed.insert(4), followed.insert(5)
    followed.delete(lost)
    followed.delete(brief)
    page = followed.changes(since=since, former="true").json
    assert [one["id"] for one in page["made"]] == [made]
    assert [one["id"] for one in page["changed"]] == [moved]
    assert page["changed"][0]["properties"] == {"n": 20}
    assert page["deleted"] == [lost]
    assert {one["id"]: one["properties"]["n"] for one in page["former"]} == {moved: 2, lost: 3}
    assert page["numberReturned"] == 3
    assert "former" not in followed.changes(since=since).json


def test_a_number_with_other_digits_is_another(followed: Layer, empty_database: Engine) -> None:
    key = followed.insert(1)
    since = now()
    with empty_database.begin() as connection:
        connection.execute(text("UPDATE layer_features SET properties = '{\"n\": 1.0}'"))
    page = followed.changes(since=since)
    assert [one["id"] for one in page.json["changed"]] == [key]
    assert b'"n": 1.0' in page.data


def test_who_follows_has_the_layer(followed: Layer) -> None:
    chance = random.Random(4)
    state: State = {}
    since = START
    for step in range(60):
        followed.change(chance, step)
        if chance.random() < 0.3:
            page = followed.changes(since=since).json
            apply(state, page)
            assert state == followed.state()
            since = page["until"]
    page = followed.changes(since=since).json
    apply(state, page)
    assert state == followed.state()
    nothing = followed.changes(since=page["until"]).json
    assert nothing["numberReturned"] == 0
    assert nothing["until"] == page["until"]


def test_any_two_moments(followed: Layer) -> None:
    chance = random.Random(7)
    states = {START: dict[int, Any]()}
    for step in range(50):
        followed.change(chance, step)
        if step % 5 == 0:
            states[now()] = followed.state()
    moments = list(states)
    for _ in range(20):
        since, until = sorted(chance.sample(moments, 2))
        state = dict(states[since])
        page = followed.changes(since=since, until=until, former="true").json
        former = {one["id"]: one for one in page["former"]}
        assert former == {
            key: state[key] for key in (*(c["id"] for c in page["changed"]), *page["deleted"])
        }
        apply(state, page)
        assert state == states[until]


def test_pages_of_changes(followed: Layer) -> None:
    for number in range(10):
        followed.insert(number)
    since = now()
    ids = list(followed.state())
    for key in ids[:4]:
        followed.update(key, 100)
    for key in ids[4:7]:
        followed.delete(key)
    followed.insert(200)
    whole = followed.changes(since=since).json
    response = followed.changes(since=since, limit=3)
    read: list[Any] = []
    while True:
        page = response.json
        assert page["numberReturned"] <= 3
        assert page["until"] == whole["until"]
        for kind in ("made", "changed"):
            read += [(kind, one["id"]) for one in page[kind]]
        read += [("deleted", key) for key in page["deleted"]]
        followed.insert(300)  # after the pages began
        following = [one["href"] for one in page["links"] if one["rel"] == "next"]
        if not following:
            break
        assert f"<{following[0]}>" in response.headers["Link"]
        response = followed.client.get(following[0])
    assert sorted(read) == sorted(
        [("made", one["id"]) for one in whole["made"]]
        + [("changed", one["id"]) for one in whole["changed"]]
        + [("deleted", key) for key in whole["deleted"]]
    )


def test_since_a_change_set(followed: Layer, empty_database: Engine) -> None:
    followed.insert(1)
    with empty_database.begin() as connection:
        number = connection.execute(
            text("SELECT max(change_set_id) FROM layer_change_sets")
        ).scalar()
    second = followed.insert(2)
    page = followed.changes(since=number).json
    assert [one["id"] for one in page["made"]] == [second]
    unknown = followed.client.get(f"{followed.path}/changes?since=999999999")
    assert unknown.status_code == 404


def test_changes_in_another_crs(followed: Layer) -> None:
    followed.insert(110)
    crs = "http://www.opengis.net/def/crs/EPSG/0/3857"
    response = followed.changes(since=START, crs=crs)
    assert response.headers["Content-Crs"] == f"<{crs}>"
    x, _ = response.json["made"][0]["geometry"]["coordinates"]
    assert x == pytest.approx(11 * 111319.4908, rel=1e-6)


def test_who_polls_is_told_that_nothing_is_new(followed: Layer) -> None:
    followed.insert(1)
    response = followed.changes(since=START)
    headers = {"If-None-Match": response.headers["ETag"]}
    again = followed.client.get(f"{followed.path}/changes?since={START}", headers=headers)
    assert again.status_code == 304
    followed.insert(2)
    again = followed.client.get(f"{followed.path}/changes?since={START}", headers=headers)
    assert again.status_code == 200


def test_changes_that_cannot_be_asked_for(followed: Layer) -> None:
    followed.insert(1)
    for query in (
        *("", "since=yesterday", "since=2026-01-01", "since=../..", "since=-1", "since=1.5"),
        f"since={now()}&until={START}",
        *(f"since={START}&{rest}" for rest in ("limit=0", "after=x", "crs=x", "former=1", "x=1")),
    ):
        response = followed.client.get(f"{followed.path}/changes?{query}")
        assert response.status_code == 400, query
    assert followed.client.get(f"{followed.path}/changes?since={START}&f=html").status_code == 400
    assert followed.client.post(f"{followed.path}/changes").status_code == 405


def test_the_collection_links_to_its_changes(followed: Layer) -> None:
    document = json.loads(followed.client.get(followed.path).data)
    (link,) = [one for one in document["links"] if one["rel"] == "changes"]
    assert link["href"].startswith(f"http://localhost{followed.path}/changes{{?")
    assert document["versioning"] == {
        **{"timeAxis": "transaction-time", "mutationTime": "server", "parameter": "datetime"}
    }
    listed = followed.client.get("/ogc/collections").json["collections"][0]
    assert listed["versioning"] == document["versioning"]


def test_changes_as_features(followed: Layer) -> None:
    moved, lost = followed.insert(2), followed.insert(3)
    since = now()
    followed.update(moved, 20)
    followed.delete(lost)
    made = followed.insert(4)
    response = followed.changes(since=since, f="geojson")
    assert response.mimetype == "application/geo+json"
    page = response.json
    assert page["type"] == "FeatureCollection"
    kinds = {one["id"]: one["change"] for one in page["features"]}
    assert kinds == {moved: "changed", lost: "deleted", made: "made"}
    features = {one["id"]: one for one in page["features"]}
    assert features[made]["former"] is None
    assert features[moved]["properties"] == {"n": 20}
    assert features[moved]["former"]["properties"] == {"n": 2}
    assert features[lost]["geometry"] == feature(3)["geometry"]
    first = followed.changes(since=since, f="geojson", limit=1, former="false").json
    assert [one["id"] for one in first["features"]] == [moved]
    assert "former" not in first["features"][0]
    (following,) = [one for one in first["links"] if one["rel"] == "next"]
    assert following["type"] == "application/geo+json"
    second = followed.client.get(following["href"]).json
    assert second["features"][0]["change"] == "deleted"
    accepted = {"Accept": "application/geo+json"}
    path = f"{followed.path}/changes?since={since}"
    assert followed.client.get(path, headers=accepted).json["type"] == "FeatureCollection"


def test_gdal_reads_changes_as_features(followed: Layer, tmp_path: Path) -> None:
    moved, lost = followed.insert(2), followed.insert(3)
    since = now()
    followed.update(moved, 20)
    followed.delete(lost)
    file = tmp_path / "changes.geojson"
    file.write_bytes(followed.changes(since=since, f="geojson").data)
    # in a process of its own: in this one GDAL may have few drivers
    program = "import sys, pyogrio; print(list(pyogrio.raw.read(sys.argv[1], columns=['n'])[3][0]))"
    command = [sys.executable, "-c", program, str(file)]
    read = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert [int(number) for number in re.findall(r"\b\d+\b", read.stdout)] == [20, 3]
