"""The permission matrix of jobs and processes."""

from collections.abc import Iterator
from typing import Any

from tests.security import permission_rules as rules
from tests.security.operations import Operation
from tests.security.permission_rules import Caller
from tests.security.permission_world import USERS, id_of

_JOBS = ("/api/v1/jobs", "/ogc/jobs")
_OWNERS = {str(id_of(f"job of {user}")): user for user in USERS}
_EXECUTION = {"inputs": {"import": str(id_of("import of nobody"))}}


def _open(_: Caller, process: str) -> int:
    return 200 if process in {"", "import"} else 404


def _execute(caller: Caller, process: str) -> int:
    """Return 422 where the process is one: there is no such import."""
    return rules.status_for_user(caller, may_read=process == "import", success=422)


def _read_own(caller: Caller, _: Any) -> int:
    return rules.status_of_private_reading(caller)


def _read(caller: Caller, job: str) -> int:
    return rules.status_of_private_reading(caller, may_read=_OWNERS[job] == caller.user)


def _remove(caller: Caller, job: str) -> int:
    return rules.status_for_user(caller, may_read=_OWNERS[job] == caller.user, success=200)


def _operations() -> Iterator[Operation]:
    yield Operation(
        "POST",
        "/ogc/processes/{name}/execution",
        _execute,
        ("import", "buffer"),
        lambda _: _EXECUTION,
    )
    for path in _JOBS:
        yield Operation("GET", path, _read_own)
        yield Operation("GET", f"{path}/{{name}}", _read, tuple(_OWNERS))
        yield Operation("GET", f"{path}/{{name}}/results", _read, tuple(_OWNERS))
        yield Operation("DELETE", f"{path}/{{name}}", _remove, tuple(_OWNERS))


OPEN_PROCESS_OPERATIONS = (
    Operation("GET", "/ogc/processes", _open),
    Operation("GET", "/ogc/processes/{name}", _open, ("import", "buffer")),
)
JOB_OPERATIONS = tuple(_operations())
