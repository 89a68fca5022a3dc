"""Several people at one map in the same moment."""

import itertools
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine, text

from samsyn_admin.layers import serializer as layer_serializer
from samsyn_admin.maps import layer_order as map_layer_order
from tests.api.layer_requests import LINE, Person, feature, vector
from tests.api.maps.map_requests import (
    ask,
    at_once,
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
    wait_for_lock,
)


def test_twenty_that_append_at_once_get_twenty_places(owner: Person) -> None:
    path = make_map(owner)
    layers = [make_layer(owner) for _ in range(20)]
    placed = at_once([partial(put_on, owner, path, layer_id) for layer_id in layers])
    assert sorted(entry["order"] for entry in placed) == list(range(20))
    assert sorted(seen_layers(owner, path)) == sorted(layers)


def test_the_same_layer_is_put_there_once(owner: Person, empty_database: Engine) -> None:
    path, body = make_map(owner), {"layer_id": make_layer(owner)}
    add = partial(ask, owner, "POST", f"{path}/layers", body)
    assert sorted(answer.status_code for answer in at_once([add] * 5)) == [201, *[409] * 4]
    assert len(stored_layers(empty_database, path)) == 1


def test_the_same_person_is_added_once(owner: Person, person: Callable[..., Person]) -> None:
    path, body = make_map(owner), {"user_id": str(person("guest").id)}
    add = partial(ask, owner, "POST", f"{path}/collaborators", body)
    assert sorted(answer.status_code for answer in at_once([add] * 5)) == [201, *[409] * 4]


def test_of_two_orders_at_once_one_remains(owner: Person, empty_database: Engine) -> None:
    path = make_map(owner)
    layers = [make_layer(owner) for _ in range(6)]
    for layer_id in layers:
        put_on(owner, path, layer_id)
    orders = (layers[::-1], [*layers[3:], *layers[:3]])
    for _ in range(20):
        answers = at_once([partial(reorder, owner, path, order) for order in orders])
        for answer, order in zip(answers, orders, strict=True):
            assert [entry["layer_id"] for entry in done(answer)] == order
        assert stored_layers(empty_database, path) in orders


def test_moving_and_adding_and_removing_at_once_leave_no_gap(owner: Person) -> None:
    path = make_map(owner)
    layers = [make_layer(owner) for _ in range(8)]
    for layer_id in layers[:6]:
        put_on(owner, path, layer_id)
    for turn in range(10):
        one = f"{path}/layers/{layers[turn % 3]}"
        actions = [
            partial(ask, owner, "PUT", one, {"order": turn % 6}),
            partial(ask, owner, "POST", f"{path}/layers", {"layer_id": layers[6], "order": 2}),
            partial(ask, owner, "DELETE", f"{path}/layers/{layers[3 + turn % 3]}"),
            partial(ask, owner, "GET", path),
        ]
        assert {answer.status_code // 100 for answer in at_once(actions)} == {2}
        assert len(seen_layers(owner, path)) == 6
        assert ask(owner, "DELETE", f"{path}/layers/{layers[6]}").status_code == 204
        put_on(owner, path, layers[3 + turn % 3])


def test_of_two_changes_of_one_version_one_is_made(owner: Person) -> None:
    path = make_map(owner)
    for turn in range(50):
        tag = ask(owner, "GET", path).headers["ETag"]
        bodies = [{"name": f"{turn} {which}", "description": which} for which in "ab"]
        changes = [
            partial(ask, owner, "PUT", path, body, headers={"If-Match": tag}) for body in bodies
        ]
        answers = at_once(changes)
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        (won,) = (n for n, answer in enumerate(answers) if answer.status_code == 200)
        assert bodies[won].items() <= read(owner, path).items()


def test_changes_of_different_members_are_both_kept(owner: Person) -> None:
    path = make_map(owner)
    for turn in range(10):
        bodies = ({"map_metadata": {"a": turn}}, {"map_metadata": {"b": turn}})
        for answer in at_once([partial(ask, owner, "PATCH", path, body) for body in bodies]):
            done(answer)
        assert read(owner, path)["map_metadata"] == {"a": turn, "b": turn}


def test_a_map_has_one_owner_whoever_it_is_given_to(
    owner: Person, person: Callable[..., Person]
) -> None:
    for turn in range(5):
        path, heirs = make_map(owner), [person(f"heir{turn}{which}") for which in "ab"]
        gifts = [
            partial(ask, owner, "PUT", f"{path}/owner", {"user_id": str(heir.id)}) for heir in heirs
        ]
        assert sorted(answer.status_code for answer in at_once(gifts)) == [200, 403]
        found = read(owner, path)
        assert found["created_by"] in {str(heir.id) for heir in heirs}
        assert [entry["user_id"] for entry in found["collaborators"]] == [str(owner.id)]


def test_who_lost_the_right_while_waiting_is_refused(
    owner: Person, person: Callable[..., Person], empty_database: Engine
) -> None:
    path, editor = make_map(owner, edit_permission="collaborators"), person("editor")
    invite(owner, path, editor, "editor")
    with empty_database.connect() as connection, ThreadPoolExecutor(1) as thread:
        key = {"map": path[1:]}
        connection.execute(text("SELECT FROM maps WHERE id = :map FOR UPDATE"), key)
        changing = thread.submit(ask, editor, "PUT", path, {"name": "Mine"})
        wait_for_lock(empty_database)
        connection.execute(text("DELETE FROM map_collaborators WHERE map_id = :map"), key)
        connection.commit()
        assert changing.result().status_code == 404
    assert read(owner, path)["name"] == "A plan"


def test_a_layer_deleted_while_it_is_put_on_a_map_is_not_found(
    owner: Person, empty_database: Engine
) -> None:
    path, layer_id = make_map(owner), make_layer(owner)
    with empty_database.connect() as deleter, ThreadPoolExecutor(1) as thread:
        deleter.execute(text("DELETE FROM layers WHERE id = :id"), {"id": layer_id})
        adding = thread.submit(ask, owner, "POST", f"{path}/layers", {"layer_id": layer_id})
        wait_for_lock(empty_database)
        deleter.commit()
        assert adding.result().status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_layer_deleted_before_it_is_answered_is_not_found(
    owner: Person, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    path, layer_id = make_map(owner), make_layer(owner)
    put_on(owner, path, layer_id)
    real = layer_serializer.serialize_layers

    def late(*arguments: Any, **named: Any) -> dict[uuid.UUID, str | None]:
        delete_layer(owner, layer_id)
        return real(*arguments, **named)

    monkeypatch.setattr(map_layer_order, "serialize_layers", late)
    body: dict[str, Any] = {"json": {}} if method == "PUT" else {}
    assert ask(owner, method, f"{path}/layers/{layer_id}", None, **body).status_code == 404
    assert ask(owner, "GET", f"{path}/layers").json == []


def test_readers_see_whole_maps_while_layers_come_and_go(owner: Person) -> None:
    path = make_map(owner, view_permission="public")
    over = Event()

    def come_and_go() -> None:
        try:
            for _ in range(25):
                layer_id = str(done(owner.post(vector(feature(LINE))), 201)["id"])
                put_on(owner, path, layer_id, order=0)
                delete_layer(owner, layer_id)
        finally:
            over.set()

    def watch(where: str) -> None:
        for _ in itertools.takewhile(lambda _: not over.is_set(), itertools.count()):
            assert ask(owner, "GET", where).status_code == 200

    where = ("", path, f"{path}/layers", "?inline=false")
    at_once([come_and_go, *(partial(watch, one) for one in where)])
