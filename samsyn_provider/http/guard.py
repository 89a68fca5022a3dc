"""The one door of both sides: every request's credentials and its view's declared action.

A view without a declared action is never served.
"""

import base64
import binascii
import re
from collections.abc import Callable
from typing import TypeVar

from flask import Flask, Response, current_app, g, request

from samsyn_model.errors import CredentialsError, SamsynError
from samsyn_model.identity.authentication import is_api_token
from samsyn_model.identity.clerk_sessions import MAX_TOKEN
from samsyn_model.permissions.actions import WRITING, Action
from samsyn_model.permissions.checks import require_user, require_write_scope
from samsyn_model.permissions.principal import ANONYMOUS, Principal
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.problems import problem_of

View = TypeVar("View", bound=Callable[..., object])

UNGUARDED = frozenset({Action.READ_PUBLIC, Action.WEBHOOK})
"""Actions for which credentials are not even looked at: they need no database."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ATTRIBUTE = "samsyn_action"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class UndeclaredActionError(RuntimeError):
    """A view was asked for that nobody has said who may use."""


def requires(action: Action) -> Callable[[View], View]:
    """Declare what a view does, nearest to the function: `@bp.get("/x")`, then `@requires(…)`."""

    def declare(view: View) -> View:
        setattr(view, _ATTRIBUTE, action)
        return view

    return declare


def declared_action(app: Flask, endpoint: str) -> Action | None:
    """Return the action of the view at an endpoint, None when it declares none."""
    owner: object = app
    name, _, last = endpoint.rpartition(".")
    if name:
        owner = app.blueprints.get(name)
    # Flask itself claims the endpoint `static` of whatever has a static folder.
    if last == "static" and getattr(owner, "has_static_folder", False):
        return Action.READ_PUBLIC
    found = getattr(app.view_functions[endpoint], _ATTRIBUTE, None)
    return found if isinstance(found, Action) else None


def install(app: Flask) -> None:
    """Put the guard before every view of the app."""
    app.before_request(_admit)
    app.after_request(_refuse_unknown)


def principal() -> Principal:
    """Return who asks; anonymous where the view's action needs nobody.

    Raises CredentialsError when the request's API token, which is looked up only now, is not valid.
    """
    token = unresolved_token()
    if token is not None:
        set_principal(deployment().authenticator.principal(deployment().engine, token))
    found: Principal = g.get("principal", ANONYMOUS)
    return found


def unresolved_token() -> str | None:
    """Return the API token whose holder has not been looked up yet."""
    found: str | None = g.get("token")
    return found


def set_principal(found: Principal) -> None:
    """Say who asks, once the token has been looked up."""
    g.principal, g.token = found, None


def _admit() -> None:
    """Find out who asks, and whether anybody of this kind may ask the view at all.

    Raises CredentialsError when credentials are presented but not valid, or missing where the
    action needs a user; PermissionDeniedError when a token that may only read would write.
    """
    if request.endpoint is None:
        return  # Flask answers 404, 405 or a redirect
    action = declared_action(current_app, request.endpoint)
    if action is None:
        raise UndeclaredActionError(f"The view {request.endpoint!r} declares no action.")
    if action in UNGUARDED:
        return
    header = request.headers.get("Authorization")
    if header is not None:
        _present(parse_authorization(header), action)
    # A browser's preflight carries no credentials, and is told nothing but methods.
    if action is Action.SIGNED_IN and request.method != "OPTIONS":
        require_user(principal())
    # The other actions find their layer or map first, which may not even exist for this principal.
    if action is Action.SEARCH_LAYER:
        return  # it only reads, although it is a POST
    if request.method not in _SAFE_METHODS and action not in WRITING:
        require_write_scope(principal())


def _present(token: str, action: Action) -> None:
    """Look up who presents credentials; of an API token that reads a layer the view does, together
    with the layer."""
    if action is Action.READ_LAYER and request.method in {"GET", "HEAD"} and is_api_token(token):
        g.token = token
    else:
        g.principal = deployment().authenticator.principal(deployment().engine, token)


def _refuse_unknown(response: Response) -> Response:
    """Answer 401 in place of a view that was done before its token was looked up, where that is
    not valid."""
    try:
        principal()
    except SamsynError as error:
        return problem_of(error)
    return response


def parse_authorization(header: str) -> str:
    """Return the token in an Authorization header: Bearer, or the password of Basic.

    Raises CredentialsError when it is of another scheme or malformed.
    """
    scheme, _, value = header.strip().partition(" ")
    token = value.strip()
    if scheme.lower() == "basic":
        token = _basic_password(token)
    elif scheme.lower() != "bearer":
        raise CredentialsError("Use the scheme Bearer, or Basic with a token as the password.")
    if len(token) > MAX_TOKEN or not _TOKEN.fullmatch(token):
        raise CredentialsError("The Authorization header is malformed.")
    return token


def _basic_password(value: str) -> str:
    if len(value) > 2 * MAX_TOKEN:
        return ""
    try:
        decoded = base64.b64decode(value, validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""
    return decoded.partition(":")[2].strip()
