"""GML and GPX: what is checked before GDAL reads them, and how.

GDAL writes a schema beside a file of GML, and reads one that is there: so it gets the file by
another name, in a folder of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samsyn_admin.imports.readers.ogr.layer import OgrLayer, ogr_layers
from samsyn_admin.imports.readers.ogr.xml_check import XmlContent, check_xml
from samsyn_admin.imports.sources.counts import counted
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import UnreadableFileError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.faults import FeatureFault
from samsyn_model.scratch import ScratchFolder

_LARGEST = 2**63 - 1

_BOUNDS = frozenset({"lowerCorner", "upperCorner"})  # of boundedBy, which GDAL takes for fields
_GPX_LINKS = ("link1_", "link2_")
_GPX_FIELDS = frozenset(
    {
        *("ele", "time", "magvar", "geoidheight", "name", "cmt", "desc", "src", "sym", "type"),
        *("fix", "sat", "hdop", "vdop", "pdop", "ageofdgpsdata", "dgpsid", "number"),
    }
)


def gml_layers(path: Path, _: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layers of a GML file: one for each type of feature. Raises UnreadableFileError."""
    content = check_xml(path, _is_collection, "GML with features")
    folder = ScratchFolder("samsyn-gml-")
    link = folder.path / "features.gml"
    link.symlink_to(path.absolute())
    layers = ogr_layers(str(link), path, driver="GML", leaves_out=_BOUNDS.__contains__)
    if not layers:
        raise UnreadableFileError(f"{path} has no features.")
    for layer in layers:
        layer.keep(folder)
        _describe(layer, content, path)
    return layers


def _is_collection(name: str) -> bool:
    if name in {"ExceptionReport", "ServiceExceptionReport"}:
        raise UnreadableFileError(
            "The file is not GML with features, but the error message of a server: open it in an"
            " editor to read what it says, and request the features again."
        )
    return True


def _describe(layer: OgrLayer, content: XmlContent, path: Path) -> None:
    systems = content.systems.get(layer.name, set())
    if len(systems) > 1:
        layer.refusal = (
            f"The layer {layer.name!r} of {path} has geometries in several CRS"
            f" ({', '.join(sorted(systems))}): save it in one."
        )
    if content.impossible_dates:
        layer.note(
            counted(
                "{count} {date of the file does|dates of the file do} not exist: {it was|they were}"
                " left empty, or {remains a text|remain texts}.",
                content.impossible_dates,
            )
        )
    if content.references:
        layer.note(
            counted(
                "{count} {reference to another element or file|references to other elements or"
                " files} (xlink:href) {was|were} not followed.",
                content.references,
            )
        )
    unreadable = content.unreadable.get(layer.name, {})
    ids = [index for index, name in enumerate(layer.kinds) if name in {"gml_id", "fid"}]
    if unreadable and not ids:
        number, reason = next(iter(unreadable.values()))
        layer.refusal = f"Feature {number} of the layer {layer.name!r} cannot be read: {reason}"
    layer.corrects_with(lambda: _Features(ids[0] if ids else None, unreadable), len(unreadable))


class _Features:
    """The features of a layer by their ids in the file, without those that cannot be read."""

    def __init__(self, id_column: int | None, unreadable: Mapping[str, tuple[int, str]]) -> None:
        self._id_column = id_column
        self._unreadable = unreadable
        self._numbers = self._readable_numbers()
        self._is_first = True

    def _readable_numbers(self) -> Iterator[int]:
        missing = {number for number, _ in self._unreadable.values()}
        return (number for number in count(1) if number not in missing)

    def corrected(
        self, columns: list[pa.Array], rows: FeatureBatch, source: SourceLayer
    ) -> tuple[FeatureBatch, list[pa.Array], NDArray[np.bool_]]:
        """Return the features with their numbers and ids, and which of them can be read."""
        if self._is_first:
            self._is_first = False
            for feature_id, (number, reason) in self._unreadable.items():
                source.faults.record(FeatureFault(number, reason, feature_id=feature_id))
        readable = np.ones(len(rows.geometries), dtype=bool)
        if self._id_column is not None:
            ids = columns[self._id_column].to_pylist()
            readable[:] = [feature_id not in self._unreadable for feature_id in ids]
            numbers = [
                next(self._numbers) if is_readable else self._unreadable[feature_id][0]
                for feature_id, is_readable in zip(ids, readable, strict=True)
            ]
            rows = replace(rows, ids=ids, id_label="id", numbers=numbers)
        names = list(source.kinds)
        columns = [
            _without_saturated(column, names[index], rows, readable, source)
            for index, column in enumerate(columns)
        ]
        return rows, columns, readable


def _without_saturated(
    column: pa.Array,
    name: str,
    rows: FeatureBatch,
    readable: NDArray[np.bool_],
    source: SourceLayer,
) -> pa.Array:
    """Return a column with nulls for numbers that GDAL cut to 64 bits, recorded as faults."""
    if not pa.types.is_int64(column.type):
        return column
    is_cut = pc.or_(pc.equal(column, _LARGEST), pc.equal(column, -_LARGEST - 1)).fill_null(False)
    for index in np.flatnonzero(is_cut.to_numpy(zero_copy_only=False) & readable):
        reason = "The whole number has more than 64 bits: it cannot be stored exactly."
        source.faults.record(rows.fault(int(index), reason, name))
    return pc.if_else(is_cut, pa.scalar(None, column.type), column)


def gpx_layers(path: Path, _: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layers of a GPX file that have features: waypoints, routes, tracks, their points.

    They have the fields that the file has. Raises UnreadableFileError.
    """
    names = check_xml(path, lambda name: name == "gpx", "GPX").names

    def leaves_out(field: str) -> bool:
        if field.startswith(_GPX_LINKS):
            return "link" not in names
        return field in _GPX_FIELDS and field not in names

    layers = ogr_layers(str(path.absolute()), path, driver="GPX", leaves_out=leaves_out)
    layers = [layer for layer in layers if layer.feature_count]
    if not layers:
        raise UnreadableFileError(f"{path} has no waypoints, routes or tracks.")
    return layers
