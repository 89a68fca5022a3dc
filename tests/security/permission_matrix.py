"""The permission matrix: every operation of `/api` and `/ogc`, on every object, by every caller.

A cell is an operation on one object by one caller, with the expected status.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.security.account_operations import ACCOUNT_OPERATIONS, OPEN_OPERATIONS
from tests.security.comment_operations import COMMENT_OPERATIONS
from tests.security.import_operations import IMPORT_OPERATIONS
from tests.security.job_operations import JOB_OPERATIONS, OPEN_PROCESS_OPERATIONS
from tests.security.layer_operations import LAYER_OPERATIONS
from tests.security.map_operations import MAP_OPERATIONS
from tests.security.operations import Operation
from tests.security.permission_rules import Caller
from tests.security.permission_world import BROWSERS, PRINCIPALS
from tests.security.raster_operations import RASTER_OPERATIONS
from tests.security.server_operations import SERVER_OPERATIONS
from tests.security.subscription_operations import (
    OPEN_SUBSCRIPTION_OPERATIONS,
    SUBSCRIPTION_OPERATIONS,
)
from tests.security.tile_operations import OPEN_TILE_OPERATIONS, TILE_OPERATIONS
from tests.security.titiler_operations import TITILER_OPERATIONS

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def _options_status(caller: Caller, _: object) -> int:
    """Return 200: the methods of a path are public, but invalid credentials are refused."""
    return 401 if caller.is_refused else 200


def _with_heads(operations: tuple[Operation, ...]) -> Iterator[Operation]:
    """Yield the operations, and for each GET a HEAD of the same status on some objects."""
    for operation in operations:
        yield operation
        if operation.method == "GET":
            yield replace(operation, method="HEAD", objects=_some(operation.objects))


def _options(operations: tuple[Operation, ...]) -> Iterator[Operation]:
    """Yield an OPTIONS for each path without one, on one object: the methods are the path's."""
    with_options = {operation.path for operation in operations if operation.method == "OPTIONS"}
    for path, operation in {o.path.partition("?")[0]: o for o in reversed(operations)}.items():
        if path in with_options:
            continue
        one = operation.objects[:1]
        yield replace(
            operation, method="OPTIONS", expected=_options_status, body=None, objects=one, hint=""
        )


def _some(objects: tuple[Any, ...]) -> tuple[Any, ...]:
    return objects[::4]


_OPEN = (
    *OPEN_OPERATIONS,
    *OPEN_PROCESS_OPERATIONS,
    *OPEN_TILE_OPERATIONS,
    *OPEN_SUBSCRIPTION_OPERATIONS,
)
_GUARDED = (
    *LAYER_OPERATIONS,
    *MAP_OPERATIONS,
    *COMMENT_OPERATIONS,
    *IMPORT_OPERATIONS,
    *ACCOUNT_OPERATIONS,
    *JOB_OPERATIONS,
    *SUBSCRIPTION_OPERATIONS,
    *SERVER_OPERATIONS,
    *TILE_OPERATIONS,
    *RASTER_OPERATIONS,
    *TITILER_OPERATIONS,
)

OPERATIONS = (
    *_with_heads(_GUARDED),
    *_options(_GUARDED),
    *_with_heads(_OPEN),
    *(replace(o, method="OPTIONS", expected=lambda *_: 200, body=None) for o in _OPEN),
)


def cells(operation: Operation) -> Iterator[tuple[Any, Caller]]:
    """Yield the objects and callers of an operation.

    Callers that are refused, or signed out, get some of the objects: their status does not depend
    on it.
    """
    some = _some(operation.objects)
    for target in operation.objects:
        for caller in (*PRINCIPALS, *BROWSERS):
            if not (caller.is_refused or caller.has_ended) or target in some:
                yield target, caller
