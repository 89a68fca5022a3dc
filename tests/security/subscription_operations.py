"""The permission matrix of subscriptions: one's own, of what one may read."""

from collections.abc import Iterator
from typing import Any

from tests.security import permission_rules as rules
from tests.security.operations import FORM, Operation
from tests.security.permission_rules import Caller, Comment, Map
from tests.security.permission_world import COMMENTS, MAPS, REPLIES, USERS, id_of

_SUBSCRIPTIONS = "/api/v1/subscriptions"
_SUBSCRIPTION = f"{_SUBSCRIPTIONS}/{{name}}"


def _list_own(caller: Caller, _: Any) -> int:
    return rules.status_of_private_reading(caller)


def _follow_map(caller: Caller, shared: Map) -> int:
    return rules.status_for_user(caller, may_read=rules.may_read_map(caller, shared), success=201)


def _follow_thread(caller: Caller, comment: Comment) -> int:
    """Return 422 for a reply that may be read."""
    success = 201 if comment.parent is None else 422
    readable = rules.may_read_comment(caller, comment)
    return rules.status_for_user(caller, may_read=readable, success=success)


def _without_ticket(*_: Any) -> int:
    return 404


def _operations() -> Iterator[Operation]:
    ids = {str(id_of(f"subscription of {user}")): user for user in USERS}
    yield Operation("GET", _SUBSCRIPTIONS, _list_own)
    yield Operation(
        *("POST", _SUBSCRIPTIONS, _follow_map, MAPS, lambda m: {"map_id": str(id_of(m))}),
        hint="to a map",
    )
    yield Operation(
        *("POST", _SUBSCRIPTIONS, _follow_thread, (*COMMENTS, *REPLIES)),
        lambda comment: {"comment_id": str(id_of(comment))},
        hint="to a thread",
    )

    def read(caller: Caller, key: str) -> int:
        return rules.status_of_private_reading(caller, may_read=ids[key] == caller.user)

    def change(caller: Caller, key: str) -> int:
        return rules.status_for_user(caller, may_read=ids[key] == caller.user, success=200)

    def end(caller: Caller, key: str) -> int:
        return rules.status_for_user(caller, may_read=ids[key] == caller.user, success=204)

    yield Operation("GET", _SUBSCRIPTION, read, tuple(ids))
    for method in ("PUT", "PATCH"):
        body = {"frequency": "hourly", "status": "paused"}
        yield Operation(method, _SUBSCRIPTION, change, tuple(ids), lambda _, body=body: body)
    yield Operation("DELETE", _SUBSCRIPTION, end, tuple(ids))


def _open_operations() -> Iterator[Operation]:
    ids = tuple(str(id_of(f"subscription of {user}")) for user in USERS)
    path = f"{_SUBSCRIPTION}/unsubscribe?ticket={'A' * 140}"
    yield Operation("GET", path, _without_ticket, ids)
    form = {"List-Unsubscribe": "One-Click"}
    yield Operation("POST", path, _without_ticket, ids, lambda _: form, FORM)


SUBSCRIPTION_OPERATIONS = tuple(_operations())
OPEN_SUBSCRIPTION_OPERATIONS = tuple(_open_operations())
"""Credentials are not read: the ticket, which is not valid here, is what counts."""
