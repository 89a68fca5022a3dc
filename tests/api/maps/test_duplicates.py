"""`/api/v1/maps/{id}/duplicate`: copies of maps."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.api.layer_requests import Person, pointers
from tests.api.maps.map_requests import (
    MAP,
    MAPS,
    ask,
    delete_layer,
    done,
    invite,
    make_layer,
    make_map,
    put_on,
    read,
    seen_layers,
    stored_layers,
    unknown,
    wait_for_lock,
)

SAID: dict[str, Any] = {
    "description": "Where",
    "center_lat": 57.5,
    "center_lng": 11.25,
    "zoom": 6.5,
    "map_metadata": {"a": [1, {"b": None}]},
}


@pytest.fixture
def other(person: Callable[..., Person]) -> Person:
    return person("other")


def test_a_copy_is_private_to_whoever_makes_it(
    owner: Person, other: Person, anybody: Person
) -> None:
    path = make_map(owner, "Plan", view_permission="public", edit_permission="public", **SAID)
    invite(owner, path, other, "editor")
    before = ask(owner, "GET", path)
    answer = ask(other, "POST", f"{path}/duplicate", {})
    copy = done(answer, 201)
    assert set(copy) == {*MAP, "skipped_layers"}
    assert SAID.items() <= copy.items()
    assert (copy["name"], copy["skipped_layers"]) == ("Copy of Plan", [])
    assert (copy["view_permission"], copy["edit_permission"]) == ("private", "private")
    assert (copy["collaborators"], copy["user_role"]) == ([], "owner")
    assert copy["created_by"] == str(other.id)
    assert answer.headers["Location"].endswith(f"{MAPS}/{copy['id']}")
    del copy["skipped_layers"]
    assert read(other, f"/{copy['id']}") == copy
    for stranger in (owner, anybody):
        assert ask(stranger, "GET", f"/{copy['id']}").status_code == 404
    assert ask(owner, "GET", path).headers["ETag"] == before.headers["ETag"]


def test_a_copy_has_the_name_that_is_said(owner: Person) -> None:
    path = make_map(owner, "x" * 255)
    copies = f"{path}/duplicate"
    assert done(ask(owner, "POST", copies), 201)["name"] == f"Copy of {'x' * 247}"
    assert done(ask(owner, "POST", copies, {"name": None}), 201)["name"].startswith("Copy of x")
    assert done(ask(owner, "POST", copies, {"name": "y" * 255}), 201)["name"] == "y" * 255
    chunked = {
        *(("CONTENT_LENGTH", ""), ("HTTP_TRANSFER_ENCODING", "chunked")),
        ("wsgi.input_terminated", True),
    }
    answer = ask(owner, "POST", copies, {"name": "z"}, environ_overrides=dict(chunked))
    assert done(answer, 201)["name"] == "z"


def test_what_breaks_a_rule_is_named(owner: Person, other: Person, anybody: Person) -> None:
    path = make_map(owner)
    copies = f"{path}/duplicate"
    for name in ("", "x" * 256, 1, "\u0000"):
        assert pointers(ask(owner, "POST", copies, {"name": name})) == ["/name"]
    assert pointers(ask(owner, "POST", copies, {"zoom": 1, "a": 2})) == ["/zoom", "/a"]
    assert pointers(ask(owner, "POST", copies, [])) == [""]
    broken = {"data": b"{", "content_type": "application/json"}
    assert ask(owner, "POST", copies, **broken).status_code == 400
    plain = {"data": b"{}", "content_type": "text/plain"}
    assert ask(owner, "POST", copies, **plain).status_code == 415
    for caller in (other, anybody):
        assert ask(caller, "POST", copies, {}).status_code == 404
    assert ask(owner, "POST", f"/{unknown()}/duplicate", {}).status_code == 404
    assert len(read(owner, "")) == 1


def test_layers_are_copied_by_reference_with_their_order_and_styles(owner: Person) -> None:
    path = make_map(owner)
    for number in range(3):
        style = {"n": number} if number else None
        put_on(
            *(owner, path, make_layer(owner)),
            order=0,
            visible=bool(number),
            opacity=number,
            style_override=style,
        )
    delete_layer(owner, seen_layers(owner, path)[1])
    shown = read(owner, path)["map_layers"]
    copied = done(ask(owner, "POST", f"{path}/duplicate", {}), 201)["map_layers"]
    kept = ("layer_id", "order", "visible", "opacity", "style_override")
    assert [[entry[name] for name in kept] for entry in copied] == [
        [entry[name] for name in kept] for entry in shown
    ]
    assert {entry["id"] for entry in copied}.isdisjoint(entry["id"] for entry in shown)
    ask(owner, "PUT", f"{path}/layers/{shown[0]['layer_id']}", {"opacity": 77})
    assert read(owner, path)["map_layers"][0]["opacity"] == 77
    assert copied[0]["opacity"] == 2


def test_layers_that_one_may_not_place_are_named(
    owner: Person, other: Person, person: Callable[..., Person], empty_database: Engine
) -> None:
    path = make_map(owner, view_permission="public", edit_permission="collaborators")
    invite(owner, path, other, "editor")
    theirs, mine = make_layer(other, "Theirs <1>"), make_layer(owner, "Mine")
    open_one = make_layer(owner, "Open", visibility="public")
    for layer_id, caller in ((theirs, other), (open_one, other), (mine, owner)):
        put_on(caller, path, layer_id)
    stranger = person("stranger")
    for caller, skipped, placed in (
        (owner, [(theirs, "Theirs <1>")], [open_one, mine]),
        (other, [(mine, "Mine")], [theirs, open_one]),
        (stranger, [(mine, "Mine")], [open_one]),
    ):
        copy = done(ask(caller, "POST", f"{path}/duplicate", {}), 201)
        assert copy["skipped_layers"] == [{"id": key, "name": name} for key, name in skipped]
        assert seen_layers(caller, f"/{copy['id']}") == placed
        assert stored_layers(empty_database, f"/{copy['id']}") == placed


def test_comments_stay_behind(owner: Person) -> None:
    path = make_map(owner)
    body = {"content": "Mind the cod.", "map_id": path[1:]}
    comments = "/api/v1/comments"
    assert owner.client.post(comments, json=body, headers=owner.headers).status_code == 201
    copy = done(ask(owner, "POST", f"{path}/duplicate"), 201)
    for map_id, count in ((path[1:], 1), (copy["id"], 0)):
        found = owner.client.get(f"{comments}?map_id={map_id}", headers=owner.headers)
        assert len(done(found)) == count


def test_a_layer_deleted_while_a_map_is_copied_is_left_out(
    owner: Person, empty_database: Engine
) -> None:
    path, gone, kept = make_map(owner), make_layer(owner), make_layer(owner)
    for layer_id in (gone, kept):
        put_on(owner, path, layer_id)
    with empty_database.connect() as deleter, ThreadPoolExecutor(1) as thread:
        deleter.execute(text("DELETE FROM layers WHERE id = :id"), {"id": gone})
        copying = thread.submit(ask, owner, "POST", f"{path}/duplicate", {})
        wait_for_lock(empty_database)
        deleter.commit()
        copy = done(copying.result(), 201)
    assert seen_layers(owner, f"/{copy['id']}") == [kept]
