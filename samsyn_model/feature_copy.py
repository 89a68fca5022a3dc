"""Many features into `layer_features` at once, by COPY."""

import queue
import re
import struct
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import psycopg
import shapely
from numpy.typing import NDArray
from shapely import GeometryType
from sqlalchemy import Connection

from samsyn_model.errors import (
    DatabaseUnavailableError,
    NotFoundError,
    UnstorableFeatureError,
)

_COPY = (
    "COPY layer_features (layer_id, created_by, geom, properties) FROM STDIN WITH (FORMAT binary)"
)
_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_TRAILER = struct.pack("!h", -1)
_JSONB_VERSION = b"\x01"
_LENGTH = struct.Struct("!i")
_NULL = _LENGTH.pack(-1)
_TOLERANCE = 1e-9
_ROW_OF_CONTEXT = re.compile(r"COPY layer_features, line (\d+)")
_TYPE_NAMES = np.array(
    [
        *("Point", "LineString", "LineString", "Polygon"),
        *("MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection"),
    ]
)


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """Consecutive features of a source.

    `geometries` is an object array of shapely geometries (longitude and latitude in degrees when
    they are to be stored; Z is kept, M is not known) or None; `properties` the text of a JSON
    object each; `first` the first one's number in the source, counted from 1; `ids` what the
    source itself calls them, an `id_word` each.
    """

    geometries: NDArray[Any]
    properties: Sequence[str]
    first: int
    ids: Sequence[Any] | None = None
    id_word: str = "id"

    def label(self, index: int) -> str:
        """Return how to name a feature of the batch to people: `Feature 7 (fid 12)`."""
        own = self.ids[index] if self.ids is not None else None
        name = "" if own is None else f" ({self.id_word} {own})"
        return f"Feature {self.first + index}{name}"


@dataclass(slots=True)
class CopiedFeatures:
    """What was copied; an invalid geometry (a self-intersection, say) is stored as it is."""

    feature_count: int = 0
    null_count: int = 0
    invalid_count: int = 0
    geometry_types: Counter[str] = field(default_factory=Counter)


def copy_features(
    connection: Connection,
    layer_id: uuid.UUID,
    batches: Iterable[FeatureBatch],
    *,
    created_by: uuid.UUID | None,
    on_copied: Callable[[int], None] = lambda _count: None,
) -> CopiedFeatures:
    """COPY features into a layer, in the connection's transaction, with one statement.

    The batches are made in a thread of their own, while the database stores the one before;
    `on_copied` is told the number of features of each batch sent. Raises UnstorableFeatureError,
    which names the feature, when a coordinate is not a longitude or latitude or the database
    refuses a row; NotFoundError when the layer is gone; whatever making the batches raises. The
    transaction is then good for a rollback only.
    """
    copied = CopiedFeatures()
    driver = cast(psycopg.Connection, connection.connection.driver_connection)
    with closing(_Ahead(_encoded(batches, layer_id, created_by, copied))) as encoded:
        try:
            with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
                for count, content in encoded:
                    copy.write(content)
                    on_copied(count)
        except psycopg.Error as error:
            raise encoded.error or _translation(error) from error
    return copied


def _translation(error: psycopg.Error) -> Exception:
    if isinstance(error, psycopg.errors.ForeignKeyViolation):
        return NotFoundError("There is no such layer, or somebody deleted it meanwhile.")
    row = _ROW_OF_CONTEXT.search(error.diag.context or "")
    if isinstance(error, psycopg.DataError | psycopg.IntegrityError | psycopg.InternalError):
        reason = " ".join(filter(None, (error.diag.message_primary, error.diag.message_detail)))
        if row:
            return UnstorableFeatureError(f"Feature {row[1]} cannot be stored: {reason}")
    if isinstance(error, psycopg.OperationalError):
        return DatabaseUnavailableError("The database broke off the import.")
    return error


def _encoded(
    batches: Iterable[FeatureBatch],
    layer_id: uuid.UUID,
    created_by: uuid.UUID | None,
    copied: CopiedFeatures,
) -> Iterator[tuple[int, bytes]]:
    """Yield (number of features, bytes of COPY's binary format) and add up `copied`."""
    author = _NULL if created_by is None else _LENGTH.pack(16) + created_by.bytes
    row_start = struct.pack("!h", 4) + _LENGTH.pack(16) + layer_id.bytes + author
    yield 0, _HEADER
    for batch in batches:
        geometries = _checked(batch)
        missing = shapely.is_missing(geometries)
        copied.feature_count += len(geometries)
        copied.null_count += int(missing.sum())
        copied.invalid_count += int((~missing & ~shapely.is_valid(geometries)).sum())
        names = _TYPE_NAMES[shapely.get_type_id(geometries[~missing])]
        for name, count in zip(*np.unique(names, return_counts=True), strict=True):
            copied.geometry_types[str(name)] += int(count)
        yield len(geometries), _rows(batch, geometries, row_start)
    yield 0, _TRAILER


def _checked(batch: FeatureBatch) -> NDArray[Any]:
    """Return the batch's geometries with SRID 4326, none beyond the limits of the globe."""
    geometries = batch.geometries
    collections = geometries[shapely.get_type_id(geometries) == GeometryType.GEOMETRYCOLLECTION]
    members = shapely.get_type_id(shapely.get_parts(collections))
    if (members == GeometryType.GEOMETRYCOLLECTION).any():
        _refuse(batch, _nested)
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
        geometries = shapely.transform(geometries[:], lambda xy: np.clip(xy, -limits, limits))
        geometries[with_z] = shapely.transform(
            batch.geometries[with_z],
            lambda xyz: np.c_[np.clip(xyz[:, :2], -limits, limits), xyz[:, 2]],
            include_z=True,
        )
    placed: NDArray[Any] = shapely.set_srid(geometries, 4326)
    return placed


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


def _not_finite(geometry: Any) -> str | None:
    values = shapely.get_coordinates(geometry, include_z=bool(shapely.has_z(geometry)))
    if np.isfinite(values).all():
        return None
    return "it has a coordinate that is not a finite number, or has no place on the globe."


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


def _rows(batch: FeatureBatch, geometries: NDArray[Any], row_start: bytes) -> bytes:
    chunks: list[bytes] = []
    length = _LENGTH.pack
    ewkb = shapely.to_wkb(geometries, include_srid=True, byte_order=1)
    for index, (geometry, text) in enumerate(zip(ewkb, batch.properties, strict=True)):
        try:
            properties = text.encode()
        except UnicodeEncodeError:
            raise UnstorableFeatureError(
                f"{batch.label(index)} cannot be stored: it has half a surrogate pair for text."
            ) from None
        if "\\u0000" in text and _has_nul(text):
            raise UnstorableFeatureError(
                f"{batch.label(index)} cannot be stored: it has a NUL character in a text."
            )
        if geometry is None:
            chunks += (row_start, _NULL)
        else:
            chunks += (row_start, length(len(geometry)), geometry)
        chunks += (length(len(properties) + 1), _JSONB_VERSION, properties)
    return b"".join(chunks)


def _has_nul(json_text: str) -> bool:
    return re.search(r"(?<!\\)(\\\\)*\\u0000", json_text) is not None


class _Ahead:
    """Parts that a thread makes while those before them are used, a few ahead at most."""

    def __init__(self, parts: Iterator[tuple[int, bytes]]) -> None:
        self.error: BaseException | None = None
        self._parts = parts
        self._ready: queue.Queue[tuple[int, bytes] | None] = queue.Queue(maxsize=2)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._fill, name="import", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        while part := self._ready.get():
            yield part
        if self.error:
            raise self.error

    def close(self) -> None:
        """Stop the thread and wait for its end."""
        self._closed.set()
        while self._thread.is_alive():
            try:
                self._ready.get(timeout=0.05)
            except queue.Empty:
                continue
        self._thread.join()

    def _fill(self) -> None:
        try:
            for part in self._parts:
                if not self._put(part):
                    return
        except BaseException as error:  # raised again by the thread that uses the parts
            self.error = error
        finally:
            self._parts.close()  # type: ignore[attr-defined]
        self._put(None)

    def _put(self, part: tuple[int, bytes] | None) -> bool:
        while not self._closed.is_set():
            try:
                self._ready.put(part, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False
