"""Heads of the chain, which somebody notes to see later that nothing before them was changed."""

from datetime import date
from typing import Any

from sqlalchemy import Connection, Select, func, select

from samsyn_model.database.execution import run
from samsyn_model.tables.history import DailyHead

_OF_DAY = """
SELECT day, position, head FROM daily_heads WHERE day <= %(day)s ORDER BY day DESC LIMIT 1"""

_POSITION = "SELECT position FROM change_seals WHERE head = %(head)s"


def select_closed_heads() -> Select[Any]:
    """Return the statement for the heads of days that are over in UTC, the latest first.

    A day on which nothing was sealed has none: the head is that of the day before.
    """
    today = func.date(func.timezone("UTC", func.now()))
    return select(DailyHead.__table__).where(DailyHead.day < today).order_by(DailyHead.day.desc())


def select_heads() -> Select[Any]:
    """Return the statement for the heads of all days, the first one first; that of today is the one
    of now."""
    return select(DailyHead.__table__).order_by(DailyHead.day)


def head_of_day(connection: Connection, day: date) -> Any:
    """Return the head at the end of a day: a row of `day`, when it came into being, `position` and
    `head`; None where nothing was sealed by then."""
    return run(connection, _OF_DAY, {"day": day}).one_or_none()


def position_of_head(connection: Connection, head: bytes) -> int | None:
    """Return the position of the seal that a head is of; None where the chain has no such head."""
    position: int | None = run(connection, _POSITION, {"head": head}).scalar()
    return position
