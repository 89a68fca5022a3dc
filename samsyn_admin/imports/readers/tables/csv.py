"""CSV with coordinates: two columns of numbers, or one of WKT.

A file with a byte order mark is one for spreadsheets, as our own downloads may be. Apostrophes that
keep its texts from being formulas are removed, and columns that repeat coordinates left out.
"""

import codecs
import csv
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from samsyn_admin.imports.sources.arrow_batches import json_text
from samsyn_admin.imports.sources.layer import (
    BATCH_FEATURES,
    CRS84,
    SourceLayer,
    object_array,
    without_m,
)
from samsyn_admin.imports.sources.options import DEFAULTS, ReadOptions
from samsyn_admin.imports.sources.wkb import MAX_DEPTH
from samsyn_model.errors import UnreadableFileError, UnstorableFeatureError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.spreadsheet_csv import COORDINATES as REPEATED_COORDINATES
from samsyn_model.features.spreadsheet_csv import position_texts, without_guard
from samsyn_model.properties.date_times import rfc3339
from samsyn_model.properties.schema import Kind, kind_of_text, merged, unique_names

COORDINATES = (
    ("longitude", "latitude"),
    ("lon", "lat"),
    ("lng", "lat"),
    ("long", "lat"),
    ("decimallongitude", "decimallatitude"),
    ("x", "y"),
)
"""Names of the columns of coordinates, ignoring case; the first pair present is used."""
WKT_COLUMNS = ("wkt", "geometry", "geom", "the_geom", "wkt_geom")
_DELIMITERS = ",;\t|"
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,30})")
_NUMBER = re.compile(r"-?((0|[1-9]\d*)([.]\d*)?|[.]\d+)([eE][+-]?\d{1,3})?")
_NUMBERED = re.compile(r"_\d+$")
_SPACED_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d.*")


class CSVLayer(SourceLayer):
    """A CSV file, read twice: for the types of its columns, then for its rows."""

    def __init__(self, path: Path, options: ReadOptions = DEFAULTS) -> None:
        super().__init__()
        self.name = path.stem
        self.crs = CRS84
        self.crs_is_implied = True
        self._path = path
        self._delimiter = self._find_delimiter()
        self._decimal_comma = (options.decimal or "") == "," or (
            options.decimal is None and self._delimiter == ";"
        )
        with path.open("rb") as file:
            self._is_of_spreadsheets = file.read(3) == codecs.BOM_UTF8
        header = [self._unguarded(name.strip()) for name in next(self._rows(), [])]
        self._names = unique_names(header)
        self._wkt, self._xy = self._find_geometry([name.lower() for name in header])
        self.geometry_type = "Point" if self._xy else None
        self._columns = [index for index in range(len(header)) if index != self._wkt]
        self._repeated = self._find_repeated(header)
        self._column_kinds: list[Kind | None] = [None] * len(header)

    @property
    def kinds(self) -> Mapping[str, Kind | None]:
        """The kinds of the columns by name, without the WKT column."""
        return {self._names[index]: self._column_kinds[index] for index in self._columns}

    def batches(self) -> Iterator[FeatureBatch]:
        """Read the file."""
        self._column_kinds, self.feature_count = self._find_kinds()
        if self._repeated:
            self._columns = [index for index in self._columns if index not in self._repeated]
            names = ", ".join(self._names[index] for index in self._repeated)
            self.note(f"The columns {names} repeat the coordinates of the WKT and were left out.")
        conversions = [
            (index, self._names[index], self._conversion(self._column_kinds[index]))
            for index in self._columns
        ]
        rows = islice(self._rows(), 1, None)
        first = 1
        while chunk := list(islice(rows, BATCH_FEATURES)):
            batch = FeatureBatch(object_array([None] * len(chunk)), (), first)
            texts = [
                json_text(
                    {
                        name: convert(row[index]) if row[index] else None
                        for index, name, convert in conversions
                    }
                )
                for row in chunk
            ]
            read = self._point_geometries if self._wkt is None else self._wkt_geometries
            yield FeatureBatch(read(chunk, batch), texts, first)
            first += len(chunk)

    def _rows(self) -> Iterator[list[str]]:
        csv.field_size_limit(sys.maxsize)
        width = None
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, delimiter=self._delimiter, strict=True)
                for row in reader:
                    if not row:
                        continue
                    width = width or len(row)
                    if len(row) != width:
                        raise UnreadableFileError(
                            f"{self._path}: line {reader.line_num} has {len(row)} values, not"
                            f" {width} as the header (is the file truncated?)."
                        )
                    yield row
        except csv.Error as error:
            raise UnreadableFileError(f"{self._path} is not valid CSV: {error}.") from error
        except UnicodeDecodeError as error:
            raise UnreadableFileError(
                f"{self._path} is not UTF-8 text: {error} (`iconv` converts it)."
            ) from error

    def _find_delimiter(self) -> str:
        try:
            with self._path.open(encoding="utf-8-sig") as file:
                header = re.sub(r'"[^"]*"', "", file.readline(1_000_000))
        except UnicodeDecodeError:
            return ","
        return max(_DELIMITERS, key=header.count)

    def _find_geometry(self, header: list[str]) -> tuple[int | None, tuple[int, int] | None]:
        for name in WKT_COLUMNS:
            if name in header:
                return header.index(name), None
        for longitude, latitude in COORDINATES:
            if longitude in header and latitude in header:
                return None, (header.index(longitude), header.index(latitude))
        raise UnreadableFileError(
            f"{self._path} has no columns of coordinates: name them lon and lat (or longitude and"
            " latitude, or x and y), or provide the geometry as WKT in a column named wkt."
        )

    def _find_repeated(self, header: list[str]) -> list[int]:
        """Return the columns before that of the WKT whose names are those of its coordinates."""
        if not self._is_of_spreadsheets or self._wkt is None:
            return []
        for names in REPEATED_COORDINATES:
            for count in (3, 2):
                first = self._wkt - count
                columns = [_NUMBERED.sub("", name) for name in header[max(first, 0) : self._wkt]]
                if columns == list(names[:count]):
                    return list(range(first, self._wkt))
        return []

    def _repeats_coordinates(self, row: list[str]) -> bool:
        texts = [self._with_decimal_point(row[index]) for index in self._repeated]
        position = position_texts(row[self._wkt or 0])
        return texts == list(position[: len(texts)]) and not any(position[len(texts) :])

    def _find_kinds(self) -> tuple[list[Kind | None], int]:
        kinds: list[Kind | None] = [None] * len(self._names)
        open_columns = list(self._columns)
        count = 0
        for row in islice(self._rows(), 1, None):
            count += 1
            if self._repeated and not self._repeats_coordinates(row):
                self._repeated = []
            for index in open_columns:
                if text := row[index]:
                    kinds[index] = self._widen(kinds[index], text)
            if not count % 1000:
                open_columns = [i for i in open_columns if kinds[i] is not Kind.STRING]
        return kinds, count

    def _widen(self, known: Kind | None, text: str) -> Kind:
        if known is Kind.STRING:
            return known
        kind = merged(known, self._kind(text))
        return Kind.STRING if kind is Kind.JSON_VALUE else kind

    def _kind(self, text: str) -> Kind:
        if _INTEGER.fullmatch(text):
            return Kind.INTEGER
        if _NUMBER.fullmatch(self._with_decimal_point(text)):
            return Kind.NUMBER
        if text.lower() in {"true", "false"}:
            return Kind.BOOLEAN
        return kind_of_text(_with_t(text))

    def _with_decimal_point(self, text: str) -> str:
        return text.replace(",", ".") if self._decimal_comma else text

    def _conversion(self, kind: Kind | None) -> Callable[[str], Any]:
        conversions: dict[Kind | None, Callable[[str], Any]] = {
            Kind.INTEGER: int,
            Kind.NUMBER: lambda text: float(self._with_decimal_point(text)),
            Kind.BOOLEAN: lambda text: text.lower() == "true",
            Kind.DATE_TIME: lambda text: rfc3339(datetime.fromisoformat(_with_t(text).upper())),
        }
        return conversions.get(kind, self._unguarded)

    def _unguarded(self, text: str) -> str:
        plain = without_guard(text) if self._is_of_spreadsheets else text
        if plain != text:
            self.note("Apostrophes before =, +, - and @, as spreadsheets need them, were removed.")
        return plain

    def _point_geometries(self, rows: list[list[str]], batch: FeatureBatch) -> Any:
        assert self._xy is not None  # noqa: S101 - there is a column of WKT otherwise
        x, y = self._xy
        geometries = batch.geometries
        rows_with_points = [
            index for index, row in enumerate(rows) if row[x].strip() or row[y].strip()
        ]
        positions = [
            [self._coordinate(rows[index][column], batch, index) for column in (x, y)]
            for index in rows_with_points
        ]
        geometries[rows_with_points] = shapely.points(
            np.array(positions, dtype=float).reshape(-1, 2)
        )
        return geometries

    def _coordinate(self, text: str, batch: FeatureBatch, index: int) -> float:
        try:
            return float(self._with_decimal_point(text))
        except ValueError as error:
            raise UnstorableFeatureError(
                f"{batch.label(index)} has a coordinate that is not a number: {text!r}."
            ) from error

    def _wkt_geometries(self, rows: list[list[str]], batch: FeatureBatch) -> Any:
        texts = [row[self._wkt or 0].strip() or None for row in rows]
        for index, text in enumerate(texts):
            if text and text.upper().count("COLLECTION") > MAX_DEPTH:
                raise UnstorableFeatureError(
                    f"{batch.label(index)} has WKT that cannot be read: it is nested too deeply."
                )
        try:
            geometries = shapely.from_wkt(object_array(texts))
        except (shapely.errors.ShapelyError, NotImplementedError):
            geometries = object_array(
                [_wkt_geometry(text, batch, i) for i, text in enumerate(texts)]
            )
        geometries, had_m = without_m(geometries)
        if had_m:
            self.note("M values (measures) were left out.")
        return geometries


def _wkt_geometry(text: str | None, batch: FeatureBatch, index: int) -> Any:
    try:
        return shapely.from_wkt(text)
    except (shapely.errors.ShapelyError, NotImplementedError) as error:
        raise UnstorableFeatureError(
            f"{batch.label(index)} has WKT that cannot be read: {error}"
        ) from error


def _with_t(text: str) -> str:
    return text.replace(" ", "T", 1) if _SPACED_DATE_TIME.fullmatch(text) else text
