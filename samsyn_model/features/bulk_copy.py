"""Many features into `layer_features` at once, by COPY."""

import re
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, cast

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray
from shapely import GeometryType
from sqlalchemy import Connection

from samsyn_model.database.transactions import set_in_transaction
from samsyn_model.errors import (
    DatabaseUnavailableError,
    NotFoundError,
    UnstorableFeatureError,
)
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.copy_format import COPY, HEADER, TRAILER, copy_rows, row_start, wkb_types
from samsyn_model.features.empty_parts import without_empty_parts
from samsyn_model.features.prefetch import Prefetch
from samsyn_model.settings import get_settings

# Triggers read a statement's rows once more: up to so many bytes wait for them in memory, not in
# a file.
_STATEMENT_BYTES = 8 * 1024 * 1024
_TOLERANCE = 1e-9
MAX_CHECKED_POSITIONS = 50_000
"""Of larger geometries the validity is not checked: the time that takes grows with the square."""
_ROW_OF_CONTEXT = re.compile(r"COPY layer_features, line (\d+)")
_TYPE_NAMES = np.array(
    [
        *("Point", "LineString", "LineString", "Polygon"),
        *("MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection"),
    ]
)
GEOMETRY_TYPES = frozenset(_TYPE_NAMES.tolist())
"""What types geometries have; those of `samsyn_model.tables.layers`, which takes longer to load."""
_WKB_TYPES = np.array([1, 2, 2, 3, 4, 5, 6, -1])  # a collection's members are not looked at
type _Part = tuple[int, bytes | memoryview]


@dataclass(slots=True)
class CopiedFeatures:
    """What was copied; an invalid geometry (a self-intersection, say) is stored as it is.

    `unchecked_count` is that of the geometries whose validity was not checked.
    """

    feature_count: int = 0
    null_count: int = 0
    invalid_count: int = 0
    unchecked_count: int = 0
    geometry_types: Counter[str] = field(default_factory=Counter)


def copy_features(  # noqa: PLR0913 - what is copied where, and what is done beside
    connection: Connection,
    layer_id: uuid.UUID,
    batches: Iterable[FeatureBatch],
    *,
    created_by: uuid.UUID | None,
    on_copied: Callable[[int], None] = lambda _count: None,
    checks_validity: bool = True,
) -> CopiedFeatures:
    """COPY features into a layer, in the connection's transaction, whose `work_mem` it sets.

    The batches are made in a thread of their own, while the database stores the one before;
    `on_copied` is called with the number of features of each batch sent; `checks_validity` counts
    the geometries that are not valid, of at most MAX_CHECKED_POSITIONS. Raises
    UnstorableFeatureError, which names the feature, when a coordinate is not a longitude or
    latitude or the database refuses a row; NotFoundError when the layer is gone; any error of the
    batches. The transaction can then only be rolled back.
    """
    copied = CopiedFeatures()
    driver = cast(psycopg.Connection, connection.connection.driver_connection)
    set_in_transaction(connection, work_mem="32MB")
    before = 0
    rows = _encoded(batches, row_start(layer_id, created_by), copied, checks_validity)
    with closing(Prefetch(rows)) as encoded:
        parts = iter(encoded)
        try:
            for part in parts:
                before += _copy(driver, chain([part], parts), on_copied)
        except psycopg.Error as error:
            raise encoded.error or _translation(error, before) from error
    return copied


def _copy(
    driver: psycopg.Connection, parts: Iterable[_Part], on_copied: Callable[[int], None]
) -> int:
    """Send parts with one statement, and return how many features they had."""
    features = size = 0
    with driver.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.write(HEADER)
        for count, content in parts:
            copy.write(content)
            on_copied(count)
            features += count
            size += len(content)
            if size >= _STATEMENT_BYTES:
                break
        copy.write(TRAILER)
    return features


def _translation(error: psycopg.Error, before: int) -> Exception:
    """Return the translation of a driver's error; `before` features were copied by earlier ones."""
    if isinstance(error, psycopg.errors.ForeignKeyViolation):
        return NotFoundError("There is no such layer, or it has been deleted meanwhile.")
    row = _ROW_OF_CONTEXT.search(error.diag.context or "")
    if isinstance(error, psycopg.DataError | psycopg.IntegrityError | psycopg.InternalError):
        reason = " ".join(filter(None, (error.diag.message_primary, error.diag.message_detail)))
        if row:
            number = before + int(row[1])
            return UnstorableFeatureError(f"Feature {number} cannot be stored: {reason}")
    if isinstance(error, psycopg.OperationalError):
        return DatabaseUnavailableError("The database broke off the import.")
    return error


def _encoded(
    batches: Iterable[FeatureBatch], start: bytes, copied: CopiedFeatures, checks_validity: bool
) -> Generator[_Part]:
    """Yield (number of features, rows of COPY's binary format) and add up `copied`."""
    limit = MAX_CHECKED_POSITIONS if checks_validity else -1
    for batch in batches:
        geometries = _checked(batch)
        missing = shapely.is_missing(geometries)
        copied.feature_count += len(geometries)
        copied.null_count += int(missing.sum())
        is_checked = shapely.get_num_coordinates(geometries) <= limit
        copied.unchecked_count += int((~is_checked).sum())
        copied.invalid_count += int((~shapely.is_valid(geometries[is_checked & ~missing])).sum())
        names = _TYPE_NAMES[shapely.get_type_id(geometries[~missing])]
        for name, count in zip(*np.unique(names, return_counts=True), strict=True):
            copied.geometry_types[str(name)] += int(count)
        yield len(geometries), copy_rows(start, _wkb(batch, geometries), _properties(batch))


def _checked(batch: FeatureBatch) -> NDArray[Any]:
    """Return the batch's geometries without empty parts, within the limits of the globe, exterior
    rings counter-clockwise (RFC 7946, 3.1.6)."""
    geometries = without_empty_parts(batch.geometries)
    collections = geometries[shapely.get_type_id(geometries) == GeometryType.GEOMETRYCOLLECTION]
    members = shapely.get_type_id(shapely.get_parts(collections))
    if (members == GeometryType.GEOMETRYCOLLECTION).any():
        _refuse(batch, _nested)
    if (shapely.get_num_coordinates(geometries) > get_settings().max_vertices).any():
        _refuse(batch, _too_large)
    with_z = shapely.has_z(geometries)
    if not np.isfinite(shapely.get_coordinates(geometries[with_z], include_z=True)).all():
        _refuse(batch, _not_finite)
    positions = shapely.get_coordinates(geometries)
    if not np.isfinite(positions).all():
        _refuse(batch, _not_finite)
    limits = np.array([180.0, 90.0])
    excess = np.abs(positions) - limits
    if (excess > 0).any():
        if (excess > _TOLERANCE).any():
            _refuse(batch, _out_of_range)
        unclipped = geometries
        geometries = shapely.transform(geometries[:], lambda xy: np.clip(xy, -limits, limits))
        geometries[with_z] = shapely.transform(
            unclipped[with_z],
            lambda xyz: np.c_[np.clip(xyz[:, :2], -limits, limits), xyz[:, 2]],
            include_z=True,
        )
    return _oriented(geometries)


def _oriented(geometries: NDArray[Any]) -> NDArray[Any]:
    """Return the geometries with their rings oriented: the same array where they are already."""
    oriented = shapely.orient_polygons(geometries)
    before, after = shapely.get_coordinates(geometries), shapely.get_coordinates(oriented)
    return geometries if np.array_equal(before, after) else oriented


def _refuse(batch: FeatureBatch, reason_against: Callable[[Any], str | None]) -> None:
    for index, geometry in enumerate(batch.geometries):
        reason = reason_against(geometry)
        if reason:
            raise UnstorableFeatureError(f"{batch.label(index)} cannot be stored: {reason}")


def _nested(geometry: Any) -> str | None:
    members = shapely.get_type_id(shapely.get_parts([geometry]))
    if shapely.get_type_id(geometry) != GeometryType.GEOMETRYCOLLECTION:
        return None
    if GeometryType.GEOMETRYCOLLECTION not in members:
        return None
    return "it is a collection of geometries that holds another collection."


def _too_large(geometry: Any) -> str | None:
    most = get_settings().max_vertices
    if shapely.get_num_coordinates(geometry) <= most:
        return None
    return f"it has more than {most:,} positions."


def _not_finite(geometry: Any) -> str | None:
    values = shapely.get_coordinates(geometry, include_z=bool(shapely.has_z(geometry)))
    if np.isfinite(values).all():
        return None
    return (
        "it has a coordinate that is not a finite number, or lies outside of the area of its CRS."
    )


def _out_of_range(geometry: Any) -> str | None:
    for longitude, latitude in shapely.get_coordinates(geometry):
        if abs(latitude) > 90 + _TOLERANCE:
            return (
                f"the latitude {latitude:.10g} is outside -90..90"
                " (--crs names another CRS than the file does)."
            )
        if abs(longitude) > 180 + _TOLERANCE:
            return (
                f"the longitude {longitude:.10g} is outside -180..180"
                " (`ogr2ogr -wrapdateline` brings a file within)."
            )
    return None


def _wkb(batch: FeatureBatch, geometries: NDArray[Any]) -> pa.LargeBinaryArray:
    """Return the geometries' WKB: the source's own where it is plain and equal."""
    if batch.wkb is not None and geometries is batch.geometries:
        types = _WKB_TYPES[shapely.get_type_id(geometries)] + 1000 * shapely.has_z(geometries)
        if ((types == wkb_types(batch.wkb)) | shapely.is_missing(geometries)).all():
            return batch.wkb
    wkb = shapely.to_wkb(geometries, byte_order=1, flavor="iso")
    return pa.array(wkb, pa.large_binary())


def _properties(batch: FeatureBatch) -> pa.LargeStringArray:
    """Return the batch's properties, which the database can store as far as characters go."""
    texts = batch.properties
    if not isinstance(texts, pa.Array):
        try:
            texts = pa.array(texts, pa.large_string())
        except UnicodeEncodeError:
            _refuse_text(batch, _is_broken, "it has half a surrogate pair for text.")
            raise
    if pc.any(pc.match_substring(texts, "\\u0000")).as_py():
        _refuse_text(batch, _has_nul, "it has a NUL character in a text.")
    return texts


def _refuse_text(batch: FeatureBatch, is_refused: Callable[[str], bool], reason: str) -> None:
    for index, text in enumerate(map(str, batch.properties)):
        if is_refused(text):
            raise UnstorableFeatureError(f"{batch.label(index)} cannot be stored: {reason}")


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _has_nul(json_text: str) -> bool:
    return re.search(r"(?<!\\)(\\\\)*\\u0000", json_text) is not None
