"""Positions from two columns of coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass

from samsyn_admin.imports.readers.tables.coordinates.degrees import (
    Axis,
    degrees_of,
    is_written_as_degrees,
)
from samsyn_admin.imports.readers.tables.coordinates.headings import Pair
from samsyn_admin.imports.readers.tables.coordinates.hemispheres import Hemisphere
from samsyn_admin.imports.readers.tables.coordinates.numbers import (
    Cell,
    Sign,
    certain_sign,
    is_ambiguous,
    number_of,
    shown,
)

type Position = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Column:
    index: int
    name: str
    axis: Axis
    hemisphere: Hemisphere | None


class PositionReader:
    """Reads x and y of rows.

    `sign` is the decimal sign of the texts, if they have one that is certain; `is_in_degrees` says
    that they can only be longitudes and latitudes.
    """

    def __init__(
        self,
        pair: Pair | None,
        header: Sequence[str],
        chosen: Sign | None,
        *,
        has_semicolons: bool,
        hemispheres: Sequence[Hemisphere] = (),
    ) -> None:
        self._pair = pair
        self._chosen = chosen
        self._has_semicolons = has_semicolons
        self.sign = chosen
        self.is_in_degrees = (pair is not None and pair.family == "degrees") or any(
            one.is_of_degrees for one in hemispheres
        )
        self._header = header
        self._columns: tuple[_Column, ...] = ()
        if pair is not None:
            east, north = hemispheres or (None, None)
            self._columns = (
                _Column(pair.x, header[pair.x], "longitude", east),
                _Column(pair.y, header[pair.y], "latitude", north),
            )

    def observe(self, sample: Sequence[Sequence[Cell]]) -> None:
        """Find out the decimal sign, and whether the texts are degrees, from the first rows."""
        texts = [
            cell.strip()
            for cells in sample
            for column in self._columns
            if isinstance(cell := cells[column.index], str)
        ]
        if any(map(is_written_as_degrees, texts)):
            self.is_in_degrees = True
        signs = {certain_sign(text) for text in texts}
        if self.is_in_degrees:
            signs |= {"," if "," in text else "." for text in texts if is_ambiguous(text)}
        signs.discard(None)
        if self._chosen is None and len(signs) == 1:
            self.sign = signs.pop()
        elif self._chosen is None and not signs:
            groups = {"," in text for text in texts if is_ambiguous(text)}
            if groups == {True} and self._has_semicolons:
                self.sign = ","
            elif groups == {False}:
                self.sign = "."

    def read(self, cells: Sequence[Cell]) -> Position | str | None:
        """Return x and y of a row, None where both are empty, or why they cannot be read."""
        x, y = self._columns
        east, north = self._coordinate(cells, x), self._coordinate(cells, y)
        if east is not None and north is not None:
            return east, north
        x_is_blank, y_is_blank = _is_blank(cells[x.index]), _is_blank(cells[y.index])
        if x_is_blank and y_is_blank:
            return None
        if x_is_blank or y_is_blank:
            empty, other = (x.name, y.name) if x_is_blank else (y.name, x.name)
            return f"{empty!r} is empty, but {other!r} is not."
        return self._reason(cells, x if east is None else y)

    def _coordinate(self, cells: Sequence[Cell], column: _Column) -> float | None:
        cell = cells[column.index]
        value = self._number(cell, column.axis)
        if value is None or column.hemisphere is None:
            return value
        return column.hemisphere.signed(value, cells, cell)

    def _number(self, cell: Cell, axis: Axis) -> float | None:
        if isinstance(cell, str):
            if self.is_in_degrees:
                return degrees_of(cell, axis, self._chosen)
            value = number_of(cell, self.sign, is_strict=self._chosen is not None)
            if value is None and is_written_as_degrees(cell):
                return degrees_of(cell, axis, self._chosen)
            return value
        if isinstance(cell, bool) or not isinstance(cell, int | float):
            return None
        return float(cell)

    def _reason(self, cells: Sequence[Cell], column: _Column) -> str:
        text, name = str(cells[column.index]), column.name
        hemisphere = column.hemisphere
        if hemisphere and self._number(cells[column.index], column.axis) is not None:
            if hemisphere.column is None:
                return f"{name!r} is {shown(text)}, which does not go with the heading."
            other = self._header[hemisphere.column], shown(str(cells[hemisphere.column]))
            return f"{name!r} is {shown(text)}, which does not go with {other[0]!r}: {other[1]}."
        if not self.is_in_degrees and is_ambiguous(text.strip()):
            return (
                f"{name!r} is {shown(text)}, which may have decimal places or thousands: choose"
                " the decimal sign (--decimal)."
            )
        what = f"a {column.axis}" if self.is_in_degrees else "a number"
        return f"{name!r} is {shown(text)}, which is not {what}."


def _is_blank(cell: Cell) -> bool:
    return isinstance(cell, str) and (not cell or cell.isspace())
