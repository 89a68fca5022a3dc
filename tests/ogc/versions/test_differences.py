"""`…/items/{featureId}/difference`: what differs between two moments of a feature."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from tests.ogc.conftest import Person
from tests.statements import statements

SQUARE = "POLYGON((10 57,11 57,11 58,10 58,10 57))"
HALF = "POLYGON((10 57,10.5 57,10.5 58,10 58,10 57))"
BOWTIE = "POLYGON((10 57,11 58,11 57,10 58,10 57))"
FIRST = "2000-01-01T00:00:00Z"


class History:
    """A feature of a layer, and its versions."""

    def __init__(self, client: FlaskClient, engine: Engine, layer_id: str) -> None:
        self.client, self.engine, self.layer = client, engine, layer_id
        with engine.connect() as connection:
            self.key = connection.execute(
                text("SELECT id FROM layer_features WHERE layer_id = :layer"), {"layer": layer_id}
            ).scalar_one()
        self.path = f"/ogc/collections/{layer_id}/items/{self.key}"

    def run(self, statement: str, **values: Any) -> int:
        """Change the feature by SQL; return the number of the change set."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), {"layer": self.layer, "key": self.key, **values})
        with self.engine.connect() as connection:
            number: int = connection.execute(
                text("SELECT max(change_set_id) FROM layer_change_sets")
            ).scalar_one()
        return number

    def set(self, wkt: str | None, properties: str) -> int:
        return self.run(
            "UPDATE layer_features SET geom = ST_GeomFromText(:wkt, 4326),"
            " properties = CAST(:properties AS jsonb) WHERE layer_id = :layer AND id = :key",
            **{"wkt": wkt, "properties": properties},
        )

    def delete(self) -> int:
        return self.run("DELETE FROM layer_features WHERE layer_id = :layer AND id = :key")

    def get(self, **query: Any) -> TestResponse:
        return self.client.get(f"{self.path}/difference", query_string=query)

    def first(self) -> int:
        with self.engine.connect() as connection:
            number: int = connection.execute(
                text("SELECT min(change_set_id) FROM layer_change_sets WHERE layer_id = :layer"),
                {"layer": self.layer},
            ).scalar_one()
        return number


@pytest.fixture
def make_history(
    client: FlaskClient, empty_database: Engine, layer: Callable[..., str]
) -> Callable[..., History]:
    def make(wkt: str | None = SQUARE, **properties: Any) -> History:
        return History(client, empty_database, layer([(wkt, properties)]))

    return make


def test_attributes_and_geometry(make_history: Callable[..., History]) -> None:
    history = make_history(kept=1, changed="a", gone=None)
    history.set(HALF, '{"kept": 1, "changed": 12345678901234567890.10, "new": [1]}')
    response = history.get(since=history.first())
    assert response.status_code == 200, response.text
    document = response.json
    assert document["change"] == "changed"
    assert document["attributes"] == [
        {"name": "changed", "change": "changed", "former": "a", "present": 12345678901234567890.1},
        {"name": "gone", "change": "deleted", "former": None, "present": None},
        {"name": "new", "change": "made", "former": None, "present": [1]},
    ]
    assert "12345678901234567890.10" in response.text
    geometry = document["geometry"]
    assert geometry["changed"] is True
    assert geometry["type"] == {"former": "Polygon", "present": "Polygon"}
    before, after = geometry["area"]["former"], geometry["area"]["present"]
    assert before == pytest.approx(60_300 * 111_400, rel=0.02)  # metres a degree at 57.5 N
    assert after == pytest.approx(before / 2, rel=1e-3)
    assert geometry["difference"]["removed"] == pytest.approx(before / 2, rel=1e-3)
    assert geometry["difference"]["added"] == 0
    assert geometry["difference"]["area"] == geometry["difference"]["removed"]
    mementos = [one["href"] for one in document["links"] if one["rel"] == "memento"]
    former = history.client.get(mementos[0]).json
    assert former["properties"] == {"kept": 1, "changed": "a", "gone": None}


def test_what_is_too_large_to_be_compared(make_history: Callable[..., History]) -> None:
    history = make_history(SQUARE)
    history.run(
        "UPDATE layer_features"
        " SET geom = ST_SetSRID(ST_Buffer(ST_MakePoint(10, 57), 1, 10000), 4326)"
        " WHERE layer_id = :layer AND id = :key"
    )
    geometry = history.get(since=history.first()).json["geometry"]
    assert geometry["changed"] is True
    assert geometry["area"]["present"] > 0
    assert geometry["difference"] is None
    page = history.client.get(f"{history.path}/versions?f=html")
    assert page.status_code == 200
    assert "area that differs" not in page.text


def test_lengths(make_history: Callable[..., History]) -> None:
    history = make_history("LINESTRING(10 57,10 58)")
    history.set("LINESTRING(10 57,10 59)", "{}")
    geometry = history.get(since=history.first()).json["geometry"]
    assert geometry["length"]["former"] == pytest.approx(111_400, rel=0.01)
    assert geometry["length"]["present"] == pytest.approx(2 * 111_400, rel=0.01)
    assert geometry["difference"] == {"removed": 0, "added": 0, "area": 0}


def test_one_that_is_made_deleted_and_as_it_was(make_history: Callable[..., History]) -> None:
    history = make_history(n=1)
    made = history.get(since=FIRST, until=history.first())
    assert made.json["change"] == "made"
    assert made.json["geometry"]["type"] == {"former": None, "present": "Polygon"}
    assert made.json["geometry"]["difference"]["added"] > 0
    second = history.set(SQUARE, '{"n": 2}')
    third = history.set(SQUARE, '{"n": 1}')
    same = history.get(since=history.first(), until=third).json
    assert (same["change"], same["attributes"]) == ("none", [])
    assert same["geometry"]["changed"] is False
    history.delete()
    deleted = history.get(since=second).json
    assert deleted["change"] == "deleted"
    assert deleted["attributes"] == [
        {"name": "n", "change": "deleted", "former": 2, "present": None}
    ]


VALID = [
    (None, SQUARE),
    ("POINT(10 57)", None),
    ("POLYGON Z((10 57 1,11 57 2,11 58 3,10 57 1))", "MULTIPOINT(10 57,11 58)"),
    ("POLYGON((179 57,180 57,180 58,179 58,179 57))", "POLYGON((-180 57,-179 57,-179 58,-180 57))"),
]
ODD = [
    (BOWTIE, SQUARE),
    (f"GEOMETRYCOLLECTION(POINT(10 57),{BOWTIE})", HALF),
    ("POLYGON((-180 -90,180 -90,180 90,-180 90,-180 -90))", BOWTIE),
    ("GEOMETRYCOLLECTION EMPTY", "POLYGON EMPTY"),
]


@pytest.mark.parametrize(("one", "other"), [*VALID, *ODD])
def test_all_kinds_of_geometries(
    make_history: Callable[..., History], one: str | None, other: str | None
) -> None:
    history = make_history(one)
    history.set(other, "{}")
    geometry = history.get(since=history.first()).json["geometry"]
    assert geometry["changed"] is True
    removed, added = (geometry["difference"][name] for name in ("removed", "added"))
    assert removed >= 0
    assert added >= 0
    if (one, other) in VALID:
        areas = geometry["area"]
        lost = (areas["former"] or 0) - (areas["present"] or 0)
        assert removed - added == pytest.approx(lost, abs=1, rel=1e-3)
    page = history.client.get(f"{history.path}/versions?f=html")
    assert page.status_code == 200


def test_where_there_is_none(make_history: Callable[..., History]) -> None:
    history = make_history()
    deleted = history.delete()
    gone = history.get(since=deleted)
    assert gone.status_code == 410
    assert any(one["rel"] == "latest-version" for one in gone.json["links"])
    assert history.get(since=FIRST, until="2000-01-02T00:00:00Z").status_code == 410
    path = f"/ogc/collections/{history.layer}/items/{history.key + 1}/difference"
    assert history.client.get(f"{path}?since={FIRST}").status_code == 404
    unknown = f"/ogc/collections/{uuid.uuid4()}/items/1/difference?since={FIRST}"
    assert history.client.get(unknown).status_code == 404


def test_requests_that_are_not_valid(make_history: Callable[..., History]) -> None:
    history = make_history()
    for query in (
        *({}, {"since": "yesterday"}, {"since": FIRST, "until": "../.."}, {"since": FIRST, "x": 1}),
        *({"since": FIRST, "f": "html"}, {"since": history.first(), "until": FIRST}),
    ):
        assert history.get(**query).status_code == 400, query
    assert history.get(since=10**17).status_code == 404


def test_a_private_layer_has_none(
    client: FlaskClient,
    empty_database: Engine,
    layer: Callable[..., str],
    person: Callable[[str], Person],
) -> None:
    private = History(client, empty_database, layer([(SQUARE, {})], visibility="private"))
    for path in ("difference?since=1", "blame", "versions?f=html"):
        assert client.get(f"{private.path}/{path}").status_code == 404
    assert client.get(f"/ogc/collections/{private.layer}/change-sets").status_code == 404
    headers = person("owner").headers
    assert client.get(f"{private.path}/blame", headers=headers).status_code == 200
    assert client.get(f"{private.path}/blame", headers={"Authorization": "x"}).status_code == 401


def test_a_few_statements(make_history: Callable[..., History]) -> None:
    history = make_history(**{f"a{number}": number for number in range(50)})
    numbers = [history.set(HALF, f'{{"n": {number}}}') for number in range(5)]
    with statements() as sent:
        assert history.get(since=numbers[0], until=numbers[3]).status_code == 200
    assert len(sent) <= 4  # the layer, both change sets, the difference
    with statements() as sent:
        assert history.client.get(f"{history.path}/blame").status_code == 200
    assert len(sent) <= 2


def test_the_page_shows_two_versions(make_history: Callable[..., History]) -> None:
    history = make_history(name="<i>old</i>")
    history.set(HALF, '{"name": "new"}')
    page = history.client.get(f"{history.path}/versions?f=html").text
    assert "&lt;i&gt;old&lt;/i&gt;" in page
    assert "<i>old" not in page
    assert 'id="shapes"' in page
    assert "removed" in page
    last = history.set(HALF, '{"name": "newer"}')
    page = history.client.get(f"{history.path}/versions?f=html&since={history.first()}").text
    assert "newer" in page
    assert "old" in page
    page = history.client.get(f"{history.path}/versions?f=html&since={last}&until={last}").text
    assert "Nothing differs." in page
    history.delete()
    page = history.client.get(f"{history.path}/versions?f=html")
    assert "The feature was deleted in between." in page.text
    assert history.client.get(f"{history.path}/versions?f=json&since={last}").status_code == 400
    assert history.client.get(f"{history.path}/versions?f=html&since=x").status_code == 400
