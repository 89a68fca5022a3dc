"""Who changes something, and by which way: what a transaction records in its change set."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from samsyn_model.stored_text import json_text

Via = Literal["web", "ogc", "import", "restore", "undo", "job", "command"]
"""By which way: `web` is the management API; what has none is SQL of somebody else."""

MAX_MESSAGE = 200


@dataclass(frozen=True, slots=True)
class Origin:
    """What a transaction records: a way, a user, a request's id, and a sentence for people."""

    via: Via
    user_id: uuid.UUID | None = None
    request_id: str | None = None
    message: str | None = None

    def text(self) -> str:
        """Return it as the JSON that the database's triggers read in the setting
        `samsyn.origin`."""
        members = {
            "via": self.via,
            "user_id": self.user_id,
            "request_id": self.request_id,
            "message": self.message and self.message[:MAX_MESSAGE],
        }
        return json_text({name: value for name, value in members.items() if value is not None})


_ORIGIN: ContextVar[Origin | None] = ContextVar("samsyn_origin", default=None)


def set_origin(origin: Origin | None) -> None:
    """Set what the transactions record that this thread begins from now on."""
    _ORIGIN.set(origin)


def current_origin() -> Origin | None:
    """Return what this thread's transactions record; None: nothing of their origin."""
    return _ORIGIN.get()


@contextmanager
def coming_by(
    via: Via | None, user_id: uuid.UUID | None = None, message: str | None = None
) -> Iterator[None]:
    """Let this thread's transactions record these meanwhile; what is None stays as it was."""
    if via is None:
        yield
        return
    former = _ORIGIN.get() or Origin(via)
    token = _ORIGIN.set(
        Origin(via, user_id or former.user_id, former.request_id, message or former.message)
    )
    try:
        yield
    finally:
        _ORIGIN.reset(token)
