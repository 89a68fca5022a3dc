"""Changes of what is no feature: which are recorded, and what of them."""

import json
import uuid
from typing import Any

from sqlalchemy import Engine, text

SECRETS = ("token_hash", "invited_email", "secret@example.org", "Nobody reads this")


def run(engine: Engine, *statements: str, **values: Any) -> list[tuple[Any, ...]]:
    """Run statements in one transaction; return kind, action and details of what they changed."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement), values)
    with engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT kind, action, details FROM subject_changes"
                " WHERE change_set_id = (SELECT max(id) FROM change_sets) ORDER BY id"
            )
        )
        return [tuple(row) for row in found]


def test_what_is_recorded(empty_database: Engine) -> None:
    names = ("user", "other", "map", "layer", "second", "token", "comment")
    ids = {name: uuid.uuid4() for name in names}
    with empty_database.begin() as connection:
        connection.execute(text("INSERT INTO users (id) VALUES (:user), (:other)"), ids)

    def changed(*statements: str) -> list[tuple[Any, ...]]:
        return run(empty_database, *statements, **ids)

    layer = (
        "INSERT INTO layers (id, name, source_type, created_by) VALUES (:{}, 'A', 'vector', :user)"
    )
    ((kind, action, details),) = changed(layer.format("layer"))
    assert (kind, action) == ("layer", "create")
    assert details["new"]["visibility"] == "private"
    assert changed(
        "UPDATE layers SET visibility = 'public', style_config = '{\"color\": \"#ff0000\"}'"
    ) == [
        (
            "layer",
            "update",
            {
                "changed": ["visibility", "style_config"],
                "old": {"visibility": "private"},
                "new": {"visibility": "public"},
            },
        )
    ]
    changed(layer.format("second"))
    changed("INSERT INTO maps (id, name, created_by) VALUES (:map, 'M', :user)")
    assert changed("UPDATE maps SET view_permission = 'public', zoom = 3")[0][2] == {
        "changed": ["view_permission", "zoom"],
        "old": {"view_permission": "private"},
        "new": {"view_permission": "public"},
    }
    shown = changed(
        'INSERT INTO map_layers (map_id, layer_id, "order") VALUES (:map, :layer, 0)',
        'INSERT INTO map_layers (map_id, layer_id, "order") VALUES (:map, :second, 1)',
    )
    assert [entry[:2] for entry in shown] == [("map_layer", "create")] * 2
    assert changed('UPDATE map_layers SET "order" = 1 - "order"') == [
        ("map", "update", {"changed": ["layer_order"]})
    ]
    assert changed(
        "INSERT INTO map_collaborators (map_id, user_id, invited_email)"
        " VALUES (:map, :other, 'secret@example.org')"
    ) == [("collaborator", "create", {"new": {"role": "viewer", "user_id": str(ids["other"])}})]
    assert changed("UPDATE map_collaborators SET role = 'editor'")[0][2]["new"] == {
        "role": "editor"
    }
    ((kind, action, details),) = changed(
        "INSERT INTO api_tokens (id, user_id, name, token_hash, prefix)"
        " VALUES (:token, :user, 'QGIS', sha256('x'), 'samsyn_x')"
    )
    assert (kind, action, details["new"]["scope"]) == ("token", "create", "read")
    changed(
        "INSERT INTO comments (id, map_id, author_id, content)"
        " VALUES (:comment, :map, :other, 'Nobody reads this')"
    )
    assert changed("UPDATE comments SET content = 'Nobody reads this either'")[0][2] == {
        "changed": ["content"]
    }
    before = changed("UPDATE comments SET resolved_at = now()")
    assert changed("UPDATE api_tokens SET last_used_at = now()") == before, "no change set"
    changed("UPDATE api_tokens SET revoked_at = now()")

    taken_off = changed("DELETE FROM layers WHERE id = :second")
    assert [entry[:2] for entry in taken_off] == [("layer", "delete"), ("map_layer", "delete")]
    assert [entry[:2] for entry in changed("DELETE FROM maps")] == [("map", "delete")]

    with empty_database.connect() as connection:
        recorded = connection.execute(text("SELECT json_agg(c) FROM subject_changes AS c"))
        everything = json.dumps(recorded.scalar_one())
    for secret in SECRETS:
        assert secret not in everything


def test_of_imports_what_they_did(empty_database: Engine) -> None:
    values = {"user": uuid.uuid4(), "import": uuid.uuid4()}
    begun = run(
        empty_database,
        "INSERT INTO users (id) VALUES (:user)",
        "INSERT INTO imports (id, user_id, name) VALUES (:import, :user, 'sites.gpkg')",
        "UPDATE imports SET status = 'inspected'",
        **values,
    )
    assert begun == []
    ((kind, _, details),) = run(empty_database, "UPDATE imports SET status = 'imported'")
    assert (kind, details["new"]) == ("import", {"status": "imported"})
    assert run(empty_database, "UPDATE imports SET status = 'undone'")[0][2]["changed"] == [
        "status"
    ]
