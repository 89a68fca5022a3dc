"""A table with coordinates, of any format: its rows become features.

The geometry is in two columns of coordinates, or in one of texts. Rows are read twice: for the
types of the columns, then for the features.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from samsyn_admin.imports.readers.tables.columns import Column
from samsyn_admin.imports.readers.tables.coordinates.choosing import (
    Geometry,
    choose_geometry,
    sampled_crs,
)
from samsyn_admin.imports.readers.tables.coordinates.downloads import (
    only_coordinates,
    repeated_columns,
    repeats,
)
from samsyn_admin.imports.readers.tables.coordinates.geometries import CURVES_NOTE, GeometryTexts
from samsyn_admin.imports.readers.tables.coordinates.numbers import Cell, shown
from samsyn_admin.imports.readers.tables.coordinates.positions import PositionReader
from samsyn_admin.imports.readers.tables.properties import PropertyColumns
from samsyn_admin.imports.readers.tables.text import is_damaged
from samsyn_admin.imports.readers.tables.values import text_of
from samsyn_admin.imports.sources.layer import (
    BATCH_FEATURES,
    SourceLayer,
    object_array,
    without_m,
)
from samsyn_admin.imports.sources.options import DEFAULTS, ReadOptions
from samsyn_model.errors import UnreadableFileError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.properties.schema import Kind

_SAMPLE_ROWS = 1000


@dataclass(slots=True)  # frozen, it takes three times as long to make
class Row:
    """A row of a table, with its line in the file (or its number in the sheet)."""

    line: int
    cells: Sequence[Cell]
    reason: str = ""
    """Why the row cannot be read."""


class TableLayer(SourceLayer):
    """A table whose first row has the names of its columns.

    `columns` has the names of those with the coordinates (`x`, `y`) or the geometry (`wkt`), and
    the decimal sign of the coordinates (`decimal`). Where it is open which they are the layer has a
    `refusal`, and the names of its columns among its `kinds`.
    """

    has_typed_cells = False
    """Whether a text is one: in CSV it may be a number."""
    has_semicolons = False
    is_of_spreadsheets = False
    """Whether the table may be a download for spreadsheets, with coordinates beside the WKT."""
    has_only_coordinates = False
    """Whether it may be one of points without WKT."""
    may_be_damaged = False
    """Whether texts may have bytes that are not of the file's encoding."""

    def __init__(self, path: Path, name: str, options: ReadOptions = DEFAULTS) -> None:
        super().__init__()
        self.name = name
        self.path = path
        self.options = options
        self.geometry = Geometry()
        self._repeated: list[int] = []
        self.properties = PropertyColumns((), self.text)

    def open(self) -> None:
        """Read the header and a sample of the rows, to find the geometry.

        Raises UnreadableFileError, InvalidParameterError.
        """
        rows = self.rows()
        first = next(rows, None)
        header = [self.heading(text_of(cell)) for cell in (first.cells if first else ())]
        if any(map(is_damaged, header)):
            raise UnreadableFileError(
                f"{self.path}: the names of columns are not {self.encoding} text: choose another"
                " encoding (--encoding)."
            )
        self.properties = PropertyColumns(header, self.text)
        sample = [row.cells for row in islice(rows, _SAMPLE_ROWS) if not row.reason]
        choice = self._added_geometry(header) or choose_geometry(header, sample, self.options)
        if isinstance(choice, str):
            self.refuse(choice)
            return
        self.geometry = choice
        for text in choice.notes:
            self.note(text)
        if choice.wkt is not None:
            self.properties.left_out = {choice.wkt}
            if self.is_of_spreadsheets:
                self._repeated = repeated_columns(header, choice.wkt)
        else:
            self.geometry_type = "Point"
        self._positions = PositionReader(
            choice.pair,
            header,
            self.options.decimal,
            has_semicolons=self.has_semicolons,
            hemispheres=choice.hemispheres,
        )
        self._positions.observe(sample)
        found = sampled_crs(choice, sample, self._positions, header)
        self.crs, self.crs_is_implied = found.crs, found.is_implied
        self.crs_origin, self.missing_crs = found.origin, found.question
        self.columns = {
            "x": header[choice.pair.x] if choice.pair else None,
            "y": header[choice.pair.y] if choice.pair else None,
            "wkt": header[choice.wkt] if choice.wkt is not None else None,
            "decimal": self._positions.sign,
        }

    def _added_geometry(self, header: Sequence[str]) -> Geometry | None:
        """Return the coordinates that a download has behind the properties: they are none."""
        options = self.options
        pair = only_coordinates(header) if self.has_only_coordinates else None
        if pair is None or options.wkt is not None:
            return None
        names = header[pair.x], header[pair.y]
        if (options.x or names[0], options.y or names[1]) != names:
            return None
        self.properties.left_out = {pair.x, pair.y}
        self.note(f"The columns {', '.join(names)} are the geometry, as in downloads.")
        return Geometry(pair=pair)

    def refuse(self, reason: str) -> None:
        """Decide what becomes of a table whose geometry is not known."""
        self.refusal = f"{self.path} {reason}"

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Read the header and the rows that are not empty; a row without a `reason` has as many
        cells as the header."""

    def heading(self, text: str) -> str:
        """Return the name of a column."""
        return text.replace("\0", "").strip()

    def text(self, text: str) -> str:
        """Return a text as it is stored."""
        return text

    @property
    def kinds(self) -> Mapping[str, Kind | None]:
        """The kinds of the columns by name, without that of the geometry."""
        return self.properties.kinds

    def batches(self) -> Iterator[FeatureBatch]:
        """Read the table."""
        if self.refusal:
            raise UnreadableFileError(self.refusal)
        self._find_types()
        self.restart()
        rows = islice(self.rows(), 1, None)
        first = 1
        while chunk := list(islice(rows, BATCH_FEATURES)):
            yield self._features(chunk, first)
            first += len(chunk)

    def _features(self, chunk: list[Row], first: int) -> FeatureBatch:
        numbers, lines = range(first, first + len(chunk)), [row.line for row in chunk]
        none = object_array([None] * len(chunk))
        batch = FeatureBatch(none, (), first, numbers=numbers, lines=lines)
        reasons = {index: row.reason for index, row in enumerate(chunk) if row.reason}
        for index, row in enumerate(chunk if self.may_be_damaged else ()):
            if any(isinstance(cell, str) and is_damaged(cell) for cell in row.cells):
                reasons[index] = f"It has bytes that are not {self.encoding} text."
        sound = [index for index in range(len(chunk)) if index not in reasons]
        geometries, unread = self._geometries([chunk[index].cells for index in sound])
        reasons |= {sound[place]: reason for place, reason in unread.items()}
        for index, reason in sorted(reasons.items()):
            self.faults.record(batch.fault(index, reason))
        read = [(place, index) for place, index in enumerate(sound) if index not in reasons]
        return FeatureBatch(
            geometries[[place for place, _ in read]],
            [self._json(chunk[index], batch, index) for _, index in read],
            first,
            numbers=[numbers[index] for _, index in read],
            lines=[lines[index] for _, index in read],
        )

    def _json(self, row: Row, batch: FeatureBatch, index: int) -> str:
        def refuse(name: str, kind: Kind, cell: Cell) -> None:
            if kind in {Kind.DATE, Kind.DATE_TIME}:
                self.tally("{count} {date does|dates do} not exist and {was|were} left empty.")
            else:
                reason = f"{shown(str(cell))} is not a number."
                self.faults.record(batch.fault(index, reason, field=name))

        return self.properties.json(row.cells, refuse)

    def _geometries(self, rows: Sequence[Sequence[Cell]]) -> tuple[NDArray[Any], dict[int, str]]:
        """Return the geometries of rows, and why that of the row with an index cannot be read."""
        wkt = self.geometry.wkt
        if wkt is None:
            return self._points(rows)
        reader = GeometryTexts(self.geometry.srid)
        geometries, reasons = reader.read([text_of(cells[wkt]) for cells in rows])
        if reader.has_curves:
            self.note(CURVES_NOTE)
        geometries, had_m = without_m(geometries)
        if had_m:
            self.note("M values (measures) were left out.")
        name = self.properties.names[wkt]
        return geometries, {
            index: f"The geometry in {name!r} cannot be read: {reason}."
            for index, reason in reasons.items()
        }

    def _points(self, rows: Sequence[Sequence[Cell]]) -> tuple[NDArray[Any], dict[int, str]]:
        geometries, reasons = object_array([None] * len(rows)), {}
        if self.geometry.pair is None:
            return geometries, {}
        indexes, positions = [], []
        for index, cells in enumerate(rows):
            position = self._positions.read(cells)
            if isinstance(position, str):
                reasons[index] = position
            elif position is not None:
                indexes.append(index)
                positions.append(position)
        geometries[indexes] = shapely.points(np.array(positions, dtype=float).reshape(-1, 2))
        return geometries, reasons

    def _find_types(self) -> None:
        """Read all rows for the types of the columns; rows with faults do not count."""
        pair, names = self.geometry.pair, self.properties.names
        degrees = {pair.x, pair.y} if pair is not None and self._positions.is_in_degrees else set()
        columns = [Column(name, is_in_degrees=index in degrees) for index, name in enumerate(names)]
        observed = [i for i in range(len(columns)) if i not in self.properties.left_out]
        add = Column.add_cell if self.has_typed_cells else Column.add
        count = 0
        for row in islice(self.rows(), 1, None):
            count += 1
            cells = row.cells
            if row.reason or (pair is not None and isinstance(self._positions.read(cells), str)):
                continue
            if self._repeated and not self._repeats_coordinates(cells):
                self._repeated = []
            for index in observed:
                if (cell := cells[index]) != "":
                    add(columns[index], cell, row.line)
            if not count % _SAMPLE_ROWS:
                observed = [index for index in observed if not columns[index].is_text]
        self.feature_count = count
        if self._repeated:
            self.properties.left_out.update(self._repeated)
            repeated = ", ".join(names[index] for index in self._repeated)
            text = f"The columns {repeated} repeat the coordinates of the WKT and were left out."
            self.note(text)
        for text in self.properties.decide(
            columns, self.options.decimal, has_semicolons=self.has_semicolons
        ):
            self.note(text)

    def _repeats_coordinates(self, cells: Sequence[Cell]) -> bool:
        wkt = self.geometry.wkt or 0
        return repeats(cells, self._repeated, wkt, has_commas=self.has_semicolons)
