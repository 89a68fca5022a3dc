"""Numbers in texts: decimal signs, and thousands that are separated.

`57,5` is a number with a decimal comma, `1,234` may be one or a thousand with its separator.
"""

import re
from datetime import date, time
from math import isfinite
from typing import Literal

type Sign = Literal[".", ","]
type Cell = str | int | float | date | time
"""A value of a table: an empty one is an empty text. Texts of CSV may be of any type, those of
spreadsheets are texts."""

_SHOWN = 40
_SPACES = re.compile("[ \u00a0\u2009\u202f']")
_SPACED = re.compile("[+-]?[1-9][0-9]{0,2}([ \u00a0\u2009\u202f'])[0-9]{3}(\\1[0-9]{3})*([.,].*)?")
_PLAIN = re.compile(
    r"[+-]?(?:[0-9]+|[0-9]*(?P<sign>[.,])[0-9]+|[0-9]+[.,])(?:[eE][+-]?[0-9]{1,3})?"
)
_GROUP = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
_GROUPED = re.compile(
    r"[+-]?[1-9][0-9]{0,2}(?:(?P<group>[.,])[0-9]{3})(?:(?P=group)[0-9]{3})*"
    r"(?:(?!(?P=group))(?P<sign>[.,])[0-9]+)?"
)


def shown(text: str) -> str:
    """Return a text in quotation marks, its beginning and without control characters."""
    return f"'{''.join(c if c.isprintable() else ' ' for c in text[:_SHOWN])}'"


def is_ambiguous(text: str) -> bool:
    """Return whether a text may be a decimal number as well as thousands: `1,234`, `319.180`."""
    return _GROUP.fullmatch(text) is not None


def certain_sign(text: str) -> Sign | None:
    """Return the decimal sign of a number that cannot be read otherwise, if it has one."""
    text = without_spaces(text.strip())
    for pattern in (_PLAIN, _GROUPED):
        match = pattern.fullmatch(text)
        if match and match["sign"] and not is_ambiguous(text):
            return "," if match["sign"] == "," else "."
    return None


def without_spaces(text: str) -> str:
    """Return a number without the spaces (or apostrophes) between its thousands."""
    return _SPACES.sub("", text) if _SPACED.fullmatch(text) else text


def number_of(text: str, sign: Sign | None, *, is_strict: bool = False) -> float | None:
    """Return the number of a text, or None for what is none, or may be two.

    `sign` is the decimal sign of the other numbers; `is_strict` admits no other.
    """
    match = _PLAIN.fullmatch(text) or _PLAIN.fullmatch(text := without_spaces(text.strip()))
    if match:
        used = "," if "," in text else "." if "." in text else sign
        if used != sign and (is_strict or is_ambiguous(text)):
            return None
        return _finite(text.replace(",", ".") if used == "," else text)
    match = _GROUPED.fullmatch(text)
    if match is None or match["group"] == sign:
        return None
    if is_strict and match["sign"] and match["sign"] != sign:
        return None
    return _finite(text.replace(match["group"], "").replace(",", "."))


def _finite(text: str) -> float | None:
    """Return the number of a text, or None where no double holds it."""
    value = float(text)
    if value:
        return value if isfinite(value) else None
    return None if re.search("[1-9]", re.split("[eE]", text)[0]) else value
