"""The permission matrix of accounts, tokens and public resources."""

from collections.abc import Iterator
from typing import Any

from tests.security import permission_rules as rules
from tests.security.operations import FORM, Operation
from tests.security.permission_rules import Caller
from tests.security.permission_world import (
    BLOCKS,
    DELETED,
    PRINCIPALS,
    USERS,
    api_token_of,
    email_of,
    id_of,
)

_TOKENS = "/api/v1/tokens"
_DOCUMENTS = ("/api/v1/openapi.json", "/api/docs")

TOKENS = tuple(caller for caller in PRINCIPALS if caller.user is not None)
"""The callers with an API token; the URL of a token is derived from its holder."""
_INVALID_TOKENS = ("unknown token", "revoked token", "expired token")
_HOLDERS = ("unknown token", *(caller.name for caller in TOKENS))


def _open(caller: Caller, _: Any) -> int:
    """Return 200: credentials are not read."""
    return 200


def _without_secret(caller: Caller, _: Any) -> int:
    return 503


def _read_own(caller: Caller, _: Any) -> int:
    return rules.status_of_private_reading(caller)


def _delete_own(caller: Caller, _: Any) -> int:
    return rules.status_for_user(caller, success=204)


def _create_own(caller: Caller, _: Any) -> int:
    return rules.status_for_user(caller, success=201)


def _holds(caller: Caller, token: Caller) -> bool:
    return caller.user == token.user and token.name != "revoked token"


def _read_token(caller: Caller, token: Caller) -> int:
    return rules.status_of_private_reading(caller, may_read=_holds(caller, token))


def _revoke_token(caller: Caller, token: Caller) -> int:
    return rules.status_for_user(caller, may_read=_holds(caller, token), success=204)


def _block(caller: Caller, user: str) -> int:
    """Return 409 for oneself, 404 for a deleted account."""
    status = 200 if (caller.user, user) in BLOCKS else 201
    if user == caller.user:
        status = 409
    return rules.status_for_user(caller, may_read=user != DELETED, success=status)


def _read_block(caller: Caller, user: str) -> int:
    return rules.status_of_private_reading(caller, may_read=(caller.user, user) in BLOCKS)


def _unblock(caller: Caller, user: str) -> int:
    may_read = (caller.user, user) in BLOCKS
    return rules.status_for_user(caller, may_read=may_read, success=204)


def _sign_in(_: Caller, holder: str) -> int:
    """Return the status of signing in by a caller's API token, whoever sends it."""
    caller = next(caller for caller in PRINCIPALS if caller.name == holder)
    is_valid = holder not in _INVALID_TOKENS and caller.user != DELETED
    return 303 if is_valid else 422


def _sign_in_form(holder: str) -> dict[str, str]:
    return {"token": api_token_of(next(x for x in PRINCIPALS if x.name == holder))}


def _audit(caller: Caller, _: Any) -> int:
    status = rules.status_of_private_reading(caller)
    return 403 if status == 200 and not caller.is_admin else status


def _sign_out(*_: Any) -> int:
    return 303


_HEATMAP_TILE = (
    "/api/v1/gfw/v3/4wings/tile/heatmap/{z}/{x}/{y}"
    "?interval=YEAR&datasets[0]=public-global-presence:latest&date-range=2024-01-01,2024-12-31"
)


def _open_operations() -> Iterator[Operation]:
    for path in (
        *("/", "/imports", "/api/health", "/api/health/live", "/api/v1/gfw/health", *_DOCUMENTS),
        *("/ogc/", "/ogc/conformance", "/ogc/functions", "/ogc/openapi", "/api/v1/audit/heads"),
        *("/ogc/?f=html", "/ogc/conformance?f=html", "/ogc/openapi?f=html", "/?q=sea"),
    ):
        yield Operation("GET", path, _open)
    yield Operation("GET", "/ogc/static/{name}", _open, ("samsyn.css",))
    yield Operation("GET", "/ogc/sign-in", _open)
    yield Operation("POST", "/ogc/sign-in", _sign_in, _HOLDERS, _sign_in_form, FORM)
    yield Operation("POST", "/ogc/sign-out", _sign_out, body=lambda _: {}, media_type=FORM)
    yield Operation("POST", "/api/v1/webhooks/clerk", _without_secret, body=lambda _: {})
    yield Operation("GET", _HEATMAP_TILE, _without_secret)


def _operations() -> Iterator[Operation]:
    for query in ("", "?grouped=false&limit=2", "?f=ndjson", "?f=csv&limit=5"):
        yield Operation("GET", f"/api/v1/audit{query}", _audit)
    yield Operation("GET", "/api/v1/users/me", _read_own)
    yield Operation("DELETE", "/api/v1/users/me", _delete_own)
    emails = tuple(email_of(user) for user in USERS)
    yield Operation("GET", "/api/v1/users?email={name}", _read_own, emails)
    yield from _blocks()
    yield Operation("GET", _TOKENS, _read_own)
    yield Operation("POST", _TOKENS, _create_own, body=lambda _: {"name": "New", "scope": "write"})
    ids = {str(id_of(f"token of {caller.name}")): caller for caller in TOKENS}
    yield Operation(
        "GET", f"{_TOKENS}/{{name}}", lambda caller, key: _read_token(caller, ids[key]), tuple(ids)
    )
    yield Operation(
        "DELETE",
        f"{_TOKENS}/{{name}}",
        lambda caller, key: _revoke_token(caller, ids[key]),
        tuple(ids),
    )


def _blocks() -> Iterator[Operation]:
    path = "/api/v1/users/me/blocked-users"
    users = {str(id_of(user)): user for user in USERS}
    yield Operation("GET", path, _read_own)
    for method, expected in (("GET", _read_block), ("PUT", _block), ("DELETE", _unblock)):
        yield Operation(
            method,
            f"{path}/{{name}}",
            lambda caller, key, expected=expected: expected(caller, users[key]),
            tuple(users),
        )


OPEN_OPERATIONS = tuple(_open_operations())
ACCOUNT_OPERATIONS = tuple(_operations())
