"""`/api/v1/maps/{id}/collaborators` and `…/owner`: who works on a map, as what, and whose it is."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.api.layer_requests import Person, pointers
from tests.api.maps.map_requests import (
    COLLABORATOR,
    MAPS,
    USER,
    ask,
    done,
    execute,
    fill,
    invite,
    make_layer,
    make_map,
    put_on,
    read,
    seen_layers,
    unknown,
)
from tests.statements import statements


@pytest.fixture
def editor(person: Callable[..., Person]) -> Person:
    return person("editor")


@pytest.fixture
def viewer(person: Callable[..., Person]) -> Person:
    return person("viewer")


@pytest.fixture
def stranger(person: Callable[..., Person]) -> Person:
    return person("stranger")


def named(caller: Person, path: str) -> dict[str, str]:
    """Return the roles by user; the list and the map have to say the same."""
    found = read(caller, f"{path}/collaborators")
    assert read(caller, path)["collaborators"] == found
    return {entry["user_id"]: entry["role"] for entry in found}


def test_somebody_is_added_by_email_or_by_id(owner: Person, editor: Person, viewer: Person) -> None:
    path = make_map(owner)
    body = {"email": " Editor@EXAMPLE.org ", "role": "editor"}
    answer = ask(owner, "POST", f"{path}/collaborators", body)
    added = done(answer, 201)
    assert set(added) == COLLABORATOR
    assert set(added["user"]) == USER
    assert added["user_id"] == added["user"]["id"] == str(editor.id)
    assert added["user"]["email"] == "editor@example.org"
    address = f"{path}/collaborators/{editor.id}"
    assert answer.headers["Location"].endswith(f"{MAPS}{address}")
    again = ask(owner, "GET", address)
    assert again.json == added
    assert again.headers["ETag"] == answer.headers["ETag"]
    by_id = {"user_id": str(viewer.id), "email": None}
    assert done(ask(owner, "POST", f"{path}/collaborators", by_id), 201)["role"] == "viewer"
    assert named(owner, path) == {str(editor.id): "editor", str(viewer.id): "viewer"}
    assert read(owner, path)["collaborators"][0] == added


def test_nobody_is_added_twice_and_the_owner_never(owner: Person, viewer: Person) -> None:
    path = make_map(owner)
    invite(owner, path, viewer)
    before = read(owner, path)
    for body in (
        {"user_id": str(viewer.id), "role": "editor"},
        {"email": "VIEWER@example.org"},
        {"user_id": str(owner.id)},
        {"email": "owner@example.org", "role": "editor"},
    ):
        assert ask(owner, "POST", f"{path}/collaborators", body).status_code == 409
    assert read(owner, path) == before


def test_only_the_owner_hears_who_is_unknown(
    owner: Person, editor: Person, stranger: Person, anybody: Person, empty_database: Engine
) -> None:
    path = make_map(owner, edit_permission="collaborators")
    invite(owner, path, editor, "editor")
    gone = unknown()
    execute(
        empty_database,
        "INSERT INTO users (id, email, deleted_at) VALUES (:id, 'gone@example.org', now())",
        id=gone,
    )
    for body in ({"email": "nobody@example.org"}, {"email": "gone@example.org"}, {"user_id": gone}):
        (who,) = body.values()
        for below, method in (("collaborators", "POST"), ("owner", "PUT")):
            answer = ask(owner, method, f"{path}/{below}", body)
            assert answer.status_code == 404
            assert (answer.json or {})["detail"] == f"There is no user {who}."
            assert ask(editor, method, f"{path}/{below}", body).status_code == 403
            assert ask(editor, method, f"{path}/{below}", {}).status_code == 403
            refused = ask(stranger, method, f"{path}/{below}", body)
            assert (refused.status_code, who in refused.text) == (404, False)
            assert ask(anybody, method, f"{path}/{below}", body).status_code == 404
    done(ask(owner, "PUT", path, {"view_permission": "public", "edit_permission": "public"}))
    for below, method in (("collaborators", "POST"), ("owner", "PUT")):
        body = {"email": "nobody@example.org"}
        assert ask(stranger, method, f"{path}/{below}", body).status_code == 403
        refused = ask(anybody, method, f"{path}/{below}", body)
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
def test_what_breaks_a_rule_is_named(owner: Person, body: Any, expected: list[str]) -> None:
    path = make_map(owner)
    assert pointers(ask(owner, "POST", f"{path}/collaborators", body)) == expected
    text = {"data": b"email=a", "content_type": "text/plain"}
    assert ask(owner, "POST", f"{path}/collaborators", **text).status_code == 415


def test_a_role_is_changed(owner: Person, viewer: Person, editor: Person) -> None:
    path = make_map(owner, edit_permission="collaborators")
    added = invite(owner, path, viewer)
    invite(owner, path, editor, "editor")
    address = f"{path}/collaborators/{viewer.id}"
    got = ask(owner, "GET", address)
    before = read(owner, path)["updated_at"]
    for method in ("PUT", "PATCH"):
        for body in (got.json, {}, {"role": "viewer"}):
            same = ask(owner, method, address, body)
            assert (same.json, same.headers["ETag"]) == (added, got.headers["ETag"])
    assert read(owner, path)["updated_at"] == before
    changed = ask(owner, "PUT", address, {"role": "editor"}, headers={"If-Match": "*"})
    assert done(changed) == {**added, "role": "editor"}
    assert read(owner, path)["updated_at"] > before
    stale = {"If-Match": got.headers["ETag"]}
    for method, body in (("PUT", {"role": "viewer"}), ("PATCH", {}), ("DELETE", None)):
        assert ask(owner, method, address, body, headers=stale).status_code == 412
    now = {"If-None-Match": changed.headers["ETag"]}
    assert ask(owner, "GET", address, headers=now).status_code == 304
    for body in ({"role": "owner"}, {"role": None}, {"role": 1}):
        assert pointers(ask(owner, "PATCH", address, body)) == ["/role"]
    assert pointers(ask(owner, "PUT", address, {"rights": 1})) == ["/rights"]
    for caller in (editor, viewer):
        assert ask(caller, "PUT", address, {"role": "editor"}).status_code == 403
    assert ask(owner, "PUT", f"{path}/collaborators/{owner.id}", {}).status_code == 404


def test_one_may_leave_and_only_the_owner_removes_others(
    owner: Person, editor: Person, viewer: Person, stranger: Person, anybody: Person
) -> None:
    path = make_map(owner, view_permission="public", edit_permission="public")
    for one, role in ((editor, "editor"), (viewer, "viewer")):
        invite(owner, path, one, role)
    before = read(owner, path)["updated_at"]
    address = f"{path}/collaborators"
    for caller in (editor, stranger):
        assert ask(caller, "DELETE", f"{address}/{viewer.id}").status_code == 403
    assert ask(anybody, "DELETE", f"{address}/{viewer.id}").status_code == 401
    assert ask(stranger, "DELETE", f"{address}/{stranger.id}").status_code == 404
    assert ask(owner, "DELETE", f"{address}/{owner.id}").status_code == 404
    for nobody in ("x", unknown(), stranger.id):
        assert ask(owner, "DELETE", f"{address}/{nobody}").status_code == 404
        assert ask(owner, "GET", f"{address}/{nobody}").status_code == 404
    assert ask(viewer, "DELETE", f"{address}/{viewer.id}?x=1").status_code == 400
    assert ask(viewer, "DELETE", f"{address}/{viewer.id}").status_code == 204
    assert ask(owner, "DELETE", f"{address}/{editor.id}").status_code == 204
    found = read(owner, path)
    assert found["collaborators"] == []
    assert found["updated_at"] > before


def test_who_leaves_a_closed_map_is_out(owner: Person, person: Callable[..., Person]) -> None:
    path, viewer = make_map(owner), person("viewer")
    invite(owner, path, viewer)
    reading = person("viewer", "read")
    assert ask(reading, "DELETE", f"{path}/collaborators/{viewer.id}").status_code == 403
    assert ask(viewer, "DELETE", f"{path}/collaborators/{viewer.id}").status_code == 204
    assert ask(viewer, "GET", path).status_code == 404
    assert ask(viewer, "DELETE", f"{path}/collaborators/{viewer.id}").status_code == 404


def test_a_map_is_given_away(owner: Person, editor: Person, viewer: Person) -> None:
    path = make_map(owner, view_permission="collaborators")
    invite(owner, path, editor)
    before = read(owner, path)
    for body in ({"user_id": str(owner.id)}, {"email": "OWNER@example.org"}):
        assert done(ask(owner, "PUT", f"{path}/owner", body)) == before
    given = done(ask(owner, "PUT", f"{path}/owner", {"email": "editor@example.org"}))
    assert given["created_by"] == given["creator"]["id"] == str(editor.id)
    assert given["user_role"] == "editor"
    assert named(editor, path) == {str(owner.id): "editor"}
    assert read(editor, path)["user_role"] == "owner"
    assert ask(owner, "PUT", f"{path}/owner", {"user_id": str(owner.id)}).status_code == 403
    assert ask(owner, "DELETE", path).status_code == 403
    to_viewer = {"user_id": str(viewer.id)}
    assert done(ask(editor, "PUT", f"{path}/owner", to_viewer))["user_role"] == "editor"
    assert named(viewer, path) == {str(owner.id): "editor", str(editor.id): "editor"}
    for said, expected in (({}, ""), ({"role": "x"}, "/role"), ({"user_id": 1}, "/user_id")):
        assert expected in pointers(ask(viewer, "PUT", f"{path}/owner", said))


def test_nobody_but_its_creator_makes_a_private_layer_public(
    owner: Person, editor: Person, anybody: Person
) -> None:
    path = make_map(owner, view_permission="public", edit_permission="collaborators")
    invite(owner, path, editor, "editor")
    layer_id = make_layer(editor)
    put_on(editor, path, layer_id)
    assert seen_layers(anybody, path) == []
    heir = {"user_id": str(editor.id)}
    assert ask(owner, "PUT", f"{path}/owner", heir).status_code == 409
    assert read(anybody, path)["created_by"] == str(owner.id)
    done(ask(owner, "PUT", path, {"view_permission": "private"}))
    done(ask(owner, "PUT", f"{path}/owner", heir))
    done(ask(editor, "PUT", path, {"view_permission": "public"}))
    assert seen_layers(anybody, path) == [layer_id]


def test_the_list_is_paged(owner: Person, empty_database: Engine) -> None:
    path = make_map(owner)
    fill(empty_database, owner, path, 5)
    whole = read(owner, f"{path}/collaborators")
    answer = ask(owner, "GET", f"{path}/collaborators?limit=2&offset=2")
    assert answer.json == whole[2:4]
    assert answer.headers["X-Total-Count"] == "5"
    address = f"http://localhost{MAPS}{path}/collaborators?limit=2"
    for rel, query in (("next", "&offset=4"), ("prev", "&offset=0"), ("first", "")):
        assert f'<{address}{query}>; rel="{rel}"' in answer.headers["Link"]
    for query in ("limit=0", "limit=1001", "offset=-1", "limit=x", "role=editor"):
        assert ask(owner, "GET", f"{path}/collaborators?{query}").status_code == 400


def test_the_statements_do_not_depend_on_how_many_there_are(
    owner: Person, person: Callable[..., Person], empty_database: Engine
) -> None:
    guest = person("guest")

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
            with statements() as seen:
                assert ask(owner, method, where, body).status_code in {200, 201, 204}
            counts.append(len(seen))
        return counts

    assert counted(1) == counted(50)
