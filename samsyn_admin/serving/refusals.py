"""Responses to requests that are not passed to the application: problem documents, as its own."""

import json
from http import HTTPStatus

from gunicorn.http import errors

from samsyn_admin.http.security_headers import ALWAYS, NO_PAGE
from samsyn_admin.serving.connections.received import NoRoomError
from samsyn_model.errors import SamsynError
from samsyn_provider.http.problems import (
    ADDRESS_TOO_LONG,
    NOT_HTTP,
    RETRY_AFTER,
    SERVER_FAULT,
    problem_document,
    status_of,
)

_CUT_OFF = "The body was cut off."
_TOO_LATE = "The request did not arrive in time."
STOPPING = "The server is stopping: send the request again."

_REFUSALS: tuple[tuple[type[BaseException], HTTPStatus, str], ...] = (
    (errors.LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG, ADDRESS_TOO_LONG),
    (
        errors.LimitRequestHeaders,
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The headers are too long, or too many.",
    ),
    (
        errors.UnsupportedTransferCoding,
        HTTPStatus.NOT_IMPLEMENTED,
        "The only transfer coding is chunked.",
    ),
    (errors.ExpectationFailed, HTTPStatus.EXPECTATION_FAILED, "Expect: 100-continue, or nothing."),
    # headers of the application
    (errors.InvalidResponseHeader, HTTPStatus.INTERNAL_SERVER_ERROR, SERVER_FAULT),
    (errors.InvalidResponseHeaderName, HTTPStatus.INTERNAL_SERVER_ERROR, SERVER_FAULT),
    (errors.ConfigurationProblem, HTTPStatus.INTERNAL_SERVER_ERROR, SERVER_FAULT),
    (errors.ParseException, HTTPStatus.BAD_REQUEST, NOT_HTTP),
    (errors.NoMoreData, HTTPStatus.BAD_REQUEST, _CUT_OFF),
    (TimeoutError, HTTPStatus.REQUEST_TIMEOUT, _TOO_LATE),
    (
        NoRoomError,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The server has no room for the body of the request: send it again later.",
    ),
)


def refusal_of(error: BaseException) -> tuple[HTTPStatus, str]:
    """Return the status of the response to a request that failed with an error, and its detail."""
    for kind, status, detail in _REFUSALS:
        if isinstance(error, kind):
            return status, detail
    if isinstance(error, SamsynError):  # before the first part of a streamed response
        return status_of(error), error.detail
    return HTTPStatus.INTERNAL_SERVER_ERROR, SERVER_FAULT


def refusal(status: HTTPStatus, detail: str) -> bytes:
    """Return a response, after which the connection is closed. `Accept` may not have been read."""
    content = json.dumps(problem_document(status, detail)).encode()
    head = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Connection: close",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(content)}",
        "Cache-Control: no-store",
        f"Content-Security-Policy: {NO_PAGE}",
        *(f"{name}: {value}" for name, value in ALWAYS),
    ]
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        head.append(f"Retry-After: {RETRY_AFTER}")
    return "\r\n".join((*head, "", "")).encode() + content
