"""Which addresses of web map servers a principal knows, and that finding out takes an index."""

import json
import uuid
from typing import Any

import pytest
from sqlalchemy import Connection, text

from samsyn_model.database.execution import run
from samsyn_model.permissions.principal import ANONYMOUS, Principal
from samsyn_model.permissions.sources import knows_wms

URL = "https://wms.example.org/ows?map=sea"


def user(connection: Connection) -> uuid.UUID:
    statement = "INSERT INTO users (email) VALUES (:email) RETURNING id"
    email = {"email": f"{uuid.uuid4()}@example.org"}
    made: uuid.UUID = connection.execute(text(statement), email).scalar_one()
    return made


def layer(connection: Connection, owner: uuid.UUID, **values: Any) -> None:
    connection.execute(
        text(
            "INSERT INTO layers (name, source_type, source_config, visibility, created_by)"
            " VALUES ('Depth', :source_type, cast(:source AS jsonb), :visibility, :owner)"
        ),
        {
            "source_type": "wms",
            "source": json.dumps({"url": values.pop("url", URL)}),
            "visibility": "private",
            "owner": owner,
            **values,
        },
    )


def test_layers_that_may_be_read(connection: Connection) -> None:
    owner, other = user(connection), user(connection)
    layer(connection, owner)
    assert knows_wms(connection, Principal(owner), URL)
    assert not knows_wms(connection, Principal(other), URL)
    assert not knows_wms(connection, Principal(other, is_admin=True), URL)
    assert not knows_wms(connection, ANONYMOUS, URL)
    layer(connection, owner, visibility="public")
    assert knows_wms(connection, ANONYMOUS, "https://example.org", URL)
    assert not knows_wms(connection, ANONYMOUS, URL + "&x", URL[:-1])


def test_layers_of_another_kind(connection: Connection) -> None:
    layer(connection, user(connection), visibility="public", source_type="geotiff")
    assert not knows_wms(connection, ANONYMOUS, URL)


def test_an_index_finds_layers_and_servers(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = user(connection)
    connection.execute(
        text(
            "INSERT INTO layers (name, source_type, source_config, visibility, created_by)"
            " SELECT 'L', 'wms', jsonb_build_object('url', 'https://example.org/' || n), 'public',"
            " :owner FROM generate_series(1, 5000) n"
        ),
        {"owner": owner},
    )
    connection.execute(text("ANALYZE layers"))
    plans: list[str] = []

    def explain(inner: Connection, statement: str, values: Any, **_: Any) -> Any:
        plans.extend(row[0] for row in run(inner, f"EXPLAIN {statement}", values))
        return run(inner, statement, values)

    monkeypatch.setattr("samsyn_model.permissions.compiled.run", explain)
    assert knows_wms(connection, ANONYMOUS, "https://example.org/4711")
    assert "ix_layers_source_addresses" in "\n".join(plans)
