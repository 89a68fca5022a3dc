"""How many statements a page takes, and that they read what the page has, by indexes."""

import re
import uuid
from typing import Any

import pytest
from sqlalchemy import Connection, text

from samsyn_model.history.change_sets import NEWEST, Window, select_change_sets
from samsyn_model.history.scopes import Scope
from samsyn_model.permissions.principal import Principal
from tests.api.activity.activity_requests import (
    activity,
    insert,
    make_layer,
    make_map,
    page,
    send,
)
from tests.api.layer_requests import Caller, MakeCaller
from tests.statements import statements


def _count(caller: Caller, path: str, **query: Any) -> int:
    activity(caller, path, **query)
    with statements() as seen:
        assert page(caller, path, **query).status_code == 200
    return len(seen)


def test_their_number_does_not_depend_on_how_much_there_is(
    owner: Caller, make_caller: MakeCaller
) -> None:
    administrator, editor = make_caller("admin", admin=True), make_caller("editor")
    layers = [make_layer(owner, visibility="public", editable="everyone")]
    map_id = make_map(owner, *layers, view_permission="public")
    paths = {f"/layers/{layers[0]}": owner, f"/maps/{map_id}": owner, "/audit": administrator}

    def counts() -> list[int]:
        return [_count(caller, path) for path, caller in paths.items()]

    before = counts()
    assert max(before) <= 8
    for _ in range(12):
        layers.append(make_layer(owner, visibility="public", editable="everyone"))
        send(owner, "POST", f"/maps/{map_id}/layers", json={"layer_id": layers[-1]})
        for caller in (owner, editor):
            insert(caller, layers[-1])
            insert(caller, layers[0])
            body = {"content": "x", "map_id": map_id, "layer_id": layers[-1]}
            send(caller, "POST", "/comments", json=body)
    assert counts() == before
    filtered = _count(owner, f"/maps/{map_id}", author=editor.id, kind="features", since=1)
    assert filtered <= max(before)


@pytest.mark.parametrize("rows", [100, 1000])
def test_change_sets_of_a_map_are_merged_as_they_are_read(
    connection: Connection, rows: int
) -> None:
    layers = {uuid.uuid4(): "x" for _ in range(20)}
    connection.execute(text("SET LOCAL session_replication_role = replica"))
    for number, layer in enumerate(layers):
        connection.execute(
            text(
                "INSERT INTO layer_change_sets (layer_id, change_set_id, inserted, updated,"
                " deleted, committed_at, latest) SELECT :layer, n * 20 + :number, 1, 0, 0,"
                " now() + n * interval '1 second', 1 FROM generate_series(1, 2000) AS n"
            ),
            {"layer": layer, "number": number},
        )
    connection.execute(
        text(
            "INSERT INTO change_sets (id, via) OVERRIDING SYSTEM VALUE"
            " SELECT change_set_id, 'web' FROM layer_change_sets"
        )
    )
    connection.execute(text("ANALYZE layer_change_sets, change_sets"))
    (statement,) = select_change_sets(
        Scope("map", Principal(), None, layers), Window(0, NEWEST, rows)
    )
    driver = connection.connection.driver_connection
    assert driver is not None
    cursor = driver.cursor()
    cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}", statement.values)
    read = sum(_rows_read(cursor.fetchone()[0][0]["Plan"]))
    assert rows <= read <= rows + 5 * len(layers)


def _rows_read(plan: dict[str, Any]) -> list[int]:
    found = [read for child in plan.get("Plans", ()) for read in _rows_read(child)]
    if plan.get("Relation Name") == "layer_change_sets":
        assert re.fullmatch("Index.* Scan", plan["Node Type"]), plan["Node Type"]
        found.append(plan["Actual Rows"] * plan["Actual Loops"])
    return found
