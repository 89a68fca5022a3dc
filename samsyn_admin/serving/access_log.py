"""The server's log of requests."""

import time
from datetime import timedelta
from functools import lru_cache
from typing import Any

from gunicorn.glogging import Logger

_UNSAID = "-"


class AccessLog(Logger):  # type: ignore[misc]
    """Writes a line a request in the combined log format, as gunicorn does.

    gunicorn gathers every header of request and answer for it, which takes as long as finding the
    feature that was asked for.
    """

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """Write the line of a request that has been answered."""
        del req, request_time
        if not self.access_log_enabled:
            return
        told = environ.get
        line = " ".join(
            (told("REQUEST_METHOD", ""), told("RAW_URI", ""), told("SERVER_PROTOCOL", ""))
        )
        self.access_log.info(
            '%s - - [%s] "%s" %s %s "%s" "%s"',
            told("REMOTE_ADDR") or _UNSAID,
            _written(int(time.time())),
            _quotable(line),
            str(resp.status).partition(" ")[0],
            getattr(resp, "sent", _UNSAID),
            _quotable(told("HTTP_REFERER", _UNSAID)),
            _quotable(told("HTTP_USER_AGENT", _UNSAID)),
        )


@lru_cache(maxsize=2)
def _written(second: int) -> str:
    return time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(second))


def _quotable(text: str) -> str:
    return text.replace('"', '\\"')
