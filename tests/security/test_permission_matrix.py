"""Every request of the permission matrix returns the status of the rules."""

from typing import Any

import pytest

from tests.security.operations import Operation, route_of
from tests.security.permission_matrix import OPERATIONS, SAFE, cells
from tests.security.permission_rules import Caller, may_write_layer
from tests.security.world_database import World


def _routes(world: World) -> set[str]:
    return {
        route_of(method, rule.rule)
        for rule in world.app.url_map.iter_rules()
        for method in rule.methods or ()
    }


def test_every_route_is_in_the_matrix(world: World) -> None:
    covered = {operation.route for operation in OPERATIONS}
    assert sorted(_routes(world) - covered) == []


def test_the_matrix_has_no_other_routes(world: World) -> None:
    covered = {operation.route for operation in OPERATIONS}
    assert sorted(covered - _routes(world)) == []


def test_the_matrix_is_large() -> None:
    assert sum(len(list(cells(operation))) for operation in OPERATIONS) > 10_000


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_statuses(world: World, operation: Operation) -> None:
    before = world.fingerprint()
    failures = [
        f"{caller.name}, {getattr(target, 'name', target)}: {status} instead of {expected}"
        for target, caller in cells(operation)
        for expected in [operation.expected_status(caller, target)]
        for status in [_try(world, operation, target, caller, before)]
        if status != expected
    ]
    assert not failures, f"{len(failures)} cells:\n" + "\n".join(failures)


def test_allow_has_the_permitted_methods(world: World) -> None:
    for operation in OPERATIONS:
        if operation.method != "OPTIONS" or "{feature}" not in operation.path:
            continue
        for layer, caller in cells(operation):
            response = world.client.options(operation.address(layer), headers=world.headers[caller])
            seen = operation.seen(caller)
            may_write = may_write_layer(seen, layer) and seen.scope == "write"
            if response.status_code == 204:
                allowed = {"GET", "HEAD", "OPTIONS"}
                allowed |= {"PUT", "PATCH", "DELETE"} if may_write else set()
                assert set(response.headers["Allow"].split(", ")) == allowed, (caller, layer)


def _try(world: World, operation: Operation, target: Any, caller: Caller, before: str) -> int | str:
    """Return the status of a request, or a description of another fault."""
    with world.rolled_back():
        response = world.client.open(
            operation.address(target),
            method=operation.method,
            headers=world.headers[caller],
            **operation.content(target),
        )
        status = response.status_code
        response.close()
        if status == 401 and "WWW-Authenticate" not in response.headers:
            return "401 without WWW-Authenticate"
        refused = operation.method not in SAFE and status >= 400
        if refused and world.fingerprint() != before:
            return f"{status} that changed something"
        return status
