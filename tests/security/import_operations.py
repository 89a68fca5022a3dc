"""The permission matrix of imports: each is its owner's alone."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.security import permission_rules as rules
from tests.security.operations import Operation
from tests.security.permission_rules import Caller
from tests.security.permission_world import USERS, id_of

_IMPORTS = "/api/v1/imports"
_OWNERS = {str(id_of(f"import of {user}")): user for user in USERS}
_NEW = {"name": "points.csv", "size": 2}


def _read_own(caller: Caller, _: Any) -> int:
    return rules.status_of_private_reading(caller)


def _create(caller: Caller, _: Any) -> int:
    return rules.status_for_user(caller, success=201)


def _read(caller: Caller, key: str) -> int:
    return rules.status_of_private_reading(caller, may_read=_OWNERS[key] == caller.user)


def _writing(success: int) -> Callable[[Caller, str], int]:
    def status(caller: Caller, key: str) -> int:
        return rules.status_for_user(caller, may_read=_OWNERS[key] == caller.user, success=success)

    return status


def _operations() -> Iterator[Operation]:
    yield Operation("GET", _IMPORTS, _read_own)
    yield Operation("POST", _IMPORTS, _create, body=lambda _: _NEW)
    path, keys = f"{_IMPORTS}/{{name}}", tuple(_OWNERS)
    yield Operation("GET", path, _read, keys)
    yield Operation("GET", f"{path}/faults", _read, keys)
    yield Operation("DELETE", path, _writing(204), keys)
    yield Operation("PUT", f"{path}/files/{{file}}", _writing(200), keys, lambda _: {})
    for action in ("inspect", "commit", "undo"):  # of files that have not arrived
        yield Operation("POST", f"{path}/{action}", _writing(409), keys, lambda _: {})


IMPORT_OPERATIONS = tuple(_operations())
