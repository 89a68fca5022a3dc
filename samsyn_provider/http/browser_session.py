"""The cookie of a browser that is signed in to the pages: where it counts, and how it is set.

It counts for reading `/`, `/ogc` and `/imports`, and for what the script of that last page
requests: imports, jobs, and the layers that may be chosen; and for the events that the scripts of
the other pages follow. Nowhere else: never for another method that writes, never elsewhere below
`/api`, never beside an `Authorization` header, never for a page of another origin.
"""

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from samsyn_model.errors import PermissionDeniedError, SamsynError
from samsyn_model.identity.browser_sessions import BrowserSession, find_session
from samsyn_model.permissions.principal import Principal
from samsyn_provider.http.deployment import (
    client_address,
    deployment,
    public_origin,
    public_url,
)
from samsyn_provider.http.media_types import HTML

COOKIE = "samsyn_session"
IMPORTS_PAGE = "/imports"
PAGE_HEADER = "Samsyn-Page"
"""A header of the requests of the page of imports: the scripts of other origins cannot send it."""

_PAGES = {"/", "/ogc", IMPORTS_PAGE}
_IMPORTING = re.compile(r"/api/v1/(?:imports|jobs)(?:/.*)?")
_EVENTS = re.compile(r"/api/v1/(?:layers|maps)/[^/]+/events")
_CHOSEN_LAYERS = "/api/v1/layers"
_READING = {"GET", "HEAD"}
_OWN_SITE = {None, "same-origin", "none"}
"""Values of `Sec-Fetch-Site` where a form of the server's own page is sent; None: it is absent."""


def install(app: Flask) -> None:
    """Keep what was read by a cookie from shared caches, and delete a cookie that is not valid."""
    app.after_request(_mark_response)


def browser_session() -> BrowserSession | None:
    """Return the session of the request's cookie, which is looked up once a request.

    None without a cookie that is valid and counts for this request, for which nothing is looked up.
    Raises TooManyRequestsError where the address has sent too many that are not valid.
    """
    if "browser_session" not in g:
        g.browser_session = None  # also for the page of an error that the lookup raises
        session_id = _counting_cookie()
        if session_id is not None:
            limit, address = deployment().credential_limit, client_address()
            limit.check(session_id, address)
            g.browser_session = find_session(deployment().engine, session_id)
            g.session_cookie_is_valid = g.browser_session is not None
            if g.session_cookie_is_valid:
                limit.accept(session_id)
            else:
                limit.count_wrong(session_id, address)
    session: BrowserSession | None = g.browser_session
    return session


def session_of_page() -> BrowserSession | None:
    """Return the session as `browser_session`; None, too, where it cannot be looked up."""
    try:
        return browser_session()
    except SamsynError:
        return None


def sent_cookie() -> str | None:
    """Return the value of the cookie, wherever it is sent."""
    return request.cookies.get(COOKIE) if "HTTP_COOKIE" in request.environ else None


def can_sign_in() -> bool:
    """Return whether the cookie counts on pages of the request's path, beside its credentials."""
    path = request.path
    is_page = path in _PAGES or path.startswith("/ogc/")
    return is_page and "Authorization" not in request.headers


def session_principal(session: BrowserSession) -> Principal:
    """Return who sends the request: one that may only read, except on the page of imports."""
    return session.importer if _is_importing() else session.principal


def refuse_other_sites() -> None:
    """Raise PermissionDeniedError unless one of the server's own pages sends the request.

    Programs that are no browsers name no page.
    """
    origin = request.headers.get("Origin")
    if request.headers.get("Sec-Fetch-Site") not in _OWN_SITE or (
        origin is not None and origin != public_origin()
    ):
        raise PermissionDeniedError(f"Sign in and out on the pages of {public_url()}.")


def set_cookie(response: Response, session_id: str, expires_at: datetime) -> None:
    """Let the browser keep a session's id until the session expires."""
    life = expires_at - datetime.now(UTC)
    response.set_cookie(COOKIE, session_id, max_age=life, **_attributes())


def delete_cookie(response: Response) -> None:
    """Let the browser forget the session's id."""
    response.delete_cookie(COOKIE, **_attributes())


def _attributes() -> dict[str, Any]:
    url = urlsplit(public_url())
    return {
        "path": url.path or "/",
        "secure": url.scheme == "https",
        "httponly": True,
        "samesite": "Lax",
    }


def _counting_cookie() -> str | None:
    session_id = sent_cookie()
    if session_id is None:
        return None
    if _is_importing():
        return session_id
    if request.method not in _READING or not (can_sign_in() or _is_following()):
        return None
    origin = request.headers.get("Origin")
    return session_id if origin is None or origin == public_origin() else None


def _is_importing() -> bool:
    """Return whether the script of the page of imports sends the request.

    Another origin's cannot: its header would need a preflight, which names no such header, and
    browsers name the origin of each request that writes.
    """
    headers, is_reading = request.headers, request.method in _READING
    if headers.get(PAGE_HEADER) != IMPORTS_PAGE or "Authorization" in headers:
        return False
    if headers.get("Sec-Fetch-Site") not in _OWN_SITE:
        return False
    origin = headers.get("Origin")
    if origin != public_origin() and not (origin is None and is_reading):
        return False
    is_choosing = is_reading and request.path == _CHOSEN_LAYERS
    return is_choosing or _IMPORTING.fullmatch(request.path) is not None


def _is_following() -> bool:
    """Return whether the script of one of the pages follows what happens."""
    headers = request.headers
    is_own = "Authorization" not in headers and headers.get("Sec-Fetch-Site") in _OWN_SITE
    return is_own and _EVENTS.fullmatch(request.path) is not None


def _mark_response(response: Response) -> Response:
    is_valid: bool | None = g.get("session_cookie_is_valid")
    if is_valid is None:
        return response
    response.vary.add("Cookie")
    # a browser's button Back shows no page that signing out has left
    is_page = response.mimetype == HTML and response.status_code != HTTPStatus.NOT_MODIFIED
    is_error = response.status_code >= HTTPStatus.BAD_REQUEST
    storage = "no-store" if is_page or is_error else "no-cache"
    response.headers["Cache-Control"] = f"private, {storage}"
    if not is_valid:
        delete_cookie(response)
    return response
