"""Concurrent changes of one map."""

import itertools
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, text

from samsyn_admin.layers import serializer as layer_serializer
from samsyn_admin.maps import layer_order as map_layer_order
from tests.api.layer_requests import LINE, Caller, MakeCaller, feature, vector
from tests.api.maps.map_requests import (
    add_layer,
    delete_layer,
    invite,
    json_of,
    listed_layers,
    make_layer,
    make_map,
    read,
    reorder,
    run_concurrently,
    send,
    stored_layers,
    wait_for_lock,
)


def test_twenty_concurrent_additions_get_twenty_positions(owner: Caller) -> None:
    path = make_map(owner)
    layers = [make_layer(owner) for _ in range(20)]
    added = run_concurrently([partial(add_layer, owner, path, layer_id) for layer_id in layers])
    assert sorted(entry["order"] for entry in added) == list(range(20))
    assert sorted(listed_layers(owner, path)) == sorted(layers)


def test_the_same_layer_is_added_once(owner: Caller, empty_database: Engine) -> None:
    path, body = make_map(owner), {"layer_id": make_layer(owner)}
    add = partial(send, owner, "POST", f"{path}/layers", body)
    assert sorted(response.status_code for response in run_concurrently([add] * 5)) == [
        201,
        *[409] * 4,
    ]
    assert len(stored_layers(empty_database, path)) == 1


def test_the_same_user_is_added_once(owner: Caller, make_caller: MakeCaller) -> None:
    path, body = make_map(owner), {"user_id": str(make_caller("guest").id)}
    add = partial(send, owner, "POST", f"{path}/collaborators", body)
    assert sorted(response.status_code for response in run_concurrently([add] * 5)) == [
        201,
        *[409] * 4,
    ]


def test_of_two_orders_at_once_one_remains(owner: Caller, empty_database: Engine) -> None:
    path = make_map(owner)
    layers = [make_layer(owner) for _ in range(6)]
    for layer_id in layers:
        add_layer(owner, path, layer_id)
    orders = (layers[::-1], [*layers[3:], *layers[:3]])
    for _ in range(20):
        responses = run_concurrently([partial(reorder, owner, path, order) for order in orders])
        for response, order in zip(responses, orders, strict=True):
            assert [entry["layer_id"] for entry in json_of(response)] == order
        assert stored_layers(empty_database, path) in orders


def test_concurrent_moves_additions_and_removals_leave_no_gap(owner: Caller) -> None:
    path = make_map(owner)
    layers = [make_layer(owner) for _ in range(8)]
    for layer_id in layers[:6]:
        add_layer(owner, path, layer_id)
    for turn in range(10):
        one = f"{path}/layers/{layers[turn % 3]}"
        actions = [
            partial(send, owner, "PUT", one, {"order": turn % 6}),
            partial(send, owner, "POST", f"{path}/layers", {"layer_id": layers[6], "order": 2}),
            partial(send, owner, "DELETE", f"{path}/layers/{layers[3 + turn % 3]}"),
            partial(send, owner, "GET", path),
        ]
        assert {response.status_code // 100 for response in run_concurrently(actions)} == {2}
        assert len(listed_layers(owner, path)) == 6
        assert send(owner, "DELETE", f"{path}/layers/{layers[6]}").status_code == 204
        add_layer(owner, path, layers[3 + turn % 3])


def test_of_two_changes_of_one_version_one_succeeds(owner: Caller) -> None:
    path = make_map(owner)
    for turn in range(50):
        tag = send(owner, "GET", path).headers["ETag"]
        bodies = [{"name": f"{turn} {which}", "description": which} for which in "ab"]
        changes = [
            partial(send, owner, "PUT", path, body, headers={"If-Match": tag}) for body in bodies
        ]
        responses = run_concurrently(changes)
        assert sorted(response.status_code for response in responses) == [200, 412]
        (won,) = (n for n, response in enumerate(responses) if response.status_code == 200)
        assert bodies[won].items() <= read(owner, path).items()


def test_changes_of_different_members_are_both_stored(owner: Caller) -> None:
    path = make_map(owner)
    for turn in range(10):
        bodies = ({"map_metadata": {"a": turn}}, {"map_metadata": {"b": turn}})
        for response in run_concurrently(
            [partial(send, owner, "PATCH", path, body) for body in bodies]
        ):
            json_of(response)
        assert read(owner, path)["map_metadata"] == {"a": turn, "b": turn}


def test_a_map_has_one_owner_after_concurrent_transfers(
    owner: Caller, make_caller: MakeCaller
) -> None:
    for turn in range(5):
        path, new_owners = make_map(owner), [make_caller(f"heir{turn}{which}") for which in "ab"]
        for new_owner in new_owners:
            invite(owner, path, new_owner)
        gifts = [
            partial(send, owner, "PUT", f"{path}/owner", {"user_id": str(new_owner.id)})
            for new_owner in new_owners
        ]
        assert sorted(response.status_code for response in run_concurrently(gifts)) == [200, 403]
        document = read(owner, path)
        assert document["created_by"] in {str(new_owner.id) for new_owner in new_owners}
        others = {str(owner.id), *(str(new_owner.id) for new_owner in new_owners)}
        others.remove(document["created_by"])
        assert {entry["user_id"] for entry in document["collaborators"]} == others


def test_a_permission_lost_while_waiting_is_refused(
    owner: Caller, make_caller: MakeCaller, empty_database: Engine
) -> None:
    path, editor = make_map(owner, edit_permission="collaborators"), make_caller("editor")
    invite(owner, path, editor, "editor")
    with empty_database.connect() as connection, ThreadPoolExecutor(1) as thread:
        key = {"map": path[1:]}
        connection.execute(text("SELECT FROM maps WHERE id = :map FOR UPDATE"), key)
        changing = thread.submit(send, editor, "PUT", path, {"name": "Mine"})
        wait_for_lock(empty_database)
        connection.execute(text("DELETE FROM map_collaborators WHERE map_id = :map"), key)
        connection.commit()
        assert changing.result().status_code == 404
    assert read(owner, path)["name"] == "A plan"


def test_a_layer_deleted_while_it_is_added_to_a_map_is_not_found(
    owner: Caller, empty_database: Engine
) -> None:
    path, layer_id = make_map(owner), make_layer(owner)
    with empty_database.connect() as deleter, ThreadPoolExecutor(1) as thread:
        deleter.execute(text("DELETE FROM layers WHERE id = :id"), {"id": layer_id})
        adding = thread.submit(send, owner, "POST", f"{path}/layers", {"layer_id": layer_id})
        wait_for_lock(empty_database)
        deleter.commit()
        assert adding.result().status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_layer_deleted_before_the_response_is_not_found(
    owner: Caller, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    path, layer_id = make_map(owner), make_layer(owner)
    add_layer(owner, path, layer_id)
    real = layer_serializer.serialize_layers

    def delayed(*arguments: Any, **options: Any) -> dict[uuid.UUID, str | None]:
        delete_layer(owner, layer_id)
        return real(*arguments, **options)

    monkeypatch.setattr(map_layer_order, "serialize_layers", delayed)
    body: dict[str, Any] = {"json": {}} if method == "PUT" else {}
    assert send(owner, method, f"{path}/layers/{layer_id}", None, **body).status_code == 404
    assert send(owner, "GET", f"{path}/layers").json == []


def test_readers_get_consistent_maps_during_changes(owner: Caller) -> None:
    path = make_map(owner, view_permission="public")
    over = Event()

    def come_and_go() -> None:
        try:
            for _ in range(25):
                layer_id = str(json_of(owner.post(vector(feature(LINE))), 201)["id"])
                add_layer(owner, path, layer_id, order=0)
                delete_layer(owner, layer_id)
        finally:
            over.set()

    def watch(where: str) -> None:
        for _ in itertools.takewhile(lambda _: not over.is_set(), itertools.count()):
            assert send(owner, "GET", where).status_code == 200

    where = ("", path, f"{path}/layers", "?inline=false")
    run_concurrently([come_and_go, *(partial(watch, one) for one in where)])
