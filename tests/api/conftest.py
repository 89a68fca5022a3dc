"""Fixtures of the management API's tests: an app over the test database, and callers."""

import uuid
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_model.identity import api_tokens
from samsyn_model.settings import Settings
from tests.api.layer_requests import Caller, MakeCaller
from tests.documented_responses import validate_responses


@pytest.fixture
def app(empty_database: Engine) -> Flask:
    created = create_app(
        Settings(_env_file=None, titiler_url="https://tiles.example.org"), empty_database
    )
    validate_responses(created)
    return created


@pytest.fixture
def make_caller(empty_database: Engine, app: Flask) -> MakeCaller:
    def make(name: str, scope: Any = "write", *, admin: bool = False) -> Caller:
        email = f"{name}@example.org"
        with empty_database.begin() as connection:
            user_id = api_tokens.find_or_create_user(connection, email)
            token = api_tokens.create_token(connection, user_id, name="test", scope=scope)
            if admin:
                api_tokens.set_admin(connection, email)
        return Caller(user_id, app.test_client(), {"Authorization": f"Bearer {token}"})

    return make


@pytest.fixture
def owner(make_caller: MakeCaller) -> Caller:
    return make_caller("owner")


@pytest.fixture
def anonymous(app: Flask) -> Caller:
    return Caller(uuid.uuid4(), app.test_client())
