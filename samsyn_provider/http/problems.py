"""Errors as HTTP: one table of statuses, one body (RFC 9457 problem details, or a page)."""

import errno
import json
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from samsyn_model import errors
from samsyn_model.errors import SamsynError
from samsyn_provider.http.links import MAX_HEADER, Link
from samsyn_provider.http.representations import as_page

LOGGER = logging.getLogger(__name__)

STATUSES: dict[type[SamsynError], HTTPStatus] = {
    errors.InvalidParameterError: HTTPStatus.BAD_REQUEST,
    errors.MalformedBodyError: HTTPStatus.BAD_REQUEST,
    errors.BodyTimeoutError: HTTPStatus.REQUEST_TIMEOUT,
    errors.CredentialsError: HTTPStatus.UNAUTHORIZED,
    errors.PermissionDeniedError: HTTPStatus.FORBIDDEN,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.NotAcceptableError: HTTPStatus.NOT_ACCEPTABLE,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.PreconditionFailedError: HTTPStatus.PRECONDITION_FAILED,
    errors.TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.InvalidBodyError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RangeNotSatisfiableError: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    errors.TooManyRequestsError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.ClientGoneError: HTTPStatus.BAD_REQUEST,
    errors.StatementTimeoutError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DatabaseUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.EventsUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StorageFullError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.UnusableRasterError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TilerUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.RemoteServerError: HTTPStatus.BAD_GATEWAY,
    errors.RemoteTimeoutError: HTTPStatus.GATEWAY_TIMEOUT,
    errors.NotConfiguredError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StorageUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DatabaseSetupError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status of each error; of a subclass, that of its nearest base class."""

_EXCEPTION = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"
TYPES: dict[type[SamsynError], str] = {
    errors.NoSuchProcessError: f"{_EXCEPTION}/no-such-process",
    errors.NoSuchJobError: f"{_EXCEPTION}/no-such-job",
    errors.ResultNotReadyError: f"{_EXCEPTION}/result-not-ready",
}
"""The types of problems that a standard names (OGC 18-062r2, 7.9.2 and 7.13); others have none."""

ADDRESS_TOO_LONG = (
    "The address is too long: send the parameters in the body of a POST to"
    " /ogc/collections/{collectionId}/search."
)
NOT_HTTP = "The request cannot be read: it is not valid HTTP."
SERVER_FAULT = "Something went wrong on the server; its log has the details."
RETRY_AFTER = "5"
"""Seconds after which a request that was 503 is sent again."""
_NO_ADDRESS = "There is no such address in this API."
_DETAILS = {
    HTTPStatus.BAD_REQUEST: NOT_HTTP,
    HTTPStatus.NOT_FOUND: _NO_ADDRESS,
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take that kind of request (method).",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than the server accepts.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is of a media type that is not read here.",
}
"""What is said in place of the framework's own texts."""
_DISK_IS_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def status_of(error: SamsynError) -> HTTPStatus:
    """Return the status of the response to a request that failed with an error."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem_document(
    status: HTTPStatus, detail: str, faults: tuple[errors.Fault, ...] = ()
) -> dict[str, Any]:
    """Return a problem document: its members `errors` are the faults, if there are any."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
    }
    if faults:
        document["errors"] = [{"pointer": f.pointer, "detail": f.detail} for f in faults]
    return document


def known_error(error: Exception) -> SamsynError | None:
    """Return the error that is reported in place of one; None where that is a fault of the code."""
    if isinstance(error, OSError) and error.errno in _DISK_IS_FULL:
        full = errors.StorageFullError("The disk of the server is full: try again later.")
        full.__cause__ = error
        return full
    return error if isinstance(error, SamsynError) else None


def problem(
    status: HTTPStatus,
    detail: str,
    faults: tuple[errors.Fault, ...] = (),
    kind: str = "about:blank",
    links: Sequence[Link] = (),
) -> Response:
    """Return the response to a request that failed, in a media type that the client accepts.

    `application/problem+json` when the Accept header names it, an HTML page for browsers outside
    `/api`, else `application/json`; always with `type`, `title`, `status` and `detail`, and with
    `links` to what there is instead.
    """
    document = problem_document(status, detail, faults) | {"type": kind}
    if links:
        document["links"] = list(links)
    if not prefers_html():
        return _complete(_json_response(document), status)
    page = as_page(render_template("ogc/error.html", document=document))
    return _complete(page, status)


def failure(document: dict[str, Any]) -> Response:
    """Return the response whose body is the problem document of a job that failed."""
    faults = tuple(errors.Fault(**fault) for fault in document.get("errors", ()))
    return problem(HTTPStatus(document["status"]), document["detail"], faults)


def json_problem(status: HTTPStatus, detail: str) -> Response:
    """Return the response to a request that failed without a page, whose links nobody can make."""
    return _complete(_json_response(problem_document(status, detail)), status)


def _json_response(document: dict[str, Any]) -> Response:
    is_named = any(kind == "application/problem+json" for kind, _ in request.accept_mimetypes)
    media_type = "application/problem+json" if is_named else "application/json"
    return Response(json.dumps(document), mimetype=media_type)


def _complete(response: Response, status: HTTPStatus) -> Response:
    response.status_code = status.value
    response.headers["Cache-Control"] = "no-store"
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers.add("WWW-Authenticate", 'Bearer realm="SamSyn"')
        response.headers.add("WWW-Authenticate", 'Basic realm="SamSyn", charset="UTF-8"')
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = RETRY_AFTER
    return response


def prefers_html() -> bool:
    """Return whether the response to a request that failed is a page."""
    if request.path.startswith("/api"):
        return False
    if "f" in request.args:
        return request.args["f"] == "html"
    best = request.accept_mimetypes.best_match(
        ["application/json", "application/problem+json", "application/geo+json", "text/html"]
    )
    return best == "text/html"


def install(app: Flask) -> None:
    """Turn every error of the app's views into a problem document, and log server errors."""
    app.register_error_handler(SamsynError, problem_of)
    app.register_error_handler(HTTPException, problem_of_http_exception)
    app.register_error_handler(Exception, _on_unexpected_error)
    app.before_request(_refuse_long_redirect)


def _refuse_long_redirect() -> Response | None:
    """Return 414 to a request that Flask would redirect to an address too long for a header."""
    redirect = request.routing_exception
    if isinstance(redirect, RequestRedirect) and len(redirect.new_url) > MAX_HEADER:
        return problem(HTTPStatus.REQUEST_URI_TOO_LONG, ADDRESS_TOO_LONG)
    return None


def problem_of(error: SamsynError) -> Response:
    """Return the problem document of a SamsynError; a server error is logged.

    What an operator has left out is none: anybody could fill the log with it.
    """
    status = status_of(error)
    is_fault = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if is_fault and not isinstance(error, errors.NotConfiguredError):
        LOGGER.error("%s %s: %s%s", request.method, request.path, error.detail, _cause_of(error))
    kind = TYPES.get(type(error), "about:blank")
    response = problem(status, error.detail, error.faults, kind)
    if isinstance(error, errors.TooManyRequestsError):
        policy = error.policy.partition(";")[0]
        response.headers["Retry-After"] = str(error.retry_after)
        response.headers["RateLimit-Policy"] = error.policy
        response.headers["RateLimit"] = f"{policy};r=0;t={error.retry_after}"
    if isinstance(error, errors.RangeNotSatisfiableError):
        response.headers["Content-Range"] = f"bytes */{error.size}"
    return response


def _cause_of(error: SamsynError) -> str:
    """Return the first line of the driver's message: full tracebacks, one a request while the
    database is away, would hide it."""
    message = str(error.__cause__ or "").strip().partition("\n")[0]
    return f" ({message})" if message else ""


def problem_of_http_exception(error: HTTPException) -> Response | HTTPException:
    """Return the problem document of an error of Flask or Werkzeug; a redirect as it is."""
    if error.response is not None or error.code is None or error.code < 400:
        return error
    status = HTTPStatus(error.code)
    is_default = error.description == type(error).description
    detail = _DETAILS.get(status) if is_default else None
    response = problem(status, detail or error.description or error.name)
    for name, value in error.get_headers(request.environ):
        if name not in {"Content-Type", "WWW-Authenticate"}:
            response.headers[name] = value
    return response


def _on_unexpected_error(error: Exception) -> Response:
    known = known_error(error)
    if known is not None:
        return problem_of(known)
    LOGGER.error("%s %s", request.method, request.path, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, SERVER_FAULT)
