"""Statements that take long are told of in the log: by their text, which has no values."""

import logging
import re

from samsyn_model.log import MEMBERS, request_id

LOGGER = logging.getLogger(__name__)

limit: float | None = None
"""Seconds from which a statement of this process is told of; None: none is."""

_MAX_TEXT = 2000  # characters
_SPACE = re.compile(r"\s+")


def shape_of(statement: object) -> str:
    """Return the text of a statement on one line, which is cut where it is long: SQLAlchemy writes
    names where values are bound, as the texts do."""
    return _SPACE.sub(" ", str(statement)).strip()[:_MAX_TEXT]


def tell(statement: object, seconds: float, error: BaseException | None) -> None:
    """Tell of a statement, text or one of SQLAlchemy, and how it ended."""
    shape = shape_of(statement)
    outcome = type(error).__name__ if error else "done"
    members = {"statement": shape, "seconds": round(seconds, 3), "outcome": outcome}
    LOGGER.warning(
        "slow statement, %.3f s, %s, request %s: %s",
        *(seconds, outcome, request_id() or "-", shape),
        extra={MEMBERS: members},
    )
