"""What an import, or taking one back, has done."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pyproj import CRS

from samsyn_admin.imports.loading.checks import geometry_notes
from samsyn_admin.imports.loading.choices import Mode
from samsyn_admin.imports.sources.counts import counted
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.reading import Reading
from samsyn_model.errors import UnstorableFeatureError
from samsyn_model.features.bulk_copy import CopiedFeatures
from samsyn_model.features.faults import MAX_FAULTS, FaultLog, FeatureFault
from samsyn_model.stored_text import storable_text
from samsyn_provider.geography.area_of_use import crs_remarks
from samsyn_provider.geography.extents import Extent


@dataclass(frozen=True, slots=True)
class LayerReport:
    """What an import did to one layer.

    `source` is the name in the file. `skipped` features had faults; `feature_count` is the number
    of those read from the file and stored or found unchanged, `extent` where they are, in degrees
    (None without positions); `crs` (`name`, `code`, `origin`) what they were read as. `encoding`
    (`name`, `origin`) is that of the file's texts, `columns` those of a table with the coordinates
    (`x` and `y`, or `wkt`, and their sign `decimal`). `emptied` values had faults. A layer of a
    raster (`geotiff`) has no features, and may have `times`.
    """

    layer_id: uuid.UUID
    source: str
    name: str
    mode: Mode
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    skipped: int = 0
    emptied: int = 0
    feature_count: int = 0
    null_count: int = 0
    invalid_count: int = 0
    geometry_type: str | None = None
    extent: Extent | None = None
    crs: dict[str, Any] | None = None
    encoding: dict[str, Any] | None = None
    columns: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    source_type: Literal["vector", "geotiff"] = "vector"
    times: int = 0


def layer_report(  # noqa: PLR0913 - what is reported
    reading: Reading,
    copied: CopiedFeatures,
    *,
    layer_id: uuid.UUID,
    name: str,
    mode: Mode,
    geometry_type: str | None,
    feature_count: int | None = None,
    **counts: int,
) -> LayerReport:
    """Return the report of a source that has been read and stored."""
    source = reading.source
    notes = (
        *source.all_notes(),
        *_fault_notes(source.faults),
        *geometry_notes(copied, source.has_geometry),
        *crs_remarks(reading.bounds, reading.crs, has_columns=source.has_xy_columns),
    )
    return LayerReport(
        layer_id=layer_id,
        source=source.name,
        name=name,
        mode=mode,
        skipped=source.faults.dropped,
        emptied=source.faults.count - source.faults.dropped,
        feature_count=copied.feature_count if feature_count is None else feature_count,
        null_count=copied.null_count,
        invalid_count=copied.invalid_count,
        geometry_type=geometry_type,
        extent=copied.bounds,
        crs=crs_of_source(reading.crs, source) if source.has_geometry else None,
        encoding=_described_encoding(source),
        columns=None if source.columns is None else dict(source.columns),
        notes=notes,
        **counts,  # type: ignore[arg-type]
    )


def _fault_notes(log: FaultLog) -> Iterator[str]:
    """Yield what was left out and left empty where faults are skipped."""
    for text, count, is_of_value in (
        ("{count} {feature was|features were} left out", log.dropped, False),
        ("{count} {value was|values were} left empty", log.count - log.dropped, True),
    ):
        if count:
            faults = (fault for fault in log.faults if (fault.field is not None) == is_of_value)
            first = next(faults, None)
            example = f"{': ' if count == 1 else ', the first: '}{first.text()}" if first else "."
            yield f"{counted(text, count)}{_as_text(example)}"


def _described_encoding(source: SourceLayer) -> dict[str, Any] | None:
    if source.encoding is None:
        return None
    return {"name": source.encoding, "origin": source.encoding_origin or None}


def crs_of_source(crs: CRS, source: SourceLayer) -> dict[str, Any]:
    """Return the CRS that a source is read as, as the API shows it."""
    implied = "implied by the format" if source.crs_is_implied else "the file"
    return described_crs(crs, source.crs_origin or implied, is_given=source.crs_is_given)


def described_crs(crs: CRS, origin: str, *, is_given: bool) -> dict[str, Any]:
    """Return a CRS as the API shows it: `name`, `code`, and as `origin` where it is from, unless it
    `is_given` by who imports."""
    authority = crs.to_authority()
    return {
        "name": crs.name,
        "code": ":".join(authority) if authority else None,
        "origin": "as chosen" if is_given else origin,
    }


@dataclass(frozen=True, slots=True)
class LayerFault:
    """A fault of a feature, and the layer of the file that has the feature."""

    source: str
    fault: FeatureFault

    def as_json(self) -> dict[str, Any]:
        """Return the fault as the API shows it."""
        return {
            "layer": _as_text(self.source),
            "number": self.fault.number,
            "line": self.fault.line,
            "feature_id": _as_text(self.fault.feature_id),
            "field": _as_text(self.fault.field),
            "reason": _as_text(self.fault.reason),
        }


def _as_text(value: Any) -> Any:
    """Return a value of a fault, of a text that which the database can store."""
    if not isinstance(value, str):
        return value if value is None or isinstance(value, int) else str(value)
    return storable_text(value)


@dataclass(slots=True)
class ImportFaults:
    """The faults of all layers of an import: the first 1,000, and the number of all."""

    count: int = 0
    faults: list[LayerFault] = field(default_factory=list)

    def add(self, source: str, log: FaultLog) -> None:
        """Add those of one layer of the file, by the numbers of the features."""
        self.count += log.count
        room = MAX_FAULTS - len(self.faults)
        faults = sorted(log.faults, key=lambda fault: fault.number)
        self.faults += [LayerFault(source, fault) for fault in faults[:room]]

    def as_json(self) -> list[dict[str, Any]]:
        """Return the faults that are kept as the API shows them."""
        return [fault.as_json() for fault in self.faults]


class FaultyFeaturesError(UnstorableFeatureError):
    """Features have faults, so that nothing was imported: `feature_faults` has them."""

    def __init__(self, feature_faults: ImportFaults) -> None:
        first = feature_faults.faults[0].fault
        others = feature_faults.count - 1
        more = f" (and {others:,} more {'fault' if others == 1 else 'faults'})" if others else ""
        super().__init__(f"{first.text()}{more}")
        self.feature_faults = feature_faults


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did."""

    import_id: uuid.UUID
    layers: Sequence[LayerReport]
    faults: ImportFaults

    def as_json(self) -> dict[str, Any]:
        """Return the report as the API shows it; the faults are not in it."""
        layers = [{**asdict(layer), "layer_id": str(layer.layer_id)} for layer in self.layers]
        return {"layers": layers, "fault_count": self.faults.count}


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What taking back an import did.

    `kept` has the layers, and the features of layers, that have changed since and stayed as they
    are: `layer_id`, `name`, `reason`, and up to 100 `feature_ids` where features did.
    """

    import_id: uuid.UUID
    layers_deleted: int = 0
    deleted: int = 0
    restored: int = 0
    kept: Sequence[dict[str, Any]] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the report as the API shows it."""
        return {**asdict(self), "import_id": str(self.import_id), "kept": list(self.kept)}
