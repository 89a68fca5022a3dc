"""Quotas: the last one within is granted, the next refused, one more after a deletion."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_model.identity import api_tokens, browser_sessions
from samsyn_model.settings import Settings
from tests.documented_responses import validate_responses

MAXIMUM = 3
POINT = {"type": "Feature", "geometry": None, "properties": {}}
TWO = {"type": "FeatureCollection", "features": [POINT, POINT]}


@dataclass
class Account:
    """A user, and requests with their credentials."""

    client: FlaskClient
    headers: dict[str, str]
    id: str

    def send(self, method: str, path: str, body: Any = None) -> TestResponse:
        return self.client.open(
            f"/api/v1{path}",
            method=method,
            headers=self.headers,
            **({"json": body} if body else {}),
        )

    def made(self, path: str, body: Any) -> str:
        response = self.send("POST", path, body)
        assert response.status_code == 201, response.text
        assert response.json is not None
        return str(response.json["id"])


MakeAccount = Callable[..., Account]


@pytest.fixture
def make_account(empty_database: Engine) -> MakeAccount:
    def make(name: str, **values: int) -> Account:
        app = create_app(Settings(_env_file=None, **values), empty_database)  # type: ignore[arg-type]
        validate_responses(app)
        with empty_database.begin() as connection:
            user_id = api_tokens.find_or_create_user(connection, f"{name}@example.org")
            token = api_tokens.create_token(connection, user_id, name="test", scope="write")
        headers = {"Authorization": f"Bearer {token}"}
        return Account(app.test_client(), headers, str(user_id))

    return make


def refusal(response: TestResponse) -> str:
    assert response.status_code == 422, response.text
    assert response.json is not None
    return str(response.json["detail"])


@pytest.mark.parametrize(
    ("setting", "path", "body", "detail"),
    [
        ("max_maps_per_user", "/maps", {"name": "x"}, "An account owns up to 3 maps"),
        (
            "max_layers_per_user",
            "/layers",
            {"name": "x", "source_type": "vector"},
            "An account has up to 3 layers",
        ),
    ],
)
def test_maps_and_layers_of_an_account(
    make_account: MakeAccount, setting: str, path: str, body: Any, detail: str
) -> None:
    owner = make_account("owner", **{setting: MAXIMUM})
    ids = [owner.made(path, body) for _ in range(MAXIMUM)]
    assert refusal(owner.send("POST", path, body)).startswith(detail)
    assert make_account("other", **{setting: MAXIMUM}).made(path, body)
    assert owner.send("DELETE", f"{path}/{ids[0]}").status_code == 204
    owner.made(path, body)
    assert refusal(owner.send("POST", path, body)).startswith(detail)
    listed = owner.send("GET", f"{path}?mine=true").json
    assert listed is not None
    assert len(listed) == MAXIMUM


def test_the_hundredth_token_works_and_the_next_after_one_is_revoked(
    make_account: MakeAccount, empty_database: Engine
) -> None:
    """With the default. Expired and revoked tokens are not counted."""
    owner = make_account("owner")
    body = {"name": "x"}
    responses = [owner.send("POST", "/tokens", body) for _ in range(99)]
    assert {each.status_code for each in responses} == {201}
    last = responses[-1].json
    assert last is not None
    assert refusal(owner.send("POST", "/tokens", body)).startswith(
        "An account has up to 100 API tokens"
    )
    bearer = {"Authorization": f"Bearer {last['token']}"}
    assert owner.client.get("/api/v1/users/me", headers=bearer).status_code == 200
    assert owner.send("DELETE", f"/tokens/{last['id']}").status_code == 204
    again = owner.send("POST", "/tokens", body)
    assert again.status_code == 201
    assert refusal(owner.send("POST", "/tokens", body))
    with empty_database.begin() as connection:
        statement = "UPDATE api_tokens SET expires_at = now() WHERE id = :id"
        connection.execute(text(statement), {"id": again.json["id"]})  # type: ignore[index]
    assert owner.send("POST", "/tokens", body).status_code == 201
    assert make_account("other").send("POST", "/tokens", body).status_code == 201


def test_tokens_that_have_ended_do_not_accumulate(
    make_account: MakeAccount, empty_database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last ones are told that they have been revoked, older ones that they are not valid."""
    monkeypatch.setattr(
        api_tokens, "_REMOVE_ENDED", api_tokens._REMOVE_ENDED.replace("OFFSET 100", "OFFSET 2")
    )
    owner = make_account("owner")
    texts = []
    for _ in range(5):
        created = owner.send("POST", "/tokens", {"name": "x"}).json
        assert created is not None
        texts.append(created["token"])
        assert owner.send("DELETE", f"/tokens/{created['id']}").status_code == 204
    owner.made("/tokens", {"name": "x"})
    with empty_database.begin() as connection:
        count = connection.execute(text("SELECT count(*) FROM api_tokens")).scalar_one()
    assert count == 2 + 2
    details = []
    for token in texts:
        headers = {"Authorization": f"Bearer {token}"}
        response = owner.client.get("/api/v1/users/me", headers=headers)
        assert response.status_code == 401
        details.append(response.json["detail"])  # type: ignore[index]
    assert ["revoked" in detail for detail in details] == [False] * 3 + [True] * 2


def test_copies_and_transfers_count_as_maps(make_account: MakeAccount) -> None:
    owner = make_account("owner", max_maps_per_user=2)
    other = make_account("other", max_maps_per_user=2)
    mine, _ = (owner.made("/maps", {"name": "x"}) for _ in range(2))
    assert refusal(owner.send("POST", f"/maps/{mine}/duplicate", {"name": "copy"}))
    person = {"user_id": other.id}
    assert owner.send("POST", f"/maps/{mine}/collaborators", person).status_code == 201
    theirs = [other.made("/maps", {"name": "x"}) for _ in range(2)]
    assert refusal(owner.send("PUT", f"/maps/{mine}/owner", person))
    assert other.send("DELETE", f"/maps/{theirs[0]}").status_code == 204
    assert owner.send("PUT", f"/maps/{mine}/owner", person).status_code in {200, 204}
    assert owner.send("POST", f"/maps/{mine}/duplicate", {"name": "copy"}).status_code == 201


def test_layers_of_a_map(make_account: MakeAccount) -> None:
    owner = make_account("owner", max_layers_per_map=2)
    map_id = owner.made("/maps", {"name": "x"})
    layers = [owner.made("/layers", {"name": "x", "source_type": "vector"}) for _ in range(3)]
    path = f"/maps/{map_id}/layers"
    for layer_id in layers[:2]:
        assert owner.send("POST", path, {"layer_id": layer_id}).status_code == 201
    detail = refusal(owner.send("POST", path, {"layer_id": layers[2]}))
    assert detail == "A map has up to 2 layers: take one off first."
    assert owner.send("POST", path, {"layer_id": layers[0]}).status_code == 409
    assert owner.send("DELETE", f"{path}/{layers[0]}").status_code == 204
    assert owner.send("POST", path, {"layer_id": layers[2]}).status_code == 201


def test_collaborators_of_a_map(make_account: MakeAccount) -> None:
    owner = make_account("owner", max_collaborators_per_map=2)
    people = [make_account(f"person{number}") for number in range(3)]
    path = f"/maps/{owner.made('/maps', {'name': 'x'})}/collaborators"
    for person in people[:2]:
        assert owner.send("POST", path, {"user_id": person.id}).status_code == 201
    detail = refusal(owner.send("POST", path, {"user_id": people[2].id}))
    assert detail == "A map has up to 2 collaborators: remove one first."
    assert owner.send("DELETE", f"{path}/{people[0].id}").status_code == 204
    assert owner.send("POST", path, {"user_id": people[2].id}).status_code == 201


@pytest.mark.parametrize(
    ("setting", "detail"),
    [
        ("max_comments_per_user", "An account has up to 3 comments: delete one first."),
        ("max_comments_per_map", "A map has up to 3 comments: delete one first."),
        ("max_comments_per_layer", "A layer has up to 3 comments: delete one first."),
    ],
)
def test_comments(make_account: MakeAccount, setting: str, detail: str) -> None:
    """Replies are comments of the thread's map and layer."""
    owner = make_account("owner", **{setting: MAXIMUM})
    subject = {
        "map_id": owner.made("/maps", {"name": "x"}),
        "layer_id": owner.made("/layers", {"name": "x", "source_type": "vector"}),
    }
    on_map = {"layer_id": subject["layer_id"]}
    placed = owner.send("POST", f"/maps/{subject['map_id']}/layers", on_map)
    assert placed.status_code == 201
    root = owner.made("/comments", {"content": "x", **subject})
    reply = {"content": "x", "parent_id": root, "map_id": subject["map_id"]}
    replies = [owner.made("/comments", reply) for _ in range(MAXIMUM - 1)]
    assert refusal(owner.send("POST", "/comments", reply)) == detail
    assert refusal(owner.send("POST", "/comments", {"content": "x", **subject})) == detail
    assert owner.send("DELETE", f"/comments/{replies[0]}").status_code == 204
    owner.made("/comments", reply)


def test_features_of_a_layer_by_every_way_in(make_account: MakeAccount) -> None:
    owner = make_account("owner", max_features_per_layer=MAXIMUM)
    layer = {"name": "x", "source_type": "vector"}
    layer_id = owner.made("/layers", layer)
    items = f"/layers/{layer_id}/features"
    detail = "A layer has up to 3 features: delete some first."

    def bulk(body: Any) -> TestResponse:
        return owner.client.post(
            f"/api/v1{items}/bulk",
            data=json.dumps(body),
            content_type="application/geo+json",
            headers=owner.headers,
        )

    assert owner.send("POST", items, TWO).status_code == 201
    assert refusal(owner.send("POST", items, TWO)) == detail
    assert refusal(bulk(TWO)) == detail
    feature = owner.send("POST", items, POINT)
    assert feature.status_code == 201
    assert refusal(owner.send("POST", items, POINT)) == detail
    drawn = {"source_config": {"geojson": {**TWO, "features": [POINT] * 4}}}
    assert refusal(owner.send("PUT", f"/layers/{layer_id}", drawn)) == detail
    assert refusal(owner.send("POST", "/layers", {**layer, **drawn})) == detail
    counted = owner.send("GET", f"/layers/{layer_id}").json
    assert counted is not None
    assert counted["feature_count"] == MAXIMUM
    assert feature.json is not None
    assert owner.send("DELETE", f"{items}/{feature.json['id']}").status_code == 204
    assert bulk({**TWO, "features": [POINT]}).status_code == 201
    assert refusal(bulk(TWO)) == detail
    assert bulk({**TWO, "features": []}).status_code == 201


def test_features_of_an_account(make_account: MakeAccount) -> None:
    """They count for who has created the layer, whoever writes them."""
    owner, other = (make_account(name, max_features_per_user=5) for name in ("owner", "other"))
    layer = {
        "name": "x",
        "source_type": "vector",
        "editable": "everyone",
        "visibility": "public",
        "source_config": {"geojson": TWO},
    }
    ids = [owner.made("/layers", layer) for _ in range(2)]
    detail = "The layers of an account have up to 5 features: delete some first."
    assert refusal(owner.send("POST", "/layers", layer)) == detail
    assert refusal(other.send("POST", f"/layers/{ids[0]}/features", TWO)) == detail
    other.made("/layers", layer)
    assert owner.send("DELETE", f"/layers/{ids[0]}").status_code == 204
    assert other.send("POST", f"/layers/{ids[1]}/features", TWO).status_code == 201


@pytest.mark.parametrize(
    ("setting", "path", "body"),
    [
        ("max_tokens_per_user", "/tokens", {"name": "x"}),
        ("max_maps_per_user", "/maps", {"name": "x"}),
        ("max_layers_per_user", "/layers", {"name": "x", "source_type": "vector"}),
    ],
)
def test_many_at_once_do_not_exceed_a_quota(
    make_account: MakeAccount, setting: str, path: str, body: Any
) -> None:
    owner = make_account("owner", **{setting: 5})

    def create(_: int) -> int:
        client = owner.client.application.test_client()
        return client.post(f"/api/v1{path}", json=body, headers=owner.headers).status_code

    with ThreadPoolExecutor(5) as pool:
        statuses = sorted(pool.map(create, range(20)))
    granted = 4 if setting == "max_tokens_per_user" else 5  # one token is theirs already
    assert statuses == [201] * granted + [422] * (20 - granted)


def test_an_order_has_a_bound(make_account: MakeAccount) -> None:
    owner = make_account("owner")
    map_id = owner.made("/maps", {"name": "x"})
    order = {"layer_id": map_id, "order": 0}
    body = {"layer_orders": [order] * 10_001}
    assert "10000" in refusal(owner.send("PUT", f"/maps/{map_id}/layers/reorder", body))


def test_the_sessions_of_an_account_have_a_bound(
    make_account: MakeAccount, monkeypatch: pytest.MonkeyPatch, empty_database: Engine
) -> None:
    """Another one ends the oldest."""
    monkeypatch.setattr(
        browser_sessions,
        "_END_OLDEST",
        browser_sessions._END_OLDEST.replace("OFFSET 100", "OFFSET 3"),
    )
    owner = make_account("owner", writes_per_minute=6)
    token = owner.headers["Authorization"].removeprefix("Bearer ")

    def sign_in() -> TestResponse:
        client = owner.client.application.test_client()
        return client.post("/ogc/sign-in", data={"token": token})

    cookies = []
    for _ in range(6):
        response = sign_in()
        assert response.status_code == 303
        cookies.append(response.headers["Set-Cookie"].partition(";")[0].partition("=")[2])
    with empty_database.begin() as connection:
        count = connection.execute(text("SELECT count(*) FROM browser_sessions")).scalar_one()
    assert count == 3
    valid = [
        browser_sessions.find_session(empty_database, cookie) is not None for cookie in cookies
    ]
    assert valid == [False] * 3 + [True] * 3
    assert sign_in().status_code == 429


def test_the_sizes_of_bodies_are_settings(make_account: MakeAccount) -> None:
    owner = make_account("owner", max_body_size=1024, max_bulk_size=4096, max_bulk_features=3)
    layer_id = owner.made("/layers", {"name": "x", "source_type": "vector"})

    def bulk(count: int, **properties: str) -> int:
        features = [{**POINT, "properties": properties}] * count
        return owner.client.post(
            f"/api/v1/layers/{layer_id}/features/bulk",
            data="\n".join(map(json.dumps, features)),
            content_type="application/geo+json-seq",
            headers=owner.headers,
        ).status_code

    assert owner.send("POST", "/maps", {"name": "x", "description": "x" * 900}).status_code == 201
    assert owner.send("POST", "/maps", {"name": "x", "description": "x" * 1024}).status_code == 413
    assert bulk(3, name="x" * 1000) == 201
    assert bulk(3, name="x" * 1400) == 413
    assert bulk(4) == 413
    assert bulk(3) == 201
    counted = owner.send("GET", f"/layers/{layer_id}").json
    assert counted is not None
    assert counted["feature_count"] == 6
