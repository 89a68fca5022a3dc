"""An app that may ask servers on this machine, and callers who ask it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from tests.api.layer_requests import Caller, MakeCaller
from tests.api.wms.answers import WMS, wms
from tests.documented_responses import validate_responses
from tests.mapserver import MapServer, mapserver

type Ask = Callable[..., TestResponse]
"""Asks a path below `/api/v1/wms/` with parameters, as a caller."""


@pytest.fixture(scope="session")
def sea() -> Iterator[MapServer]:
    with mapserver() as running:
        yield running


@pytest.fixture
def remote() -> Iterator[WMS]:
    with wms() as running:
        yield running


@pytest.fixture
def allowed(remote: WMS) -> tuple[str, ...]:
    """The servers that may be asked although they are on this machine."""
    return (remote.remote.server,)


@pytest.fixture
def app(empty_database: Engine, allowed: tuple[str, ...]) -> Flask:
    settings = Settings(_env_file=None, outgoing_allow=allowed, outgoing_per_minute=0)
    created = create_app(settings, empty_database)
    validate_responses(created)
    return created


@pytest.fixture
def admin(make_caller: MakeCaller) -> Caller:
    return make_caller("admin", admin=True)


@pytest.fixture
def ask(owner: Caller) -> Ask:
    def send(path: str, caller: Caller = owner, **parameters: Any) -> TestResponse:
        # the web app sends a content type without a body
        headers = {**caller.headers, "Content-Type": "application/json"}
        address = f"/api/v1/wms/{path}"
        return caller.client.get(address, query_string=parameters, headers=headers)

    return send
