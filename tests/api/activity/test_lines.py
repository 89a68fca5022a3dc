"""Which change sets are one line, and that pages never cut one that fits."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from sqlalchemy import Engine

from samsyn_admin.activity.lines import Entry, lines_of
from samsyn_model.history.change_sets import ChangeSet
from samsyn_model.history.changes import Change, Changes
from tests.api.activity.activity_requests import (
    activity,
    execute,
    insert,
    make_layer,
    make_map,
    pages,
    send,
)
from tests.api.layer_requests import Caller, MakeCaller

ADA, BEN = uuid.uuid4(), uuid.uuid4()
ZONES, WRECKS = uuid.uuid4(), uuid.uuid4()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entry(
    number: int,
    *things: uuid.UUID,
    minute: float = 0,
    user: uuid.UUID | None = ADA,
    via: str = "web",
    message: str | None = None,
    **members: Any,
) -> Entry:
    made = ChangeSet(number, user, None, via, message, NOON + timedelta(minutes=minute))
    defaults: dict[str, Any] = {
        **{"kind": "features", "action": "update", "map_id": None, "layer_id": None},
        **{"name": None, "changed": (), "old": {}, "new": {}},
        **{"inserted": 0, "updated": 1, "deleted": 0},
    }
    changes = [Change(id=thing, **defaults | members) for thing in things or (ZONES,)]
    sums = [sum(getattr(c, n) for c in changes) for n in ("inserted", "updated", "deleted")]
    return Entry(made, Changes(changes, len(changes), *sums))


def numbers(*entries: Entry) -> list[tuple[int, int]]:
    """Return the first and the last change set of each line."""
    return [(line.oldest.id, line.newest.id) for line in lines_of(entries, are_grouped=True)]


def test_ten_saves_are_one_line() -> None:
    saves = [entry(20 - n, minute=-9 * n, inserted=n % 2) for n in range(10)]
    (line,) = lines_of(saves, are_grouped=True)
    assert (line.oldest.id, line.newest.id, line.count) == (11, 20, 10)
    assert (line.inserted, line.updated, line.deleted) == (5, 10, 0)
    assert (line.first_at, line.last_at) == (NOON - timedelta(minutes=81), NOON)
    assert [count for _, count in line.changes] == [10]
    assert len([*lines_of(saves, are_grouped=False)]) == 10


def test_what_begins_another_line() -> None:
    for other in (
        *(entry(8, user=BEN), entry(8, user=None), entry(8, via="ogc"), entry(8, WRECKS)),
        *(entry(8, ZONES, WRECKS), entry(8, message="a.gpkg"), entry(8, minute=-10.01)),
    ):
        assert numbers(entry(9), other) == [(9, 9), (8, 8)]
    assert numbers(entry(9), entry(8, minute=-10)) == [(8, 9)]
    assert numbers(entry(9), entry(8, WRECKS), entry(7)) == [(9, 9), (8, 8), (7, 7)]
    assert numbers(entry(9, ZONES, WRECKS), entry(8, WRECKS, ZONES)) == [(8, 9)]


def test_changes_of_a_member_are_told_as_one() -> None:
    members: dict[str, Any] = {"kind": "layer", "updated": 0}
    (line,) = lines_of(
        [
            entry(9, changed=("name",), old={"name": "b"}, new={"name": "c"}, **members),
            entry(
                8, changed=("category",), old={"category": None}, new={"category": "x"}, **members
            ),
            entry(7, changed=("name",), old={"name": "a"}, new={"name": "b"}, **members),
        ],
        are_grouped=True,
    )
    ((change, count),) = line.changes
    assert count == 3
    assert change.changed == ("name", "category")
    assert change.old == {"name": "a", "category": None}
    assert change.new == {"name": "c", "category": "x"}


def test_a_page_does_not_cut_a_line(
    owner: Caller, make_caller: MakeCaller, empty_database: Engine
) -> None:
    """With looks of five change sets: lines go on from one look to the next."""
    layer = make_layer(owner, visibility="public", editable="everyone")
    editor = make_caller("editor")
    for caller, count in ((owner, 7), (editor, 1), (owner, 12), (editor, 3)):
        for _ in range(count):
            insert(caller, layer)
    path = f"/layers/{layer}"
    expected = [3, 12, 1, 8]
    with (
        patch("samsyn_admin.activity.reading._LEAST", 5),
        patch("samsyn_admin.activity.reading._MOST", 5),
    ):
        assert [line["count"] for line in activity(owner, path)] == expected
        for limit in (1, 2, 3, 4):
            found = [line for lines in pages(owner, path, limit=limit) for line in lines]
            assert [line["count"] for line in found] == expected
            assert [line["inserted"] for line in found] == [3, 12, 1, 7]
        # a page that looks at ten change sets ends before a line that it cannot complete
        with patch("samsyn_admin.activity.reading.MAX_CHANGE_SETS", 10):
            found_pages = pages(owner, path)
            assert [[line["count"] for line in lines] for lines in found_pages] == [
                *([3], [10], [2, 1], [8])
            ]
            numbers = [line["last_change_set"] for lines in found_pages for line in lines]
            assert numbers == sorted(numbers, reverse=True)


def test_a_filter_that_finds_little_reads_on(
    owner: Caller, make_caller: MakeCaller, empty_database: Engine
) -> None:
    layer = make_layer(owner, visibility="public", editable="everyone")
    editor = make_caller("editor")
    insert(editor, layer)
    for _ in range(20):
        insert(owner, layer)
    with (
        patch("samsyn_admin.activity.reading._LEAST", 5),
        patch("samsyn_admin.activity.reading._MOST", 5),
        patch("samsyn_admin.activity.reading.MAX_CHANGE_SETS", 10),
    ):
        found = pages(owner, f"/layers/{layer}", author=editor.id)
    assert [len(lines) for lines in found] == [0, 0, 1]


def test_what_another_does_between_on_another_layer_is_in_between(
    owner: Caller, make_caller: MakeCaller, empty_database: Engine
) -> None:
    layers = [make_layer(owner, visibility="public", editable="everyone") for _ in range(2)]
    map_id = make_map(owner, *layers)
    editor = make_caller("editor")
    for _ in range(3):
        insert(owner, layers[0])
        insert(editor, layers[1])
    lines = activity(owner, f"/maps/{map_id}", kind="features")
    assert [line["count"] for line in lines] == [1] * 6
    lines = activity(owner, f"/maps/{map_id}", kind="features", author=owner.id)
    assert [line["count"] for line in lines] == [3]
    execute(empty_database, "DELETE FROM map_layers WHERE layer_id = :id", id=layers[1])
    lines = activity(owner, f"/maps/{map_id}", kind="features")
    assert [line["count"] for line in lines] == [3]


def test_another_order_of_layers_is_a_change_of_the_map(owner: Caller) -> None:
    layers = [make_layer(owner) for _ in range(2)]
    map_id = make_map(owner, *layers)
    send(owner, "PATCH", f"/maps/{map_id}/layers/{layers[0]}", json={"order": 1})
    (moved, *_) = activity(owner, f"/maps/{map_id}")
    assert moved["changes"][0]["changed"] == ["layer_order"]
