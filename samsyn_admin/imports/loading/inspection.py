"""What a file holds: read once, without storing anything."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from pyproj import CRS

from samsyn_admin.imports.loading.checks import check_properties
from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.loading.progress import ImportProgress
from samsyn_admin.imports.loading.report import LayerFault, crs_of_source
from samsyn_admin.imports.readers.files import all_layers
from samsyn_admin.imports.sources.layer import SourceLayer, in_crs84, source_crs
from samsyn_admin.imports.sources.reading import bulk_memory
from samsyn_model.errors import SamsynError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.features.bulk_copy import MAX_CHECKED_POSITIONS, Bounds, united
from samsyn_model.features.storable import storable, type_names, with_storable_texts
from samsyn_model.properties.schema import NotDateTimesError, property_members, property_schema
from samsyn_provider.geography.area_of_use import crs_remarks

MAX_SAMPLES = 3
"""Of the values of a field, which are all different."""
MAX_TEXTS = 10
"""Of texts with characters beyond ASCII, which show whether the encoding is right."""
_MAX_SAMPLE = 100  # characters
_SEARCHED = 20_000  # features, among which samples of each field are looked for


class InspectionProgress(ImportProgress, Protocol):
    """Receives the progress of an inspection."""

    def expect(self, count: int) -> None:
        """Note that the layers have so many features together."""


def inspect_file(
    path: Path, choices: ImportChoices, progress: InspectionProgress
) -> dict[str, Any]:
    """Return what a file holds when it is read as chosen, as the API shows it.

    Of the choices those count that say how to read: `encoding`, `x`, `y`, `wkt`, `decimal`, the
    CRSs. A layer that cannot be read has a `refusal`, which says why; the others are read to their
    end. `faults` are the first 1,000 of each layer. Raises
    UnreadableFileError for a file that cannot be opened, InvalidParameterError for a choice that
    does not suit it.
    """
    sources = all_layers(path, choices.read_options())
    counts = [source.feature_count for source in sources if not source.refusal]
    if None not in counts:
        progress.expect(sum(filter(None, counts)))
    layers = []
    for source in sources:
        progress.start(source.name, source.feature_count)
        with bulk_memory():
            crs = choices.crs_of(source.name)
            layers.append(_Inspected(source).document(path, crs, progress))
    formats = list(dict.fromkeys(source.format for source in sources if source.format))
    return {
        "format": ", ".join(formats) or None,
        "layers": layers,
        "notes": [],
        "series": None,
    }


class _Inspected:
    """What is found out about a layer while it is read."""

    def __init__(self, source: SourceLayer) -> None:
        self._source = source
        self._crs: CRS | None = None
        self._begin()

    def _begin(self) -> None:
        self._count = self._null_count = self._invalid_count = self._searched = 0
        self._types: Counter[str] = Counter()
        self._source_bounds: Bounds | None = None
        self._bounds: Bounds | None = None
        self._samples: dict[str, list[Any]] = {}
        self._texts: list[str] = []

    def document(self, path: Path, crs: str | None, progress: ImportProgress) -> dict[str, Any]:
        """Read the layer, and return what it holds."""
        source, refusal = self._source, self._source.refusal
        if not refusal:
            try:
                self._read(path, crs, progress)
                check_properties(source.name, source.kinds)
            except SamsynError as error:
                refusal = error.detail
        schema = property_schema(source.kinds) if not source.refusal else {"properties": {}}
        fields = property_members(schema)
        return {
            "name": source.name,
            "feature_count": self._count,
            "has_geometry": source.has_geometry,
            "geometry_types": dict(self._types.most_common()),
            "crs": crs_of_source(self._crs, source) if self._crs is not None else None,
            "encoding": self._encoding_document(),
            "fields": [self._field(name, field) for name, field in fields.items()],
            "extent": None if self._bounds is None or self._crs is None else [*self._bounds],
            "null_count": self._null_count,
            "invalid_count": self._invalid_count,
            "fault_count": source.faults.count,
            "faults": [LayerFault(source.name, fault).as_json() for fault in source.faults.faults],
            "columns": None if source.columns is None else dict(source.columns),
            "notes": self._notes(),
            "refusal": refusal,
            "raster": None,
        }

    def _read(self, path: Path, crs: str | None, progress: ImportProgress) -> None:
        source = self._source
        if crs is not None or source.crs is not None:
            self._crs = source_crs(source, path, crs)
        while True:
            self._begin()
            source.restart()
            try:
                for batch in self._in_degrees():
                    self._add(batch)
                    progress.advance(len(batch.geometries))
            except NotDateTimesError as error:
                source.free_texts.add(error.name)
                progress.start(source.name, source.feature_count)
                continue
            return

    def _in_degrees(self) -> Iterator[FeatureBatch]:
        batches = self._with_bounds(self._source.batches())
        if self._crs is None:
            return batches
        return in_crs84(batches, self._crs)

    def _with_bounds(self, batches: Iterator[FeatureBatch]) -> Iterator[FeatureBatch]:
        """Yield the batches, whose bounds in the source's own CRS are noted."""
        for batch in batches:
            self._count += len(batch.geometries)
            self._source_bounds = _with(self._source_bounds, batch)
            yield batch

    def _add(self, batch: FeatureBatch) -> None:
        self._add_samples(batch.properties)
        if self._crs is not None:
            batch = storable(batch, self._source.faults)
            self._bounds = _with(self._bounds, batch)
        else:
            batch = with_storable_texts(batch, self._source.faults)
        present = batch.geometries[~shapely.is_missing(batch.geometries)]
        self._null_count += len(batch.geometries) - len(present)
        names, counts = np.unique(type_names(present), return_counts=True)
        self._types.update(dict(zip(names.tolist(), counts.tolist(), strict=True)))
        checked = present[shapely.get_num_coordinates(present) <= MAX_CHECKED_POSITIONS]
        self._invalid_count += int((~shapely.is_valid(checked)).sum())

    def _add_samples(self, properties: Sequence[str] | pa.LargeStringArray) -> None:
        is_searched = self._searched < _SEARCHED and (
            not self._searched or any(len(found) < MAX_SAMPLES for found in self._samples.values())
        )
        self._searched += len(properties)
        if is_searched:
            for text in map(str, properties):
                self._sample(json.loads(text))
        if len(self._texts) < MAX_TEXTS:
            self._add_texts(properties)

    def _sample(self, properties: dict[str, Any]) -> None:
        for name, value in properties.items():
            found = self._samples.setdefault(name, [])
            if len(found) < MAX_SAMPLES and value is not None and value != "":
                sample = _shortened(value)
                if sample not in found:
                    found.append(sample)

    def _add_texts(self, properties: Sequence[str] | pa.LargeStringArray) -> None:
        """Note texts with characters beyond ASCII, in the order of the file."""
        if isinstance(properties, pa.Array):
            rows = properties.filter(pc.invert(pc.string_is_ascii(properties))).to_pylist()
        else:
            rows = [text for text in properties if not text.isascii()]
        for row in rows:
            for value in json.loads(row).values():
                if len(self._texts) >= MAX_TEXTS:
                    return
                if isinstance(value, str) and not value.isascii():
                    sample = value[:_MAX_SAMPLE]
                    if sample not in self._texts:
                        self._texts.append(sample)

    def _field(self, name: str, field: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": name,
            "type": field.get("type"),
            "format": field.get("format"),
            "samples": self._samples.get(name, []),
        }

    def _notes(self) -> list[str]:
        source, crs = self._source, self._crs
        notes = source.all_notes()
        if crs is None:
            return notes
        has_columns = source.has_xy_columns
        return [*notes, *crs_remarks(self._source_bounds, crs, has_columns=has_columns)]

    def _encoding_document(self) -> dict[str, Any] | None:
        if self._source.encoding is None and not self._texts:
            return None
        return {
            "name": self._source.encoding,
            "origin": self._source.encoding_origin or None,
            "samples": self._texts,
        }


def _with(bounds: Bounds | None, batch: FeatureBatch) -> Bounds | None:
    if not len(batch.geometries):  # all had faults
        return bounds
    added = shapely.total_bounds(batch.geometries)
    return united(bounds, added.tolist()) if np.isfinite(added).all() else bounds


def _shortened(value: Any) -> Any:
    """Return a sample that is not too long to be shown: of objects and lists their text."""
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return value[:_MAX_SAMPLE] if isinstance(value, str) else value
