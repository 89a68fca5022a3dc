"""Maps as different people see them: their role, the others' emails, and which layers."""

from collections.abc import Callable
from itertools import product

import pytest
from sqlalchemy import Engine

from tests.api.layer_requests import Person, pointers
from tests.api.maps.map_requests import (
    ask,
    delete_layer,
    done,
    invite,
    make_layer,
    make_map,
    put_on,
    read,
    reorder,
    seen_layers,
    stored_layers,
)

PERMISSIONS = ("private", "collaborators", "public")


@pytest.fixture
def people(
    owner: Person, person: Callable[..., Person], anybody: Person
) -> dict[str | None, Person]:
    """A map's readers by the role that it tells them."""
    return {
        "owner": owner,
        **{name: person(name) for name in ("editor", "viewer", "stranger")},
        "anybody": anybody,
    }


@pytest.fixture
def mixed(owner: Person, people: dict[str, Person]) -> tuple[str, list[str]]:
    """A public map, and its layers: those at 1, 3 and 4 are private ones of an editor."""
    path, editor = make_map(owner, view_permission="public", edit_permission="public"), people
    invite(owner, path, editor["editor"], "editor")
    layers = []
    for number in range(6):
        hidden = number in {1, 3, 4}
        made = make_layer(
            editor["editor"], f"Layer {number}", visibility="private" if hidden else "public"
        )
        put_on(editor["editor"], path, made)
        layers.append(made)
    return path, layers


@pytest.mark.parametrize(("view", "edit"), list(product(PERMISSIONS, PERMISSIONS)))
def test_who_reads_and_changes_a_map(people: dict[str, Person], view: str, edit: str) -> None:
    owner = people["owner"]
    path = make_map(owner, view_permission=view, edit_permission=edit)
    for role in ("editor", "viewer"):
        invite(owner, path, people[role], role)
    for name, caller in people.items():
        inside = name in {"owner", "editor", "viewer"}
        may_read = inside or view == "public"
        may_change = may_read and (
            name == "owner"
            or (name == "editor" and edit == "collaborators")
            or (name != "anybody" and edit == "public")
        )
        answer = ask(caller, "GET", path)
        assert answer.status_code == (200 if may_read else 404)
        if may_read:
            assert done(answer)["user_role"] == (name if inside else None)
        refused = 404 if not may_read else 401 if name == "anybody" else 403
        changed = ask(caller, "PUT", path, {"name": f"By {name}"})
        assert changed.status_code == (200 if may_change else refused), name
        assert (read(owner, path)["name"] == f"By {name}") is may_change
        for body in ({"view_permission": view, "edit_permission": edit}, {}):
            assert ask(caller, "PUT", path, body).status_code == (200 if may_change else refused)
        if name != "owner":
            other = PERMISSIONS[PERMISSIONS.index(view) - 1]
            assert ask(caller, "PATCH", path, {"view_permission": other}).status_code == refused
            assert ask(caller, "DELETE", path).status_code == refused


def test_a_reading_token_only_reads(owner: Person, person: Callable[..., Person]) -> None:
    path, reading = make_map(owner), person("owner", "read")
    assert read(reading, path)["user_role"] == "owner"
    for method, below in (
        *(("PUT", ""), ("PATCH", ""), ("DELETE", ""), ("PUT", "/owner"), ("POST", "/duplicate")),
        *(("POST", "/layers"), ("PUT", "/layers/reorder"), ("POST", "/collaborators")),
    ):
        assert ask(reading, method, path + below, {}).status_code == 403
    assert ask(reading, "POST", "", {"name": "x"}).status_code == 403


def test_anonymous_callers_make_nothing(owner: Person, anybody: Person) -> None:
    path = make_map(owner, view_permission="public", edit_permission="public")
    for where in ("", f"{path}/duplicate", f"{path}/layers", f"{path}/collaborators"):
        answer = ask(anybody, "POST", where, {"name": "x"})
        assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (401, True)


def test_emails_are_for_those_who_share_a_map(people: dict[str, Person]) -> None:
    owner = people["owner"]
    path = make_map(owner, view_permission="public")
    for role in ("editor", "viewer"):
        invite(owner, path, people[role], role)
    for name, caller in people.items():
        known = name in {"owner", "editor", "viewer"}
        found = read(caller, path)
        assert found["creator"]["email"] == ("owner@example.org" if known else None)
        for shown in (found["collaborators"], read(caller, f"{path}/collaborators")):
            emails = [entry["user"]["email"] for entry in shown]
            expected = ["editor@example.org", "viewer@example.org"] if known else [None, None]
            assert emails == expected
            assert [entry["role"] for entry in shown] == ["editor", "viewer"]
        one = read(caller, f"{path}/collaborators/{people['viewer'].id}")["user"]
        assert one["email"] == ("viewer@example.org" if known else None)


def test_each_reader_sees_the_layers_that_they_may_read(
    mixed: tuple[str, list[str]], people: dict[str, Person]
) -> None:
    path, layers = mixed
    for name in ("owner", "editor"):
        assert seen_layers(people[name], path) == layers
    for name in ("stranger", "viewer", "anybody"):
        assert seen_layers(people[name], path) == [layers[n] for n in (0, 2, 5)]
        assert read(people[name], f"{path}/layers/{layers[5]}")["order"] == 2
        (place,) = done(people[name].get(layers[5]))["map_layers"]
        assert place["order"] == 2
        for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
            hidden = ask(people[name], method, f"{path}/layers/{layers[1]}", body)
            refused = 401 if name == "anybody" and method != "GET" else 404
            assert hidden.status_code == refused
        assert layers[1] not in ask(people[name], "GET", path).text


def test_the_owners_private_layers_are_seen_by_every_reader(owner: Person, anybody: Person) -> None:
    path, layer_id = make_map(owner, view_permission="public"), make_layer(owner)
    put_on(owner, path, layer_id)
    assert seen_layers(anybody, path) == [layer_id]
    done(ask(owner, "PUT", path, {"view_permission": "collaborators"}))
    assert anybody.get(layer_id).status_code == 404


def test_what_one_does_not_see_keeps_its_place(
    mixed: tuple[str, list[str]], people: dict[str, Person], empty_database: Engine
) -> None:
    path, (a, w, b, x, y, c) = mixed
    stranger = people["stranger"]
    answer = reorder(stranger, path, [c, a, b])
    assert [(entry["layer_id"], entry["order"]) for entry in done(answer)] == [
        *((c, 0), (a, 1), (b, 2)),
    ]
    assert stored_layers(empty_database, path) == [c, w, a, x, y, b]
    where = [f"/layer_orders/{3}/layer_id"]
    assert pointers(reorder(stranger, path, [a, b, c, w])) == where
    assert done(ask(stranger, "PATCH", f"{path}/layers/{b}", {"order": 0}))["order"] == 0
    assert stored_layers(empty_database, path) == [b, w, c, x, y, a]
    added = make_layer(stranger)
    assert put_on(stranger, path, added, order=1)["order"] == 1
    assert stored_layers(empty_database, path) == [b, w, added, c, x, y, a]
    assert seen_layers(people["editor"], path) == [b, w, added, c, x, y, a]
    last = make_layer(stranger, visibility="public")
    assert put_on(stranger, path, last)["order"] == 4
    assert put_on(stranger, path, end := make_layer(stranger), order=5)["order"] == 5
    assert stored_layers(empty_database, path) == [b, w, added, c, x, y, a, last, end]


def test_a_layer_that_is_deleted_leaves_no_gap(
    mixed: tuple[str, list[str]], people: dict[str, Person]
) -> None:
    path, (a, w, b, x, y, c) = mixed
    delete_layer(people["editor"], a)
    delete_layer(people["editor"], x)
    assert seen_layers(people["owner"], path) == [w, b, y, c]
    assert seen_layers(people["anybody"], path) == [b, c]
    done(reorder(people["owner"], path, [c, y, b, w]))
    assert seen_layers(people["owner"], path) == [c, y, b, w]
    assert put_on(people["owner"], path, make_layer(people["owner"]), order=2)["order"] == 2
