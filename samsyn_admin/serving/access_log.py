"""The server's access log, without credentials and emails."""

import re
import time
from datetime import timedelta
from functools import lru_cache
from typing import Any

from gunicorn.glogging import Logger

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
        if not self.access_log_enabled:
            return
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
            str(resp.status).partition(" ")[0],
            getattr(resp, "sent", _MISSING),
            _escape_quotes(masked(value("HTTP_REFERER", _MISSING))),
            _escape_quotes(value("HTTP_USER_AGENT", _MISSING)),
        )


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
