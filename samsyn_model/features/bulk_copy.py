"""Many features into `layer_features` at once, by COPY."""

import re
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, cast

import numpy as np
import psycopg
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from sqlalchemy import Connection

from samsyn_model.database.driver_errors import is_of_part_away
from samsyn_model.database.transactions import set_in_transaction
from samsyn_model.errors import (
    DatabaseUnavailableError,
    NotFoundError,
    UnstorableFeatureError,
)
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.copy_format import (
    HEADER,
    LAYER_COPY,
    STAGED_COPY,
    TRAILER,
    RowStart,
    copy_rows,
    layer_rows,
    staged_rows,
    wkb_types,
)
from samsyn_model.features.faults import FaultLog
from samsyn_model.features.prefetch import Prefetch
from samsyn_model.features.storable import TYPE_NAMES, storable, type_names
from samsyn_model.sharding.writing import begin_writing

# Triggers read a statement's rows once more: up to so many bytes wait for them in memory, not in
# a file.
_STATEMENT_BYTES = 8 * 1024 * 1024
MAX_CHECKED_POSITIONS = 50_000
"""Of larger geometries the validity is not checked: the time that takes grows with the square."""
GEOMETRY_TYPES = frozenset(TYPE_NAMES.tolist())
"""What types geometries have; those of `samsyn_model.tables.layers`, which takes longer to load."""
_ROW_OF_CONTEXT = re.compile(r"COPY \w+, line (\d+)")
_WKB_TYPES = np.array([1, 2, 2, 3, 4, 5, 6, -1])  # a collection's members are not looked at
type Bounds = tuple[float, float, float, float]
type _Number = Callable[[int], int]
type _Part = tuple[int, bytes | memoryview, _Number]


@dataclass(slots=True)
class CopiedFeatures:
    """What was copied; an invalid geometry (a self-intersection, say) is stored as it is.

    `unchecked_count` is that of the geometries whose validity was not checked; `bounds` are those
    of all positions: least and greatest longitudes and latitudes.
    """

    feature_count: int = 0
    null_count: int = 0
    invalid_count: int = 0
    unchecked_count: int = 0
    geometry_types: Counter[str] = field(default_factory=Counter)
    bounds: Bounds | None = None


def copy_features(  # noqa: PLR0913 - what is copied where, and what is done beside
    connection: Connection,
    layer_id: uuid.UUID,
    batches: Iterable[FeatureBatch],
    *,
    created_by: uuid.UUID | None,
    on_copied: Callable[[int], None] = lambda _count: None,
    checks_validity: bool = True,
    faults: FaultLog | None = None,
    skips_faulty: bool = False,
) -> CopiedFeatures:
    """COPY features into a layer, in the connection's transaction, whose `work_mem` it sets.

    The batches are made in a thread of their own, while the database stores the one before;
    `on_copied` is called with the number of features of each batch sent; `checks_validity` counts
    the geometries that are not valid, of at most MAX_CHECKED_POSITIONS. Features that cannot be
    stored are recorded in `faults` and left out. Once there is a fault, also one that the batches'
    source has recorded there, the others are only checked, unless it `skips_faulty`. Without
    `faults` UnstorableFeatureError names the first of them. The same is raised when the database
    refuses a row; NotFoundError when the layer is gone; any error of the batches. The transaction
    can then only be rolled back.
    """
    begin_writing(connection, layer_id)
    log = FaultLog() if faults is None else faults
    copied = CopiedFeatures()
    parts = _encoded(
        batches,
        layer_rows(layer_id, created_by),
        copied,
        log,
        checks_validity=checks_validity,
        skips_faulty=skips_faulty,
    )
    _copy_parts(connection, LAYER_COPY, parts, on_copied)
    if faults is None and log.faults:
        raise UnstorableFeatureError(log.faults[0].text())
    return copied


def stage_features(
    connection: Connection,
    batches: Iterable[FeatureBatch],
    *,
    faults: FaultLog,
    geometry_type: str | None,
    on_copied: Callable[[int], None] = lambda _count: None,
) -> CopiedFeatures:
    """COPY features into the connection's temporary table `staged_features`, as `copy_features`.

    It has the columns `number`, `line`, `source_id` (JSON), `geom` and `properties`. Features that
    do not suit a layer's `geometry_type` are recorded in `faults` and left out as well.
    """
    copied = CopiedFeatures()
    parts = _encoded(batches, staged_rows, copied, faults, geometry_type, skips_faulty=True)
    _copy_parts(connection, STAGED_COPY, parts, on_copied)
    return copied


def _copy_parts(
    connection: Connection,
    statement: str,
    parts: Generator[_Part],
    on_copied: Callable[[int], None],
) -> None:
    """Send parts by as many statements as they need; raises the errors of `copy_features`."""
    driver = cast(psycopg.Connection, connection.connection.driver_connection)
    set_in_transaction(connection, work_mem="32MB")
    sent: list[tuple[int, _Number]] = []
    with closing(Prefetch(parts)) as encoded:
        remaining = iter(encoded)
        try:
            for part in remaining:
                sent.clear()
                _copy(driver, statement, chain([part], remaining), on_copied, sent)
        except psycopg.Error as error:
            raise encoded.error or _translation(error, sent) from error


def _copy(
    driver: psycopg.Connection,
    statement: str,
    parts: Iterable[_Part],
    on_copied: Callable[[int], None],
    sent: list[tuple[int, _Number]],
) -> None:
    """Send parts with one statement; append how many features each had, and their numbers."""
    size = 0
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(HEADER)
        for count, content, number in parts:
            sent.append((count, number))
            copy.write(content)
            on_copied(count)
            size += len(content)
            if size >= _STATEMENT_BYTES:
                break
        copy.write(TRAILER)


def _translation(error: psycopg.Error, sent: Sequence[tuple[int, _Number]]) -> Exception:
    """Return the translation of a driver's error about a statement that sent these parts."""
    if isinstance(error, psycopg.errors.ForeignKeyViolation):
        return NotFoundError("There is no such layer, or it has been deleted meanwhile.")
    if isinstance(error, psycopg.OperationalError) or is_of_part_away(error):
        return DatabaseUnavailableError("The database broke off the import.")
    row = _ROW_OF_CONTEXT.search(error.diag.context or "")
    if isinstance(error, psycopg.DataError | psycopg.IntegrityError | psycopg.InternalError):
        reason = " ".join(filter(None, (error.diag.message_primary, error.diag.message_detail)))
        index = int(row[1]) - 1 if row else 0
        for count, number in sent if row else ():
            if index < count:
                return UnstorableFeatureError(f"Feature {number(index)} cannot be stored: {reason}")
            index -= count
    return error


def _encoded(  # noqa: PLR0913 - what is checked, and what is sent
    batches: Iterable[FeatureBatch],
    rows: RowStart,
    copied: CopiedFeatures,
    faults: FaultLog,
    geometry_type: str | None = None,
    *,
    checks_validity: bool = True,
    skips_faulty: bool,
) -> Generator[_Part]:
    """Yield (number of features, rows of COPY's binary format, their numbers) and add up `copied`.

    Recording stops nothing: all faults of a source are found in one reading.
    """
    for given in batches:
        batch = storable(given, faults, geometry_type)
        if (faults.count and not skips_faulty) or not len(batch.geometries):
            continue
        _count(copied, batch.geometries, checks_validity=checks_validity)
        content = copy_rows(rows(batch), _wkb(batch), batch.properties)
        yield len(batch.geometries), content, batch.number


def _count(copied: CopiedFeatures, geometries: NDArray[Any], *, checks_validity: bool) -> None:
    limit = MAX_CHECKED_POSITIONS if checks_validity else -1
    missing = shapely.is_missing(geometries)
    copied.feature_count += len(geometries)
    copied.null_count += int(missing.sum())
    is_checked = shapely.get_num_coordinates(geometries) <= limit
    copied.unchecked_count += int((~is_checked).sum())
    copied.invalid_count += int((~shapely.is_valid(geometries[is_checked & ~missing])).sum())
    names = type_names(geometries[~missing])
    for name, count in zip(*np.unique(names, return_counts=True), strict=True):
        copied.geometry_types[str(name)] += int(count)
    bounds = shapely.total_bounds(geometries)
    if np.isfinite(bounds).all():
        copied.bounds = united(copied.bounds, bounds.tolist())


def united(one: Bounds | None, other: Sequence[float]) -> Bounds:
    """Return the bounds of both; None has none."""
    west, south, east, north = other
    if one is None:
        return west, south, east, north
    return min(one[0], west), min(one[1], south), max(one[2], east), max(one[3], north)


def _wkb(batch: FeatureBatch) -> pa.LargeBinaryArray:
    """Return the geometries' WKB: the source's own where it is plain and equal."""
    geometries = batch.geometries
    if batch.wkb is not None:
        types = _WKB_TYPES[shapely.get_type_id(geometries)] + 1000 * shapely.has_z(geometries)
        if ((types == wkb_types(batch.wkb)) | shapely.is_missing(geometries)).all():
            return batch.wkb
    wkb = shapely.to_wkb(geometries, byte_order=1, flavor="iso")
    return pa.array(wkb, pa.large_binary())
