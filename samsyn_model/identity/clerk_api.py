"""Requests to Clerk's backend API: a user is read, or deleted."""

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pydantic import SecretStr

API_TIMEOUT = 5.0
"""Seconds that each step of a request may take, and all of the response's body."""

MAX_RESPONSE = 1024 * 1024
"""The maximum size of a response in bytes."""

MAX_RETRY_AFTER = 24 * 3600.0

_SECRET_KEY = re.compile(r"sk_[\x21-\x7e]{1,255}")
_NOT_FOUND, _SERVER_ERROR = 404, 500
_REFUSALS = frozenset({401, 403, 429})
"""Statuses that speak of the key, or of the number of requests."""
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class ClerkAPIError(Exception):
    """Clerk has not responded as documented. No reason has personal data in it.

    `is_outage` says whether that concerns every request, not this user alone; `retry_after` is the
    pause that Clerk asks for, in seconds, 0 without any.
    """

    def __init__(self, reason: str, *, is_outage: bool, retry_after: float = 0) -> None:
        super().__init__(reason)
        self.is_outage = is_outage
        self.retry_after = retry_after


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow no redirect: the secret key is for the configured address alone."""


class ClerkAPI:
    """Clerk's backend API at a URL, such as `https://api.clerk.com`.

    Raises ValueError when the URL is not https (http on this machine), or the key is no secret key.
    No error contains the key.
    """

    def __init__(self, url: str, secret_key: SecretStr) -> None:
        parts = urlsplit(url)
        is_local = parts.scheme == "http" and parts.hostname in _LOCAL
        if not parts.hostname or not (parts.scheme == "https" or is_local) or parts.query:
            raise ValueError("CLERK_API_URL is not an https address.")
        if not _SECRET_KEY.fullmatch(secret_key.get_secret_value()):
            raise ValueError("CLERK_SECRET_KEY is not a secret key of Clerk (sk_…).")
        self._url = url.rstrip("/")
        self._secret_key = secret_key
        self._opener = build_opener(_NoRedirect)

    def read_user(self, clerk_id: str) -> Any:
        """Return a user as parsed JSON, None where Clerk has no such user.

        Raises ClerkAPIError.
        """
        body = self._send("GET", clerk_id)
        if body is None:
            return None
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ClerkAPIError("the response is not JSON", is_outage=False) from error

    def delete_user(self, clerk_id: str) -> None:
        """Delete a user, who may not exist any more. Raises ClerkAPIError."""
        self._send("DELETE", clerk_id)

    def _send(self, method: str, clerk_id: str) -> bytes | None:
        """Return the body of a response to GET, None of 404."""
        url = f"{self._url}/v1/users/{quote(clerk_id, safe='')}"
        # Clerk's CDN refuses urllib's own user agent.
        headers = {"Accept": "application/json", "User-Agent": "SamSyn"}
        request = Request(url, method=method, headers=headers)  # noqa: S310 - __init__ checks it
        authorization = f"Bearer {self._secret_key.get_secret_value()}"
        request.add_unredirected_header("Authorization", authorization)
        try:
            with self._opener.open(request, timeout=API_TIMEOUT) as response:
                return _read(response) if method == "GET" else b""
        except HTTPError as error:
            error.close()
            if error.code == _NOT_FOUND:
                return None
            pause = _seconds(error.headers.get("Retry-After", ""))
            is_outage = error.code in _REFUSALS or error.code >= _SERVER_ERROR
            raise ClerkAPIError(
                f"status {error.code}", is_outage=is_outage, retry_after=pause
            ) from error
        except ClerkAPIError:
            raise
        except Exception as error:  # a malformed response makes the library raise various errors
            reason = type(getattr(error, "reason", error)).__name__
            raise ClerkAPIError(reason, is_outage=True) from error


def _read(response: Any) -> bytes:
    deadline = monotonic() + API_TIMEOUT
    body = b""
    while part := response.read1(MAX_RESPONSE):
        body += part
        if len(body) > MAX_RESPONSE:
            raise ClerkAPIError("the response is too large", is_outage=False)
        if monotonic() > deadline:
            raise ClerkAPIError("the response takes too long", is_outage=True)
    if response.length:  # read1 ends without an error where the connection does
        raise ClerkAPIError("the response is cut short", is_outage=True)
    return body


def _seconds(retry_after: str) -> float:
    """Return the pause that a Retry-After header asks for: seconds, or a date; 0 for neither."""
    try:
        if re.fullmatch(r"\s*[0-9]{1,9}\s*", retry_after):
            seconds = float(retry_after)
        else:
            moment = parsedate_to_datetime(retry_after)
            seconds = (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0
    return min(max(seconds, 0), MAX_RETRY_AFTER)
