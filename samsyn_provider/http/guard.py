"""Check every request's credentials against its view's declared action.

A view without a declared action is never served.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar
from uuid import UUID

from flask import Flask, Response, current_app, g, request

from samsyn_model.database.cancellation import StatementLimits, set_limits
from samsyn_model.errors import CredentialsError, ExpiredSessionError, SamsynError
from samsyn_model.identity.authentication import is_api_token
from samsyn_model.identity.clerk_sessions import MAX_TOKEN
from samsyn_model.log import set_request_id
from samsyn_model.origin import Origin, Via, set_origin
from samsyn_model.permissions.actions import READING_BY_POST, WRITING, Action
from samsyn_model.permissions.checks import require_user, require_write_scope
from samsyn_model.permissions.principal import ANONYMOUS, Principal
from samsyn_provider.http.browser_session import browser_session, session_principal
from samsyn_provider.http.deployment import client_address, deployment
from samsyn_provider.http.problems import problem_of
from samsyn_provider.rates.rate_limits import Rate

View = TypeVar("View", bound=Callable[..., object])

UNGUARDED = frozenset({Action.READ_PUBLIC, Action.WEBHOOK, Action.SIGN_IN, Action.UNSUBSCRIBE})
"""Actions for which credentials are ignored: who may do it does not depend on them."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_ATTRIBUTE = "samsyn_action"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_CREDENTIAL = re.compile(r"samsyn_|sk_|whsec_|eyJ")  # which the log would name


class UndeclaredActionError(RuntimeError):
    """The requested view declares no action."""


def requires(action: Action) -> Callable[[View], View]:
    """Declare the action of a view, next to the function: `@bp.get("/x")`, then `@requires(…)`."""

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
    # Flask adds the endpoint `static` to apps and blueprints with a static folder.
    if last == "static" and getattr(owner, "has_static_folder", False):
        return Action.READ_PUBLIC
    action = getattr(app.view_functions[endpoint], _ATTRIBUTE, None)
    return action if isinstance(action, Action) else None


def install(app: Flask) -> None:
    """Install the guard before every view of the app."""
    app.before_request(_name_request)
    app.before_request(_authorize)
    app.after_request(_note_deferred_token)
    app.after_request(_reject_invalid_token)
    app.after_request(_tell_request_id)
    app.teardown_request(_forget_request)


def principal() -> Principal:
    """Return the request's principal; anonymous where the view's action needs no credentials.

    Looks up a deferred API token; raises CredentialsError when it is not valid.
    """
    token = unresolved_token()
    if token is not None:
        set_principal(deployment().authenticator.principal(deployment().engine, token))
    current: Principal = g.get("principal", ANONYMOUS)
    return current


def spend(rate: Rate) -> None:
    """Count the request in a rate of its principal, of its address where that is anonymous.

    Raises TooManyRequestsError where it is one too many.
    """
    if (caller := caller_key()) is not None:
        deployment().rate_limits.spend(rate, caller)


def check(rate: Rate) -> None:
    """Raise TooManyRequestsError where `spend` would: for what may turn out to cost nothing."""
    if (caller := caller_key()) is not None:
        deployment().rate_limits.check(rate, caller)


def count(rate: Rate) -> None:
    """Count the request as `spend`, after it has cost something."""
    if (caller := caller_key()) is not None:
        deployment().rate_limits.count(rate, caller)


def caller_key() -> str | None:
    """Return what the caller's requests are counted by: their user, else their address; None where
    that is not known."""
    user_id = principal().user_id
    return client_address() if user_id is None else str(user_id)


def spend_search() -> None:
    """Count a search, or a request with a filter, of an anonymous principal; errors as `spend`."""
    if principal().is_anonymous:
        spend(Rate.SEARCHES)


def unresolved_token() -> str | None:
    """Return the request's API token while its lookup is deferred, else None."""
    token: str | None = g.get("token")
    return token


def set_principal(holder: Principal) -> None:
    """Set the request's principal, once its token has been looked up."""
    g.principal, g.token = holder, None


def _name_request() -> None:
    """Give the request its id, where lines of the log name it."""
    if deployment().settings.names_requests:
        g.request_id = _request_id()
        set_request_id(g.request_id)


def _authorize() -> None:
    """Authenticate the request, and check what its view's action requires of every principal.

    Raises CredentialsError when the credentials are not valid, or missing where the action needs
    a user; PermissionDeniedError when a token of scope `read` would write; TooManyRequestsError
    where the address has sent too many wrong credentials, or the principal writes too often.
    """
    if request.endpoint is None:
        return  # Flask responds with 404, 405 or a redirect
    action = declared_action(current_app, request.endpoint)
    if action is None:
        raise UndeclaredActionError(f"The view {request.endpoint!r} declares no action.")
    is_reading = is_for_reading(action)
    limits = StatementLimits(request.environ.get("gunicorn.socket")) if is_reading else None
    set_limits(limits)  # what writes comes to its end
    if not is_reading:
        _set_origin(None)
    if action in UNGUARDED:
        return
    header = request.headers.get("Authorization")
    if header is not None:
        _authenticate(parse_authorization(header), action)
    elif (session := browser_session()) is not None:
        g.principal = session_principal(session)
    elif limits is not None:
        settings = deployment().settings
        limits.seconds = settings.anonymous_statement_timeout
        limits.slow_statements = settings.anonymous_slow_statements
    # A browser's preflight request carries no credentials; its response lists only methods.
    if action is Action.SIGNED_IN and request.method != "OPTIONS":
        require_user(principal())
    # The other actions look up their layer or map first: 404 goes before 403.
    if action in READING_BY_POST:
        return
    if request.method not in _SAFE_METHODS:
        if action not in WRITING:
            require_write_scope(principal())
        spend(Rate.WRITES)
        _set_origin(principal().user_id)


def is_for_reading(action: Action) -> bool:
    """Return whether the request changes nothing."""
    return request.method in _SAFE_METHODS or action in READING_BY_POST


def _set_origin(user_id: UUID | None) -> None:
    """Let change sets of this request name it, and this user."""
    if "request_id" not in g:
        g.request_id = _request_id()
    via: Via = "ogc" if request.path.startswith("/ogc") else "web"
    set_origin(Origin(via, user_id, g.request_id))


def _request_id() -> str:
    """Return the id that a trusted proxy has given the request, unless it looks like a credential;
    else a new one."""
    given = request.headers.get("X-Request-Id", "")
    is_trusted = deployment().settings.trusted_proxies and not _CREDENTIAL.match(given)
    if is_trusted and _REQUEST_ID.fullmatch(given):
        return given
    return secrets.token_hex(8)


def _tell_request_id(response: Response) -> Response:
    """Name a request in its response, as in the history of what it has changed, and in the log."""
    if "request_id" in g:
        response.headers["X-Request-Id"] = g.request_id
    return response


def _forget_request(_: BaseException | None) -> None:
    set_limits(None)
    set_origin(None)
    set_request_id(None)


def _authenticate(token: str, action: Action) -> None:
    """Look up the token's holder; an API token that reads a layer is left to the view, which looks
    up both in one statement, unless the layer is on a replica."""
    if (
        action is Action.READ_LAYER
        and request.method in {"GET", "HEAD"}
        and deployment().reads is None
        and is_api_token(token)
    ):
        deployment().credential_limit.check(token, client_address())
        g.token = g.deferred_token = token
    else:
        g.principal = holder_of(token)


def holder_of(credential: str) -> Principal:
    """Return the principal of an API token or a session.

    Raises CredentialsError, and TooManyRequestsError where the client's address has sent too many
    that are not valid.
    """
    limit, address = deployment().credential_limit, client_address()
    limit.check(credential, address)
    try:
        holder = deployment().authenticator.principal(deployment().engine, credential)
    except ExpiredSessionError:  # as of a computer that wakes up
        raise
    except CredentialsError:
        limit.count_wrong(credential, address)
        raise
    limit.accept(credential)
    return holder


def _reject_invalid_token(response: Response) -> Response:
    """Return 401 in place of the view's response, where it did not look up the deferred token and
    that is not valid."""
    try:
        principal()
    except SamsynError as error:
        return problem_of(error)
    return response


def _note_deferred_token(response: Response) -> Response:
    """Note whether a token whose lookup was deferred is valid, where that has been found out."""
    token: str | None = g.get("deferred_token")
    if token is not None:
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            deployment().credential_limit.count_wrong(token, client_address())
        elif "principal" in g:
            deployment().credential_limit.accept(token)
    return response


def parse_authorization(header: str) -> str:
    """Return the token in an Authorization header: Bearer, or the password of Basic.

    Raises CredentialsError for another scheme or a malformed header.
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
