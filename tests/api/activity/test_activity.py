"""What happened to a layer and to a map: which lines there are, and what they say."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.loading.file_import import run_import
from tests.api.activity.activity_requests import (
    POINT,
    activity,
    execute,
    insert,
    invite,
    kinds,
    make_layer,
    make_map,
    page,
    pages,
    send,
    shift,
)
from tests.api.layer_requests import LINE, Caller, MakeCaller, feature
from tests.api.maps.map_requests import unknown
from tests.source_files import Remarks


def test_lines_of_a_layer(owner: Caller, make_caller: MakeCaller, empty_database: Engine) -> None:
    layer = make_layer(owner, feature(LINE, name="a"), feature(POINT), name="Zones")
    shift(empty_database, 60)
    editor = make_caller("editor")
    execute(empty_database, "UPDATE users SET first_name = 'Ada', last_name = 'Byron'")
    send(owner, "PATCH", f"/layers/{layer}", json={"visibility": "public", "editable": "everyone"})
    key = insert(editor, layer, name="b")
    send(editor, "PATCH", f"/layers/{layer}/features/{key}", json={"properties": {"name": "c"}})
    send(editor, "DELETE", f"/layers/{layer}/features/{key}")
    send(owner, "POST", "/comments", json={"content": "Secret", "layer_id": layer})
    send(owner, "PATCH", f"/layers/{layer}", json={"name": "Areas", "description": "New"})

    lines = activity(owner, f"/layers/{layer}")
    assert kinds(lines) == [
        [("layer", "update")],
        [("comment", "create")],
        [("features", "update")],
        [("permission", "update")],
        [("features", "create"), ("layer", "create")],
    ]
    renamed, commented, drawn, shared, made = lines
    assert renamed["changes"][0] | {"id": layer} == {
        **{"kind": "layer", "action": "update", "id": layer, "map_id": None, "layer_id": layer},
        **{"name": "Areas", "count": 1, "changed": ["name", "description"]},
        **{"old": {"name": "Zones"}, "new": {"name": "Areas"}},
    }
    assert commented["changes"][0]["changed"] == []
    assert drawn["author"] == {"id": str(editor.id), "name": "Ada Byron"}
    assert drawn["via"] == "web"
    assert [drawn[name] for name in ("inserted", "updated", "deleted", "count")] == [1, 1, 1, 3]
    assert drawn["changes"][0] == {
        **{"kind": "features", "action": "update", "id": layer, "map_id": None},
        **{"layer_id": layer, "name": "Areas", "count": 3},
        **{"inserted": 1, "updated": 1, "deleted": 1},
    }
    assert drawn["first_change_set"] < drawn["last_change_set"]
    assert drawn["first_at"] < drawn["last_at"] < renamed["first_at"]
    assert shared["changes"][0]["old"] == {"visibility": "private", "editable": "creator-only"}
    assert made["inserted"] == 2
    assert made["changes"][1]["new"] == {
        **{"name": "Zones", "category": None, "geometry_type": None, "time_field": None}
    }
    assert "Secret" not in page(owner, f"/layers/{layer}").text
    assert "@" not in page(owner, f"/layers/{layer}").text


def test_lines_of_a_map(owner: Caller, make_caller: MakeCaller) -> None:
    layer = make_layer(owner, name="Zones")
    map_id = make_map(owner, layer)
    guest = make_caller("guest")
    invite(owner, map_id, guest.id)
    send(owner, "PATCH", f"/maps/{map_id}", json={"zoom": 4, "view_permission": "public"})
    send(owner, "PATCH", f"/maps/{map_id}/layers/{layer}", json={"opacity": 40})
    insert(owner, layer)
    send(owner, "POST", "/comments", json={"content": "x", "map_id": map_id, "layer_id": layer})
    expected = [
        [("comment", "create")],
        [("features", "create")],
        [("map_layer", "update")],
        [("map", "update"), ("permission", "update")],
        [("collaborator", "create")],
        [("map_layer", "create")],
        [("map", "create")],
        [("layer", "create")],
    ]
    lines = activity(owner, f"/maps/{map_id}")
    assert kinds(lines) == expected
    placed = lines[2]["changes"][0]
    assert (placed["map_id"], placed["layer_id"], placed["name"]) == (map_id, layer, "Zones")
    assert (placed["old"], placed["new"]) == ({"opacity": 100}, {"opacity": 40})
    changed, permissions = lines[3]["changes"]
    assert (changed["changed"], changed["old"]) == (["zoom"], {})
    assert permissions["changed"] == ["view_permission"]
    assert permissions["new"] == {"view_permission": "public"}
    assert lines[4]["changes"][0]["new"] == {"user_id": str(guest.id), "role": "viewer"}
    hidden = {"permission", "collaborator"}
    assert kinds(activity(guest, f"/maps/{map_id}")) == [
        rest for line in expected if (rest := [x for x in line if x[0] not in hidden])
    ]


def test_who_is_gone_has_no_name(
    owner: Caller, make_caller: MakeCaller, empty_database: Engine
) -> None:
    layer = make_layer(owner, visibility="public", editable="everyone")
    editor = make_caller("editor")
    execute(empty_database, "UPDATE users SET username = 'Ada' WHERE id = :id", id=editor.id)
    insert(editor, layer)
    execute(empty_database, "UPDATE layers SET name = 'By SQL'")
    before = activity(owner, f"/layers/{layer}")
    assert before[1]["author"] == {"id": str(editor.id), "name": "Ada"}
    assert (before[0]["author"], before[0]["via"]) == (None, "database")
    send(editor, "DELETE", "/users/me")
    after = activity(owner, f"/layers/{layer}")
    assert after[1]["author"] == {"id": str(editor.id), "name": None}
    before[1]["author"]["name"] = None
    assert after == before


def test_filters(owner: Caller, make_caller: MakeCaller, empty_database: Engine) -> None:
    layer = make_layer(owner, visibility="public", editable="everyone")
    editor = make_caller("editor")
    shift(empty_database, 60)
    insert(editor, layer)
    key = insert(owner, layer)
    send(owner, "DELETE", f"/layers/{layer}/features/{key}")
    send(owner, "PATCH", f"/layers/{layer}", json={"name": "Other"})
    path = f"/layers/{layer}"
    every = activity(owner, path, grouped="false")
    assert len(every) == 5

    def told(**query: Any) -> list[int]:
        return [line["last_change_set"] for line in activity(owner, path, grouped="false", **query)]

    numbers = [line["last_change_set"] for line in every]
    assert told() == numbers
    assert told(author=editor.id) == [numbers[3]]
    assert told(author=unknown()) == []
    assert told(kind="features") == numbers[1:4]
    assert told(kind="layer,permission") == [numbers[0], numbers[4]]
    assert told(action="delete") == [numbers[1]]
    assert told(kind="features", action="create") == numbers[2:4]
    assert told(since=numbers[3]) == numbers[:3]
    assert told(until=numbers[1], since=numbers[4]) == numbers[1:4]
    assert told(since=every[3]["first_at"]) == numbers[:3]
    assert told(until=every[3]["first_at"]) == numbers[3:]
    assert told(since="2999-01-01T00:00:00Z") == told(until="2000-01-01T00:00:00Z") == []
    assert told(kind="comment") == told(kind="import") == []


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=1001", "limit=x", "offset=1", "q=x", "f=xml", "grouped=1"),
        *("author=x", "kind=other", "kind=layer,", "kind=user", "action=read", "action="),
        *("since=x", "since=2026-01-01", "until=2026-01-01T00:00:00Z/..", "after=x", "after=W10"),
        *("since=5&until=4", "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z"),
        *("kind=layer&kind=map", "after=WyJ4Il0", "since=9999999999999999999"),
    ],
)
def test_faulty_parameters(owner: Caller, query: str) -> None:
    layer = make_layer(owner)
    for path in (f"/layers/{layer}", f"/maps/{make_map(owner)}"):
        response = send(owner, "GET", f"{path}/activity?{query}")
        assert response.status_code == 400, response.text
        assert response.json["detail"]


def test_pages_have_each_line_once(owner: Caller, make_caller: MakeCaller) -> None:
    layers = [make_layer(owner, visibility="public", editable="everyone") for _ in range(3)]
    map_id = make_map(owner, *layers)
    editor = make_caller("editor")
    for number in range(4):
        for layer in layers:
            insert(owner if number % 2 else editor, layer)
    path = f"/maps/{map_id}"
    for query in ({}, {"grouped": "false"}, {"kind": "features"}):
        whole = activity(owner, path, **query)
        assert len(whole) > 10
        for limit in (1, 2, 5, len(whole) - 1, len(whole)):
            found = pages(owner, path, limit=limit, **query)
            assert [line for lines in found for line in lines] == whole
            assert [len(lines) for lines in found[:-1]] == [limit] * (len(found) - 1)
            assert found[-1]


def test_pages_stay_the_same_while_more_happens(owner: Caller) -> None:
    layer = make_layer(owner)
    path = f"/layers/{layer}"
    for name in "abcd":
        insert(owner, layer)
        send(owner, "PATCH", path, json={"name": name})
    whole = activity(owner, path, grouped="false")
    first = page(owner, path, grouped="false", limit=3)
    insert(owner, layer)
    rest = first.headers["Link"][1:].partition(">")[0].partition("/api/v1")[2]
    assert send(owner, "GET", rest.replace("limit=3", "limit=100")).json == whole[3:]


def test_a_restored_layer_goes_on(owner: Caller) -> None:
    layer = make_layer(owner, feature(LINE))
    send(owner, "DELETE", f"/layers/{layer}")
    assert page(owner, f"/layers/{layer}").status_code == 404
    send(owner, "POST", f"/layers/{layer}/restore")
    lines = activity(owner, f"/layers/{layer}")
    assert [line["via"] for line in lines] == ["restore", "web"]
    assert kinds(activity(owner, f"/layers/{layer}", grouped="false")) == [
        [("features", "create"), ("layer", "create")],
        [("features", "delete"), ("layer", "delete")],
        [("features", "create"), ("layer", "create")],
    ]
    assert [lines[1][name] for name in ("count", "inserted", "deleted")] == [2, 1, 1]


def test_a_change_set_of_much_is_told_in_short(owner: Caller, empty_database: Engine) -> None:
    layers = [make_layer(owner, feature(POINT)) for _ in range(25)]
    map_id = make_map(owner, *layers)
    execute(empty_database, "UPDATE layer_features SET properties = '{\"a\": 1}'")
    execute(empty_database, "UPDATE layer_features SET properties = '{\"a\": 2}'")
    lines = activity(owner, f"/maps/{map_id}")[:2]
    for line in lines:
        assert len(line["changes"]) == 20
        assert (line["change_count"], line["updated"], line["count"]) == (25, 25, 1)


def test_a_file_is_told_by_its_name(
    owner: Caller, make_caller: MakeCaller, empty_database: Engine, tmp_path: Path
) -> None:
    file = tmp_path / "zones.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature(POINT)] * 3}))
    choices = ImportChoices.model_validate({"visibility": "public"})
    report = run_import(
        *(empty_database, file, choices, owner.id),
        progress=Remarks(),
        deadline=time.monotonic() + 60,
    )
    path = f"/layers/{report.layers[0].layer_id}"
    (line,) = activity(make_caller("reader"), path)
    assert (line["via"], line["message"], line["inserted"]) == ("import", "zones.geojson", 3)
    assert line["author"]["id"] == str(owner.id)
    assert {change["kind"] for change in line["changes"]} == {"features", "layer", "import"}
    (imported,) = activity(owner, path, kind="import")
    assert imported["changes"][0]["kind"] == "import"
