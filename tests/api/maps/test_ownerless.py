"""Maps of a deleted account: who inherits them, and who says whose they are."""

import pytest
from sqlalchemy import Engine

from tests.api.layer_requests import Caller, MakeCaller
from tests.api.maps.map_requests import (
    add_layer,
    execute,
    invite,
    json_of,
    make_layer,
    make_map,
    read,
    send,
)


def deletes_the_account(caller: Caller) -> None:
    response = caller.client.delete("/api/v1/users/me", headers=caller.headers)
    assert response.status_code == 204


@pytest.mark.parametrize(
    ("roles", "heir"),
    [
        (["viewer", "editor", "editor"], 1),
        (["viewer", "viewer"], 0),
        (["editor"], 0),
    ],
)
def test_the_oldest_editor_else_viewer_inherits(
    make_caller: MakeCaller, owner: Caller, roles: list[str], heir: int
) -> None:
    path = make_map(owner, "Plan")
    people = [make_caller(f"p{number}") for number in range(len(roles))]
    for person, role in zip(people, roles, strict=True):
        invite(owner, path, person, role)
    deletes_the_account(owner)
    for number, person in enumerate(people):
        shared = read(person, path)
        assert shared["created_by"] == str(people[heir].id)
        assert shared["user_role"] == ("owner" if number == heir else roles[number])
        assert len(shared["collaborators"]) == len(roles) - 1


def test_one_whose_private_layers_would_become_public_does_not_inherit(
    make_caller: MakeCaller, owner: Caller, anonymous: Caller
) -> None:
    path = make_map(owner, view_permission="public", edit_permission="collaborators")
    editor, viewer = make_caller("editor"), make_caller("viewer")
    invite(owner, path, editor, "editor")
    invite(owner, path, viewer)
    layer = make_layer(editor)
    add_layer(editor, path, layer)
    deletes_the_account(owner)
    assert read(viewer, path)["user_role"] == "owner"
    assert read(anonymous, path)["map_layers"] == []


@pytest.mark.parametrize("view", ["private", "public"])
def test_an_administrator_gives_an_ownerless_map_to_anybody(
    make_caller: MakeCaller, owner: Caller, empty_database: Engine, view: str
) -> None:
    chief, heir = make_caller("chief", admin=True), make_caller("heir")
    path, owned = (make_map(owner, view_permission=view) for _ in range(2))
    others = make_map(make_caller("other"), view_permission=view)
    body = {"email": "heir@example.org"}
    refused = 403 if view == "public" else 404
    assert send(chief, "PUT", f"{path}/owner", body).status_code == refused
    deletes_the_account(owner)
    assert send(heir, "PUT", f"{path}/owner", body).status_code == refused
    assert send(make_caller("chief", "read"), "PUT", f"{path}/owner", body).status_code == 403
    assert send(chief, "PUT", f"{path}/owner", {"email": "nobody@example.org"}).status_code == 404
    assert send(chief, "PUT", f"{others}/owner", body).status_code == refused
    given = send(chief, "PUT", f"{path}/owner", body)
    assert given.status_code == (200 if view == "public" else 204), given.text
    shared = read(heir, path)
    assert (shared["user_role"], shared["collaborators"]) == ("owner", [])
    assert send(chief, "PUT", f"{path}/owner", body).status_code == refused
    execute(empty_database, "UPDATE users SET deleted_at = now() WHERE id = :id", id=heir.id)
    assert send(chief, "PUT", f"{path}/owner", {"user_id": str(heir.id)}).status_code == 404
    json_of(send(chief, "PUT", f"{owned}/owner", {"user_id": str(chief.id)}))
