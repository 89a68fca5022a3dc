"""`/api/v1/tokens`: a user's own API tokens."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from tests.api.layer_requests import Person, pointers
from tests.model.identity.authentication import rows

TOKENS = "/api/v1/tokens"
ME = "/api/v1/users/me"


def make(person: Person, **body: Any) -> TestResponse:
    return person.client.post(TOKENS, json={"name": "QGIS", **body}, headers=person.headers)


def bearer(answer: TestResponse) -> dict[str, str]:
    assert answer.status_code == 201, answer.text
    assert answer.json
    return {"Authorization": f"Bearer {answer.json['token']}"}


def test_a_token_is_told_once(owner: Person) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    made = make(owner, scope="write", expires_at=until.isoformat())
    assert made.status_code == 201, made.text
    token = made.json
    assert token
    assert made.headers["Cache-Control"] == "no-store"
    assert made.headers["Location"].endswith(f"{TOKENS}/{token['id']}")
    assert sorted(token) == [
        *("created_at", "expires_at", "id", "last_used_at", "name", "prefix", "scope", "token")
    ]
    assert token["token"].startswith(token["prefix"])
    assert (token["name"], token["scope"], token["last_used_at"]) == ("QGIS", "write", None)
    assert datetime.fromisoformat(token["expires_at"]) == until
    assert owner.client.get(ME, headers=bearer(made)).status_code == 200
    secret = token.pop("token")
    read = owner.client.get(made.headers["Location"], headers=owner.headers)
    assert read.json
    assert read.json["last_used_at"] is not None
    assert {**read.json, "last_used_at": None} == token
    assert read.headers["Cache-Control"] == "private, no-cache"
    listed = owner.client.get(TOKENS, headers=owner.headers)
    assert secret not in listed.text + read.text
    again = {**owner.headers, "If-None-Match": read.headers["ETag"]}
    assert owner.client.get(made.headers["Location"], headers=again).status_code == 304


def test_a_token_reads_unless_more_is_asked_for(owner: Person) -> None:
    made = make(owner)
    assert made.json
    assert (made.json["scope"], made.json["expires_at"]) == ("read", None)
    reading = Person(owner.id, owner.client, bearer(made))
    assert make(reading).status_code == 403
    address = f"{TOKENS}/{made.json['id']}"
    assert reading.client.delete(address, headers=reading.headers).status_code == 403
    assert reading.client.get(address, headers=reading.headers).status_code == 200
    writing = Person(owner.id, owner.client, bearer(make(owner, scope="write")))
    assert make(writing).status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": None}, "/name"),
        ({"name": 5}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 256}, "/name"),
        ({"name": "a\nb"}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"name": "a", "scope": "admin"}, "/scope"),
        ({"name": "a", "scope": None}, "/scope"),
        ({"name": "a", "user_id": str(uuid.uuid4())}, "/user_id"),
        ({"name": "a", "token": "samsyn_x"}, "/token"),
        *(
            ({"name": "a", "expires_at": value}, "/expires_at")
            for value in (
                *("2020-01-01T00:00:00Z", "2999-01-01T00:00:00", "2999-01-01", "tomorrow", ""),
                *(32503680000, "32503680000", True, [], "9999-12-31T23:59:59-14:00"),
                *("2999-02-30T00:00:00Z", "2999-01-01T00:00:00+99:00"),
            )
        ),
    ],
)
def test_a_broken_rule_is_pointed_at(owner: Person, body: dict[str, Any], pointer: str) -> None:
    answer = owner.client.post(TOKENS, json=body, headers=owner.headers)
    assert pointers(answer) == [pointer]


def test_what_is_no_body(owner: Person, engine: Engine) -> None:
    for body, kind, status in (
        ("{", "application/json", 400),
        ("[]", "application/json", 422),
        ("{}", "text/plain", 415),
    ):
        headers = {**owner.headers, "Content-Type": kind}
        assert owner.client.post(TOKENS, data=body, headers=headers).status_code == status
    assert owner.client.post(f"{TOKENS}?x=1", json={}, headers=owner.headers).status_code == 400
    assert len(rows(engine, "SELECT FROM api_tokens")) == 1, "the owner's own"


def test_a_list_is_ones_own_newest_first(person: Callable[..., Person], engine: Engine) -> None:
    owner, other = person("owner"), person("other")
    for name in ("first", "second", "third"):
        assert make(owner, name=name).status_code == 201
    rows(engine, "UPDATE api_tokens SET revoked_at = now() WHERE name = 'second'")
    rows(engine, "UPDATE api_tokens SET expires_at = now() WHERE name = 'first'")

    def names(query: str = "") -> list[str]:
        answer = owner.client.get(TOKENS + query, headers=owner.headers)
        assert answer.headers["X-Total-Count"] == "3"
        assert isinstance(answer.json, list)
        return [token["name"] for token in answer.json]

    assert names() == ["third", "first", "test"]
    assert names("?limit=1&offset=1") == ["first"]
    assert names("?offset=9") == []
    following = owner.client.get(f"{TOKENS}?limit=2", headers=owner.headers).headers["Link"]
    assert 'rel="next"' in following
    theirs = other.client.get(TOKENS, headers=other.headers).json
    assert isinstance(theirs, list)
    assert [token["name"] for token in theirs] == ["test"]
    for query in ("?limit=0", "?limit=1001", "?offset=-1", "?scope=read"):
        assert owner.client.get(TOKENS + query, headers=owner.headers).status_code == 400


def test_a_revoked_token_is_dead_at_once(owner: Person) -> None:
    made = make(owner, scope="write")
    assert made.json
    address, headers = f"{TOKENS}/{made.json['id']}", bearer(made)
    assert owner.client.get(ME, headers=headers).status_code == 200
    revoked = owner.client.delete(address, headers=owner.headers)
    assert (revoked.status_code, revoked.data) == (204, b"")
    refused = owner.client.get(ME, headers=headers)
    assert refused.status_code == 401
    assert "revoked" in refused.text
    for method in ("GET", "DELETE"):
        assert owner.client.open(address, method=method, headers=owner.headers).status_code == 404


def test_a_token_may_end_itself(owner: Person) -> None:
    made = make(owner, scope="write")
    assert made.json
    address, headers = f"{TOKENS}/{made.json['id']}", bearer(made)
    assert owner.client.delete(address, headers=headers).status_code == 204
    assert owner.client.delete(address, headers=headers).status_code == 401


def test_a_stale_precondition_keeps_the_token(owner: Person, engine: Engine) -> None:
    made = make(owner)
    assert made.json
    address, tag = f"{TOKENS}/{made.json['id']}", made.headers["ETag"]
    rows(engine, "UPDATE api_tokens SET last_used_at = now() WHERE name = 'QGIS'")
    stale = {**owner.headers, "If-Match": tag}
    assert owner.client.delete(address, headers=stale).status_code == 412
    assert owner.client.get(address, headers=owner.headers).status_code == 200


def test_tokens_of_others_are_unknown(
    person: Callable[..., Person], anybody: Person, engine: Engine
) -> None:
    made = make(person("owner"))
    assert made.json
    other = person("other", admin=True)
    for key in (made.json["id"], str(uuid.uuid4()), "x", made.json["id"].replace("-", "")):
        for method in ("GET", "DELETE"):
            answer = other.client.open(f"{TOKENS}/{key}", method=method, headers=other.headers)
            assert answer.status_code == 404
    for method, path in (("GET", ""), ("POST", ""), ("GET", "/x"), ("DELETE", "/x")):
        answer = anybody.client.open(TOKENS + path, method=method, json={"name": "x"})
        assert answer.status_code == 401
    assert rows(engine, "SELECT revoked_at FROM api_tokens WHERE name = 'QGIS'") == [(None,)]
