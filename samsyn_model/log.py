"""Lines of the log as JSON, and the id of the request that they are about."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

type LogFormat = Literal["text", "json"]

MEMBERS = "samsyn_members"
"""The attribute of a record that has more members for its line."""

_REQUEST_ID: ContextVar[str | None] = ContextVar("samsyn_request_id", default=None)


def set_request_id(given: str | None) -> None:
    """Set the id of the request that this thread serves from now on."""
    _REQUEST_ID.set(given)


def request_id() -> str | None:
    """Return the id of the request that this thread serves, None where it has none."""
    return _REQUEST_ID.get()


class JsonFormatter(logging.Formatter):
    """One object a line: when, how grave, which module, what, of which request."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        members: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (served := _REQUEST_ID.get()) is not None:
            members["request_id"] = served
        members |= getattr(record, MEMBERS, {})
        if record.exc_info:
            members["exception"] = self.formatException(record.exc_info)
        return json.dumps(members, ensure_ascii=False, separators=(",", ":"), default=str)


def write_log(log_format: LogFormat, level: int, text: str = "%(message)s") -> None:
    """Have this process log to standard error; `text` is how a line of text looks."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else logging.Formatter(text))
    logging.basicConfig(level=level, handlers=[handler])
