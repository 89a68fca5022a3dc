"""The server's access log, without credentials and emails."""

import re
import time
from datetime import timedelta
from functools import lru_cache
from typing import Any

from gunicorn.glogging import Logger

from samsyn_admin.http.noted_requests import REQUEST_ID, ROUTE, SPAN, USER
from samsyn_model.log import MEMBERS, JsonFormatter
from samsyn_model.metrics.counting import count_request

BEGUN = "samsyn.begun"
"""The name in a request's environment of when it began to be served, by `monotonic`."""

_MISSING = "-"
_MASK = "***"
_NAMES = (
    "token",
    "key",
    "secret",
    "passw",
    "signature",
    "session",
    "jwt",
    "mail",
    "auth",
    "ticket",
)
_HINTS = (
    *_NAMES,
    "code=",
    "sig=",
    "user=",
    "login=",
    "samsyn_",
    "sk_",
    "whsec_",
    "eyj",
    "@",
    "%40",
)
_SECRET = re.compile(
    rf"""
    (?P<name>
        [?&;](?:[\w%.\[\]-]{{0,40}}(?:{"|".join(_NAMES)})[\w%.\[\]-]{{0,40}}|code|sig|user|login)=
    )
    [^&;\#\s]*
    | (?P<encoded>  # in an address that is a parameter's value
        %(?:25)*(?:3F|26|3B)[\w.-]{{0,40}}(?:{"|".join(_NAMES)})[\w.-]{{0,40}}%(?:25)*3D
    )
    (?:(?!%(?:25)*(?:26|23|3B))[^&;\#\s])*
    | (?:samsyn|sk|whsec)_(?:live_|test_)?[A-Za-z0-9_-]{{16,}}    # tokens of ours and of Clerk
    | eyJ[A-Za-z0-9_-]{{8,}}(?:\.[A-Za-z0-9_-]*)*                 # a JSON Web Token
    | (?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+(?:@|%40)[A-Za-z0-9.-]{{1,255}}  # an email
    """,
    re.VERBOSE | re.IGNORECASE,
)


class AccessLog(Logger):  # type: ignore[misc]
    """Writes a line per request in the combined log format, as gunicorn does.

    gunicorn's own logger collects all headers of request and response, which takes as long as the
    lookup of a feature.
    """

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """Write the line of a completed request."""
        del req, request_time
        value = environ.get
        status = str(resp.status).partition(" ")[0]
        seconds = time.monotonic() - environ[BEGUN]
        count_request(value("REQUEST_METHOD", ""), value(ROUTE), int(status), seconds)
        if (span := value(SPAN)) is not None:
            span.end(int(status), value(USER), value(REQUEST_ID))
        if self.access_log_enabled:
            self._write(environ, status, getattr(resp, "sent", None), seconds)

    def _write(
        self, environ: dict[str, Any], status: str, sent: int | None, seconds: float
    ) -> None:
        del seconds
        value = environ.get
        line = " ".join(
            (
                value("REQUEST_METHOD", ""),
                masked(value("RAW_URI", "")),
                value("SERVER_PROTOCOL", ""),
            )
        )
        self.access_log.info(
            '%s - - [%s] "%s" %s %s "%s" "%s"',
            value("REMOTE_ADDR") or _MISSING,
            _timestamp(int(time.time())),
            _escape_quotes(line),
            status,
            _MISSING if sent is None else sent,
            _escape_quotes(masked(value("HTTP_REFERER", _MISSING))),
            _escape_quotes(masked(value("HTTP_USER_AGENT", _MISSING))),
        )


class JsonAccessLog(AccessLog):
    """Writes a line of JSON per request, as all else of the log; without the query."""

    def setup(self, cfg: Any) -> None:
        """Take over gunicorn's settings."""
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.setFormatter(JsonFormatter())

    def _write(
        self, environ: dict[str, Any], status: str, sent: int | None, seconds: float
    ) -> None:
        value = environ.get
        members = {
            "request_id": value(REQUEST_ID),
            "user": value(USER),
            "address": value("REMOTE_ADDR"),
            "method": value("REQUEST_METHOD"),
            "route": value(ROUTE),
            "path": masked(value("RAW_URI", "").partition("?")[0]),
            "status": int(status),
            "bytes": sent,
            "seconds": round(seconds, 6),
            "agent": masked(value("HTTP_USER_AGENT", "")) or None,
        }
        told = {name: member for name, member in members.items() if member is not None}
        self.access_log.info("request", extra={MEMBERS: told})


def masked(address: str) -> str:
    """Return an address without what looks like a credential or an email."""
    lowered = address.lower()
    if not any(hint in lowered for hint in _HINTS):
        return address
    return _SECRET.sub(lambda found: (found["name"] or found["encoded"] or "") + _MASK, address)


@lru_cache(maxsize=2)
def _timestamp(second: int) -> str:
    return time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(second))


def _escape_quotes(text: str) -> str:
    return text.replace('"', '\\"')
