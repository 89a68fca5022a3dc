"""The values of cells in the type of their column; each raises ValueError for one that is not."""

from datetime import date, datetime, time

from samsyn_admin.imports.readers.tables.coordinates.numbers import (
    Cell,
    Sign,
    number_of,
    without_spaces,
)
from samsyn_model.properties.date_times import rfc3339

_EXACT = 2**53


def date_time(text: str) -> datetime:
    """Return the date-time of a text, with a space or a `T` before the time."""
    return datetime.fromisoformat(text.upper().replace(" ", "T", 1))


def text_of(cell: Cell) -> str:
    """Return a value as text: as CSV would have it."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return rfc3339(cell)
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)


def integer(cell: Cell) -> int:
    """Return a whole number of any size."""
    return int(without_spaces(cell.strip()) if isinstance(cell, str) else text_of(cell))


def plain_number(cell: Cell, sign: Sign) -> int | float:
    """Return the number of a text without spaces that is known to be one."""
    if not isinstance(cell, str):
        return number(cell, sign)
    value = float(cell.replace(",", ".") if sign == "," else cell)
    return value if -_EXACT < value < _EXACT else number(cell, sign)


def number(cell: Cell, sign: Sign) -> int | float:
    """Return a number; whole ones beyond 2^53 are exact."""
    if isinstance(cell, int | float):
        return cell
    if isinstance(cell, str):
        text = cell.strip()
        if text.lstrip("-").isdecimal() and abs(int(text)) > _EXACT:
            return int(text)
        value = number_of(text, sign)
        if value is not None:
            return value
    raise ValueError(cell)


def boolean(cell: Cell) -> bool:
    """Return whether a text is `true`."""
    return cell.strip().lower() == "true" if isinstance(cell, str) else bool(cell)


def stripped(cell: Cell) -> str:
    """Return a date that is known to exist."""
    return text_of(cell).strip()


def existing_date(cell: Cell) -> str:
    """Return a date, or raise ValueError where there is no such day."""
    return date.fromisoformat(cell.strip()).isoformat() if isinstance(cell, str) else text_of(cell)


def existing_moment(cell: Cell) -> str:
    """Return a date-time in UTC, or raise ValueError where there is none such."""
    return rfc3339(date_time(cell.strip())) if isinstance(cell, str) else text_of(cell)


def dotted_date(cell: Cell) -> str:
    """Return the date of a text such as `31.12.2024`."""
    day, month, year = map(int, str(cell).split("."))
    return date(year, month, day).isoformat()
