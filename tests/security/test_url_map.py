"""Default deny: every route of the application declares its action."""

import uuid
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine
from werkzeug.routing import Rule
from werkzeug.routing.converters import NumberConverter

from samsyn_admin.app import create_app
from samsyn_model.permissions.actions import Action
from samsyn_provider.http.guard import UNGUARDED, declared_action
from tests.clerk_instance import settings

SAFE = {"GET", "HEAD", "OPTIONS"}


@pytest.fixture
def app(engine: Engine) -> Iterator[Flask]:
    unlimited = settings(trusted_proxies=0, wrong_credentials_per_minute=0)
    return create_app(unlimited, engine)


def test_every_route_declares_its_action(app: Flask) -> None:
    rules = list(app.url_map.iter_rules())
    assert len(rules) > 10
    undeclared = [
        f"{rule.rule} ({rule.endpoint})"
        for rule in rules
        if declared_action(app, rule.endpoint) is None
    ]
    assert undeclared == []


def test_nothing_is_written_past_the_guard(app: Flask) -> None:
    """Routes without credentials only read, except for signed webhooks."""
    writing = [
        f"{rule.rule} {sorted(rule.methods or ())}"
        for rule in app.url_map.iter_rules()
        if declared_action(app, rule.endpoint) is Action.READ_PUBLIC
        and not set(rule.methods or ()) <= SAFE
    ]
    assert writing == []
    webhooks = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if declared_action(app, rule.endpoint) is Action.WEBHOOK
    ]
    assert all("/webhooks/" in rule for rule in webhooks)


def test_bad_credentials_are_refused_on_every_guarded_route(app: Flask) -> None:
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        if declared_action(app, rule.endpoint) in UNGUARDED:
            continue
        for method in sorted(rule.methods or ()):
            response = client.open(
                _some_path(app, rule), method=method, headers={"Authorization": "Bearer nobody"}
            )
            assert response.status_code == 401, f"{method} {rule.rule}"


def _some_path(app: Flask, rule: Rule) -> str:
    """Return a path that the rule matches."""
    values = {
        name: 1 if isinstance(converter, NumberConverter) else str(uuid.UUID(int=1))
        for name, converter in rule._converters.items()
    }
    return app.url_map.bind("localhost").build(rule.endpoint, values)
