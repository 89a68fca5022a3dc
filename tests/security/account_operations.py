"""The permission matrix of accounts and tokens, and of what is open to everybody."""

from collections.abc import Iterator
from typing import Any

from tests.security import permission_rules as rules
from tests.security.operations import Operation
from tests.security.permission_rules import Who
from tests.security.permission_world import PRINCIPALS, USERS, email_of, id_of

_TOKENS = "/api/v1/tokens"
_DOCUMENTS = ("/api/v1/openapi.json", "/api/docs")

TOKENS = tuple(who for who in PRINCIPALS if who.user is not None)
"""Everybody who has an API token in the world; a token's address is made from its holder."""


def _open(who: Who, _: Any) -> int:
    """Credentials are not even looked at."""
    return 200


def _without_secret(who: Who, _: Any) -> int:
    return 503


def _read_own(who: Who, _: Any) -> int:
    return rules.status_of_private_reading(who)


def _delete_own(who: Who, _: Any) -> int:
    return rules.status_for_user(who, done=204)


def _make_own(who: Who, _: Any) -> int:
    return rules.status_for_user(who, done=201)


def _holds(who: Who, token: Who) -> bool:
    return who.user == token.user and token.name != "revoked token"


def _read_token(who: Who, token: Who) -> int:
    return rules.status_of_private_reading(who, may_read=_holds(who, token))


def _revoke_token(who: Who, token: Who) -> int:
    return rules.status_for_user(who, may_read=_holds(who, token), done=204)


def _open_operations() -> Iterator[Operation]:
    for path in ("/", "/api/health", "/ogc/", "/ogc/conformance", "/ogc/openapi", *_DOCUMENTS):
        yield Operation("GET", path, _open)
    yield Operation("GET", "/ogc/static/{name}", _open, ("samsyn.css",))
    yield Operation("POST", "/api/v1/webhooks/clerk", _without_secret, body=lambda _: {})


def _operations() -> Iterator[Operation]:
    yield Operation("GET", "/api/v1/users/me", _read_own)
    yield Operation("DELETE", "/api/v1/users/me", _delete_own)
    emails = tuple(email_of(user) for user in USERS)
    yield Operation("GET", "/api/v1/users?email={name}", _read_own, emails)
    yield Operation("GET", _TOKENS, _read_own)
    yield Operation("POST", _TOKENS, _make_own, body=lambda _: {"name": "New", "scope": "write"})
    ids = {str(id_of(f"token of {who.name}")): who for who in TOKENS}
    yield Operation(
        "GET", f"{_TOKENS}/{{name}}", lambda who, key: _read_token(who, ids[key]), tuple(ids)
    )
    yield Operation(
        "DELETE", f"{_TOKENS}/{{name}}", lambda who, key: _revoke_token(who, ids[key]), tuple(ids)
    )


OPEN_OPERATIONS = tuple(_open_operations())
ACCOUNT_OPERATIONS = tuple(_operations())
