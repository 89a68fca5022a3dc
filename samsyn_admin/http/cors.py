"""CORS (the Fetch standard): which origins may use the server from a browser.

The web frontend's origin may use all methods; every other origin may only read `/ogc`. Browsers ask
before most requests that write, but not before all, so that such requests are refused too.
"""

from collections.abc import Set

from flask import Flask, Response, current_app, request

from samsyn_model.errors import PermissionDeniedError
from samsyn_model.permissions.actions import Action
from samsyn_model.settings import Settings
from samsyn_provider.http.deployment import public_origin, url_origin
from samsyn_provider.http.guard import declared_action

_ALL_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_SEARCH_METHODS = _READ_METHODS | {"POST"}
_REQUEST_HEADERS = (
    *("Accept", "Authorization", "Content-Type", "Accept-Crs", "Content-Crs"),
    *("Cache-Control", "If-Match", "If-None-Match", "If-Range", "If-Unmodified-Since"),
    *("Prefer", "Range"),
    "X-Requested-With",
)
_RESPONSE_HEADERS = (
    "ETag, Location, Link, X-Total-Count, Content-Crs, OGC-NumberMatched, OGC-NumberReturned,"
    " Preference-Applied, Allow, Retry-After, WWW-Authenticate, Content-Disposition,"
    " RateLimit, RateLimit-Policy, Accept-Ranges, Content-Range, Memento-Datetime"
)
_MAX_AGE = 7200


def install(app: Flask, settings: Settings) -> None:
    """Respond to preflights, and add to every response the origins whose pages may read it.

    Raises ValueError when FRONTEND_URL is not an http(s) URL.
    """
    frontend = origin_of(settings.frontend_url) if settings.frontend_url else None

    def preflight() -> Response | None:
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        methods = _methods(frontend)
        return _preflight_response(methods) if methods else None

    def refuse_writing() -> None:
        if _is_foreign_writing(frontend):
            raise PermissionDeniedError("Pages of this origin may not write here.")

    def add_headers(response: Response) -> Response:
        return _add_headers(response, frontend)

    app.before_request(preflight)
    app.before_request(refuse_writing)
    app.after_request(add_headers)


def origin_of(url: str) -> str:
    """Return the origin of a URL as browsers serialize it; raises ValueError unless http(s)."""
    origin = url_origin(url)
    if origin is None:
        raise ValueError("FRONTEND_URL is not an http(s) URL.")
    return origin


def _is_below(prefix: str) -> bool:
    return f"{request.path}/".startswith(f"{prefix}/")


def _methods(frontend: str | None) -> Set[str]:
    """Return the methods that pages of the request's origin may use here."""
    origin = request.headers.get("Origin")
    if origin is None or not (_is_below("/api") or _is_below("/ogc")):
        return frozenset()
    if origin == frontend:
        return _ALL_METHODS
    if not _is_below("/ogc"):
        return frozenset()
    return _SEARCH_METHODS if _is_search() else _READ_METHODS


def _is_search() -> bool:
    """Return whether the request is for a view whose POST only reads."""
    endpoint = request.endpoint
    return endpoint is not None and declared_action(current_app, endpoint) is Action.SEARCH_LAYER


def _is_foreign_writing(frontend: str | None) -> bool:
    """Return whether a page of another origin than the frontend's and the server's writes here.

    Below `/api` only with HTTP Basic, which browsers send of themselves after they have asked for a
    password once. Any other header with credentials needs a preflight, which is not answered.
    """
    origin: str | None = request.environ.get("HTTP_ORIGIN")
    if origin is None or request.method in _READ_METHODS | _methods(frontend):
        return False
    if not (_is_below("/ogc") or (_is_below("/api") and _has_password())):
        return False
    return origin != public_origin()


def _has_password() -> bool:
    scheme = request.headers.get("Authorization", "").partition(" ")[0]
    return scheme.lower() == "basic"


def _preflight_response(methods: Set[str]) -> Response:
    # A path that does not exist allows all methods, so that the page can read the 404.
    adapter = current_app.create_url_adapter(request)
    routed = set(adapter.allowed_methods()) if adapter else set()
    response = Response(status=204)
    response.headers["Access-Control-Allow-Methods"] = ", ".join(
        sorted(methods & routed or methods)
    )
    response.headers["Access-Control-Allow-Headers"] = ", ".join(_REQUEST_HEADERS)
    response.headers["Access-Control-Max-Age"] = str(_MAX_AGE)
    return response


def _add_headers(response: Response, frontend: str | None) -> Response:
    is_ogc = _is_below("/ogc")
    if not (is_ogc or _is_below("/api")):
        return response
    if not is_ogc or frontend or request.method not in _READ_METHODS:
        response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin is not None and origin == frontend:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
    elif is_ogc and not _is_foreign_writing(frontend):
        # Also without an Origin header, so that a shared cache may serve the response to any page.
        response.headers["Access-Control-Allow-Origin"] = "*"
    else:
        return response
    response.headers["Access-Control-Expose-Headers"] = _RESPONSE_HEADERS
    return response
