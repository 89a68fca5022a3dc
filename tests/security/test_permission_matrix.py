"""Every request of the permission matrix is made, and answered with the status of the rules."""

from typing import Any

import pytest

from tests.security.operations import Operation, route_of
from tests.security.permission_matrix import OPERATIONS, SAFE, cells
from tests.security.permission_rules import Who, may_write_layer
from tests.security.world_database import World


def _routes(made: World) -> set[str]:
    return {
        route_of(method, rule.rule)
        for rule in made.app.url_map.iter_rules()
        for method in rule.methods or ()
    }


def test_every_route_is_in_the_matrix(everything: World) -> None:
    covered = {operation.route for operation in OPERATIONS}
    assert sorted(_routes(everything) - covered) == []


def test_the_matrix_has_no_other_routes(everything: World) -> None:
    covered = {operation.route for operation in OPERATIONS}
    assert sorted(covered - _routes(everything)) == []


def test_the_matrix_is_large() -> None:
    assert sum(len(list(cells(operation))) for operation in OPERATIONS) > 10_000


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_statuses(everything: World, operation: Operation) -> None:
    before = everything.fingerprint()
    wrong = [
        f"{who.name}, {getattr(thing, 'name', thing)}: {found} instead of {expected}"
        for thing, who in cells(operation)
        for expected in [operation.expected(who, thing)]
        for found in [_try(everything, operation, thing, who, before)]
        if found != expected
    ]
    assert not wrong, f"{len(wrong)} cells:\n" + "\n".join(wrong)


def test_allow_says_what_one_may_do(everything: World) -> None:
    for operation in OPERATIONS:
        if operation.method != "OPTIONS" or "{feature}" not in operation.path:
            continue
        for layer, who in cells(operation):
            answer = everything.client.options(
                operation.address(layer), headers=everything.headers[who]
            )
            may_write = may_write_layer(who, layer) and who.scope == "write"
            if answer.status_code == 204:
                allowed = {"GET", "HEAD", "OPTIONS"}
                allowed |= {"PUT", "PATCH", "DELETE"} if may_write else set()
                assert set(answer.headers["Allow"].split(", ")) == allowed, (who, layer)


def _try(made: World, operation: Operation, thing: Any, who: Who, before: str) -> int | str:
    """The status that a request has, or what is wrong with it beside its status."""
    more = {}
    if operation.body is not None:
        more = {"json": operation.body(thing), "content_type": operation.media_type}
    with made.taken_back():
        answer = made.client.open(
            operation.address(thing),
            method=operation.method,
            headers=made.headers[who],
            **more,
        )
        status = answer.status_code
        answer.close()
        if status == 401 and "WWW-Authenticate" not in answer.headers:
            return "401 without WWW-Authenticate"
        refused = operation.method not in SAFE and status >= 400
        if refused and made.fingerprint() != before:
            return f"{status} that changed something"
        return status
