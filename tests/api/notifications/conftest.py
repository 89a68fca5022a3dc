"""Fixtures: a mail server, an app that sends by it, a map with an editor and a follower."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from tests.api.layer_requests import MakeCaller
from tests.api.notifications.followers import Plan, make_plan
from tests.api.notifications.mail_server import Mailbox, mail_server
from tests.documented_responses import validate_responses


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as running:
        yield running


@pytest.fixture
def given(mailbox: Mailbox) -> dict[str, Any]:
    """Further settings of the app and of what tells: a module overrides it."""
    return {"smtp_host": "127.0.0.1", "smtp_port": mailbox.port, "smtp_tls": "off"}


@pytest.fixture
def settings(given: dict[str, Any]) -> Settings:
    return Settings(
        _env_file=None,
        public_url="https://plan.example.org",
        frontend_url="https://app.example.org",
        mail_from="SamSyn <samsyn@plan.example.org>",
        titiler_url="off",
        **given,
    )


@pytest.fixture
def app(empty_database: Engine, settings: Settings) -> Flask:
    created = create_app(settings, empty_database)
    validate_responses(created)
    return created


@pytest.fixture
def plan(empty_database: Engine, settings: Settings, make_caller: MakeCaller) -> Plan:
    return make_plan(empty_database, settings, make_caller)
