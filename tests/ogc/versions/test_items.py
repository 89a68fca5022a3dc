"""`items/{featureId}?datetime=` and its time map: the draft "Versioned Features"."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.ogc.conftest import Person

BEFORE = "1990-01-01T00:00:00Z"
FUTURE = "2999-01-01T00:00:00Z"


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def feature(x: float = 11.5, **properties: Any) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": [x, 57.5]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def links_of(response: TestResponse) -> dict[str, str]:
    """The links of a version, by relation, as paths with their query."""
    assert response.json is not None
    return {
        one["rel"]: one["href"].removeprefix("http://localhost")
        for one in response.json["links"]
        if one["rel"] not in {"self", "alternate", "collection"}
    }


def header_links(response: TestResponse) -> dict[str, str]:
    values = response.headers["Link"].split(", ")
    pairs = (value.removeprefix("<http://localhost").split('>; rel="') for value in values)
    return {rel.rstrip('"'): href for href, rel in pairs}


class History:
    """A feature with three versions, and the moments in between."""

    def __init__(self, client: FlaskClient, owner: Person, layer: str) -> None:
        self.client, self.owner = client, owner
        self.items = f"/ogc/collections/{layer}/items"
        created = client.post(self.items, json=feature(name="a"), headers=owner.headers)
        assert created.status_code == 201, created.text
        self.path = created.headers["Location"].removeprefix("http://localhost")
        self.first = now()
        body = {"properties": {"name": "b"}}
        assert client.patch(self.path, json=body, headers=owner.headers).status_code == 200
        self.second = now()
        replaced = client.put(self.path, json=feature(12, name="c"), headers=owner.headers)
        assert replaced.status_code == 200
        self.third = now()

    def delete(self) -> None:
        assert self.client.delete(self.path, headers=self.owner.headers).status_code == 204


@pytest.fixture
def history(
    client: FlaskClient, layer: Callable[..., str], person: Callable[[str], Person]
) -> History:
    return History(client, person("owner"), layer(name="Moorings"))


def test_each_version_is_found_at_its_time(client: FlaskClient, history: History) -> None:
    for moment, name in ((history.first, "a"), (history.second, "b"), (history.third, "c")):
        response = client.get(f"{history.path}?datetime={moment}")
        assert response.status_code == 200, response.text
        assert response.json["properties"]["name"] == name
    assert client.get(history.path).json["properties"]["name"] == "c"
    assert client.get(f"{history.path}?datetime={FUTURE}").json["properties"]["name"] == "c"
    same = client.get(f"{history.path}?version-datetime={history.first}")
    assert same.json["properties"]["name"] == "a"


def test_versions_are_linked_in_both_directions(client: FlaskClient, history: History) -> None:
    present = client.get(history.path)
    links = links_of(present)
    assert links["original"] == history.path
    assert links["timemap"] == links["version-history"] == f"{history.path}/versions"
    assert "successor-version" not in links
    assert "latest-version" not in links
    assert header_links(present).items() <= links.items()
    second = client.get(links["predecessor-version"])
    assert second.json["properties"]["name"] == "b"
    first = client.get(links_of(second)["predecessor-version"])
    assert first.json["properties"]["name"] == "a"
    assert "predecessor-version" not in links_of(first)
    again = client.get(links_of(first)["successor-version"])
    assert again.json == second.json
    last = client.get(links_of(second)["successor-version"])
    assert last.json["properties"]["name"] == "c"
    assert client.get(links_of(first)["latest-version"]).json == last.json
    assert header_links(first).items() == links_of(first).items()


def test_the_time_of_a_version(client: FlaskClient, history: History) -> None:
    present = client.get(f"{history.path}?datetime={history.third}")
    second = client.get(f"{history.path}?datetime={history.second}")
    began, ended = second.json["time"]["interval"]
    assert present.json["time"]["interval"] == [ended, ".."]
    assert history.first < began < history.second < ended < history.third
    exact = datetime.fromisoformat(began)
    assert parsedate_to_datetime(second.headers["Memento-Datetime"]) == exact.replace(microsecond=0)
    # at the moment of a change it is the later version
    assert client.get(f"{history.path}?datetime={ended}").json["properties"]["name"] == "c"
    just_before = (datetime.fromisoformat(ended) - timedelta(microseconds=1)).isoformat()
    before = client.get(history.path, query_string={"datetime": just_before})
    assert before.json["properties"]["name"] == "b"


def test_a_feature_that_is_gone(client: FlaskClient, history: History) -> None:
    early = client.get(f"{history.path}?datetime={BEFORE}")
    assert early.status_code == 410
    history.delete()
    for response in (
        early,
        client.get(history.path),
        client.get(f"{history.path}?datetime={now()}"),
    ):
        assert response.status_code == 410
        links = links_of(response)
        assert links == header_links(response)
        assert set(links) == {"latest-version", "timemap", "version-history"}
        latest = client.get(links["latest-version"])
        assert latest.json["properties"]["name"] == "c"
    assert client.get(f"{history.path}?datetime={history.first}").json["properties"]["name"] == "a"
    for method in ("put", "patch", "delete"):
        refused = client.open(
            history.path, method=method, json=feature(), headers=history.owner.headers
        )
        assert refused.status_code == 410
        assert links_of(refused)["timemap"] == f"{history.path}/versions"
    page = client.get(f"{history.path}?f=html")
    assert page.status_code == 410
    assert f'{history.path}/versions?f=html"' in page.text


def test_a_feature_that_never_was(client: FlaskClient, history: History) -> None:
    for query in ("", f"?datetime={history.first}", "/versions"):
        missing = client.get(f"{history.items}/999999999{query}")
        assert missing.status_code == 404
        assert "links" not in missing.json


def test_the_time_map(client: FlaskClient, history: History) -> None:
    history.delete()
    response = client.get(f"{history.path}/versions")
    assert response.status_code == 200, response.text
    links = response.json["links"]
    assert [one["rel"] for one in links] == [
        *("self", "original", "timegate", "memento", "memento", "memento", "latest-version")
    ]
    mementos = [one for one in links if one["rel"] == "memento"]
    names = []
    for memento in mementos:
        version = client.get(memento["href"])
        assert version.headers["Memento-Datetime"] == memento["datetime"]
        names.append(version.json["properties"]["name"])
    assert names == ["a", "b", "c"]
    assert links[-1]["href"] == mementos[-1]["href"]


def test_the_time_map_as_link_format(client: FlaskClient, history: History) -> None:
    response = client.get(f"{history.path}/versions", headers={"Accept": "application/link-format"})
    assert response.mimetype == "application/link-format"
    lines = response.text.rstrip("\n").split(",\n")
    assert lines[1].startswith(f'<http://localhost{history.path}>; rel="original"')
    mementos = [line for line in lines if 'rel="memento"' in line]
    assert len(mementos) == 3
    address = mementos[0].partition(">")[0].removeprefix("<")
    stamp = client.get(address).headers["Memento-Datetime"]
    assert f'datetime="{stamp}"' in mementos[0]
    assert client.get(f"{history.path}/versions?f=link-format").text == response.text


def test_the_page_of_a_history(client: FlaskClient, history: History) -> None:
    page = client.get(f"{history.path}/versions?f=html")
    assert page.mimetype == "text/html"
    versions = page.text.split("<h2>Versions</h2>")[1]
    rows = versions.split("<tbody>")[1].split("<tr>")[1:]
    assert len(rows) == 3
    assert [["geometry" in row, "name" in row] for row in rows[:2]] == [[True, True], [False, True]]
    assert "made" in rows[2]
    item = client.get(f"{history.path}?f=html&datetime={history.second}")
    assert "As it was from" in item.text
    assert f'href="http://localhost{history.path}/versions?f=html"' in item.text
    history.delete()
    assert "was deleted" in client.get(f"{history.path}/versions?f=html").text


def test_a_retired_version_is_kept_by_caches(client: FlaskClient, history: History) -> None:
    version = client.get(f"{history.path}?datetime={history.first}")
    assert version.headers["Cache-Control"] == ("public, s-maxage=60, max-age=2592000, immutable")
    tag = version.headers["ETag"]
    assert not tag.startswith("W/")
    same = client.get(f"{history.path}?datetime={history.first}", headers={"If-None-Match": tag})
    assert same.status_code == 304
    signed_in = client.get(
        f"{history.path}?datetime={history.first}", headers=history.owner.headers
    )
    assert signed_in.headers["Cache-Control"] == "private, max-age=2592000, immutable"
    for query in ("", f"?datetime={history.third}"):
        assert "max-age" not in client.get(f"{history.path}{query}").headers["Cache-Control"]
    history.delete()  # its last version has a successor if it is restored
    last = client.get(f"{history.path}?datetime={history.third}")
    assert last.status_code == 200
    assert "max-age" not in last.headers["Cache-Control"]


def test_versions_are_not_written(client: FlaskClient, history: History) -> None:
    for method in ("put", "patch", "delete"):
        for parameter in ("datetime", "version-datetime"):
            response = client.open(
                f"{history.path}?{parameter}={history.first}",
                method=method,
                json=feature(),
                headers=history.owner.headers,
            )
            assert response.status_code == 405
            assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert client.post(f"{history.path}/versions", json={}).status_code == 405
    assert client.get(history.path).headers["ETag"] == '"3"'


def test_if_unmodified_since(client: FlaskClient, history: History) -> None:
    stamp = client.get(history.path).headers["Memento-Datetime"]
    early = {**history.owner.headers, "If-Unmodified-Since": "Mon, 02 Jul 2001 10:43:17 GMT"}
    body = {"properties": {"name": "d"}}
    assert client.patch(history.path, json=body, headers=early).status_code == 412
    assert client.delete(history.path, headers=early).status_code == 412
    # with If-Match it is ignored, and as no date too (RFC 9110, 13.1.4)
    matching = {**early, "If-Match": '"3"'}
    assert client.patch(history.path, json=body, headers=matching).status_code == 200
    malformed = {**history.owner.headers, "If-Unmodified-Since": "yesterday"}
    assert client.patch(history.path, json=body, headers=malformed).status_code == 200
    stamp = client.get(history.path).headers["Memento-Datetime"]
    right = {**history.owner.headers, "If-Unmodified-Since": stamp}
    assert client.patch(history.path, json=body, headers=right).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "datetime=yesterday",
        "datetime=2001-01-01T00:00:00Z/..",
        "datetime=2001-01-01",
        "datetime=../..",
        "datetime=2001-01-01T00:00:00Z&datetime=2001-01-01T00:00:00Z",
        "datetime=2001-01-01T00:00:00Z&version-datetime=2001-01-01T00:00:00Z",
        "profile=versions-as-features",
    ],
)
def test_what_is_no_moment_is_refused(client: FlaskClient, history: History, query: str) -> None:
    response = client.get(f"{history.path}?{query}")
    assert response.status_code == 400
    assert response.json["detail"]


def test_features_with_a_time_of_their_own(
    client: FlaskClient, layer: Callable[..., str], person: Callable[[str], Person]
) -> None:
    owner = person("owner")
    layer_id = layer(
        fields={"seen": {"type": "string", "format": "date"}}, time_field="seen", name="Sightings"
    )
    items = f"/ogc/collections/{layer_id}/items"
    created = client.post(items, json=feature(seen="2001-07-02"), headers=owner.headers)
    path = created.headers["Location"].removeprefix("http://localhost")
    first = now()
    client.patch(path, json={"properties": {"seen": "2002-07-02"}}, headers=owner.headers)
    collection = client.get(f"/ogc/collections/{layer_id}").json
    assert collection["versioning"]["parameter"] == "version-datetime"
    assert client.get(f"{path}?datetime={first}").status_code == 400
    version = client.get(f"{path}?version-datetime={first}")
    assert version.json["properties"]["seen"] == "2001-07-02"
    assert "version-datetime=" in links_of(version)["successor-version"]
    assert "time" not in version.json
    assert len(version.json["versionTime"]["interval"]) == 2
    both = {"datetime": "2001-07-02", "version-datetime": first}
    assert client.get(items, query_string=both).json["numberMatched"] == 1
    assert client.get(items, query_string={"datetime": "2001-07-02"}).json["numberMatched"] == 0


def test_the_history_of_a_private_layer(
    client: FlaskClient, layer: Callable[..., str], person: Callable[[str], Person]
) -> None:
    owner, stranger = person("owner"), person("stranger")
    layer_id = layer(visibility="private")
    items = f"/ogc/collections/{layer_id}/items"
    created = client.post(items, json=feature(), headers=owner.headers)
    path = created.headers["Location"].removeprefix("http://localhost")
    first = now()
    client.patch(path, json={"properties": {"name": "b"}}, headers=owner.headers)
    for address in (
        *(f"{path}?datetime={first}", f"{path}/versions", f"{items}?datetime={first}"),
        f"/ogc/collections/{layer_id}/changes?since={first}",
    ):
        assert client.get(address).status_code == 404
        assert client.get(address, headers=stranger.headers).status_code == 404
        assert client.get(address, headers=owner.headers).status_code == 200
    client.delete(path, headers=owner.headers)
    assert client.get(path).status_code == client.get(path, headers=stranger.headers).status_code
    assert client.get(path).status_code == 404
    assert client.get(path, headers=owner.headers).status_code == 410
