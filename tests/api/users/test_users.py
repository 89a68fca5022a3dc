"""`/api/v1/users`: the caller's account, and users by email."""

import uuid

import pytest
from sqlalchemy import Engine

from tests.api.layer_requests import LAYERS, LINE, Caller, MakeCaller, add_to_map, feature, vector
from tests.model.identity.authentication import rows
from tests.statements import statements

ME = "/api/v1/users/me"
USERS = "/api/v1/users"
MEMBERS = {
    *("id", "clerk_id", "email", "username", "first_name", "last_name", "profile_image_url"),
    *("created_at", "updated_at"),
}


def test_me_is_the_caller(owner: Caller, engine: Engine) -> None:
    rows(engine, "UPDATE users SET clerk_id = 'user_o', username = 'o', first_name = 'Ö'")
    response = owner.client.get(ME, headers=owner.headers)
    assert response.status_code == 200
    me = response.json
    assert me
    assert set(me) == MEMBERS | {"is_admin"}
    assert (me["id"], me["email"], me["clerk_id"]) == (str(owner.id), "owner@example.org", "user_o")
    assert (me["username"], me["first_name"], me["is_admin"]) == ("o", "Ö", False)
    assert me["created_at"].endswith("Z")
    again = {**owner.headers, "If-None-Match": response.headers["ETag"]}
    assert owner.client.get(ME, headers=again).status_code == 304
    rows(engine, "UPDATE users SET is_admin = true")
    changed = owner.client.get(ME, headers=again)
    assert changed.status_code == 200
    assert (changed.json or {})["is_admin"] is True


def test_me_needs_credentials(anonymous: Caller) -> None:
    for method in ("GET", "HEAD", "DELETE"):
        response = anonymous.client.open(ME, method=method)
        assert response.status_code == 401
        assert "WWW-Authenticate" in response.headers


def test_me_is_two_statements(owner: Caller, engine: Engine) -> None:
    owner.client.get(ME, headers=owner.headers)
    with statements() as executed:
        owner.client.get(ME, headers=owner.headers)
    assert len(executed) == 2


def test_a_deleted_account_is_a_tombstone(make_caller: MakeCaller, engine: Engine) -> None:
    owner, other = make_caller("owner", admin=True), make_caller("other")
    rows(
        engine,
        "UPDATE users SET clerk_id = 'user_o', username = 'o', first_name = 'A', last_name = 'B',"
        " profile_image_url = 'https://x' WHERE id = :id",
        id=owner.id,
    )
    layer = owner.post(vector(feature(LINE), visibility="public")).json
    assert layer
    own_map = add_to_map(engine, owner.id, layer["id"], "public")
    others_map = add_to_map(engine, other.id, layer["id"])
    for map_id in (own_map, others_map):
        rows(
            engine,
            "INSERT INTO map_collaborators (map_id, user_id) SELECT :map, id FROM users"
            " WHERE id NOT IN (SELECT created_by FROM maps WHERE id = :map)",
            map=map_id,
        )
    rows(
        engine,
        "INSERT INTO comments (map_id, author_id, content) VALUES (:map, :owner, 'Here')",
        map=own_map,
        owner=owner.id,
    )
    response = owner.client.delete(ME, headers=owner.headers)
    assert (response.status_code, response.data) == (204, b"")
    assert owner.client.get(ME, headers=owner.headers).status_code == 401
    [user] = rows(engine, "SELECT * FROM users WHERE id = :id", id=owner.id)
    assert user.deleted_at is not None
    assert user.clerk_id == "user_o"
    assert user.is_admin is False
    personal = (user.email, user.username, user.first_name, user.last_name, user.profile_image_url)
    assert personal == (None,) * 5
    assert rows(engine, "SELECT revoked_at IS NULL FROM api_tokens WHERE user_id = :id", id=user.id)
    statement = "SELECT FROM api_tokens WHERE revoked_at IS NULL"
    assert len(rows(engine, statement)) == 1, "the other's token"
    assert rows(engine, "SELECT user_id FROM map_collaborators") == []
    assert rows(engine, "SELECT created_by FROM maps") == [(other.id,)] * 2
    assert rows(engine, "SELECT content FROM comments") == [("Here",)]
    read = other.client.get(f"{LAYERS}/{layer['id']}", headers=other.headers).json
    assert read
    assert (read["creator"]["id"], read["creator"]["email"]) == (str(owner.id), None)
    assert read["creator"]["clerk_id"] is None
    assert len(read["source_config"]["geojson"]["features"]) == 1


def test_only_a_write_token_deletes_the_account(make_caller: MakeCaller, engine: Engine) -> None:
    owner, reader = make_caller("owner"), make_caller("owner", "read")
    assert reader.client.delete(ME, headers=reader.headers).status_code == 403
    tag = owner.client.get(ME, headers=owner.headers).headers["ETag"]
    rows(engine, "UPDATE users SET username = 'o'")
    stale = {**owner.headers, "If-Match": tag}
    assert owner.client.delete(ME, headers=stale).status_code == 412
    assert owner.client.delete(f"{ME}?really=1", headers=owner.headers).status_code == 400
    assert rows(engine, "SELECT deleted_at FROM users") == [(None,)]
    fresh = owner.client.get(ME, headers=owner.headers).headers["ETag"]
    assert owner.client.delete(ME, headers={**owner.headers, "If-Match": fresh}).status_code == 204


def test_a_user_is_found_by_email(make_caller: MakeCaller, engine: Engine) -> None:
    owner, other = make_caller("owner"), make_caller("other")
    rows(engine, "UPDATE users SET clerk_id = 'c-' || email")

    def find(email: str) -> object:
        response = owner.client.get(USERS, query_string={"email": email}, headers=owner.headers)
        assert response.status_code == 200
        assert isinstance(response.json, list)
        assert response.headers["X-Total-Count"] == str(len(response.json))
        return response.json

    [oneself] = find("OWNER@example.ORG")
    assert set(oneself) == MEMBERS
    assert (oneself["email"], oneself["clerk_id"]) == ("owner@example.org", "c-owner@example.org")
    [stranger] = find(" other@example.org ")
    assert stranger["id"] == str(other.id)
    assert (stranger["email"], stranger["clerk_id"]) == (None, None)
    for email in ("other@example.or", "%@example.org", "other", "_ther@example.org"):
        assert find(email) == []
    layer = owner.post(vector()).json
    assert layer
    map_id = add_to_map(engine, owner.id, layer["id"])
    rows(
        engine,
        "INSERT INTO map_collaborators (map_id, user_id) VALUES (:map, :user)",
        map=map_id,
        user=other.id,
    )
    [invited_by_id] = find("other@example.org")
    assert invited_by_id == stranger
    rows(engine, "UPDATE map_collaborators SET invited_email = 'Other@example.org'")
    [invited_by_email] = find("other@example.org")
    assert (invited_by_email["email"], invited_by_email["clerk_id"]) == ("other@example.org", None)
    assert other.client.delete(ME, headers=other.headers).status_code == 204
    assert find("other@example.org") == []


@pytest.mark.parametrize(
    "query",
    [
        *({}, {"email": ""}, {"email": "  "}, {"email": "a\x00@b"}, {"name": "x"}),
        *({"email": "a@b", "limit": "1"}, {"email": ["a@b", "c@d"]}),
    ],
)
def test_invalid_query_parameters_are_refused(owner: Caller, query: dict[str, object]) -> None:
    response = owner.client.get(USERS, query_string=query, headers=owner.headers)
    assert response.status_code == 400
    assert owner.client.get(f"{ME}?x=1", headers=owner.headers).status_code == 400


def test_emails_are_for_signed_in_users(anonymous: Caller, make_caller: MakeCaller) -> None:
    make_caller("owner")
    query = {"email": "owner@example.org"}
    assert anonymous.client.get(USERS, query_string=query).status_code == 401
    reader = make_caller("owner", "read")
    assert reader.client.get(USERS, query_string=query, headers=reader.headers).status_code == 200
    assert reader.client.get(f"{USERS}/{uuid.uuid4()}", headers=reader.headers).status_code == 404


def test_a_name_without_an_email_is_the_username(
    make_caller: MakeCaller, engine: Engine, anonymous: Caller
) -> None:
    """The web app prints "First Last (email)" for whoever has a first or a last name."""
    owner, friend = make_caller("owner"), make_caller("friend")
    stranger = make_caller("stranger")
    layer = owner.post(vector(visibility="public")).json
    assert layer
    map_id = add_to_map(engine, friend.id, layer["id"], "public")
    rows(
        engine,
        "INSERT INTO map_collaborators (map_id, user_id, invited_email)"
        " VALUES (:map, :user, 'owner@example.org')",
        map=map_id,
        user=owner.id,
    )
    for first, last, username, expected in (
        ("Maja", "Lindqvist", "maja", "Maja Lindqvist"),
        (" Maja ", None, "maja", "Maja"),
        (None, "Lindqvist", None, "Lindqvist"),
        ("", " ", "maja", "maja"),
        (None, None, None, None),
    ):
        rows(
            engine,
            "UPDATE users SET first_name = :first, last_name = :last, username = :username"
            " WHERE id = :id",
            first=first,
            last=last,
            username=username,
            id=owner.id,
        )
        for caller in (stranger, anonymous):
            creator = (caller.get(layer["id"]).json or {})["creator"]
            names = [creator[name] for name in ("username", "first_name", "last_name", "email")]
            assert names == [expected, None, None, None]
        for caller in (owner, friend):
            creator = (caller.get(layer["id"]).json or {})["creator"]
            names = [creator[name] for name in ("username", "first_name", "last_name")]
            assert names == [username, first, last]
            assert creator["email"] == "owner@example.org"
