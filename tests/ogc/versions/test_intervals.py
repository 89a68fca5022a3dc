"""`items?datetime=` of an interval: all versions that were valid in it, by the draft's profiles."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.ogc.conftest import Person

PROFILE = "http://www.opengis.net/def/profile/OGC/0/"


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def feature(**properties: Any) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": [11.5, 57.5]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


class Layer:
    """Two features, a and b, with the versions a1, b1, a2, b2 (both deleted at last) and a3."""

    def __init__(self, client: FlaskClient, owner: Person, layer_id: str) -> None:
        self.client = client
        self.items = f"/ogc/collections/{layer_id}/items"
        self.moments = [now()]
        self.ids = {}
        for name in ("a1", "b1"):
            created = client.post(self.items, json=feature(name=name), headers=owner.headers)
            self.ids[name[0]] = int(created.headers["Location"].rpartition("/")[2])
            self.moments.append(now())
        for name in ("a2", "b2", "a3"):
            path = f"{self.items}/{self.ids[name[0]]}"
            body = {"properties": {"name": name}}
            assert client.patch(path, json=body, headers=owner.headers).status_code == 200
            self.moments.append(now())
        for feature_id in self.ids.values():
            client.delete(f"{self.items}/{feature_id}", headers=owner.headers)
            self.moments.append(now())

    def get(self, **query: Any) -> TestResponse:
        return self.client.get(self.items, query_string=query)


@pytest.fixture
def history(
    client: FlaskClient, layer: Callable[..., str], person: Callable[[str], Person]
) -> Layer:
    return Layer(client, person("owner"), layer(fields={"name": {"type": "string"}}))


def names(response: TestResponse) -> list[str]:
    assert response.status_code == 200, response.text
    assert response.json is not None
    return [one["properties"]["name"] for one in response.json["features"]]


def test_versions_that_meet_the_interval_in_the_order_of_their_beginnings(history: Layer) -> None:
    m = history.moments
    everything = ["a1", "b1", "a2", "b2", "a3"]
    for interval, expected in (
        ("../..", everything),
        (f"{m[0]}/..", everything),
        (f"../{m[7]}", everything),
        (f"../{m[0]}", []),
        (f"{m[7]}/..", []),
        (f"../{m[2]}", ["a1", "b1"]),
        (f"{m[2]}/{m[3]}", ["a1", "b1", "a2"]),
        (f"{m[4]}/{m[5]}", ["a2", "b2", "a3"]),
        (f"{m[6]}/..", ["b2"]),
        (now()[:10], everything),
        ("2001-07-02", []),
    ):
        page = history.get(datetime=interval)
        assert names(page) == expected, interval
        assert page.json is not None
        assert page.json["numberMatched"] == page.json["numberReturned"] == len(expected)
    hits = history.get(datetime="../..", resulttype="hits")
    assert hits.json is not None
    assert hits.json["numberMatched"] == 5


def test_a_version_ends_where_the_next_one_begins(history: Layer) -> None:
    page = history.get(datetime="../..")
    assert page.json is not None
    intervals = {
        one["properties"]["name"]: one["time"]["interval"] for one in page.json["features"]
    }
    end = intervals["a1"][1]
    assert end == intervals["a2"][0]
    assert names(history.get(datetime=f"{end}/{end}", filter="name LIKE 'a%'")) == ["a2"]
    assert names(history.get(datetime=end, filter="name LIKE 'a%'")) == ["a2"]
    from_then_on = history.get(datetime=f"{end}/{history.moments[3]}", filter="name LIKE 'a%'")
    assert names(from_then_on) == ["a2"]
    until_then = history.get(datetime=f"{history.moments[0]}/{end}", filter="name LIKE 'a%'")
    assert names(until_then)[-2:] == ["a1", "a2"]


def test_profiles(history: Layer) -> None:
    default = history.get(datetime="../..")
    unique = history.get(datetime="../..", profile="versions-as-features-unique-ids")
    same = history.get(datetime="../..", profile="versions-as-features")
    assert default.json
    assert unique.json
    assert same.json
    a, b = history.ids["a"], history.ids["b"]
    assert [one["id"] for one in same.json["features"]] == [a, b, a, b, a]
    ids = [one["id"] for one in unique.json["features"]]
    assert ids == [one["id"] for one in default.json["features"]]
    assert len(set(ids)) == 5
    for one in unique.json["features"]:
        feature_id, _, moment = one["id"].partition(".")
        began = datetime.strptime(moment, "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
        assert began == datetime.fromisoformat(one["time"]["interval"][0])
        (original,) = [link for link in one["links"] if link["rel"] == "original"]
        assert original["href"] == f"http://localhost{history.items}/{feature_id}"
    for response, name in (
        (unique, "versions-as-features-unique-ids"),
        (same, "versions-as-features"),
    ):
        (profile,) = [one for one in response.json["links"] if one["rel"] == "profile"]
        assert profile["href"] == f"{PROFILE}{name}"
        assert f'<{PROFILE}{name}>; rel="profile"' in response.headers["Link"]


def test_pages_of_versions(history: Layer) -> None:
    for query in ({}, {"sortby": "-name"}, {"bbox": "0,50,20,60"}, {"filter": "name > 'a1'"}):
        whole = names(history.get(datetime="../..", **query))
        response = history.get(datetime="../..", limit=2, **query)
        read = names(response)
        while following := [one for one in response.json["links"] if one["rel"] == "next"]:
            response = history.client.get(following[0]["href"])
            read += names(response)
        assert read == whole
        assert len(whole) >= 4
    assert names(history.get(datetime="../..", sortby="-name")) == ["b2", "b1", "a3", "a2", "a1"]
    assert names(history.get(datetime="../..", offset=3)) == ["b2", "a3"]


def test_what_is_not_offered_is_refused(history: Layer) -> None:
    for query in (
        {"datetime": "../..", "f": "csv"},
        {"datetime": "../..", "f": "gpkg"},
        {"datetime": "../..", "f": "jsonfg"},
        {"datetime": "../..", "f": "html"},
        {"datetime": "../..", "profile": "features-with-time-slices"},
        {"datetime": "../..", "version-datetime": "../.."},
        {"datetime": history.moments[2], "profile": "versions-as-features"},
        {"profile": "versions-as-features"},
        {"datetime": f"{history.moments[3]}/{history.moments[1]}"},
    ):
        response = history.get(**query)
        assert response.status_code == 400, query


def test_a_property_named_profile(
    client: FlaskClient, layer: Callable[..., str], person: Callable[[str], Person]
) -> None:
    layer_id = layer(
        [("POINT(1 1)", {"profile": "steep"}), ("POINT(1 1)", {"profile": "flat"})],
        fields={"profile": {"type": "string"}},
    )
    items = f"/ogc/collections/{layer_id}/items"
    for query in ({}, {"datetime": now()}):
        found = client.get(items, query_string={"profile": "flat", **query})
        assert [one["properties"]["profile"] for one in found.json["features"]] == ["flat"]
