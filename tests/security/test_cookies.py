"""A cookie alone never writes, whatever its person may do, and is never read below `/api`."""

import uuid
from typing import Any

import pytest
from werkzeug.routing.converters import NumberConverter
from werkzeug.test import TestResponse

from samsyn_model.permissions.actions import Action
from samsyn_provider.http.guard import declared_action
from tests.security.disclosure import send_request
from tests.security.permission_matrix import OPERATIONS, SAFE
from tests.security.permission_rules import ANONYMOUS, Caller
from tests.security.permission_world import BROWSERS
from tests.security.world_database import World

LIVE = tuple(caller for caller in BROWSERS if not caller.has_ended)
BY_BROWSER = pytest.mark.parametrize("caller", LIVE, ids=lambda caller: caller.name)
WRITING = tuple(
    operation
    for operation in OPERATIONS
    if operation.method not in SAFE and "/sign-" not in operation.path
)


def _routes(world: World) -> list[tuple[str, str]]:
    """Return the method and an address of every route, but for signing in and out."""
    adapter = world.app.url_map.bind("localhost")
    routes = []
    for rule in world.app.url_map.iter_rules():
        if declared_action(world.app, rule.endpoint) is Action.SIGN_IN:
            continue
        values = {
            name: 1 if isinstance(converter, NumberConverter) else str(uuid.UUID(int=1))
            for name, converter in rule._converters.items()
        }
        path = adapter.build(rule.endpoint, values, method=next(iter(rule.methods or ())))
        routes += [(method, path) for method in sorted(rule.methods or ())]
    return routes


def _seen(response: TestResponse) -> tuple[int, bytes, str | None]:
    content = response.get_data()
    response.close()
    return response.status_code, content, response.headers.get("Set-Cookie")


@BY_BROWSER
def test_no_route_that_writes_knows_a_cookie(world: World, caller: Caller) -> None:
    """Every method but GET and HEAD is as without the cookie, and changes nothing."""
    before = world.fingerprint()
    writing = [route for route in _routes(world) if route[0] not in {"GET", "HEAD"}]
    assert len([route for route in writing if route[0] != "OPTIONS"]) >= 40
    for method, path in writing:
        with world.rolled_back():
            by_cookie = _seen(send_request(world, caller, path, method))
            assert world.fingerprint() == before, (method, path)
            assert by_cookie == _seen(send_request(world, ANONYMOUS, path, method)), (method, path)


@BY_BROWSER
def test_no_operation_that_writes_succeeds_by_a_cookie(world: World, caller: Caller) -> None:
    """The same with the bodies of the permission matrix, which has them refused and sends them:
    here are the searches and dry runs, which may succeed."""
    before = world.fingerprint()
    for operation in WRITING:
        for target in operation.objects:
            if operation.expected_status(caller, target) >= 400:
                continue
            assert operation.path.endswith(("/search", "/ticket")), (operation, target)
            options: dict[str, Any] = operation.content(target)
            with world.rolled_back():
                send_request(world, caller, operation.address(target), operation.method, **options)
                assert world.fingerprint() == before, (operation, target)


@BY_BROWSER
def test_the_management_api_knows_no_cookie(world: World, caller: Caller) -> None:
    paths = {path for method, path in _routes(world) if path.startswith("/api") and method == "GET"}
    paths |= {"/api/v1/layers?mine=true", "/api/v1/maps?mine=true", "/api/v1/users?email=a@b"}
    assert len(paths) > 15
    for path in sorted(paths):
        for method in ("GET", "HEAD"):
            by_cookie = _seen(send_request(world, caller, path, method))
            assert by_cookie == _seen(send_request(world, ANONYMOUS, path, method)), path
