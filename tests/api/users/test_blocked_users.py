"""`/api/v1/users/me/blocked-users`: whoever is blocked does not find and does not invite one."""

import pytest
from sqlalchemy import Engine, text

from samsyn_model.database.transactions import writing
from samsyn_model.identity.accounts import merge_accounts
from tests.api.layer_requests import Caller, MakeCaller
from tests.api.maps.map_requests import invite, json_of, make_map, read, send, unknown
from tests.model.identity.authentication import rows
from tests.statements import statements

BLOCKED = "/api/v1/users/me/blocked-users"


@pytest.fixture
def guest(make_caller: MakeCaller) -> Caller:
    return make_caller("guest")


@pytest.fixture
def other(make_caller: MakeCaller) -> Caller:
    return make_caller("other")


def block(caller: Caller, user: object, status: int = 201) -> object:
    response = caller.client.put(f"{BLOCKED}/{user}", headers=caller.headers)
    assert response.status_code == status, response.text
    return response.json


def listed(caller: Caller) -> list[str]:
    response = caller.client.get(BLOCKED, headers=caller.headers)
    assert response.status_code == 200
    assert response.headers["X-Total-Count"] == str(len(response.json or []))
    return [entry["user_id"] for entry in response.json or []]


def test_users_are_blocked_and_unblocked(
    owner: Caller, guest: Caller, other: Caller, engine: Engine
) -> None:
    rows(engine, "UPDATE users SET first_name = 'Olle', clerk_id = 'c-' || email")
    assert listed(guest) == []
    response = guest.client.put(f"{BLOCKED}/{owner.id}", headers=guest.headers, json={})
    assert response.status_code == 201
    assert response.headers["Location"] == f"http://localhost{BLOCKED}/{owner.id}"
    blocked = response.json or {}
    assert set(blocked) == {"user_id", "created_at", "user"}
    assert blocked["user_id"] == blocked["user"]["id"] == str(owner.id)
    personal = [blocked["user"][name] for name in ("username", "email", "clerk_id")]
    assert personal == ["Olle", None, None]
    assert block(guest, owner.id, 200) == blocked
    one = guest.client.get(f"{BLOCKED}/{owner.id}", headers=guest.headers)
    assert (one.json, one.headers["ETag"]) == (blocked, response.headers["ETag"])
    block(guest, other.id)
    assert listed(guest) == [str(other.id), str(owner.id)]
    page = guest.client.get(f"{BLOCKED}?limit=1&offset=1", headers=guest.headers)
    assert (page.json, page.headers["X-Total-Count"]) == ([blocked], "2")
    assert listed(owner) == listed(other) == [], "nobody sees who blocks them"
    address = f"{BLOCKED}/{owner.id}"
    assert guest.client.delete(address, headers=guest.headers).status_code == 204
    assert guest.client.delete(address, headers=guest.headers).status_code == 404
    assert guest.client.get(address, headers=guest.headers).status_code == 404
    assert listed(guest) == [str(other.id)]


def test_who_cannot_be_blocked(owner: Caller, make_caller: MakeCaller, engine: Engine) -> None:
    gone = make_caller("gone")
    assert gone.client.delete("/api/v1/users/me", headers=gone.headers).status_code == 204
    for user in (unknown(), "x", gone.id):
        block(owner, user, 404)
    block(owner, owner.id, 409)
    reader = make_caller("owner", "read")
    block(reader, make_caller("other").id, 403)
    assert listed(reader) == []
    for query in ("?x=1", "?limit=0"):
        response = owner.client.get(f"{BLOCKED}{query}", headers=owner.headers)
        assert response.status_code == 400
    assert rows(engine, "SELECT FROM blocked_users") == []


def test_whoever_is_blocked_does_not_invite(owner: Caller, guest: Caller) -> None:
    """The responses are those for a person without an account."""
    path = make_map(owner)
    block(guest, owner.id)
    for person, nobody in (
        ({"email": " GUEST@example.org"}, {"email": "nobody@example.org"}),
        ({"user_id": str(guest.id)}, {"user_id": unknown()}),
    ):
        refused = send(owner, "POST", f"{path}/collaborators", person)
        unknown_user = send(owner, "POST", f"{path}/collaborators", nobody)
        assert (refused.status_code, refused.json) == (404, unknown_user.json)
    assert read(owner, f"{path}/collaborators") == []
    assert found(owner, "guest@example.org") == []
    assert found(guest, "owner@example.org") == [str(owner.id)], "blocks have one direction"
    invite(guest, make_map(guest), owner)
    address = f"{BLOCKED}/{owner.id}"
    assert guest.client.delete(address, headers=guest.headers).status_code == 204
    assert found(owner, "guest@example.org") == [str(guest.id)]
    invite(owner, path, guest, email="guest@example.org")


def found(caller: Caller, email: str) -> list[str]:
    response = caller.client.get(f"/api/v1/users?email={email}", headers=caller.headers)
    return [user["id"] for user in response.json or []]


def test_maps_that_are_shared_stay_shared(owner: Caller, guest: Caller) -> None:
    path = make_map(owner)
    invite(owner, path, guest, "editor", email="guest@example.org")
    before = read(owner, f"{path}/collaborators")
    block(guest, owner.id)
    assert read(owner, f"{path}/collaborators") == before
    assert read(guest, path)["user_role"] == "editor"
    for person in ({"email": "guest@example.org"}, {"user_id": str(guest.id)}):
        again = send(owner, "POST", f"{path}/collaborators", person)
        assert again.status_code == 409, "as without the block"
    assert send(guest, "DELETE", f"{path}/collaborators/{guest.id}").status_code == 204
    person = {"user_id": str(guest.id)}
    assert send(owner, "POST", f"{path}/collaborators", person).status_code == 404


def test_a_deleted_account_blocks_nobody(owner: Caller, guest: Caller, engine: Engine) -> None:
    block(guest, owner.id)
    block(owner, guest.id)
    assert guest.client.delete("/api/v1/users/me", headers=guest.headers).status_code == 204
    assert rows(engine, "SELECT FROM blocked_users") == []
    assert listed(owner) == []


@pytest.mark.parametrize(
    ("blocks", "merged"),
    [
        ([("first", "owner"), ("second", "owner")], [("first", "owner")]),
        ([("second", "owner")], [("first", "owner")]),
        ([("owner", "first"), ("owner", "second")], [("owner", "first")]),
        ([("owner", "second")], [("owner", "first")]),
        ([("first", "second"), ("second", "first")], []),
        (
            [("second", "first"), ("second", "owner"), ("owner", "second")],
            [("first", "owner"), ("owner", "first")],
        ),
    ],
)
def test_the_blocks_of_merged_accounts_are_joined(
    make_caller: MakeCaller,
    empty_database: Engine,
    blocks: list[tuple[str, str]],
    merged: list[tuple[str, str]],
) -> None:
    people = {name: make_caller(name) for name in ("first", "second", "owner")}
    for one, another in blocks:
        block(people[one], people[another].id)
    with writing(empty_database) as connection:
        merge_accounts(connection, target=people["first"].id, source=people["second"].id)
    names = {caller.id: name for name, caller in people.items()}
    statement = "SELECT user_id, blocked_user_id FROM blocked_users ORDER BY user_id <> :first"
    with empty_database.connect() as connection:
        stored = connection.execute(text(statement), {"first": people["first"].id}).all()
    assert [(names[one], names[another]) for one, another in stored] == merged


def test_the_number_of_statements_is_constant(owner: Caller, make_caller: MakeCaller) -> None:
    counts = []
    for number in range(3):
        block(owner, make_caller(f"user{number}").id)
        with statements() as executed:
            assert len(json_of(owner.client.get(BLOCKED, headers=owner.headers))) == number + 1
        counts.append(len(executed))
    assert counts == [2, 2, 2]
