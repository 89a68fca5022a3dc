"""Positions from two columns of coordinates."""

from collections.abc import Sequence

from samsyn_admin.imports.readers.tables.coordinates.degrees import (
    Axis,
    degrees_of,
    is_written_as_degrees,
)
from samsyn_admin.imports.readers.tables.coordinates.headings import Pair
from samsyn_admin.imports.readers.tables.coordinates.numbers import (
    Cell,
    Sign,
    certain_sign,
    is_ambiguous,
    number_of,
    shown,
)

type Position = tuple[float, float]


class PositionReader:
    """Reads x and y of rows.

    `sign` is the decimal sign of the texts, if they have one that is certain; `is_in_degrees` says
    that they can only be longitudes and latitudes.
    """

    def __init__(
        self, pair: Pair | None, header: Sequence[str], chosen: Sign | None, *, has_semicolons: bool
    ) -> None:
        self._pair = pair
        self._chosen = chosen
        self._has_semicolons = has_semicolons
        self.sign = chosen
        self.is_in_degrees = pair is not None and pair.family == "degrees"
        self._axes: tuple[tuple[int, str, Axis], ...] = ()
        if pair is not None:
            self._axes = (
                (pair.x, header[pair.x], "longitude"),
                (pair.y, header[pair.y], "latitude"),
            )

    def observe(self, sample: Sequence[Sequence[Cell]]) -> None:
        """Find out the decimal sign, and whether the texts are degrees, from the first rows."""
        texts = [
            cell.strip()
            for cells in sample
            for index, _, _ in self._axes
            if isinstance(cell := cells[index], str)
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
        (x, x_name, x_axis), (y, y_name, y_axis) = self._axes
        east = self._coordinate(cells[x], x_axis)
        north = self._coordinate(cells[y], y_axis)
        if east is not None and north is not None:
            return east, north
        x_is_blank, y_is_blank = _is_blank(cells[x]), _is_blank(cells[y])
        if x_is_blank and y_is_blank:
            return None
        if x_is_blank or y_is_blank:
            empty, other = (x_name, y_name) if x_is_blank else (y_name, x_name)
            return f"{empty!r} is empty, but {other!r} is not."
        if east is None:
            return self._reason(str(cells[x]), x_name, x_axis)
        return self._reason(str(cells[y]), y_name, y_axis)

    def _coordinate(self, cell: Cell, axis: Axis) -> float | None:
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

    def _reason(self, text: str, name: str, axis: Axis) -> str:
        if not self.is_in_degrees and is_ambiguous(text.strip()):
            return (
                f"{name!r} is {shown(text)}, which may have decimal places or thousands: choose"
                " the decimal sign (--decimal)."
            )
        what = f"a {axis}" if self.is_in_degrees else "a number"
        return f"{name!r} is {shown(text)}, which is not {what}."


def _is_blank(cell: Cell) -> bool:
    return isinstance(cell, str) and (not cell or cell.isspace())
