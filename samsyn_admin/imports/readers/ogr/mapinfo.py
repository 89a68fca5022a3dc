"""MapInfo files: TAB and MIF, with their parts beside them."""

import csv
import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samsyn_admin.imports.readers.ogr.layer import OgrLayer, ogr_layers
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import UnreadableFileError
from samsyn_model.features.batch import FeatureBatch

_MAX_HEADER = 64 * 1024  # bytes
_DELIMITER = re.compile(rb'^\s*delimiter\s+"(.)"', re.IGNORECASE | re.MULTILINE)
_CHARSET = re.compile(rb'^\s*!?charset\s+"?(\w+)"?', re.IGNORECASE | re.MULTILINE)
_NATIVE = re.compile(rb"^\s*type\s+native\b", re.IGNORECASE | re.MULTILINE)
_OPENS_OTHERS = re.compile(
    rb"^\s*(open\s+table|create\s+view|type\s+(?!native)\w+|file\s+\")",
    re.IGNORECASE | re.MULTILINE,
)
_TABLE_PARTS = (".dat", ".map", ".id")


def tab_layers(path: Path, options: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layer of a MapInfo table. Raises UnreadableFileError."""
    with path.open("rb") as file:
        header = file.read(_MAX_HEADER)
    if _OPENS_OTHERS.search(header) or not _NATIVE.search(header):
        raise UnreadableFileError(
            f"{path} refers to other tables or files (a view, a raster, a linked or seamless"
            " table), which are not read: save it in MapInfo as a table of its own."
        )
    _require(path, _TABLE_PARTS)
    layers = ogr_layers(str(path.absolute()), path, driver="MapInfo File")
    for layer in layers:
        encoding = _find_encoding(layer, header, options)
        layer.corrects_with(partial(_Texts, encoding))
        layer.note("A MapInfo table has no empty numbers: a 0 may stand for no value.")
    return layers


def mif_layers(path: Path, options: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layer of a MapInfo interchange file. Raises UnreadableFileError."""
    [values_path] = _require(path, (".mid",))
    with path.open("rb") as file:
        header = file.read(_MAX_HEADER)
    delimiter = _DELIMITER.search(header)
    sign = delimiter[1].decode("latin-1") if delimiter else "\t"
    layers = ogr_layers(str(path.absolute()), path, driver="MapInfo File")
    for layer in layers:
        encoding = _find_encoding(layer, header, options)
        layer.corrects_with(partial(_EmptyValues, values_path, sign, encoding))
    return layers


def _require(path: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the parts of a file, which may be named in capitals."""
    beside = {other.name.lower(): other for other in path.parent.iterdir()}
    names = [path.with_suffix(suffix).name for suffix in suffixes]
    for name in names:
        if name.lower() not in beside:
            raise UnreadableFileError(
                f"{path} lacks its part {name}: a MapInfo file is imported with all its parts."
            )
    return [beside[name.lower()] for name in names]


def _find_encoding(layer: OgrLayer, header: bytes, options: ReadOptions) -> str | None:
    """Set the encoding of a layer's texts; return it where GDAL does not decode them."""
    charset = _CHARSET.search(header)
    name = charset[1].decode() if charset else "Neutral"
    if name.lower() != "neutral":
        layer.encoding, layer.encoding_origin = name, "the file's Charset"
        if options.encoding:
            layer.note(f"The texts were read in the file's own encoding, {name}.")
        return None
    if options.encoding:
        layer.encoding, layer.encoding_origin = options.encoding, "as chosen"
    elif layer.texts_are_utf8():
        layer.encoding, layer.encoding_origin = "UTF-8", "all texts are valid UTF-8"
    else:
        layer.encoding, layer.encoding_origin = "cp1252", "assumed: the texts are not UTF-8"
    return layer.encoding


class _Texts:
    """Texts that GDAL does not decode, decoded."""

    def __init__(self, encoding: str | None) -> None:
        self._encoding = encoding

    def corrected(
        self, columns: list[pa.Array], rows: FeatureBatch, source: SourceLayer
    ) -> tuple[FeatureBatch, list[pa.Array], NDArray[np.bool_]]:
        """Return the columns with texts; one that is not in the encoding is null, and a fault."""
        if self._encoding is not None:
            names = list(source.kinds)
            columns = [
                self._decoded(column, names[index], rows, source)
                if pa.types.is_string(column.type)
                else column
                for index, column in enumerate(columns)
            ]
        return rows, columns, np.ones(len(rows.geometries), dtype=bool)

    def _decoded(
        self, column: pa.Array, name: str, rows: FeatureBatch, source: SourceLayer
    ) -> pa.Array:
        texts: list[str | None] = []
        for index, value in enumerate(column.cast(pa.binary()).to_pylist()):
            try:
                texts.append(None if value is None else value.decode(self._encoding or "utf-8"))
            except UnicodeDecodeError:
                texts.append(None)
                reason = f"The text has characters that are not {self._encoding}."
                source.faults.record(rows.fault(index, reason, name))
        return pa.array(texts, pa.string())


class _EmptyValues(_Texts):
    """The values that a `.mid` file leaves empty, which GDAL reads as 0, and its texts."""

    def __init__(self, path: Path, delimiter: str, encoding: str | None) -> None:
        super().__init__(encoding)
        self._rows = self._read(path, delimiter)

    @staticmethod
    def _read(path: Path, delimiter: str) -> Iterator[list[str]]:
        with path.open(encoding="latin-1", newline="") as file:
            yield from (row for row in csv.reader(file, delimiter=delimiter) if row)

    def corrected(
        self, columns: list[pa.Array], rows: FeatureBatch, source: SourceLayer
    ) -> tuple[FeatureBatch, list[pa.Array], NDArray[np.bool_]]:
        """Return the columns with nulls where the file has nothing; reads as many rows as given."""
        rows, columns, readable = super().corrected(columns, rows, source)
        texts = list(islice(self._rows, len(rows.geometries)))
        corrected: list[Any] = []
        for index, column in enumerate(columns):
            is_empty = [
                len(row) > index and not row[index].strip() and not pa.types.is_string(column.type)
                for row in texts
            ]
            is_empty += [False] * (len(column) - len(is_empty))
            nulls = pa.nulls(len(column), column.type)
            corrected.append(
                pc.if_else(pa.array(is_empty), nulls, column) if any(is_empty) else column
            )
        return rows, corrected, readable
