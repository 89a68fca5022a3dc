"""`/api/v1/maps/{id}/duplicate`: copies of maps."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.api.layer_requests import Caller, MakeCaller, pointers
from tests.api.maps.map_requests import (
    MAP,
    MAPS,
    add_layer,
    delete_layer,
    invite,
    json_of,
    listed_layers,
    make_layer,
    make_map,
    read,
    send,
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
def other(make_caller: MakeCaller) -> Caller:
    return make_caller("other")


def test_a_copy_is_private_to_its_creator(owner: Caller, other: Caller, anonymous: Caller) -> None:
    path = make_map(owner, "Plan", view_permission="public", edit_permission="public", **SAID)
    invite(owner, path, other, "editor")
    before = send(owner, "GET", path)
    response = send(other, "POST", f"{path}/duplicate", {})
    copy = json_of(response, 201)
    assert set(copy) == {*MAP, "skipped_layers"}
    assert SAID.items() <= copy.items()
    assert (copy["name"], copy["skipped_layers"]) == ("Copy of Plan", [])
    assert (copy["view_permission"], copy["edit_permission"]) == ("private", "private")
    assert (copy["collaborators"], copy["user_role"]) == ([], "owner")
    assert copy["created_by"] == str(other.id)
    assert response.headers["Location"].endswith(f"{MAPS}/{copy['id']}")
    del copy["skipped_layers"]
    assert read(other, f"/{copy['id']}") == copy
    for stranger in (owner, anonymous):
        assert send(stranger, "GET", f"/{copy['id']}").status_code == 404
    assert send(owner, "GET", path).headers["ETag"] == before.headers["ETag"]


def test_a_copy_has_the_requested_name(owner: Caller) -> None:
    path = make_map(owner, "x" * 255)
    copies = f"{path}/duplicate"
    assert json_of(send(owner, "POST", copies), 201)["name"] == f"Copy of {'x' * 247}"
    assert json_of(send(owner, "POST", copies, {"name": None}), 201)["name"].startswith("Copy of x")
    assert json_of(send(owner, "POST", copies, {"name": "y" * 255}), 201)["name"] == "y" * 255
    chunked = {
        *(("CONTENT_LENGTH", ""), ("HTTP_TRANSFER_ENCODING", "chunked")),
        ("wsgi.input_terminated", True),
    }
    response = send(owner, "POST", copies, {"name": "z"}, environ_overrides=dict(chunked))
    assert json_of(response, 201)["name"] == "z"


def test_faults_are_reported(owner: Caller, other: Caller, anonymous: Caller) -> None:
    path = make_map(owner)
    copies = f"{path}/duplicate"
    for name in ("", "x" * 256, 1, "\u0000"):
        assert pointers(send(owner, "POST", copies, {"name": name})) == ["/name"]
    assert pointers(send(owner, "POST", copies, {"zoom": 1, "a": 2})) == ["/zoom", "/a"]
    assert pointers(send(owner, "POST", copies, [])) == [""]
    broken = {"data": b"{", "content_type": "application/json"}
    assert send(owner, "POST", copies, **broken).status_code == 400
    plain = {"data": b"{}", "content_type": "text/plain"}
    assert send(owner, "POST", copies, **plain).status_code == 415
    for caller in (other, anonymous):
        assert send(caller, "POST", copies, {}).status_code == 404
    assert send(owner, "POST", f"/{unknown()}/duplicate", {}).status_code == 404
    assert len(read(owner, "")) == 1


def test_layers_are_copied_by_reference_with_their_order_and_styles(owner: Caller) -> None:
    path = make_map(owner)
    for number in range(3):
        style = {"n": number} if number else None
        add_layer(
            *(owner, path, make_layer(owner)),
            order=0,
            visible=bool(number),
            opacity=number,
            style_override=style,
        )
    delete_layer(owner, listed_layers(owner, path)[1])
    source_layers = read(owner, path)["map_layers"]
    copied = json_of(send(owner, "POST", f"{path}/duplicate", {}), 201)["map_layers"]
    copied_members = ("layer_id", "order", "visible", "opacity", "style_override")
    assert [[entry[name] for name in copied_members] for entry in copied] == [
        [entry[name] for name in copied_members] for entry in source_layers
    ]
    assert {entry["id"] for entry in copied}.isdisjoint(entry["id"] for entry in source_layers)
    send(owner, "PUT", f"{path}/layers/{source_layers[0]['layer_id']}", {"opacity": 77})
    assert read(owner, path)["map_layers"][0]["opacity"] == 77
    assert copied[0]["opacity"] == 2


def test_layers_that_the_caller_may_not_add_are_listed(
    owner: Caller, other: Caller, make_caller: MakeCaller, empty_database: Engine
) -> None:
    path = make_map(owner, view_permission="public", edit_permission="collaborators")
    invite(owner, path, other, "editor")
    foreign, mine = make_layer(other, "Theirs <1>"), make_layer(owner, "Mine")
    open_one = make_layer(owner, "Open", visibility="public")
    for layer_id, caller in ((foreign, other), (open_one, other), (mine, owner)):
        add_layer(caller, path, layer_id)
    stranger = make_caller("stranger")
    for caller, skipped, expected in (
        (owner, [(foreign, "Theirs <1>")], [open_one, mine]),
        (other, [(mine, "Mine")], [foreign, open_one]),
        (stranger, [(mine, "Mine")], [open_one]),
    ):
        copy = json_of(send(caller, "POST", f"{path}/duplicate", {}), 201)
        assert copy["skipped_layers"] == [{"id": key, "name": name} for key, name in skipped]
        assert listed_layers(caller, f"/{copy['id']}") == expected
        assert stored_layers(empty_database, f"/{copy['id']}") == expected


def test_comments_are_not_copied(owner: Caller) -> None:
    path = make_map(owner)
    body = {"content": "Mind the cod.", "map_id": path[1:]}
    comments = "/api/v1/comments"
    assert owner.client.post(comments, json=body, headers=owner.headers).status_code == 201
    copy = json_of(send(owner, "POST", f"{path}/duplicate"), 201)
    for map_id, count in ((path[1:], 1), (copy["id"], 0)):
        response = owner.client.get(f"{comments}?map_id={map_id}", headers=owner.headers)
        assert len(json_of(response)) == count


def test_a_layer_deleted_while_a_map_is_copied_is_left_out(
    owner: Caller, empty_database: Engine
) -> None:
    path, deleted, copied_members = make_map(owner), make_layer(owner), make_layer(owner)
    for layer_id in (deleted, copied_members):
        add_layer(owner, path, layer_id)
    with empty_database.connect() as deleter, ThreadPoolExecutor(1) as thread:
        deleter.execute(text("DELETE FROM layers WHERE id = :id"), {"id": deleted})
        copying = thread.submit(send, owner, "POST", f"{path}/duplicate", {})
        wait_for_lock(empty_database)
        deleter.commit()
        copy = json_of(copying.result(), 201)
    assert listed_layers(owner, f"/{copy['id']}") == [copied_members]
