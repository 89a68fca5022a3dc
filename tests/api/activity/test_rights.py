"""Who is told what: by the rights of now, and nothing of the rest, not even how much."""

from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import Engine

from tests.api.activity.activity_requests import (
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
)
from tests.api.layer_requests import Caller, MakeCaller


def test_who_may_not_read_gets_404(
    owner: Caller, anonymous: Caller, make_caller: MakeCaller
) -> None:
    layer, other = make_layer(owner), make_caller("other")
    map_id = make_map(owner, layer)
    for path in (f"/layers/{layer}", f"/maps/{map_id}"):
        assert page(owner, path).status_code == 200
        for caller in (other, anonymous):
            assert page(caller, path).status_code == 404
            for format_ in ("csv", "ndjson"):
                assert page(caller, path, f=format_).status_code == 404
        send(owner, "PATCH", path, json={"visibility": "public"} if "layers" in path else
             {"view_permission": "public"})  # fmt: skip
        assert page(anonymous, path).status_code == 200
    for path in ("/layers/x", "/maps/x", f"/layers/{map_id}", f"/maps/{layer}"):
        assert page(owner, path).status_code == 404


def test_of_layers_that_a_reader_may_not_read_nothing_is_told(
    owner: Caller, make_caller: MakeCaller
) -> None:
    """Of a map that is public, with a layer of an editor that its readers may not read."""
    editor, reader = make_caller("editor"), make_caller("reader")
    shown = make_layer(owner)
    map_id = make_map(owner, shown, view_permission="public", edit_permission="collaborators")
    invite(owner, map_id, editor.id, "editor")
    path = f"/maps/{map_id}"
    for _ in range(3):
        insert(owner, shown)
    before = [
        pages(reader, path, limit=limit, grouped=grouped)
        for limit in (1, 100)
        for grouped in ("true", "false")
    ]
    hidden = make_layer(editor)
    send(editor, "POST", f"{path}/layers", json={"layer_id": hidden})
    insert(editor, hidden)
    send(editor, "PATCH", f"{path}/layers/{hidden}", json={"opacity": 3})
    send(editor, "PATCH", f"/layers/{hidden}", json={"name": "Secret"})
    send(editor, "POST", "/comments", json={"content": "x", "map_id": map_id, "layer_id": hidden})
    send(editor, "POST", "/comments", json={"content": "x", "layer_id": hidden})
    invite(owner, map_id, reader.id)
    send(owner, "DELETE", f"{path}/collaborators/{reader.id}")
    after = [
        pages(reader, path, limit=limit, grouped=grouped)
        for limit in (1, 100)
        for grouped in ("true", "false")
    ]
    assert after == before
    assert kinds(activity(editor, path))[:6] == [
        *([("comment", "create")], [("comment", "create")], [("layer", "update")]),
        *([("map_layer", "update")], [("features", "create")], [("map_layer", "create")]),
    ]
    assert kinds(activity(owner, path))[0] == [
        ("collaborator", "delete"),
        ("collaborator", "create"),
    ]
    # and what insert() of the owner does now continues the line of before
    insert(owner, shown)
    assert activity(reader, path)[0]["count"] == before[0][0][0]["count"] + 1


def test_a_layer_that_is_taken_off_or_deleted(owner: Caller, make_caller: MakeCaller) -> None:
    guest = make_caller("guest")
    layer, other = make_layer(owner), make_layer(owner)
    map_id = make_map(owner, layer, other)
    invite(owner, map_id, guest.id)
    path = f"/maps/{map_id}"
    insert(owner, layer)
    assert len(activity(guest, path, kind="features")) == 1
    send(owner, "DELETE", f"{path}/layers/{layer}")
    assert activity(guest, path, kind="features") == []
    assert activity(guest, path, kind="map_layer", action="delete") == []
    assert page(guest, f"/layers/{layer}").status_code == 404
    (removed,) = activity(owner, path, kind="map_layer", action="delete")
    assert removed["changes"][0]["layer_id"] == layer
    send(owner, "DELETE", f"/layers/{other}?force=true")
    for caller in (owner, guest):
        assert other not in page(caller, path).text


def test_permissions_are_told_to_the_creator_alone(owner: Caller, make_caller: MakeCaller) -> None:
    administrator, other = make_caller("admin", admin=True), make_caller("other")
    layer = make_layer(owner, visibility="public", name="Zones")
    path = f"/layers/{layer}"
    send(owner, "PATCH", path, json={"editable": "everyone"})
    send(owner, "PATCH", path, json={"editable": "creator-only", "name": "Areas"})
    send(administrator, "PATCH", path, json={"is_global": True})
    of_permissions = activity(owner, path, kind="permission", grouped="false")
    assert [line["changes"][0]["changed"] for line in of_permissions] == [
        *(["is_global"], ["editable"], ["editable"])
    ]
    for caller in (other, administrator):
        assert activity(caller, path, kind="permission") == []
        lines = activity(caller, path, grouped="false")
        assert kinds(lines) == [[("layer", "update")], [("layer", "create")]]
        assert lines[0]["changes"][0]["changed"] == ["name"]
        assert lines[0]["changes"][0]["new"] == {"name": "Areas"}
        assert "editable" not in page(caller, path).text
    assert "editable" not in str(kinds(activity(owner, path, kind="layer")))
    mine = make_map(owner, view_permission="public")
    send(owner, "PATCH", f"/maps/{mine}", json={"edit_permission": "public"})
    assert kinds(activity(other, f"/maps/{mine}")) == [[("map", "create")]]
    assert "edit_permission" not in page(other, f"/maps/{mine}").text


def test_comments_are_told_to_those_who_may_read_them(
    owner: Caller, make_caller: MakeCaller
) -> None:
    layer, reader = make_layer(owner, visibility="public"), make_caller("reader")
    closed, shown = make_map(owner, layer), make_map(owner, layer, view_permission="public")
    for map_id in (closed, shown):
        body = {"content": "x", "map_id": map_id, "layer_id": layer}
        send(owner, "POST", "/comments", json=body)
    alone = send(owner, "POST", "/comments", json={"content": "x", "layer_id": layer}).json["id"]

    def told(caller: Caller, path: str) -> list[str]:
        lines = activity(caller, path, kind="comment", grouped="false")
        return [change["id"] for line in lines for change in line["changes"]]

    assert told(reader, f"/layers/{layer}") == told(owner, f"/layers/{layer}") == [alone]
    assert len(told(reader, f"/maps/{shown}")) == 2
    reply = send(
        reader, "POST", "/comments", json={"content": "y", "layer_id": layer, "parent_id": alone}
    ).json["id"]
    assert told(owner, f"/layers/{layer}") == [reply, alone]
    send(owner, "DELETE", f"/comments/{alone}")
    # its author is not known any more: not by what is told here either
    assert told(owner, f"/layers/{layer}") == [reply]
    send(reader, "DELETE", f"/comments/{reply}")
    assert told(owner, f"/layers/{layer}") == []


def test_tokens_and_imports_of_others_are_in_no_list(
    owner: Caller, make_caller: MakeCaller, empty_database: Engine
) -> None:
    layer, other = make_layer(owner, visibility="public"), make_layer(owner)
    changed: dict[str, Any] = {"id": owner.id, "layer": layer, "other": other}
    execute(
        empty_database,
        "INSERT INTO imports (user_id, name, status) VALUES (:id, 'secret.gpkg', 'uploaded')",
        **changed,
    )
    with empty_database.begin() as connection:
        connection.exec_driver_sql("UPDATE imports SET status = 'imported'")
        connection.exec_driver_sql(
            f"INSERT INTO layer_features (layer_id, geom) VALUES ('{other}', NULL)"
        )
    send(owner, "POST", "/tokens", json={"name": "secret token"})
    administrator = make_caller("admin", admin=True)
    for caller, path in ((owner, f"/layers/{layer}"), (administrator, "/audit")):
        text = page(caller, path).text
        assert "secret" not in text
        assert '"import"' not in text
    (imported,) = activity(owner, f"/layers/{other}", kind="import")
    assert imported["changes"][0]["new"] == {"status": "imported"}


@pytest.mark.parametrize("scope", ["read", "write"])
def test_a_token_that_reads_is_enough(make_caller: MakeCaller, scope: str) -> None:
    make_layer(make_caller("owner"))
    layer = make_layer(make_caller("owner"))
    assert len(activity(make_caller("owner", scope), f"/layers/{layer}")) == 1


def test_what_is_hidden_takes_no_place_on_a_page(
    owner: Caller, make_caller: MakeCaller, empty_database: Engine
) -> None:
    """Of more hidden change sets than a page looks at, before and between those that are shown."""
    layer = make_layer(owner, visibility="public")
    map_id = make_map(owner, layer, view_permission="public")
    reader = make_caller("reader")
    for number in range(8):
        send(owner, "PATCH", f"/layers/{layer}", json={"name": f"N{number // 2}"})
        for permission in ("everyone", "creator-only"):
            send(owner, "PATCH", f"/layers/{layer}", json={"editable": permission})
        for permission in ("public", "private"):
            send(owner, "PATCH", f"/maps/{map_id}", json={"edit_permission": permission})
    with (
        patch("samsyn_admin.activity.reading._LEAST", 2),
        patch("samsyn_admin.activity.reading._MOST", 2),
        patch("samsyn_admin.activity.reading.MAX_CHANGE_SETS", 4),
    ):
        for path, count in ((f"/layers/{layer}", 5), (f"/maps/{map_id}", 7)):
            found = pages(reader, path, limit=1, grouped="false")
            assert [len(lines) for lines in found] == [1] * count
        before = pages(reader, f"/maps/{map_id}", grouped="false")
        assert min(len(lines) for lines in before) > 0
        for _ in range(6):
            invite(owner, map_id, reader.id)
            send(owner, "DELETE", f"/maps/{map_id}/collaborators/{reader.id}")
        assert pages(reader, f"/maps/{map_id}", grouped="false") == before
