"""Fixtures of the management API's tests: an app over the test database, and people."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_model.identity import api_tokens
from samsyn_model.settings import Settings
from tests.api.layer_requests import Person
from tests.documented_responses import hold_to_documents


@pytest.fixture
def app(empty_database: Engine) -> Flask:
    made = create_app(
        Settings(_env_file=None, titiler_url="https://tiles.example.org"), empty_database
    )
    hold_to_documents(made)
    return made


@pytest.fixture
def person(empty_database: Engine, app: Flask) -> Callable[..., Person]:
    def make(name: str, scope: Any = "write", *, admin: bool = False) -> Person:
        email = f"{name}@example.org"
        with empty_database.begin() as connection:
            user_id = api_tokens.find_or_create_user(connection, email)
            token = api_tokens.create_token(connection, user_id, name="test", scope=scope)
            if admin:
                api_tokens.set_admin(connection, email)
        return Person(user_id, app.test_client(), {"Authorization": f"Bearer {token}"})

    return make


@pytest.fixture
def owner(person: Callable[..., Person]) -> Person:
    return person("owner")


@pytest.fixture
def anybody(app: Flask) -> Person:
    return Person(uuid.uuid4(), app.test_client())
