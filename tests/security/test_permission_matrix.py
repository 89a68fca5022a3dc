"""Every request of the permission matrix returns the status of the rules, and discloses nothing
that its caller may not read: not in nested objects, headers or errors."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.security.disclosure import EMAILS, READERS, disclosed_by, leaks_to, send_operation
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
    assert sum(len(list(cells(operation))) for operation in OPERATIONS) > 45_000


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.method in SAFE], ids=str)
def test_reading(world: World, operation: Operation) -> None:
    failures = [
        failure
        for target, caller in cells(operation)
        for failure in _failures(world, operation, target, caller)
    ]
    assert not failures, f"{len(failures)} cells:\n" + "\n".join(failures)


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.method not in SAFE], ids=str)
def test_writing(world: World, operation: Operation) -> None:
    """Each change starts from the same state; what is refused changes nothing, all together."""
    failures, refused = [], []
    for target, caller in cells(operation):
        if operation.expected_status(caller, target) >= 400:
            refused.append((target, caller))
            continue
        with world.rolled_back():
            failures += _failures(world, operation, target, caller)
    with world.rolled_back():
        before = world.fingerprint()
        for target, caller in refused:
            failures += _failures(world, operation, target, caller)
        if world.fingerprint() != before:
            failures.append("one of those that are refused has changed something")
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


def _failures(world: World, operation: Operation, target: Any, caller: Caller) -> Iterator[str]:
    """Send a request, and yield what is wrong with its response."""
    response = send_operation(world, caller, operation, target)
    status, expected = response.status_code, operation.expected_status(caller, target)
    name = f"{caller.name}, {getattr(target, 'name', target)}"
    if status != expected:
        yield f"{name}: {status} instead of {expected}"
    if status == 401 and "WWW-Authenticate" not in response.headers:
        yield f"{name}: 401 without WWW-Authenticate"
    if caller in READERS and operation.method not in {"HEAD", "OPTIONS"}:
        disclosed = disclosed_by(response)
        if operation.method not in SAFE and status < 400:
            disclosed -= EMAILS.keys()  # a new collaborator's email may now be known
        for leak in leaks_to(operation.seen(caller), disclosed):
            yield f"{name}: discloses {leak}"
    response.close()
