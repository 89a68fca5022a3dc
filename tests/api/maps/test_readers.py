"""Maps as different callers read them: roles, emails and layers."""

from itertools import product

import pytest
from sqlalchemy import Engine

from tests.api.layer_requests import Caller, MakeCaller, pointers
from tests.api.maps.map_requests import (
    add_layer,
    delete_layer,
    execute,
    invite,
    json_of,
    listed_layers,
    make_layer,
    make_map,
    read,
    reorder,
    send,
    stored_layers,
)

PERMISSIONS = ("private", "collaborators", "public")


@pytest.fixture
def callers(owner: Caller, make_caller: MakeCaller, anonymous: Caller) -> dict[str | None, Caller]:
    """A map's readers by their role."""
    return {
        "owner": owner,
        **{name: make_caller(name) for name in ("editor", "viewer", "stranger")},
        "anybody": anonymous,
    }


@pytest.fixture
def mixed(owner: Caller, callers: dict[str, Caller]) -> tuple[str, list[str]]:
    """A public map, and its layers: those at 1, 3 and 4 are private ones of an editor."""
    path, editor = make_map(owner, view_permission="public", edit_permission="public"), callers
    invite(owner, path, editor["editor"], "editor")
    layers = []
    for number in range(6):
        hidden = number in {1, 3, 4}
        created = make_layer(
            editor["editor"], f"Layer {number}", visibility="private" if hidden else "public"
        )
        add_layer(editor["editor"], path, created)
        layers.append(created)
    return path, layers


@pytest.mark.parametrize(("view", "edit"), list(product(PERMISSIONS, PERMISSIONS)))
def test_who_reads_and_changes_a_map(callers: dict[str, Caller], view: str, edit: str) -> None:
    owner = callers["owner"]
    path = make_map(owner, view_permission=view, edit_permission=edit)
    for role in ("editor", "viewer"):
        invite(owner, path, callers[role], role)
    for name, caller in callers.items():
        inside = name in {"owner", "editor", "viewer"}
        may_read = inside or view == "public"
        may_change = may_read and (
            name == "owner"
            or (name == "editor" and edit == "collaborators")
            or (name != "anybody" and edit == "public")
        )
        response = send(caller, "GET", path)
        assert response.status_code == (200 if may_read else 404)
        if may_read:
            assert json_of(response)["user_role"] == (name if inside else None)
        refused = 404 if not may_read else 401 if name == "anybody" else 403
        changed = send(caller, "PUT", path, {"name": f"By {name}"})
        assert changed.status_code == (200 if may_change else refused), name
        assert (read(owner, path)["name"] == f"By {name}") is may_change
        for body in ({"view_permission": view, "edit_permission": edit}, {}):
            assert send(caller, "PUT", path, body).status_code == (200 if may_change else refused)
        if name != "owner":
            other = PERMISSIONS[PERMISSIONS.index(view) - 1]
            assert send(caller, "PATCH", path, {"view_permission": other}).status_code == refused
            assert send(caller, "DELETE", path).status_code == refused


def test_a_reading_token_only_reads(owner: Caller, make_caller: MakeCaller) -> None:
    path, reading = make_map(owner), make_caller("owner", "read")
    assert read(reading, path)["user_role"] == "owner"
    for method, below in (
        *(("PUT", ""), ("PATCH", ""), ("DELETE", ""), ("PUT", "/owner"), ("POST", "/duplicate")),
        *(("POST", "/layers"), ("PUT", "/layers/reorder"), ("POST", "/collaborators")),
    ):
        assert send(reading, method, path + below, {}).status_code == 403
    assert send(reading, "POST", "", {"name": "x"}).status_code == 403


def test_anonymous_callers_create_nothing(owner: Caller, anonymous: Caller) -> None:
    path = make_map(owner, view_permission="public", edit_permission="public")
    for where in ("", f"{path}/duplicate", f"{path}/layers", f"{path}/collaborators"):
        response = send(anonymous, "POST", where, {"name": "x"})
        assert (response.status_code, "WWW-Authenticate" in response.headers) == (401, True)


@pytest.mark.parametrize("by_email", [False, True])
def test_emails_are_for_those_who_invite_by_them(
    callers: dict[str, Caller], by_email: bool
) -> None:
    owner = callers["owner"]
    path = make_map(owner, view_permission="public")
    for role in ("editor", "viewer"):
        email = f" {role.upper()}@Example.org" if by_email else None
        invite(owner, path, callers[role], role, email=email)
    for name, caller in callers.items():
        known = {name} | (
            {"editor", "viewer"} if by_email and name in {"owner", "editor"} else set()
        )
        emails = {role: f"{role}@example.org" if role in known else None for role in callers}
        document = read(caller, path)
        assert document["creator"]["email"] == emails["owner"]
        for collaborators in (document["collaborators"], read(caller, f"{path}/collaborators")):
            assert [entry["role"] for entry in collaborators] == ["editor", "viewer"]
            seen = [entry["user"]["email"] for entry in collaborators]
            assert seen == [emails["editor"], emails["viewer"]]
        one = read(caller, f"{path}/collaborators/{callers['viewer'].id}")["user"]
        assert one["email"] == emails["viewer"]


def test_an_email_that_has_changed_is_not_shown(
    callers: dict[str, Caller], empty_database: Engine
) -> None:
    owner, viewer = callers["owner"], callers["viewer"]
    path = make_map(owner)
    added = invite(owner, path, viewer, email="viewer@example.org")
    assert added["user"]["email"] == "viewer@example.org"
    change = "UPDATE users SET email = :email, clerk_id = 'user_v' WHERE id = :id"
    execute(empty_database, change, email="new@example.org", id=viewer.id)
    (seen,) = read(owner, f"{path}/collaborators")
    assert (seen["user"]["email"], seen["user"]["clerk_id"]) == (None, None)
    execute(empty_database, change, email="Viewer@example.org", id=viewer.id)
    (seen,) = read(owner, f"{path}/collaborators")
    assert (seen["user"]["email"], seen["user"]["clerk_id"]) == ("Viewer@example.org", None)
    (own,) = read(viewer, f"{path}/collaborators")
    assert (own["user"]["email"], own["user"]["clerk_id"]) == ("Viewer@example.org", "user_v")


def test_a_new_owner_sees_no_more_than_the_invitations(callers: dict[str, Caller]) -> None:
    owner, editor = callers["owner"], callers["editor"]
    path = make_map(owner)
    invite(owner, path, editor, "editor", email="editor@example.org")
    invite(owner, path, callers["viewer"], email="viewer@example.org")
    json_of(send(owner, "PUT", f"{path}/owner", {"user_id": str(editor.id)}))
    for caller, own in ((owner, "owner"), (editor, "editor")):
        document = read(caller, path)
        users = [document["creator"], *(entry["user"] for entry in document["collaborators"])]
        seen = {user["email"] for user in users}
        assert seen == {f"{own}@example.org", "viewer@example.org", None}


def test_each_reader_gets_the_layers_that_they_may_read(
    mixed: tuple[str, list[str]], callers: dict[str, Caller]
) -> None:
    path, layers = mixed
    for name in ("owner", "editor"):
        assert listed_layers(callers[name], path) == layers
    for name in ("stranger", "viewer", "anybody"):
        assert listed_layers(callers[name], path) == [layers[n] for n in (0, 2, 5)]
        assert read(callers[name], f"{path}/layers/{layers[5]}")["order"] == 2
        (map_layer,) = json_of(callers[name].get(layers[5]))["map_layers"]
        assert map_layer["order"] == 2
        for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
            hidden = send(callers[name], method, f"{path}/layers/{layers[1]}", body)
            refused = 401 if name == "anybody" and method != "GET" else 404
            assert hidden.status_code == refused
        assert layers[1] not in send(callers[name], "GET", path).text


def test_every_reader_gets_the_owners_private_layers(owner: Caller, anonymous: Caller) -> None:
    path, layer_id = make_map(owner, view_permission="public"), make_layer(owner)
    add_layer(owner, path, layer_id)
    assert listed_layers(anonymous, path) == [layer_id]
    json_of(send(owner, "PUT", path, {"view_permission": "collaborators"}))
    assert anonymous.get(layer_id).status_code == 404


def test_unreadable_layers_keep_their_positions(
    mixed: tuple[str, list[str]], callers: dict[str, Caller], empty_database: Engine
) -> None:
    path, (a, w, b, x, y, c) = mixed
    stranger = callers["stranger"]
    response = reorder(stranger, path, [c, a, b])
    assert [(entry["layer_id"], entry["order"]) for entry in json_of(response)] == [
        *((c, 0), (a, 1), (b, 2)),
    ]
    assert stored_layers(empty_database, path) == [c, w, a, x, y, b]
    where = [f"/layer_orders/{3}/layer_id"]
    assert pointers(reorder(stranger, path, [a, b, c, w])) == where
    assert json_of(send(stranger, "PATCH", f"{path}/layers/{b}", {"order": 0}))["order"] == 0
    assert stored_layers(empty_database, path) == [b, w, c, x, y, a]
    added = make_layer(stranger)
    assert add_layer(stranger, path, added, order=1)["order"] == 1
    assert stored_layers(empty_database, path) == [b, w, added, c, x, y, a]
    assert listed_layers(callers["editor"], path) == [b, w, added, c, x, y, a]
    last = make_layer(stranger, visibility="public")
    assert add_layer(stranger, path, last)["order"] == 4
    assert add_layer(stranger, path, end := make_layer(stranger), order=5)["order"] == 5
    assert stored_layers(empty_database, path) == [b, w, added, c, x, y, a, last, end]


def test_a_layer_that_is_deleted_leaves_no_gap(
    mixed: tuple[str, list[str]], callers: dict[str, Caller]
) -> None:
    path, (a, w, b, x, y, c) = mixed
    delete_layer(callers["editor"], a)
    delete_layer(callers["editor"], x)
    assert listed_layers(callers["owner"], path) == [w, b, y, c]
    assert listed_layers(callers["anybody"], path) == [b, c]
    json_of(reorder(callers["owner"], path, [c, y, b, w]))
    assert listed_layers(callers["owner"], path) == [c, y, b, w]
    assert add_layer(callers["owner"], path, make_layer(callers["owner"]), order=2)["order"] == 2
