"""The type of a column of a table: the one that all its values have, else text."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from samsyn_admin.imports.readers.tables.coordinates.numbers import (
    Cell,
    Sign,
    certain_sign,
    is_ambiguous,
    number_of,
    shown,
    without_spaces,
)
from samsyn_admin.imports.readers.tables.values import (
    boolean,
    date_time,
    dotted_date,
    existing_date,
    existing_moment,
    integer,
    number,
    plain_number,
    stripped,
    text_of,
)
from samsyn_model.properties.date_times import rfc3339
from samsyn_model.properties.schema import Kind

_NUMBERS = frozenset({"integer", "number", "point", "comma", "1.234", "1,234", "spaced", "power"})
_DATES = frozenset({"date", "date-time", "no date"})
_FORM = re.compile(
    r"""(?P<integer>-?(?:0|[1-9][0-9]{0,30}))
    |(?P<decimal>-?(?:(?:0|[1-9][0-9]*)(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,3})?)
    |(?P<boolean>true|false)
    |(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})
    |(?P<moment>[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt\ ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?
        (?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?)
    |(?P<dotted>[0-3]?[0-9]\.[0-3]?[0-9]\.[0-9]{4})
    |(?P<spaced>-?[1-9][0-9]{0,2}(?:[\ \u00a0\u2009\u202f][0-9]{3})+(?:[.,][0-9]+)?)
    |(?P<grouped>-?[1-9][0-9]{0,2}(?:(?:,[0-9]{3})+(?:\.[0-9]+)?|(?:\.[0-9]{3})+(?:,[0-9]+)?))
    |(?P<code>0[0-9]+)
    |(?P<infinite>[+-]?(?:inf|infinity|nan|1\.\#(?:inf|ind|qnan)))""",
    re.VERBOSE | re.IGNORECASE,
)
_POWER = re.compile(r"[0-9]+[eE][0-9]+")  # programs write the sign of an exponent: 1E+05
_LONGEST = 64  # characters of what is not text


@dataclass(frozen=True, slots=True)
class ColumnType:
    """What the values of a column are, and how they are read: a value that is none raises
    ValueError. `note` is what the user should know of it."""

    kind: Kind | None
    convert: Callable[[Cell], Any]
    sign: Sign | None = None
    note: str = ""


class Column:
    """The forms of the values of a column, counted while they are read."""

    def __init__(self, name: str, *, is_in_degrees: bool = False) -> None:
        self.name = name
        self._is_in_degrees = is_in_degrees
        self.forms: Counter[str] = Counter()
        self._first_text: tuple[int, str] | None = None
        self._day_first = self._month_first = False
        self._digits: set[int] = set()
        self._power = ""

    @property
    def is_text(self) -> bool:
        """Whether the column can only be text, and mostly is."""
        numbers = sum(self.forms[form] for form in _NUMBERS)
        return bool(self.forms["text"]) and self.forms["text"] > numbers

    def add(self, cell: Cell, line: int) -> None:
        """Count a value that is not empty."""
        form = self._form(cell) if isinstance(cell, str) else _form_of_typed(cell)
        self.forms[form] += 1
        if form == "text" and self._first_text is None:
            self._first_text = line, str(cell)

    def add_cell(self, cell: Cell, line: int) -> None:
        """Count a value of a spreadsheet, where a text is one, but for those of coordinates."""
        if not isinstance(cell, str) or self._is_in_degrees:
            self.add(cell, line)
        elif not cell.isspace():
            self.forms["text"] += 1
            self._first_text = self._first_text or (line, cell)

    def certain_signs(self) -> set[Sign]:
        """Return the decimal signs that the values have beyond doubt, where all are numbers."""
        if not self._is_numeric():
            return set()
        signs: set[Sign] = {"."} if self.forms["point"] else set()
        return signs | ({","} if self.forms["comma"] else set())

    def _is_numeric(self) -> bool:
        numbers = sum(self.forms[form] for form in _NUMBERS)
        others = self.forms.total() - numbers - self.forms["infinite"] - self.forms["blank"]
        return bool(numbers) and not others

    def _form(self, text: str) -> str:
        text = text.strip()
        if not text:
            return "blank"
        match = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
        form = match.lastgroup if match else None
        if form is None:
            return "text"
        if form == "integer":
            return form
        return _FORMS_OF[form](self, text) if form in _FORMS_OF else form

    def _decimal(self, text: str) -> str:
        sign: Sign = "," if "," in text else "."
        if "e" in text.lower() and number_of(text, sign) is None:
            return "text"  # 1e999, which no double holds
        if not self._is_in_degrees and _POWER.fullmatch(text):
            self._power = self._power or text
            return "power"
        if not self._is_in_degrees and text[-4:-3] == sign and is_ambiguous(text):
            return "1,234" if sign == "," else "1.234"
        return "comma" if sign == "," else "point" if "." in text else "number"

    def _spaced(self, text: str) -> str:
        plain = without_spaces(text)
        self._digits.add(len(plain))
        sign = certain_sign(plain) or ("." if "." in plain else "," if "," in plain else None)
        return "spaced" if sign is None else "comma" if sign == "," else "point"

    def _grouped(self, text: str) -> str:
        """Return the form of a number with separated thousands: certain, if it has two signs."""
        sign = certain_sign(text)
        if sign is None:
            return "grouped"
        self._digits.add(len(text))
        return "comma" if sign == "," else "point"

    def _date(self, text: str) -> str:
        try:
            date.fromisoformat(text)
        except ValueError:
            return "no date"
        return "date"

    def _moment(self, text: str) -> str:
        try:
            rfc3339(date_time(text))
        except (ValueError, OverflowError):
            return "no date" if self._date(text[:10]) == "no date" else "text"
        return "date-time"

    def _dotted(self, text: str) -> str:
        first, second, year = map(int, text.split("."))
        self._day_first = self._day_first or first > 12
        self._month_first = self._month_first or second > 12
        try:
            date(year, *((second, first) if second <= 12 else (first, second)))
        except ValueError:
            return "text"
        return "dotted"

    def decide(self, sign: Sign | None, chosen: Sign | None) -> ColumnType:
        """Return the column's type; `sign` is the decimal sign of the other columns, `chosen` the
        user's."""
        if self._is_numeric():
            return self._number_type(sign, chosen)
        present = {form for form, count in self.forms.items() if count and form != "blank"}
        if not present:
            return ColumnType(None, text_of)
        if present == {"boolean"}:
            return ColumnType(Kind.BOOLEAN, boolean)
        if "date" in present and present <= {"date", "no date"}:
            is_sound = present == {"date"}
            return ColumnType(Kind.DATE, stripped if is_sound else existing_date)
        if "date-time" in present and present <= {"date-time", "no date"}:
            return ColumnType(Kind.DATE_TIME, existing_moment)
        if present == {"time"}:
            return ColumnType(Kind.TIME, text_of)
        if present == {"dotted"}:
            return self._dotted_type()
        return self._text_type(present)

    def _number_type(self, sign: Sign | None, chosen: Sign | None) -> ColumnType:
        forms = self.forms
        own = self.certain_signs()
        if len(own) > 1:
            return self._doubtful("some numbers have a decimal comma and some a point")
        used = own.copy().pop() if own else chosen or sign
        if chosen and own - {chosen}:
            return self._doubtful(f"its decimal sign is not {chosen!r}")
        if (forms["1,234"] and (used or ".") == ".") or (forms["1.234"] and used == ","):
            example = "1,234" if forms["1,234"] else "1.234"
            return self._doubtful(
                f"numbers such as {example} may have decimal places or thousands there (choose the"
                " decimal sign)"
            )
        if forms["spaced"] and not own and len(self._digits) == 1 and not forms["integer"]:
            return self._doubtful("digits in groups may be codes")
        decimals = ("point", "comma", "number", "1.234", "1,234")
        has_decimals = any(forms[form] for form in decimals)
        if forms["power"] and not has_decimals:
            return self._doubtful(f"values such as {self._power} may be codes")
        if not has_decimals:
            return ColumnType(Kind.INTEGER, integer)
        read: Sign = used or "."
        is_plain = not forms["infinite"] and not self._digits
        return ColumnType(
            Kind.NUMBER,
            partial(plain_number if is_plain else number, sign=read),
            sign=read if forms["comma"] or forms["1,234"] or forms["point"] else None,
        )

    def _dotted_type(self) -> ColumnType:
        if self._month_first or not self._day_first:
            return self._doubtful("dates such as 01.05.2024 may begin with the day or the month")
        return ColumnType(
            Kind.DATE,
            dotted_date,
            note=f"Dates of {self.name!r} such as 31.12.2024 were read as day, month and year.",
        )

    def _text_type(self, present: set[str]) -> ColumnType:
        numbers = sum(self.forms[form] for form in _NUMBERS)
        if "grouped" in present and not present - _NUMBERS - {"grouped"}:
            return self._doubtful("numbers with separated thousands are not taken for numbers")
        if self._first_text and numbers >= self.forms["text"] and "code" not in present:
            line, text = self._first_text
            return self._doubtful(f"line {line} has {shown(text)}, which is no number")
        return ColumnType(Kind.STRING, text_of)

    def _doubtful(self, reason: str) -> ColumnType:
        return ColumnType(Kind.STRING, text_of, note=f"{self.name!r} was read as text: {reason}.")


_FORMS_OF: Mapping[str, Callable[[Column, str], str]] = {
    "decimal": Column._decimal,
    "spaced": Column._spaced,
    "grouped": Column._grouped,
    "date": Column._date,
    "moment": Column._moment,
    "dotted": Column._dotted,
}


def common_sign(columns: Sequence[Column], *, has_semicolons: bool) -> Sign | None:
    """Return the one decimal sign that columns of numbers have, or that goes with semicolons
    between the values, if numbers such as `1,234` are all there is."""
    signs = {sign for column in columns for sign in column.certain_signs()}
    if not signs and has_semicolons and any(column.forms["1,234"] for column in columns):
        return ","
    return signs.pop() if len(signs) == 1 else None


def _form_of_typed(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "boolean"
    if isinstance(cell, int):
        return "integer"
    if isinstance(cell, float):
        return "number"
    if isinstance(cell, datetime):
        return "date-time"
    return "date" if isinstance(cell, date) else "time"
