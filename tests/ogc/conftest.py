"""Fixtures of the OGC tests: an app over the test database, layers with known features."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app, share_objects
from samsyn_model.identity import api_tokens
from samsyn_model.settings import Settings
from tests.documented_responses import validate_responses

_SETTINGS = Settings(_env_file=None)


@pytest.fixture(scope="session")
def app_of_session(engine: Engine) -> Flask:
    """An app whose routes are made once: that takes as long as many a test."""
    made = create_app(_SETTINGS, engine)
    validate_responses(made)
    return made


@pytest.fixture
def app(app_of_session: Flask, empty_database: Engine) -> Flask:
    share_objects(app_of_session, _SETTINGS, empty_database)
    app_of_session.config["MAX_CONTENT_LENGTH"] = _SETTINGS.max_body_size  # some tests lower it
    return app_of_session


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@dataclass(frozen=True)
class Person:
    """A user, and the header that signs them in."""

    id: uuid.UUID
    headers: dict[str, str]


@pytest.fixture
def person(empty_database: Engine) -> Callable[[str], Person]:
    """Make a user with a write token."""

    def make(name: str) -> Person:
        with empty_database.begin() as connection:
            user_id = api_tokens.find_or_create_user(connection, f"{name}@example.org")
            token = api_tokens.create_token(connection, user_id, name="test", scope="write")
        return Person(user_id, {"Authorization": f"Bearer {token}"})

    return make


Feature = tuple[str | None, dict[str, Any]]


@pytest.fixture
def layer(empty_database: Engine, person: Callable[[str], Person]) -> Iterator[Callable[..., str]]:
    """Make a vector layer of features, each (WKT or None, properties); return its id."""
    owner = person("owner")

    def make(
        features: list[Feature] = [],  # noqa: B006 - never changed
        *,
        fields: dict[str, dict[str, Any]] | None = None,
        **columns: Any,
    ) -> str:
        schema = None if fields is None else {"type": "object", "properties": fields}
        values = {
            "name": "A layer",
            "source_type": "vector",
            "visibility": "public",
            "created_by": owner.id,
            "property_schema": json.dumps(schema) if schema else None,
            **columns,
        }
        names = ", ".join(values)
        placeholders = ", ".join(f":{name}" for name in values)
        with empty_database.begin() as connection:
            layer_id = connection.execute(
                text(f"INSERT INTO layers ({names}) VALUES ({placeholders}) RETURNING id"), values
            ).scalar_one()
            for wkt, properties in features:
                connection.execute(
                    text(
                        "INSERT INTO layer_features (layer_id, geom, properties)"
                        " VALUES (:layer, ST_GeomFromText(:wkt, 4326), :properties)"
                    ),
                    {"layer": layer_id, "wkt": wkt, "properties": json.dumps(properties)},
                )
        return str(layer_id)

    return make
