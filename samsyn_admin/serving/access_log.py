"""The server's access log."""

import time
from datetime import timedelta
from functools import lru_cache
from typing import Any

from gunicorn.glogging import Logger

_MISSING = "-"


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
            (value("REQUEST_METHOD", ""), value("RAW_URI", ""), value("SERVER_PROTOCOL", ""))
        )
        self.access_log.info(
            '%s - - [%s] "%s" %s %s "%s" "%s"',
            value("REMOTE_ADDR") or _MISSING,
            _timestamp(int(time.time())),
            _escape_quotes(line),
            str(resp.status).partition(" ")[0],
            getattr(resp, "sent", _MISSING),
            _escape_quotes(value("HTTP_REFERER", _MISSING)),
            _escape_quotes(value("HTTP_USER_AGENT", _MISSING)),
        )


@lru_cache(maxsize=2)
def _timestamp(second: int) -> str:
    return time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(second))


def _escape_quotes(text: str) -> str:
    return text.replace('"', '\\"')
