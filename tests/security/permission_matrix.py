"""The permission matrix: every operation of `/api` and `/ogc`, on every thing, by everybody.

A cell is an operation on one thing by one principal, and the status that it has to have.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.security.account_operations import ACCOUNT_OPERATIONS, OPEN_OPERATIONS
from tests.security.comment_operations import COMMENT_OPERATIONS
from tests.security.layer_operations import LAYER_OPERATIONS
from tests.security.map_operations import MAP_OPERATIONS
from tests.security.operations import Operation
from tests.security.permission_rules import Who
from tests.security.permission_world import PRINCIPALS
from tests.security.tile_operations import OPEN_TILE_OPERATIONS, TILE_OPERATIONS

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def _told_methods(who: Who, _: object) -> int:
    """Which methods a path has is no secret; but what is wrong with credentials is told."""
    return 401 if who.is_refused else 200


def _with_heads(operations: tuple[Operation, ...]) -> Iterator[Operation]:
    """The operations, and for each GET the HEAD, which has the same status, on some things."""
    for operation in operations:
        yield operation
        if operation.method == "GET":
            yield replace(operation, method="HEAD", things=_some(operation.things))


def _options(operations: tuple[Operation, ...]) -> Iterator[Operation]:
    """An OPTIONS for each path that has none of its own, on some things."""
    own = {operation.path for operation in operations if operation.method == "OPTIONS"}
    for path, operation in {o.path.partition("?")[0]: o for o in operations}.items():
        if path in own:
            continue
        some = _some(operation.things)
        yield replace(
            operation, method="OPTIONS", expected=_told_methods, body=None, things=some, hint=""
        )


def _some(things: tuple[Any, ...]) -> tuple[Any, ...]:
    return things[::4]


_OPEN = (*OPEN_OPERATIONS, *OPEN_TILE_OPERATIONS)
_GUARDED = (
    *LAYER_OPERATIONS,
    *MAP_OPERATIONS,
    *COMMENT_OPERATIONS,
    *ACCOUNT_OPERATIONS,
    *TILE_OPERATIONS,
)

OPERATIONS = (
    *_with_heads(_GUARDED),
    *_options(_GUARDED),
    *_with_heads(_OPEN),
    *(replace(o, method="OPTIONS", expected=lambda *_: 200, body=None) for o in _OPEN),
)


def cells(operation: Operation) -> Iterator[tuple[Any, Who]]:
    """What an operation is tried on, and by whom.

    Who is refused is so whatever the thing is, and tries some of them.
    """
    some = _some(operation.things)
    for thing in operation.things:
        for who in PRINCIPALS:
            if not who.is_refused or thing in some:
                yield thing, who
