"""The properties of the rows of a table, once the types of its columns are decided."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from samsyn_admin.imports.readers.tables.columns import Column, ColumnType, common_sign
from samsyn_admin.imports.readers.tables.coordinates.numbers import Cell, Sign
from samsyn_admin.imports.readers.tables.values import text_of
from samsyn_admin.imports.sources.arrow_batches import json_text
from samsyn_model.properties.schema import Kind, unique_names

_TEXTS = {None, Kind.STRING}
_MOST_NOTES = 20
_MOST_NAMES = 5

type Refuse = Callable[[str, Kind, Cell], None]
"""Is told the column and its kind, and a value that is not of that kind."""


class PropertyColumns:
    """The columns of a table that become properties: `left_out` are not."""

    def __init__(self, header: Sequence[str], text: Callable[[str], str]) -> None:
        self.header = tuple(header)
        self.names = unique_names(
            [name or f"column_{number}" for number, name in enumerate(header, start=1)]
        )
        self.left_out: set[int] = set()
        self._text = text
        self._types = [ColumnType(None, text_of) for _ in self.names]

    @property
    def kinds(self) -> Mapping[str, Kind | None]:
        """The kinds of the columns by name; None where no value was seen."""
        return {
            name: column.kind
            for index, (name, column) in enumerate(zip(self.names, self._types, strict=True))
            if index not in self.left_out
        }

    def decide(
        self, columns: Sequence[Column], chosen: Sign | None, *, has_semicolons: bool
    ) -> Iterator[str]:
        """Decide the types of the columns; yield what the user should know of them.

        Columns without a heading and a value are left out.
        """
        sign = chosen or common_sign(columns, has_semicolons=has_semicolons)
        self._types = [column.decide(sign, chosen) for column in columns]
        self.left_out |= {
            index
            for index, column in enumerate(columns)
            if not self.header[index] and not column.forms
        }
        kept = [
            (self.names[index], column)
            for index, column in enumerate(self._types)
            if index not in self.left_out
        ]
        yield from [column.note for _, column in kept if column.note][:_MOST_NOTES]
        names = [repr(name) for name, column in kept if column.sign == ","]
        if names:
            more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
            shown = ", ".join(names[:_MOST_NAMES])
            yield f"Numbers of {shown}{more} were read with a decimal comma."
        self._conversions = [
            (index, self.names[index], column, column.kind in _TEXTS)
            for index, column in enumerate(self._types)
            if index not in self.left_out
        ]

    def json(self, cells: Sequence[Cell], refuse: Refuse) -> str:
        """Return the properties of a row as the text of a JSON object.

        A value that is not of the column's kind becomes null, and `refuse` is told.
        """
        properties: dict[str, object] = {}
        for index, name, column, is_text in self._conversions:
            cell = cells[index]
            if isinstance(cell, str) and (not cell or (not is_text and cell.isspace())):
                properties[name] = None
                continue
            try:
                value = column.convert(cell)
            except (ValueError, OverflowError):
                properties[name] = None
                refuse(name, column.kind or Kind.STRING, cell)
            else:
                properties[name] = self._text(value) if is_text else value
        return json_text(properties)
