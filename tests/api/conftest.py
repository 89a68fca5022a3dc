"""Fixtures of the management API's tests: an app over the test database, and callers."""

import uuid
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from samsyn_admin.app import create_app, share_objects
from samsyn_model.identity import api_tokens
from samsyn_model.settings import Settings
from tests.api.layer_requests import Caller, MakeCaller
from tests.documented_responses import validate_responses

_SETTINGS = Settings(_env_file=None, titiler_url="https://tiles.example.org")


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
