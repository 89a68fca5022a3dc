"""A source read in longitude and latitude, again where its texts turn out to be no date-times."""

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import shapely
from pyproj import CRS
from sqlalchemy import Connection

from samsyn_admin.imports.sources.layer import SourceLayer, in_crs84, until
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.bulk_copy import Bounds, CopiedFeatures, united
from samsyn_model.properties.schema import NotDateTimesError


@contextmanager
def bulk_memory() -> Iterator[None]:
    """Configure the process's memory for millions of short-lived values, and restore it.

    Garbage collection of parsed JSON would double the time, and Arrow's default allocator would
    not release the memory of a million features.
    """
    enabled, pool = gc.isenabled(), pa.default_memory_pool()
    gc.disable()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(pool)
        if enabled:
            gc.enable()


class Reading:
    """A source in a CRS, read until a time of `monotonic`.

    `bounds` are those of its positions in the CRS, x before y, once it is read.
    """

    def __init__(self, source: SourceLayer, crs: CRS, deadline: float) -> None:
        self.source = source
        self.crs = crs
        self.bounds: Bounds | None = None
        self._deadline = deadline

    def batches(self) -> Iterator[FeatureBatch]:
        """Read the features from the first one on; errors as those of `SourceLayer.batches`,
        TooLargeError after the deadline."""
        self.source.restart()
        self.bounds = None
        batches = until(self._deadline, self.source.batches())
        yield from in_crs84(self._measured(batches), self.crs)

    def copied(
        self, connection: Connection, copy: Callable[[Iterator[FeatureBatch]], CopiedFeatures]
    ) -> CopiedFeatures:
        """Let `copy` store the features; what it has stored is rolled back where a field that was
        taken for date-times holds other texts, and it is called again."""
        while True:
            savepoint = connection.begin_nested()
            try:
                copied = copy(self.batches())
            except NotDateTimesError as error:
                savepoint.rollback()
                self.source.free_texts.add(error.name)
                continue
            savepoint.commit()
            return copied

    def _measured(self, batches: Iterable[FeatureBatch]) -> Iterator[FeatureBatch]:
        for batch in batches:
            if len(batch.geometries):  # else all had faults
                bounds = shapely.total_bounds(batch.geometries)
                if np.isfinite(bounds).all():
                    self.bounds = united(self.bounds, bounds.tolist())
                yield batch
