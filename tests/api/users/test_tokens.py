"""`/api/v1/tokens`: the API tokens of the caller."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from tests.api.layer_requests import Caller, MakeCaller, pointers
from tests.model.identity.authentication import rows

TOKENS = "/api/v1/tokens"
ME = "/api/v1/users/me"


def make(make_caller: Caller, **body: Any) -> TestResponse:
    return make_caller.client.post(
        TOKENS, json={"name": "QGIS", **body}, headers=make_caller.headers
    )


def bearer(response: TestResponse) -> dict[str, str]:
    assert response.status_code == 201, response.text
    assert response.json
    return {"Authorization": f"Bearer {response.json['token']}"}


def test_a_token_is_returned_once(owner: Caller) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    created = make(owner, scope="write", expires_at=until.isoformat())
    assert created.status_code == 201, created.text
    token = created.json
    assert token
    assert created.headers["Cache-Control"] == "no-store"
    assert created.headers["Location"].endswith(f"{TOKENS}/{token['id']}")
    assert sorted(token) == [
        *("created_at", "expires_at", "id", "last_used_at", "name", "prefix", "scope", "token")
    ]
    assert token["token"].startswith(token["prefix"])
    assert (token["name"], token["scope"], token["last_used_at"]) == ("QGIS", "write", None)
    assert datetime.fromisoformat(token["expires_at"]) == until
    assert owner.client.get(ME, headers=bearer(created)).status_code == 200
    secret = token.pop("token")
    read = owner.client.get(created.headers["Location"], headers=owner.headers)
    assert read.json
    assert read.json["last_used_at"] is not None
    assert {**read.json, "last_used_at": None} == token
    assert read.headers["Cache-Control"] == "private, no-cache"
    listed = owner.client.get(TOKENS, headers=owner.headers)
    assert secret not in listed.text + read.text
    again = {**owner.headers, "If-None-Match": read.headers["ETag"]}
    assert owner.client.get(created.headers["Location"], headers=again).status_code == 304


def test_a_token_reads_unless_write_is_requested(owner: Caller) -> None:
    created = make(owner)
    assert created.json
    assert (created.json["scope"], created.json["expires_at"]) == ("read", None)
    reading = Caller(owner.id, owner.client, bearer(created))
    assert make(reading).status_code == 403
    address = f"{TOKENS}/{created.json['id']}"
    assert reading.client.delete(address, headers=reading.headers).status_code == 403
    assert reading.client.get(address, headers=reading.headers).status_code == 200
    writing = Caller(owner.id, owner.client, bearer(make(owner, scope="write")))
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
def test_a_fault_has_a_pointer(owner: Caller, body: dict[str, Any], pointer: str) -> None:
    response = owner.client.post(TOKENS, json=body, headers=owner.headers)
    assert pointers(response) == [pointer]


def test_malformed_bodies(owner: Caller, engine: Engine) -> None:
    for body, kind, status in (
        ("{", "application/json", 400),
        ("[]", "application/json", 422),
        ("{}", "text/plain", 415),
    ):
        headers = {**owner.headers, "Content-Type": kind}
        assert owner.client.post(TOKENS, data=body, headers=headers).status_code == status
    assert owner.client.post(f"{TOKENS}?x=1", json={}, headers=owner.headers).status_code == 400
    assert len(rows(engine, "SELECT FROM api_tokens")) == 1, "the owner's own"


def test_a_list_has_the_callers_tokens_newest_first(
    make_caller: MakeCaller, engine: Engine
) -> None:
    owner, other = make_caller("owner"), make_caller("other")
    for name in ("first", "second", "third"):
        assert make(owner, name=name).status_code == 201
    rows(engine, "UPDATE api_tokens SET revoked_at = now() WHERE name = 'second'")
    rows(engine, "UPDATE api_tokens SET expires_at = now() WHERE name = 'first'")

    def names(query: str = "") -> list[str]:
        response = owner.client.get(TOKENS + query, headers=owner.headers)
        assert response.headers["X-Total-Count"] == "3"
        assert isinstance(response.json, list)
        return [token["name"] for token in response.json]

    assert names() == ["third", "first", "test"]
    assert names("?limit=1&offset=1") == ["first"]
    assert names("?offset=9") == []
    following = owner.client.get(f"{TOKENS}?limit=2", headers=owner.headers).headers["Link"]
    assert 'rel="next"' in following
    of_others = other.client.get(TOKENS, headers=other.headers).json
    assert isinstance(of_others, list)
    assert [token["name"] for token in of_others] == ["test"]
    for query in ("?limit=0", "?limit=1001", "?offset=-1", "?scope=read"):
        assert owner.client.get(TOKENS + query, headers=owner.headers).status_code == 400


def test_a_revoked_token_is_refused_at_once(owner: Caller) -> None:
    created = make(owner, scope="write")
    assert created.json
    address, headers = f"{TOKENS}/{created.json['id']}", bearer(created)
    assert owner.client.get(ME, headers=headers).status_code == 200
    revoked = owner.client.delete(address, headers=owner.headers)
    assert (revoked.status_code, revoked.data) == (204, b"")
    refused = owner.client.get(ME, headers=headers)
    assert refused.status_code == 401
    assert "revoked" in refused.text
    for method in ("GET", "DELETE"):
        assert owner.client.open(address, method=method, headers=owner.headers).status_code == 404


def test_a_token_may_revoke_itself(owner: Caller) -> None:
    created = make(owner, scope="write")
    assert created.json
    address, headers = f"{TOKENS}/{created.json['id']}", bearer(created)
    assert owner.client.delete(address, headers=headers).status_code == 204
    assert owner.client.delete(address, headers=headers).status_code == 401


def test_a_stale_precondition_keeps_the_token(owner: Caller, engine: Engine) -> None:
    created = make(owner)
    assert created.json
    address, tag = f"{TOKENS}/{created.json['id']}", created.headers["ETag"]
    rows(engine, "UPDATE api_tokens SET last_used_at = now() WHERE name = 'QGIS'")
    stale = {**owner.headers, "If-Match": tag}
    assert owner.client.delete(address, headers=stale).status_code == 412
    assert owner.client.get(address, headers=owner.headers).status_code == 200


def test_tokens_of_others_are_unknown(
    make_caller: MakeCaller, anonymous: Caller, engine: Engine
) -> None:
    created = make(make_caller("owner"))
    assert created.json
    other = make_caller("other", admin=True)
    for key in (created.json["id"], str(uuid.uuid4()), "x", created.json["id"].replace("-", "")):
        for method in ("GET", "DELETE"):
            response = other.client.open(f"{TOKENS}/{key}", method=method, headers=other.headers)
            assert response.status_code == 404
    for method, path in (("GET", ""), ("POST", ""), ("GET", "/x"), ("DELETE", "/x")):
        response = anonymous.client.open(TOKENS + path, method=method, json={"name": "x"})
        assert response.status_code == 401
    assert rows(engine, "SELECT revoked_at FROM api_tokens WHERE name = 'QGIS'") == [(None,)]
