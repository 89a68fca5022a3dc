"""Columns of geometries in Arrow: WKB, WKT, the native encodings of GeoArrow, and two numbers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from shapely import GeometryType
from shapely.errors import ShapelyError

from samsyn_admin.imports.sources.layer import object_array
from samsyn_admin.imports.sources.wkb import MAX_DEPTH, geometries_of_wkb
from samsyn_model.errors import UnstorableFeatureError
from samsyn_model.features.batch import FeatureBatch

_PLAIN_WORDS = (
    ("requires at least 4", "a ring has fewer than four positions"),
    ("points in LinearRing", "a ring has fewer than four positions"),
    ("closed linestring", "a ring does not end where it begins"),
    ("point array must contain", "a line has one position only"),
    ("found 1 - must be", "a line has one position only"),
    ("EOF", "it ends too early"),
)
"""What GEOS says, and what people understand."""

type Parse = Callable[[pa.Array], NDArray[Any]]
"""Returns the geometries of a column, None for null; raises ValueError or ShapelyError if one
cannot be read."""

_NATIVE = {
    "point": (GeometryType.POINT, 0),
    "linestring": (GeometryType.LINESTRING, 1),
    "polygon": (GeometryType.POLYGON, 2),
    "multipoint": (GeometryType.MULTIPOINT, 1),
    "multilinestring": (GeometryType.MULTILINESTRING, 2),
    "multipolygon": (GeometryType.MULTIPOLYGON, 3),
}
"""The geometry type of an encoding, and in how many lists its positions are."""
_EMPTY = {
    "point": "POINT EMPTY",
    "linestring": "LINESTRING EMPTY",
    "polygon": "POLYGON EMPTY",
    "multipoint": "MULTIPOINT EMPTY",
    "multilinestring": "MULTILINESTRING EMPTY",
    "multipolygon": "MULTIPOLYGON EMPTY",
}
ENCODINGS = ("WKB", "WKT", *_NATIVE)
"""The encodings that `parser` knows."""


def parser(encoding: str) -> Parse:
    """Return how a column in one of ENCODINGS is read."""
    if encoding == "WKB":
        return _from_wkb
    if encoding == "WKT":
        return _from_wkt
    return lambda column: _from_native(column, encoding)


def read_geometries(parse: Parse, column: pa.Array) -> tuple[NDArray[Any], dict[int, str]]:
    """Return the geometries of a column, and why those of some rows cannot be read, by index.

    A row whose geometry cannot be read has None.
    """
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    try:
        return parse(column), {}
    except (ValueError, NotImplementedError, ShapelyError):
        pass
    geometries = object_array([None] * len(column))
    reasons: dict[int, str] = {}
    for index in range(len(column)):
        try:
            geometries[index] = parse(column.slice(index, 1))[0]
        except NotImplementedError:
            reasons[index] = "its geometry is curved: make lines of it (`ogr2ogr -nlt LINEAR`)"
        except (ValueError, ShapelyError) as error:
            reasons[index] = f"its geometry cannot be read: {_in_plain_words(str(error))}"
    return geometries, reasons


def _in_plain_words(text: str) -> str:
    for part, words in _PLAIN_WORDS:
        if part in text:
            return words
    return text.removesuffix(".")


def _from_wkb(column: pa.Array) -> NDArray[Any]:
    rows = FeatureBatch(object_array([None] * len(column)), (), 1)
    try:
        return geometries_of_wkb(column.to_pylist(), rows)
    except UnstorableFeatureError as error:
        raise ValueError(str(error).partition("cannot be read: ")[2]) from error


def _from_wkt(column: pa.Array) -> NDArray[Any]:
    texts = [text.strip() or None if text else None for text in column.to_pylist()]
    if any(text and text.upper().count("COLLECTION") > MAX_DEPTH for text in texts):
        raise ValueError("it is nested too deeply")
    geometries: NDArray[Any] = shapely.from_wkt(object_array(texts))
    return geometries


def _from_native(column: pa.Array, encoding: str) -> NDArray[Any]:
    """Return the geometries of a GeoArrow column, whose positions are structs or lists."""
    kind, depth = _NATIVE[encoding]
    is_present = column.is_valid().to_numpy(zero_copy_only=False)
    geometries = object_array([None] * len(column))
    part = column.filter(column.is_valid())
    offsets: list[NDArray[np.int64]] = []
    for level in range(depth):
        lengths = pc.list_value_length(part).to_numpy(zero_copy_only=False)
        if not lengths.all():
            return _with_empty(column, encoding, lengths if level == 0 else None)
        offsets.append(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
        part = pc.list_flatten(part)
    positions = _positions(part)
    if kind is GeometryType.POINT:
        read: Any = shapely.points(positions)
        read[np.isnan(positions[:, :2]).all(axis=1)] = shapely.from_wkt(_EMPTY[encoding])
    else:
        read = shapely.from_ragged_array(kind, positions, tuple(offsets[::-1]))
    geometries[is_present] = read
    return geometries


def _with_empty(column: pa.Array, encoding: str, lengths: NDArray[np.int64] | None) -> NDArray[Any]:
    """Return the geometries of a column of which some are empty; raises ValueError for empty parts.

    GEOS ends the process at a polygon without an exterior ring.
    """
    if lengths is None:
        raise ValueError("a part of it is empty")
    is_full = pc.greater(pc.list_value_length(column), 0)
    rows = np.flatnonzero(is_full.fill_null(False).to_numpy(zero_copy_only=False))
    geometries = object_array([None] * len(column))
    geometries[column.is_valid().to_numpy(zero_copy_only=False)] = shapely.from_wkt(
        _EMPTY[encoding]
    )
    if len(rows):
        geometries[rows] = _from_native(column.take(pa.array(rows)), encoding)
    return geometries


def _positions(column: pa.Array) -> NDArray[np.float64]:
    """Return an array of x, y and, where there are any, z; M values are left out."""
    if pa.types.is_struct(column.type):
        names = [field.name for field in column.type]
        axes = [name for name in ("x", "y", "z") if name in names]
        values = [column.field(axis).cast(pa.float64()) for axis in axes]
        return np.column_stack([value.to_numpy(zero_copy_only=False) for value in values])
    size = column.type.list_size
    numbers: Any = column.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
    has_z = size > 3 or not column.type.value_field.name.endswith("m")
    return np.asarray(numbers.reshape(-1, size)[:, : 3 if has_z else 2])


def point_parser() -> Parse:
    """Return how a struct of `x` and `y`, numbers or texts of numbers, is read as points."""

    def parse(column: pa.Array) -> NDArray[Any]:
        try:
            x, y = (
                column.field(axis).cast(pa.float64()).to_numpy(zero_copy_only=False)
                for axis in ("x", "y")
            )
        except pa.ArrowInvalid as error:
            raise ValueError("a coordinate is not a number") from error
        lacks_x, lacks_y = np.isnan(x), np.isnan(y)
        if (lacks_x != lacks_y).any():
            raise ValueError("it has one of its two coordinates only")
        points: NDArray[Any] = shapely.points(x, y)
        points[lacks_x] = None
        return points

    return parse


def is_native_type(encoding: str, kind: pa.DataType) -> bool:
    """Return whether a column of this type can hold an encoding."""
    if encoding == "WKB":
        return any(test(kind) for test in _BINARY)
    if encoding == "WKT":
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
    for _ in range(_NATIVE[encoding][1]):
        if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
            return False
        kind = kind.value_type
    if pa.types.is_struct(kind):
        return {"x", "y"} <= {field.name for field in kind}
    return bool(pa.types.is_fixed_size_list(kind) and kind.list_size in {2, 3, 4})


_BINARY: Sequence[Callable[[pa.DataType], bool]] = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
)
