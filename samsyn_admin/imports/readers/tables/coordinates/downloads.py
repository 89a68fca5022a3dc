"""The coordinates of points that our downloads for spreadsheets have beside the properties."""

import re
from collections.abc import Sequence
from math import isclose

from samsyn_admin.imports.readers.tables.coordinates.headings import Pair
from samsyn_admin.imports.readers.tables.coordinates.numbers import Cell
from samsyn_model.features.spreadsheet_csv import COORDINATES, position_texts

_NUMBERED = re.compile(r"_\d+$")
_FIRST = frozenset({"id", "fid", "feature_id"})
_BEHIND = frozenset({"height", "geometry", "wkt", "geom"})
_DIGITS = 1e-14  # a workbook has 16 digits


def repeated_columns(header: Sequence[str], wkt: int | None) -> list[int]:
    """Return the columns before that of the WKT whose names are those of its coordinates."""
    if wkt is None:
        return []
    names = _names(header)
    for coordinates in COORDINATES:
        for count in (3, 2):
            first = wkt - count
            if names[max(first, 0) : wkt] == list(coordinates[:count]):
                return list(range(first, wkt))
    return []


def only_coordinates(header: Sequence[str]) -> Pair | None:
    """Return the last columns of a download of points whose geometry is in no other column."""
    names = _names(header)
    x, y, _ = COORDINATES[0]
    if not names or names[0] not in _FIRST:
        return None
    for index in range(len(names) - 2, 0, -1):
        if names[index : index + 2] == [x, y]:
            is_alone = _BEHIND.isdisjoint(names[index + 2 : index + 3])
            return Pair(index, index + 1, "degrees") if is_alone else None
    return None


def repeats(cells: Sequence[Cell], columns: Sequence[int], wkt: int, *, has_commas: bool) -> bool:
    """Return whether columns of a row have the coordinates of its WKT."""
    values = [cells[index] for index in columns]
    position = position_texts(str(cells[wkt]))
    return not any(position[len(values) :]) and all(
        _is_same(value, text, has_commas=has_commas)
        for value, text in zip(values, position, strict=False)
    )


def _is_same(value: Cell, text: str, *, has_commas: bool) -> bool:
    if isinstance(value, str):
        return (value.replace(",", ".") if has_commas else value) == text
    if not text or not isinstance(value, int | float):
        return False
    return isclose(value, float(text), rel_tol=_DIGITS)


def _names(header: Sequence[str]) -> list[str]:
    return [_NUMBERED.sub("", name.lower()) for name in header]
