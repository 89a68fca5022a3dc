"""`/api/v1/maps/{id}/collaborators` and `…/owner`: collaborators, their roles, and the owner."""

import uuid
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.api.layer_requests import Caller, MakeCaller, pointers
from tests.api.maps.map_requests import (
    COLLABORATOR,
    MAPS,
    USER,
    add_layer,
    execute,
    fill,
    invite,
    json_of,
    listed_layers,
    make_layer,
    make_map,
    read,
    send,
    unknown,
)
from tests.statements import statements


@pytest.fixture
def editor(make_caller: MakeCaller) -> Caller:
    return make_caller("editor")


@pytest.fixture
def viewer(make_caller: MakeCaller) -> Caller:
    return make_caller("viewer")


@pytest.fixture
def stranger(make_caller: MakeCaller) -> Caller:
    return make_caller("stranger")


def roles_of(caller: Caller, path: str) -> dict[str, str]:
    """Return the roles by user, asserting that the list and the map agree."""
    collaborators = read(caller, f"{path}/collaborators")
    assert read(caller, path)["collaborators"] == collaborators
    return {entry["user_id"]: entry["role"] for entry in collaborators}


def test_a_user_is_added_by_email_or_by_id(owner: Caller, editor: Caller, viewer: Caller) -> None:
    path = make_map(owner)
    body = {"email": " Editor@EXAMPLE.org ", "role": "editor"}
    response = send(owner, "POST", f"{path}/collaborators", body)
    added = json_of(response, 201)
    assert set(added) == COLLABORATOR
    assert set(added["user"]) == USER
    assert added["user_id"] == added["user"]["id"] == str(editor.id)
    assert added["user"]["email"] == "editor@example.org"
    address = f"{path}/collaborators/{editor.id}"
    assert response.headers["Location"].endswith(f"{MAPS}{address}")
    again = send(owner, "GET", address)
    assert again.json == added
    assert again.headers["ETag"] == response.headers["ETag"]
    by_id = {"user_id": str(viewer.id), "email": None}
    assert json_of(send(owner, "POST", f"{path}/collaborators", by_id), 201)["role"] == "viewer"
    assert roles_of(owner, path) == {str(editor.id): "editor", str(viewer.id): "viewer"}
    assert read(owner, path)["collaborators"][0] == added


def test_a_user_is_added_once_and_the_owner_never(owner: Caller, viewer: Caller) -> None:
    path = make_map(owner)
    invite(owner, path, viewer)
    before = read(owner, path)
    for body in (
        {"user_id": str(viewer.id), "role": "editor"},
        {"email": "VIEWER@example.org"},
        {"user_id": str(owner.id)},
        {"email": "owner@example.org", "role": "editor"},
    ):
        assert send(owner, "POST", f"{path}/collaborators", body).status_code == 409
    assert read(owner, path) == before


def test_only_the_owner_learns_which_user_is_unknown(
    owner: Caller, editor: Caller, stranger: Caller, anonymous: Caller, empty_database: Engine
) -> None:
    path = make_map(owner, edit_permission="collaborators")
    invite(owner, path, editor, "editor")
    deleted_id = unknown()
    execute(
        empty_database,
        "INSERT INTO users (id, email, deleted_at) VALUES (:id, 'gone@example.org', now())",
        id=deleted_id,
    )
    for body in (
        {"email": "nobody@example.org"},
        {"email": "gone@example.org"},
        {"user_id": deleted_id},
    ):
        (email_or_id,) = body.values()
        for below, method in (("collaborators", "POST"), ("owner", "PUT")):
            response = send(owner, method, f"{path}/{below}", body)
            if below == "collaborators":
                assert response.status_code == 404
                assert "There is no account with that" in (response.json or {})["detail"]
            else:
                assert response.status_code == 409
            assert send(editor, method, f"{path}/{below}", body).status_code == 403
            assert send(editor, method, f"{path}/{below}", {}).status_code == 403
            refused = send(stranger, method, f"{path}/{below}", body)
            assert (refused.status_code, email_or_id in refused.text) == (404, False)
            assert send(anonymous, method, f"{path}/{below}", body).status_code == 404
    json_of(send(owner, "PUT", path, {"view_permission": "public", "edit_permission": "public"}))
    for below, method in (("collaborators", "POST"), ("owner", "PUT")):
        body = {"email": "nobody@example.org"}
        assert send(stranger, method, f"{path}/{below}", body).status_code == 403
        refused = send(anonymous, method, f"{path}/{below}", body)
        assert (refused.status_code, "WWW-Authenticate" in refused.headers) == (401, True)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [""]),
        ({"email": "a@b.org", "user_id": unknown()}, [""]),
        ({"email": None, "user_id": None}, [""]),
        ({"email": 1}, ["/email"]),
        ({"email": ""}, ["/email"]),
        ({"email": "x" * 321}, ["/email"]),
        ({"email": "a\u0000@b.org"}, ["/email"]),
        ({"user_id": "x"}, ["/user_id"]),
        ({"user_id": 1}, ["/user_id"]),
        ({"email": "a@b.org", "role": "owner"}, ["/role"]),
        ({"email": "a@b.org", "role": None}, ["/role"]),
        ({"email": "a@b.org", "id": unknown()}, ["/id"]),
        ([], [""]),
    ],
)
def test_faults_are_reported(owner: Caller, body: Any, expected: list[str]) -> None:
    path = make_map(owner)
    assert pointers(send(owner, "POST", f"{path}/collaborators", body)) == expected
    text = {"data": b"email=a", "content_type": "text/plain"}
    assert send(owner, "POST", f"{path}/collaborators", **text).status_code == 415


def test_a_role_is_changed(owner: Caller, viewer: Caller, editor: Caller) -> None:
    path = make_map(owner, edit_permission="collaborators")
    added = invite(owner, path, viewer)
    invite(owner, path, editor, "editor")
    address = f"{path}/collaborators/{viewer.id}"
    got = send(owner, "GET", address)
    before = read(owner, path)["updated_at"]
    for method in ("PUT", "PATCH"):
        for body in (got.json, {}, {"role": "viewer"}):
            same = send(owner, method, address, body)
            assert (same.json, same.headers["ETag"]) == (added, got.headers["ETag"])
    assert read(owner, path)["updated_at"] == before
    changed = send(owner, "PUT", address, {"role": "editor"}, headers={"If-Match": "*"})
    assert json_of(changed) == {**added, "role": "editor"}
    assert read(owner, path)["updated_at"] > before
    stale = {"If-Match": got.headers["ETag"]}
    for method, body in (("PUT", {"role": "viewer"}), ("PATCH", {}), ("DELETE", None)):
        assert send(owner, method, address, body, headers=stale).status_code == 412
    now = {"If-None-Match": changed.headers["ETag"]}
    assert send(owner, "GET", address, headers=now).status_code == 304
    for body in ({"role": "owner"}, {"role": None}, {"role": 1}):
        assert pointers(send(owner, "PATCH", address, body)) == ["/role"]
    assert pointers(send(owner, "PUT", address, {"rights": 1})) == ["/rights"]
    for caller in (editor, viewer):
        assert send(caller, "PUT", address, {"role": "editor"}).status_code == 403
    assert send(owner, "PUT", f"{path}/collaborators/{owner.id}", {}).status_code == 404


def test_collaborators_may_leave_and_only_the_owner_removes_others(
    owner: Caller, editor: Caller, viewer: Caller, stranger: Caller, anonymous: Caller
) -> None:
    path = make_map(owner, view_permission="public", edit_permission="public")
    for one, role in ((editor, "editor"), (viewer, "viewer")):
        invite(owner, path, one, role)
    before = read(owner, path)["updated_at"]
    address = f"{path}/collaborators"
    for caller in (editor, stranger):
        assert send(caller, "DELETE", f"{address}/{viewer.id}").status_code == 403
    assert send(anonymous, "DELETE", f"{address}/{viewer.id}").status_code == 401
    assert send(stranger, "DELETE", f"{address}/{stranger.id}").status_code == 404
    assert send(owner, "DELETE", f"{address}/{owner.id}").status_code == 404
    for no_collaborator in ("x", unknown(), stranger.id):
        assert send(owner, "DELETE", f"{address}/{no_collaborator}").status_code == 404
        assert send(owner, "GET", f"{address}/{no_collaborator}").status_code == 404
    assert send(viewer, "DELETE", f"{address}/{viewer.id}?x=1").status_code == 400
    assert send(viewer, "DELETE", f"{address}/{viewer.id}").status_code == 204
    assert send(owner, "DELETE", f"{address}/{editor.id}").status_code == 204
    document = read(owner, path)
    assert document["collaborators"] == []
    assert document["updated_at"] > before


def test_a_collaborator_who_leaves_a_private_map_loses_access(
    owner: Caller, make_caller: MakeCaller
) -> None:
    path, viewer = make_map(owner), make_caller("viewer")
    invite(owner, path, viewer)
    reading = make_caller("viewer", "read")
    assert send(reading, "DELETE", f"{path}/collaborators/{viewer.id}").status_code == 403
    assert send(viewer, "DELETE", f"{path}/collaborators/{viewer.id}").status_code == 204
    assert send(viewer, "GET", path).status_code == 404
    assert send(viewer, "DELETE", f"{path}/collaborators/{viewer.id}").status_code == 404


def test_a_map_is_transferred(owner: Caller, editor: Caller, viewer: Caller) -> None:
    path = make_map(owner, view_permission="collaborators")
    invite(owner, path, editor)
    before = read(owner, path)
    for body in ({"user_id": str(owner.id)}, {"email": "OWNER@example.org"}):
        assert json_of(send(owner, "PUT", f"{path}/owner", body)) == before
    transferred = json_of(send(owner, "PUT", f"{path}/owner", {"email": "editor@example.org"}))
    assert transferred["created_by"] == transferred["creator"]["id"] == str(editor.id)
    assert transferred["user_role"] == "editor"
    assert roles_of(editor, path) == {str(owner.id): "editor"}
    assert read(editor, path)["user_role"] == "owner"
    assert send(owner, "PUT", f"{path}/owner", {"user_id": str(owner.id)}).status_code == 403
    assert send(owner, "DELETE", path).status_code == 403
    to_viewer = {"user_id": str(viewer.id)}
    refused = send(editor, "PUT", f"{path}/owner", to_viewer)
    assert refused.status_code == 409, "nobody is given a map unasked"
    assert "invite this person" in refused.json["detail"]
    assert read(editor, path)["created_by"] == str(editor.id)
    invite(editor, path, viewer)
    assert json_of(send(editor, "PUT", f"{path}/owner", to_viewer))["user_role"] == "editor"
    assert roles_of(viewer, path) == {str(owner.id): "editor", str(editor.id): "editor"}
    for body, expected in (({}, ""), ({"role": "x"}, "/role"), ({"user_id": 1}, "/user_id")):
        assert expected in pointers(send(viewer, "PUT", f"{path}/owner", body))


def test_who_has_an_account_is_not_told_by_an_offer(owner: Caller, make_caller: MakeCaller) -> None:
    """Neither is who has blocked the owner."""
    path, stranger, blocking = make_map(owner), make_caller("stranger"), make_caller("blocking")
    block = f"/api/v1/users/me/blocked-users/{owner.id}"
    assert blocking.client.put(block, headers=blocking.headers).status_code == 201
    offers: list[dict[str, str]] = [
        *({"email": f"{name}@example.org"} for name in ("stranger", "blocking", "nobody")),
        *({"user_id": str(key)} for key in (stranger.id, blocking.id, uuid.uuid4())),
    ]
    responses = [send(owner, "PUT", f"{path}/owner", offer) for offer in offers]
    assert {(one.status_code, one.get_json()["detail"]) for one in responses} == {
        (409, "Only a collaborator can become the owner: invite this person to the map first.")
    }


def test_only_its_creator_makes_a_private_layer_public(
    owner: Caller, editor: Caller, anonymous: Caller
) -> None:
    path = make_map(owner, view_permission="public", edit_permission="collaborators")
    invite(owner, path, editor, "editor")
    layer_id = make_layer(editor)
    add_layer(editor, path, layer_id)
    assert listed_layers(anonymous, path) == []
    new_owner = {"user_id": str(editor.id)}
    assert send(owner, "PUT", f"{path}/owner", new_owner).status_code == 409
    assert read(anonymous, path)["created_by"] == str(owner.id)
    json_of(send(owner, "PUT", path, {"view_permission": "private"}))
    json_of(send(owner, "PUT", f"{path}/owner", new_owner))
    json_of(send(editor, "PUT", path, {"view_permission": "public"}))
    assert listed_layers(anonymous, path) == [layer_id]


def test_the_list_is_paged(owner: Caller, empty_database: Engine) -> None:
    path = make_map(owner)
    fill(empty_database, owner, path, 5)
    all_collaborators = read(owner, f"{path}/collaborators")
    response = send(owner, "GET", f"{path}/collaborators?limit=2&offset=2")
    assert response.json == all_collaborators[2:4]
    assert response.headers["X-Total-Count"] == "5"
    address = f"http://localhost{MAPS}{path}/collaborators?limit=2"
    for rel, query in (("next", "&offset=4"), ("prev", "&offset=0"), ("first", "")):
        assert f'<{address}{query}>; rel="{rel}"' in response.headers["Link"]
    for query in ("limit=0", "limit=1001", "offset=-1", "limit=x", "role=editor"):
        assert send(owner, "GET", f"{path}/collaborators?{query}").status_code == 400


def test_the_number_of_statements_is_constant(
    owner: Caller, make_caller: MakeCaller, empty_database: Engine
) -> None:
    guest = make_caller("guest")

    def counted(collaborators: int) -> list[int]:
        path = make_map(owner)
        fill(empty_database, owner, path, collaborators)
        one = f"{path}/collaborators/{guest.id}"
        counts = []
        for method, where, body in (
            ("POST", f"{path}/collaborators", {"email": "guest@example.org"}),
            ("GET", f"{path}/collaborators", None),
            ("GET", one, None),
            ("PUT", one, {"role": "editor"}),
            ("DELETE", one, None),
        ):
            with statements() as executed:
                assert send(owner, method, where, body).status_code in {200, 201, 204}
            counts.append(len(executed))
        return counts

    assert counted(1) == counted(50)
