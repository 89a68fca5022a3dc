"""What an import, or taking one back, has done."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from samsyn_admin.imports.loading.choices import Mode
from samsyn_model.errors import UnstorableFeatureError
from samsyn_model.features.faults import MAX_FAULTS, FaultLog, FeatureFault

type Extent = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class LayerReport:
    """What an import did to one layer.

    `source` is the name in the file. `skipped` features had faults; `feature_count` is the number
    of those read from the file and stored or found unchanged, `extent` where they are, in degrees
    (None without positions); `crs` (`name`, `code`, `origin`) what they were read as.
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
    feature_count: int = 0
    null_count: int = 0
    invalid_count: int = 0
    geometry_type: str | None = None
    extent: Extent | None = None
    crs: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerFault:
    """A fault of a feature, and the layer of the file that has the feature."""

    source: str
    fault: FeatureFault

    def as_json(self) -> dict[str, Any]:
        """Return the fault as the API shows it."""
        return {
            "layer": self.source,
            "number": self.fault.number,
            "line": self.fault.line,
            "feature_id": self.fault.feature_id,
            "field": self.fault.field,
            "reason": self.fault.reason,
        }


@dataclass(slots=True)
class ImportFaults:
    """The faults of all layers of an import: the first 1,000, and the number of all."""

    count: int = 0
    faults: list[LayerFault] = field(default_factory=list)

    def add(self, source: str, log: FaultLog) -> None:
        """Add those of one layer of the file."""
        self.count += log.count
        room = MAX_FAULTS - len(self.faults)
        self.faults += [LayerFault(source, fault) for fault in log.faults[:room]]

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
