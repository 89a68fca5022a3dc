"""`items?datetime=` of an instant: a layer as it was, in every form that it has now."""

import json
import random
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from tests.ogc.conftest import Person
from tests.ogc.tiles.decoding import decode

FIELDS = {"name": {"type": "string"}, "depth": {"type": "integer"}}


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def feature(number: int) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": [number / 10, 57]}
    properties = {"name": f"n{number}", "depth": number}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def content(response: TestResponse) -> list[dict[str, Any]]:
    """What a response says of features, but not since when and until when they were so."""
    assert response.status_code == 200, response.text
    features = json.loads(response.data)["features"]
    return [{name: one[name] for name in ("id", "geometry", "properties")} for one in features]


class Layer:
    """A layer that is changed at random, and what it was in between."""

    def __init__(self, client: FlaskClient, owner: Person, layer_id: str) -> None:
        self.client, self.headers = client, owner.headers
        self.id, self.items = layer_id, f"/ogc/collections/{layer_id}/items"
        self.copies: dict[str, list[dict[str, Any]]] = {}
        self._random = random.Random(19)

    def get(self, **query: Any) -> TestResponse:
        return self.client.get(self.items, query_string=query, headers=self.headers)

    def keep(self) -> str:
        copy = content(self.get(limit=1000))
        moment = now()
        self.copies[moment] = copy
        return moment

    def change(self, number: int) -> None:
        ids = [one["id"] for one in content(self.get(limit=1000))]
        action = self._random.choice(["insert", "insert", "update", "update", "move", "delete"])
        if action == "insert" or not ids:
            response = self.client.post(self.items, json=feature(number), headers=self.headers)
        else:
            path = f"{self.items}/{self._random.choice(ids)}"
            if action == "delete":
                response = self.client.delete(path, headers=self.headers)
            else:
                point = {"type": "Point", "coordinates": [number / 10, 58]}
                moved, deeper = {"geometry": point}, {"properties": {"depth": -number}}
                change = moved if action == "move" else deeper
                response = self.client.patch(path, json=change, headers=self.headers)
        assert response.status_code < 300, response.text


@pytest.fixture
def changed(
    client: FlaskClient, layer: Callable[..., str], person: Callable[[str], Person]
) -> Layer:
    history = Layer(client, person("owner"), layer(fields=FIELDS))
    for number in range(60):
        history.change(number)
        if number % 6 == 5:
            history.keep()
    return history


def test_the_layer_is_as_every_copy_of_it(changed: Layer) -> None:
    for moment, copy in changed.copies.items():
        page = changed.get(datetime=moment, limit=1000)
        assert content(page) == copy
        assert page.json["numberMatched"] == page.json["numberReturned"] == len(copy)
        hits = changed.get(datetime=moment, resulttype="hits")
        assert hits.json["numberMatched"] == len(copy)
        streamed = changed.get(**{"version-datetime": moment, "limit": 10000})
        assert content(streamed) == copy
    assert (
        content(changed.get(datetime="2999-01-01T00:00:00Z", limit=1000))
        == list(changed.copies.values()).pop()
    )
    assert content(changed.get(datetime="1990-01-01T00:00:00Z")) == []


def test_pages_keep_the_moment(changed: Layer) -> None:
    for query in ({}, {"sortby": "-depth"}, {"bbox": "0,50,3.5,60"}, {"filter": "depth > 2"}):
        for moment in list(changed.copies)[::3]:
            whole = content(changed.get(datetime=moment, limit=1000, **query))
            response = changed.get(datetime=moment, limit=4, **query)
            read = content(response)
            changed.change(1000)  # of which those who read on know nothing
            while response.json and (
                following := [one for one in response.json["links"] if one["rel"] == "next"]
            ):
                response = changed.client.get(following[0]["href"], headers=changed.headers)
                read += content(response)
            assert read == whole


def test_conditions_are_those_of_the_versions(changed: Layer) -> None:
    for moment, copy in changed.copies.items():
        deep = [one["id"] for one in copy if one["properties"]["depth"] > 10]
        page = changed.get(datetime=moment, filter="depth>10")
        assert [one["id"] for one in content(page)] == deep[:10]
        hits = changed.get(datetime=moment, filter="depth>10", resulttype="hits")
        assert hits.json["numberMatched"] == len(deep)
        north = [one["id"] for one in copy if one["geometry"]["coordinates"][1] == 58]
        page = changed.get(datetime=moment, bbox="-1,57.5,90,59", limit=1000)
        assert [one["id"] for one in content(page)] == north
        assert page.json["numberMatched"] == len(north)
        named = changed.get(datetime=moment, depth=copy[0]["properties"]["depth"])
        assert copy[0]["id"] in [one["id"] for one in content(named)]
        ordered = sorted(copy, key=lambda one: (-one["properties"]["depth"], one["id"]))
        assert content(changed.get(datetime=moment, sortby="-depth", limit=1000)) == ordered
        names = changed.get(datetime=moment, properties="name,updated", limit=1000)
        assert {tuple(one["properties"]) for one in content(names)} == {("name", "updated")}
        far = changed.get(datetime=moment, filter="updated > TIMESTAMP('2999-01-01T00:00:00Z')")
        assert content(far) == []
        assert content(changed.get(datetime=moment, offset=2)) == copy[2:12]
        near = changed.get(datetime=moment, filter=f"updated <= TIMESTAMP('{moment}')", limit=1000)
        assert content(near) == copy


def test_indexed_properties_do_not_mislead(changed: Layer) -> None:
    index = changed.client.put(
        f"/api/v1/layers/{changed.id}/indexes",
        json={"properties": ["depth"]},
        headers=changed.headers,
    )
    assert index.status_code == 200, index.text
    for number in range(200):
        changed.client.post(changed.items, json=feature(5000 + number), headers=changed.headers)
    for moment, copy in changed.copies.items():
        for one in copy[:3]:
            depth = one["properties"]["depth"]
            found = content(changed.get(datetime=moment, depth=depth, limit=1000))
            assert found == [other for other in copy if other["properties"]["depth"] == depth]


def test_searches_by_post(changed: Layer) -> None:
    moment, copy = list(changed.copies.items())[4]
    path = f"/ogc/collections/{changed.id}/search"
    body = {"datetime": moment, "limit": 3}
    response = changed.client.post(path, json=body, headers=changed.headers)
    read = content(response)
    while following := [one for one in response.json["links"] if one["rel"] == "next"]:
        assert following[0]["body"]["datetime"] == moment
        response = changed.client.post(path, json=following[0]["body"], headers=changed.headers)
        read += content(response)
    assert read == copy


def test_files_of_a_moment(changed: Layer, tmp_path: Path) -> None:
    for moment, copy in list(changed.copies.items())[::4]:
        file = changed.get(datetime=moment, f="geojson")
        assert content(file) == copy
        assert all("time" not in one for one in file.json["features"]), "an import would keep it"
        lines = changed.get(datetime=moment, f="geojsonseq").text.split("\x1e")[1:]
        assert [json.loads(line)["id"] for line in lines] == [one["id"] for one in copy]
        table = changed.get(datetime=moment, f="csv").text.splitlines()
        assert len(table) == 1 + len(copy)
        assert table[1].split(",")[0] == str(copy[0]["id"])
        json_fg = changed.get(datetime=moment, f="jsonfg").json["features"]
        assert [one["id"] for one in json_fg] == [one["id"] for one in copy]
        assert all(len(one["time"]["interval"]) == 2 for one in json_fg)
        path = tmp_path / "layer.gpkg"
        path.write_bytes(changed.get(datetime=moment, f="gpkg").data)
        with sqlite3.connect(path) as package:
            (name,) = package.execute("SELECT table_name FROM gpkg_contents").fetchone()
            rows = package.execute(f'SELECT fid, depth FROM "{name}" ORDER BY fid').fetchall()
        assert rows == [(one["id"], one["properties"]["depth"]) for one in copy]


def test_a_file_continues_at_its_moment(changed: Layer) -> None:
    moment, copy = list(changed.copies.items())[-1]
    response = changed.get(datetime=moment, f="csv", limit=2)
    address = response.headers["Link"].partition(">")[0].removeprefix("<")
    second = changed.client.get(address, headers=changed.headers)
    assert [line.split(",")[0] for line in second.text.splitlines()[1:]] == [
        str(one["id"]) for one in copy[2:4]
    ]


def test_tiles_of_a_moment(changed: Layer) -> None:
    path = f"/ogc/collections/{changed.id}/tiles/WebMercatorQuad/0/0/0"
    for moment, copy in list(changed.copies.items())[::3]:
        for parameter in ("datetime", "version-datetime"):
            query = {parameter: moment}
            tile = changed.client.get(path, query_string=query, headers=changed.headers)
            assert tile.status_code == 200, tile.text
            (drawn,) = decode(tile.data).values()
            assert sorted(one["id"] for one in drawn) == [one["id"] for one in copy]
    interval = changed.client.get(f"{path}?datetime={moment}/..", headers=changed.headers)
    assert interval.status_code == 400


def test_tiles_of_a_map_at_a_moment(changed: Layer) -> None:
    body = {"name": "Plan", "view_permission": "public"}
    shared = changed.client.post("/api/v1/maps", json=body, headers=changed.headers).json["id"]
    changed.client.post(
        f"/api/v1/maps/{shared}/layers", json={"layer_id": changed.id}, headers=changed.headers
    )
    path = f"/ogc/maps/{shared}/tiles/WebMercatorQuad/0/0/0"
    moment, copy = list(changed.copies.items())[3]
    for parameter, ids in (
        ("version-datetime", [one["id"] for one in copy]),
        ("datetime", [one["id"] for one in content(changed.get(limit=1000))]),
    ):
        tile = changed.client.get(path, query_string={parameter: moment}, headers=changed.headers)
        (drawn,) = decode(tile.data).values()
        assert sorted(one["id"] for one in drawn) == ids


def test_the_page_of_a_moment(changed: Layer) -> None:
    moment, copy = list(changed.copies.items())[-2]
    page = changed.get(f="html", datetime=moment, limit=100)
    assert page.status_code == 200
    assert "As they were on" in page.text
    assert f"of {len(copy)}" in page.text or f"–{len(copy)}" in page.text
    assert f"/items/{copy[0]['id']}?f=html&amp;datetime={moment[:19]}" in page.text
    present = page.text.split("As they were on")[1].split('href="')[1].split('"')[0]
    assert "datetime" not in present
    form = changed.client.get(
        f"/ogc/collections/{changed.id}/form?version-datetime={moment}", headers=changed.headers
    )
    assert form.status_code == 303
    assert "version-datetime=" in form.headers["Location"]
    refused = changed.get(f="html", datetime="yesterday")
    assert refused.status_code == 400


def test_a_moment_before_the_history(changed: Layer, empty_database: Engine) -> None:
    """A layer that is older than the history: nobody knows what it was."""
    with empty_database.begin() as connection:
        connection.execute(text("UPDATE layers SET created_at = '1980-01-01'"))
    for path in (changed.items, f"/ogc/collections/{changed.id}/changes"):
        name = "since" if path.endswith("changes") else "datetime"
        response = changed.client.get(f"{path}?{name}=1990-01-01T00:00:00Z")
        assert response.status_code == 404
        assert "history" in response.json["detail"]
