"""Files for spreadsheets: texts that are no formulas, and coordinates beside WKT.

What a download writes so is read back as it was.
"""

import re
from typing import Any

FORMULA = "'*[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-]"
"""The beginning of a text that a spreadsheet may run as a formula, also behind apostrophes."""

COORDINATES = (("longitude", "latitude", "height"), ("x", "y", "z"))
"""The columns with the position of a point, before that of its WKT: in degrees, and projected."""

SHEETS = ("Features", "Notes")
"""The sheets of a workbook: the features, and what their cells lack."""

BYTE_ORDER_MARK = "\ufeff"
"""Tells Excel that a text is UTF-8."""

_FORMULA = re.compile(FORMULA)
_GUARDED = re.compile(f"'{FORMULA}")
_POINT = re.compile(
    r"(?:SRID=[0-9]+;)?(?:MULTI)?POINT (?:Z )?\(+([^ (),]+) ([^ (),]+)(?: ([^ (),]+))?\)+"
)


def with_guard(value: Any) -> Any:
    """Return a value, with an apostrophe before a text that could be a formula."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def without_guard(text: str) -> str:
    """Return a text without the apostrophe that keeps it from being a formula."""
    return text[1:] if _GUARDED.match(text) else text


def position_texts(wkt: str) -> tuple[str, str, str]:
    """Return the coordinates in the WKT of a point, or of one point of a Multi type, as they are
    written there; empty texts for other geometries, and for an absent height."""
    match = _POINT.fullmatch(wkt)
    return (match[1], match[2], match[3] or "") if match else ("", "", "")
