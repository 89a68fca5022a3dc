"""`/ogc/sign-in` and `/ogc/sign-out`: a browser exchanges a credential for a cookie, and back."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import quote

from flask import Blueprint, Response, render_template, request

from samsyn_model.database.transactions import writing
from samsyn_model.errors import (
    CredentialsError,
    Fault,
    InvalidBodyError,
    InvalidParameterError,
    UnsupportedMediaTypeError,
)
from samsyn_model.identity.browser_sessions import SESSION_HOURS, begin_session, end_session
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.properties.validation import pointer as pointer_to
from samsyn_provider.http.browser_session import (
    can_sign_in,
    delete_cookie,
    refuse_other_sites,
    sent_cookie,
    session_of_page,
    set_cookie,
)
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import holder_of, requires
from samsyn_provider.http.links import MAX_HEADER, ogc_url
from samsyn_provider.http.media_types import FORM
from samsyn_provider.http.problems import prefers_html
from samsyn_provider.http.representations import as_page
from samsyn_provider.http.request_body import read_form
from samsyn_provider.query.parameters import single_values
from samsyn_provider.rates.rate_limits import Rate

bp = Blueprint("sign_in", __name__, url_prefix="/ogc")

_MAX_BODY = 16 * 1024
_FIELDS = frozenset({"token", "web_app", "next"})
_PAGES_OF_SERVER = "a page of this server: /, /imports or below /ogc"
_CLERK_COOKIE = "__session"
_START = "/"
# Behind the server's own address: no other server can be meant, whatever follows.
_PAGE = re.compile(r"/|/\?[!-~]*|/imports(?:\?[!-~]*)?|/ogc(?:[/?][!-~]*)?")


@bp.app_context_processor
def account() -> dict[str, Any]:
    """Return the template variables of the header: the person signed in, or where to sign in.

    Neither is present where the cookie does not count.
    """
    if not can_sign_in():
        return {}
    session = session_of_page()
    return {"person": session.name} if session else {"sign_in_url": _sign_in_url()}


@bp.get("/sign-in")
@requires(Action.READ_PUBLIC)
def sign_in_page() -> Response:
    """Return the page with the form; `next` is the page to which it leads back."""
    following = single_values(request.args, {"next"}).get("next", _START)
    if not _is_page(following):
        raise InvalidParameterError(
            "next is the path of a page of this server: /, /imports or below /ogc."
        )
    return _page(following)


@bp.post("/sign-in")
@requires(Action.SIGN_IN)
def sign_in() -> Response:
    """Exchange an API token, or the session of the web app, for a session of the pages.

    Raises PermissionDeniedError for a form of another site, InvalidBodyError for a field that is
    not valid, TooManyRequestsError.
    """
    refuse_other_sites()
    single_values(request.args, ())
    fields = _read_fields()
    following = fields.get("next", _START)
    if not _is_page(following):
        _refuse("/next", f"This is not {_PAGES_OF_SERVER}.")
    pointer = "/web_app" if "web_app" in fields else "/token"
    try:
        credential = _credential(fields)
        user_id = require_user(holder_of(credential))
        deployment().rate_limits.spend(Rate.WRITES, str(user_id))
        with writing(deployment().engine) as connection:
            end_session(connection, sent_cookie() or "")
            session_id, expires_at = begin_session(connection, user_id, credential)
    except CredentialsError as error:
        if not prefers_html():
            _refuse(pointer, error.detail)
        return _page(following, error.detail)
    response = _lead_to(following)
    set_cookie(response, session_id, expires_at)
    return response


@bp.post("/sign-out")
@requires(Action.SIGN_IN)
def sign_out() -> Response:
    """End the session, and lead to the start page; also without a session.

    Raises PermissionDeniedError for a form of another site.
    """
    refuse_other_sites()
    single_values(request.args, ())
    session_id = sent_cookie()
    if session_id is not None:
        with writing(deployment().engine) as connection:
            end_session(connection, session_id)
    response = _lead_to(_START)
    response.headers["Clear-Site-Data"] = '"cache"'
    delete_cookie(response)
    return response


def _read_fields() -> dict[str, str]:
    """Return the fields of the form in the request's body.

    Raises UnsupportedMediaTypeError, the errors of `read_form`, InvalidBodyError for an unknown or
    a repeated field.
    """
    request.max_content_length = _MAX_BODY
    if request.mimetype != FORM:
        raise UnsupportedMediaTypeError(f"Send this as {FORM}.")
    form = read_form()
    for name, values in form.lists():
        if name not in _FIELDS:
            _refuse(pointer_to(name), "There is no such field.")
        if len(values) > 1:
            _refuse(pointer_to(name), "This field is repeated.")
    return form.to_dict()


def _refuse(where: str, reason: str) -> NoReturn:
    raise InvalidBodyError(reason, (Fault(where, reason),))


def _credential(fields: Mapping[str, str]) -> str:
    """Return what the form signs in by; raises CredentialsError where it is absent."""
    if "web_app" not in fields:
        credential = fields.get("token", "").strip()
        reason = "Enter an API token."
    else:
        credential = request.cookies.get(_CLERK_COOKIE, "")
        reason = "Nobody is signed in to the web app in this browser."
    if not credential:
        raise CredentialsError(reason)
    return credential


def _is_page(following: str) -> bool:
    is_short = len(public_url()) + len(following) <= MAX_HEADER
    return is_short and _PAGE.fullmatch(following) is not None


def _sign_in_url() -> str:
    """Return the address of the form that leads back to the requested page."""
    url = f"{ogc_url()}/sign-in"
    if request.method not in {"GET", "HEAD"} or request.blueprint == bp.name:
        return url
    path = quote(request.path, safe="/:@!$&'()*,;=+~")
    query = request.query_string.decode("latin-1")
    for following in (f"{path}?{query}" if query else path, path):
        if following != _START and _is_page(following):
            return f"{url}?next={quote(following, safe='/')}"
    return url


def _page(following: str, error: str | None = None) -> Response:
    page = render_template(
        "ogc/sign_in.html",
        following=following,
        error=error,
        hours=SESSION_HOURS,
        has_web_app=_CLERK_COOKIE in request.cookies and deployment().authenticator.knows_clerk,
    )
    response = as_page(page)
    response.headers["Cache-Control"] = "no-store"
    if error:
        response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    return response


def _lead_to(following: str) -> Response:
    response = Response(status=HTTPStatus.SEE_OTHER)
    response.headers["Location"] = f"{public_url()}{following}"
    response.headers["Cache-Control"] = "no-store"
    return response
