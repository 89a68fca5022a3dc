"""What was before the horizon of a layer is refused, and what is known of it still is served."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from samsyn_model.audit.pruning import Pruning, prune
from tests.ogc.conftest import Person

pytestmark = pytest.mark.usefixtures("prunes_at_once")

POINT = "POINT(10.5 57.5)"


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


class Kept:
    """A layer of three features, of which the first was changed before the horizon, the second
    deleted before it, and the third changed after it."""

    def __init__(
        self, engine: Engine, client: FlaskClient, owner: Person, layer: Callable[..., str]
    ) -> None:
        self.client = client
        layer_id = layer([(POINT, {"n": number}) for number in range(3)])
        self.path = f"/ogc/collections/{layer_id}"
        page = client.get(f"{self.path}/items").json
        self.first, self.second, self.third = (one["id"] for one in page["features"])
        self.early = now()
        self.headers = {**owner.headers, "Content-Type": "application/merge-patch+json"}
        self.change(self.first, 10)
        client.delete(f"{self.path}/items/{self.second}", headers=owner.headers)
        with engine.connect() as connection:
            self.deletion = connection.execute(
                text("SELECT max(change_set_id) FROM layer_change_sets WHERE deleted > 0")
            ).scalar_one()
        self.early_page = self.get("items", datetime=self.early)
        self.horizon = now()
        self.change(self.third, 30)
        list(prune(engine, Pruning(datetime.fromisoformat(self.horizon), 90)))

    def change(self, key: int, number: int) -> None:
        body = {"properties": {"n": number}}
        path = f"{self.path}/items/{key}"
        assert self.client.patch(path, json=body, headers=self.headers).status_code == 200

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"{self.path}/{path}", query_string=query)


@pytest.fixture
def kept(
    empty_database: Engine,
    client: FlaskClient,
    layer: Callable[..., str],
    person: Callable[[str], Person],
) -> Kept:
    return Kept(empty_database, client, person("owner"), layer)


def test_what_was_before_is_refused_everywhere(kept: Kept) -> None:
    assert kept.early_page.status_code == 200
    early, tile = kept.early, "tiles/WebMercatorQuad/0/0/0"
    refused = [
        kept.get("items", datetime=early),
        kept.get("items", datetime=early, f="html"),
        kept.get("items", datetime=early, f="csv"),
        kept.get("items", datetime=early, bbox="10,57,11,58"),
        kept.get("items", datetime=early, filter="n > 0"),
        kept.get("items", datetime=f"{early}/.."),
        kept.get("items", datetime=f"../{early}"),
        kept.get("items", datetime=f"{early}/{kept.horizon}"),
        kept.get(f"items/{kept.first}", datetime=early),
        kept.get(f"items/{kept.second}", datetime=early),
        kept.get("changes", since=early),
        kept.get("changes", since=str(kept.deletion)),
        kept.get("changes", since=early, until=kept.horizon),
        kept.get(tile, datetime=early),
    ]
    said = f"The history of this layer begins at {kept.horizon}: what was before is not kept."
    for response in refused:
        assert response.status_code == 404, response.request.url
        assert said in response.text, response.request.url


def test_what_is_since_is_as_it_was(kept: Kept) -> None:
    page = kept.get("items", datetime=kept.horizon).json
    assert {one["id"]: one["properties"] for one in page["features"]} == {
        kept.first: {"n": 10},
        kept.third: {"n": 2},
    }
    assert page["numberMatched"] == 2
    changes = kept.get("changes", since=kept.horizon).json
    assert [one["id"] for one in changes["changed"]] == [kept.third]
    assert (changes["made"], changes["deleted"]) == ([], [])
    versions = kept.get("items", datetime=f"{kept.horizon}/..").json
    assert versions["numberReturned"] == 3
    assert kept.get("items", datetime=f"../{now()}").json["numberReturned"] == 3
    assert kept.get("tiles/WebMercatorQuad/0/0/0", datetime=kept.horizon).status_code == 200


def test_a_version_that_is_kept_has_its_address_still(kept: Kept) -> None:
    """It was there before the horizon and after it: what it was is known."""
    response = kept.get(f"items/{kept.third}", datetime=kept.early)
    assert response.status_code == 200
    assert response.json["properties"] == {"n": 2}
    listed = kept.get(f"items/{kept.third}/versions").json["links"]
    assert len([link for link in listed if link["rel"] == "memento"]) == 2
    for link in listed:
        if link["rel"] == "memento":
            assert kept.client.get(link["href"]).status_code == 200
    first = kept.get(f"items/{kept.first}/versions").json["links"]
    assert len([link for link in first if link["rel"] == "memento"]) == 1
    assert "Nothing differs." in kept.get(f"items/{kept.first}/versions", f="html").text
    assert kept.get(f"items/{kept.second}/versions").status_code == 404
    assert kept.get(f"items/{kept.second}").status_code == 404


def test_a_layer_that_is_younger_was_empty_then(kept: Kept) -> None:
    assert kept.get("items", datetime="2000-01-01T00:00:00Z").json["features"] == []


def test_change_sets_link_to_what_is_kept(kept: Kept) -> None:
    listed = kept.get("change-sets").json["changeSets"]
    linked = [one for one in listed if one["links"]]
    assert [one["changed"] for one in linked] == [1]  # that of the third feature
    assert len(listed) > len(linked) + 1
    for one in linked:
        for link in one["links"]:
            assert kept.client.get(link["href"]).status_code == 200
    page = kept.get("change-sets", f="html").text
    assert page.count("not kept") == len(listed) - len(linked)
