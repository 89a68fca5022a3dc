"""The permission matrix of web map servers: of the list, and of those that are asked.

No request leaves the world: what is admitted is 503, since OUTGOING is off.
"""

from collections.abc import Iterator
from typing import Any

from tests.security import permission_rules as rules
from tests.security.operations import Operation
from tests.security.permission_rules import Caller, Layer
from tests.security.permission_world import LAYERS, MAP_SERVER

_SERVERS = "/api/v1/wms-servers"
_SERVER = f"{_SERVERS}/{{server}}"
_PLACE = "bbox=10,54,12,56&width=9&height=9&x=4&y=4"
_QUESTIONS = (
    "capabilities?url=",
    f"feature-info?layers=depth&{_PLACE}&url=",
    "discover-properties?layer=depth&url=",
)


def _ask(caller: Caller, target: Any) -> int:
    """Return 401 for anonymous callers who know of no server or layer with the address."""
    if caller.is_refused:
        return 401
    is_known = target == MAP_SERVER
    if isinstance(target, Layer):
        is_known = target.source_type == "wms" and rules.may_read_layer(caller, target)
    return 401 if caller.user is None and not is_known else 503


def _read(caller: Caller, _: Any) -> int:
    return rules.status_of_reading(caller)


def _add(caller: Caller, _: Any) -> int:
    return rules.status_for_user(caller, may_act=caller.is_admin, success=503)


def _refresh(caller: Caller, _: Any) -> int:
    return rules.status_for_user(caller, success=503)


def _change(caller: Caller, _: Any) -> int:
    return rules.status_for_user(caller, may_act=caller.is_admin, success=200)


def _remove(caller: Caller, _: Any) -> int:
    return rules.status_for_user(caller, may_act=caller.is_admin, success=204)


def _new(_: Any) -> dict[str, Any]:
    return {"name": "New", "base_url": "https://wms.test/new"}


def _operations() -> Iterator[Operation]:
    servers = (MAP_SERVER,)
    yield Operation("GET", _SERVERS, _read)
    yield Operation("POST", _SERVERS, _add, body=_new)
    yield Operation("GET", _SERVER, _read, servers)
    yield Operation("GET", f"{_SERVER}/layers", _read, servers)
    yield Operation("GET", f"{_SERVER}/layers?q=depth", _read, servers)
    for method in ("PUT", "PATCH"):
        yield Operation(method, _SERVER, _change, servers, body=lambda _: {"name": "Other"})
    yield Operation("DELETE", _SERVER, _remove, servers)
    yield Operation("POST", f"{_SERVER}/refresh", _refresh, servers)
    for question in _QUESTIONS:
        address = f"/api/v1/wms/{question}https://wms.test/{{word}}"
        yield Operation("GET", address, _ask, (*LAYERS, MAP_SERVER, "elsewhere"))


SERVER_OPERATIONS = tuple(_operations())
