"""What administrators are told: of all that is public, of administration, and of nothing else."""

from sqlalchemy import Engine

from samsyn_model.identity.api_tokens import set_admin
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


def test_it_is_for_administrators(
    owner: Caller, anonymous: Caller, make_caller: MakeCaller
) -> None:
    assert page(anonymous, "/audit").status_code == 401
    assert page(owner, "/audit").status_code == 403
    administrator = make_caller("admin", admin=True)
    assert page(administrator, "/audit").status_code == 200
    assert page(make_caller("admin", "read"), "/audit").status_code == 200
    for query in ("kind=token", "offset=1", "until=x", "limit=0"):
        assert send(administrator, "GET", f"/audit?{query}").status_code == 400


def test_of_what_is_public(owner: Caller, make_caller: MakeCaller) -> None:
    administrator, guest = make_caller("admin", admin=True), make_caller("guest")
    private = make_layer(owner, name="Secret")
    closed = make_map(owner, private, name="Secret plan")
    invite(owner, closed, guest.id)
    insert(owner, private)
    send(owner, "POST", "/comments", json={"content": "x", "map_id": closed, "layer_id": private})
    assert kinds(activity(administrator, "/audit")) == [[("user", "update")]]
    shown = make_layer(owner, visibility="public")
    open_map = make_map(owner, private, name="Plan")
    assert private not in page(administrator, "/audit").text
    # everybody may read a layer that its creator puts on a public map of theirs
    send(owner, "PATCH", f"/maps/{open_map}", json={"view_permission": "public"})
    invite(owner, open_map, guest.id)
    insert(owner, shown)
    send(administrator, "PATCH", f"/layers/{shown}", json={"is_global": True})
    told = kinds(activity(administrator, "/audit", since=0))
    assert told[:7] == [
        *([("permission", "update")], [("features", "create")], [("permission", "update")]),
        *([("map_layer", "create")], [("map", "create")], [("layer", "create")]),
        [("features", "create"), ("layer", "create")],
    ]
    assert ("collaborator", "create") not in {change for line in told for change in line}
    text = page(administrator, "/audit").text
    assert closed not in text
    assert "Secret plan" not in text
    # once the map is private again only what is public by itself is left
    send(owner, "PATCH", f"/maps/{open_map}", json={"view_permission": "private"})
    text = page(administrator, "/audit").text
    assert (private in text, open_map in text, shown in text) == (False, False, True)


def test_deletions_of_what_was_public(owner: Caller, make_caller: MakeCaller) -> None:
    administrator = make_caller("admin", admin=True)
    public, private = make_layer(owner, visibility="public", name="Zones"), make_layer(owner)
    shown, closed = make_map(owner, view_permission="public"), make_map(owner)
    for path in (f"/layers/{public}", f"/layers/{private}", f"/maps/{shown}", f"/maps/{closed}"):
        send(owner, "DELETE", path)
    lines = activity(administrator, "/audit", action="delete")
    assert kinds(lines) == [[("map", "delete")], [("layer", "delete")]]
    assert [line["changes"][0]["id"] for line in lines] == [shown, public]
    assert lines[1]["changes"][0]["old"]["name"] == "Zones"
    assert lines[0]["author"]["id"] == str(owner.id)
    send(owner, "POST", f"/layers/{public}/restore")
    send(owner, "PATCH", f"/layers/{public}", json={"visibility": "private"})
    assert public not in page(administrator, "/audit").text


def test_of_administration(make_caller: MakeCaller, empty_database: Engine) -> None:
    administrator, other = make_caller("admin", admin=True), make_caller("other")
    execute(
        empty_database,
        "INSERT INTO wms_servers (name, base_url, version, capabilities, layer_count,"
        " cached_at, created_by)"
        " VALUES ('Charts', 'https://wms.example.org/', '1.3.0', '{}', 0, now(), :user)",
        user=administrator.id,
    )
    (server,) = activity(administrator, "/audit", kind="wms_server")
    key = server["changes"][0]["id"]
    assert server["changes"][0]["new"] == {
        **{"name": "Charts", "base_url": "https://wms.example.org/"}
    }
    execute(empty_database, "UPDATE wms_servers SET cached_at = now()")
    execute(empty_database, "UPDATE wms_servers SET name = 'Sea charts'")
    send(administrator, "DELETE", f"/wms-servers/{key}")
    lines = activity(administrator, "/audit", kind="wms_server", grouped="false")
    assert kinds(lines) == [
        *([("wms_server", "delete")], [("wms_server", "update")], [("wms_server", "create")])
    ]
    assert lines[0]["author"]["id"] == str(administrator.id)
    assert lines[1]["changes"][0]["old"] == {"name": "Charts"}
    with empty_database.begin() as connection:
        set_admin(connection, "other@example.org")
    (made, *_) = activity(administrator, "/audit", kind="user")
    assert made["changes"][0]["id"] == str(other.id)
    assert made["changes"][0]["new"] == {"is_admin": True}
    execute(empty_database, "UPDATE users SET last_name = 'Byron'")
    assert activity(administrator, "/audit", kind="user")[0] == made


def test_pages_of_an_audit(owner: Caller, make_caller: MakeCaller) -> None:
    administrator = make_caller("admin", admin=True)
    layers = [make_layer(owner, visibility=x) for x in ("public", "private", "public")]
    for _ in range(3):
        for layer in layers:
            insert(owner, layer)
    whole = activity(administrator, "/audit")
    for limit in (1, 2, 3):
        found = pages(administrator, "/audit", limit=limit)
        assert [line for lines in found for line in lines] == whole
    assert layers[1] not in page(administrator, "/audit").text
