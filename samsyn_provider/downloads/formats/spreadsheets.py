"""CSV in the dialects of spreadsheets.

A byte order mark tells Excel that the text is UTF-8. Texts that could be formulas begin with an
apostrophe (https://owasp.org/www-community/attacks/CSV_Injection); `samsyn import` removes it.
"""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from samsyn_model.features.spreadsheet_csv import COORDINATES, FORMULA, position_texts
from samsyn_provider.downloads.formats.writers import FileContent, Writer, with_srid, wkt_texts
from samsyn_provider.downloads.tables.columns import FeatureTable, free_name
from samsyn_provider.geography.crs import ReferenceSystem

_SEMICOLONS = "excel-semicolon"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def spreadsheet_writer(dialect: str) -> Writer:
    """Return the writer of CSV in one of DIALECTS."""
    has_commas = dialect == _SEMICOLONS
    options = pa.csv.WriteOptions(delimiter=";" if has_commas else ",")

    def write(path: Path, content: FileContent) -> None:
        table = content.table
        names = coordinate_names(table, content.crs)
        with path.open("wb") as file:
            file.write(_BYTE_ORDER_MARK)
            schema = _schema(table, names, has_commas=has_commas)
            with pa.csv.CSVWriter(file, schema, write_options=options) as writer:
                for batch in content.batches:
                    arrays = _arrays(batch, table, len(names), has_commas=has_commas)
                    if table.geometry_name:
                        arrays.append(with_srid(arrays.pop(), content.crs))
                    writer.write_batch(pa.record_batch(arrays, schema=schema))

    return write


def coordinate_names(table: FeatureTable, crs: ReferenceSystem) -> list[str]:
    """Return the names of the columns with the coordinates of points: two, or three with heights;
    none for a table without points."""
    if table.geometry_name is None or "Point" not in table.geometry_kinds:
        return []
    taken = {name.lower() for name in table.schema.names}
    names = COORDINATES[not crs.is_geographic]
    return [free_name(name, taken) for name in names[: 3 if table.has_heights else 2]]


def positions(texts: pa.Array, count: int) -> list[list[str | None]]:
    """Return the first `count` coordinates of the points among texts of WKT, each as a column."""
    if not count:
        return []
    rows = [position_texts(text or "") for text in texts.to_pylist()]
    return [[row[axis] or None for row in rows] for axis in range(count)]


def _schema(table: FeatureTable, names: Sequence[str], *, has_commas: bool) -> pa.Schema:
    fields = [
        pa.field(_guarded(pa.array([field.name]))[0].as_py(), _type(field.type, has_commas))
        for field in table.schema
    ]
    if table.geometry_name:
        fields[-1:] = [pa.field(name, pa.string()) for name in (*names, table.geometry_name)]
    return pa.schema(fields)


def _type(kind: pa.DataType, has_commas: bool) -> pa.DataType:
    return pa.string() if has_commas and pa.types.is_floating(kind) else kind


def _arrays(
    batch: pa.RecordBatch, table: FeatureTable, coordinates: int, *, has_commas: bool
) -> list[pa.Array]:
    arrays = list(batch.columns)
    texts = wkt_texts(arrays.pop()) if table.geometry_name else None
    arrays = [_guarded(array) if pa.types.is_string(array.type) else array for array in arrays]
    if has_commas:
        arrays = [
            _with_commas(array.cast(pa.string())) if pa.types.is_floating(array.type) else array
            for array in arrays
        ]
    if texts is None:
        return arrays
    columns = [pa.array(column, pa.string()) for column in positions(texts, coordinates)]
    return [*arrays, *(map(_with_commas, columns) if has_commas else columns), texts]


def _guarded(array: pa.Array) -> pa.Array:
    """Return texts with an apostrophe before each that could be a formula."""
    is_formula = pc.match_substring_regex(array, f"^{FORMULA}")
    return pc.if_else(is_formula, pc.binary_join_element_wise("'", array, ""), array)


def _with_commas(array: pa.Array) -> pa.Array:
    return pc.replace_substring(array, ".", ",")
