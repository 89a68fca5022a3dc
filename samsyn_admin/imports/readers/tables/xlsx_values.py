"""The values in cells of XLSX: what numbers are depends on the format that they are shown in."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from math import isfinite

from samsyn_admin.imports.readers.tables.coordinates.numbers import Cell
from samsyn_admin.imports.readers.tables.spreadsheets import Handlers
from samsyn_admin.imports.readers.tables.text import is_damaged

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_NO_FORMAT = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_DATES = {14: "d", 15: "d", 16: "d", 17: "d", 18: "t", 19: "t", 20: "t", 21: "t", 22: "dt"} | {
    **dict.fromkeys([*range(27, 32), *range(50, 59), 36], "d"),
    **dict.fromkeys([*range(32, 36), 45, 47], "t"),
}
"""The built-in formats of dates and times, by their number."""
_FALSE_LEAP_DAY = 60
_LAST_DAY = 2_958_465  # 9999-12-31


class Styles(Handlers):
    """The formats of numbers, and which one each style of cells has."""

    def __init__(self) -> None:
        super().__init__()
        self._codes: dict[int, str] = {}
        self._used: list[int] = []
        self._is_in_cells = False

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        self.take_text()
        if name == "numFmt":
            self._codes[int(attributes["numFmtId"])] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._is_in_cells = True
        elif name == "xf" and self._is_in_cells:
            self._used.append(int(attributes.get("numFmtId", "0")))

    def finish(self, name: str) -> None:
        """End an element."""
        if name == "cellXfs":
            self._is_in_cells = False

    def forms(self) -> list[str]:
        """Return what numbers of each style are: `d` a date, `t` a time, `dt` both."""
        return [
            _form(self._codes[number]) if number in self._codes else _DATES.get(number, "")
            for number in self._used
        ]


def _form(code: str) -> str:
    plain = _NO_FORMAT.sub("", code.partition(";")[0]).lower()
    if "general" in plain:
        return ""
    has_time = "h" in plain or "s" in plain
    has_date = "y" in plain or "d" in plain or ("m" in plain and not has_time)
    return "d" * has_date + "t" * has_time


class CellReader:
    """Turns the value of a cell into that of a table."""

    def __init__(self, texts: Sequence[str], forms: Sequence[str], *, is_1904: bool) -> None:
        self._texts = texts
        self._forms = forms
        self._first_day = date(1904, 1, 1) if is_1904 else date(1899, 12, 30)
        self._is_1904 = is_1904

    def read(self, attributes: Mapping[str, str], value: str) -> Cell:
        """Return the value; raises ValueError, IndexError for one that is damaged."""
        kind = attributes.get("t", "n")
        if kind == "s":
            return self._texts[int(value)] if value else ""
        if kind == "b":
            return value.strip() in {"1", "true"}
        if kind != "n":
            return _iso(value) if kind == "d" else unescaped(value)
        if not value:
            return ""
        style = int(attributes.get("s", "0"))
        form = self._forms[style] if style < len(self._forms) else ""
        number = int(value) if _INTEGER.fullmatch(value) else float(value)
        if not isfinite(number):
            return value
        return self._moment(number, form) if form else number

    def _moment(self, number: float, form: str) -> Cell:
        """Return the moment that a count of days is, or the number where it is none."""
        if form == "t" and 0 <= number < 1:
            return _days_after(self._first_day, number).time()
        if "d" not in form or not 0 < number <= _LAST_DAY:
            return number
        if not self._is_1904 and number < _FALSE_LEAP_DAY + 1:
            if number >= _FALSE_LEAP_DAY:
                return number
            number += 1
        moment = _days_after(self._first_day, number)
        is_day = form == "d" and moment.time() == time()
        return moment.date() if is_day else moment


def _days_after(day: date, days: float) -> datetime:
    """Return the moment so many days after the beginning of a day, to the millisecond."""
    return datetime.combine(day, time()) + timedelta(milliseconds=round(days * 86_400_000))


def _iso(value: str) -> Cell:
    try:
        return datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
    except ValueError:
        return value


def unescaped(text: str) -> str:
    """Return a text with the characters that XML does not have, which are written `_x0001_`."""
    return _ESCAPE.sub(_character, text) if "_x" in text else text


def _character(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    is_storable = character != "\0" and not is_damaged(character)
    return character if is_storable else match[0]
