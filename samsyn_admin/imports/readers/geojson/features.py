"""A layer whose features come one by one in the form of GeoJSON, whatever their format is."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from samsyn_admin.imports.readers.geojson.geometry import ParsedGeometries, parse_geometries
from samsyn_admin.imports.readers.geojson.properties import ObservedProperties, properties_text
from samsyn_admin.imports.sources.layer import BATCH_BYTES, BATCH_FEATURES, CRS84, SourceLayer
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.properties.schema import Kind, NotDateTimesError

_POSITION_BYTES = 200
"""The memory of a position as lists of Python numbers."""
_LIMITS = (180.0, 90.0)
_TOLERANCE = 1e-9
_PROJECTED = 360
_WIDE = 180


@dataclass(frozen=True, slots=True)
class ReadFeature:
    """What stands where a feature does: its parsed JSON, and the line of a text sequence.

    With a `reason` it cannot be read, and the value is of no use. `value_faults` says why values
    of properties are null that the file has.
    """

    value: Any
    line: int | None = None
    reason: str | None = None
    value_faults: Mapping[str, str] = field(default_factory=dict)


class FeaturesLayer(SourceLayer):
    """Features in the form of GeoJSON; what is no feature is a fault, and the others are read."""

    def __init__(self) -> None:
        super().__init__()
        self._observed = ObservedProperties()

    @abstractmethod
    def _features(self) -> Iterator[ReadFeature]:
        """Read the features in their order. Raises UnreadableFileError."""

    def _refusal(self, feature: dict[str, Any]) -> str | None:
        """Return why a feature cannot be read, None where it can."""

    def _geometry(self, feature: dict[str, Any]) -> Any:
        """Return the GeoJSON geometry of a feature."""
        return feature.get("geometry")

    def _placed(
        self,
        geometries: NDArray[Any],
        features: Sequence[dict[str, Any]],  # noqa: ARG002 - for what overrides this
    ) -> NDArray[Any]:
        """Return the geometries of these features in the layer's CRS, x before y."""
        return geometries

    @property
    def kinds(self) -> Mapping[str, Kind | None]:
        """The fields, in the order of their first appearance."""
        return self._observed.kinds

    def batches(self) -> Iterator[FeatureBatch]:
        """Read the features."""
        self._observed = ObservedProperties(self.free_texts)
        features = self._features()
        read = 0
        size = BATCH_FEATURES
        try:
            while chunk := list(islice(features, size)):
                batch = self._batch(chunk, read + 1)
                read += len(chunk)
                size = _next_size(batch)
                if batch.properties:
                    yield batch
            for name in self._observed.texts_only_empty():
                raise NotDateTimesError(name)
        except NotDateTimesError:
            if read:  # all at once: each would cost another reading
                self.free_texts.update(self._observed.texts_only_empty())
            raise
        for name, count in self._observed.emptied.items():
            self.tally(
                f"{{count}} empty {{text|texts}} of the field {name!r} of dates became null.", count
            )

    def _batch(self, chunk: Sequence[ReadFeature], first: int) -> FeatureBatch:
        numbers = range(first, first + len(chunk))
        values = [one.value for one in chunk]
        labels = FeatureBatch(
            np.empty(0), (), first, [_id(value) for value in values], lines=_lines(chunk)
        )
        reasons: dict[int, str] = {}
        for index, one in enumerate(chunk):
            reason = one.reason or _feature_fault(one.value) or self._refusal(one.value)
            if reason:
                reasons[index] = reason
        kept = [index for index in range(len(chunk)) if index not in reasons]
        features = [values[index] for index in kept]
        parsed = parse_geometries([self._geometry(feature) for feature in features])
        self._tell(parsed)
        geometries = self._placed(parsed.geometries, features)
        faults = {**self._position_faults(geometries), **parsed.reasons}
        reasons.update((kept[row], reason) for row, reason in faults.items())
        for index, one in enumerate(chunk):
            if index in reasons:
                self.faults.record(labels.fault(index, f"{_sentence(reasons[index])}."))
                continue
            for name, reason in one.value_faults.items():
                self.faults.record(labels.fault(index, f"{_sentence(reason)}.", name))
        rows = [row for row in range(len(kept)) if row not in faults]
        texts = [self._text(features[row]) for row in rows]
        indexes = [kept[row] for row in rows]
        ids = [labels.ids[index] for index in indexes] if labels.ids else []
        if any(feature_id is not None for feature_id in ids):
            self.note("Features got new ids. Properties named id are unchanged.")
        return FeatureBatch(
            geometries[rows],
            texts,
            first,
            ids,
            numbers=None if len(rows) == len(chunk) else [numbers[index] for index in indexes],
            lines=[labels.lines[index] for index in indexes] if labels.lines else None,
        )

    def _text(self, feature: dict[str, Any]) -> str:
        properties = feature.get("properties") or {}
        self._observed.observe(properties)
        text, has_infinite = properties_text(properties)
        if has_infinite:
            self.tally_number()
        return text

    def tally_number(self, _: str = "") -> None:
        """Count a number that is none of JSON, or too large."""
        self.tally(
            "{count} {number is|numbers are} not finite (NaN, Infinity) and {was|were} left empty."
        )

    def _tell(self, parsed: ParsedGeometries) -> None:
        if parsed.shortened:
            self.note("Positions kept their first three numbers only.")
        if parsed.closed_rings:
            text = "{count} {ring|rings} did not end where {it|they} began and {was|were} closed."
            self.tally(text, parsed.closed_rings)
        if parsed.flattened:
            text = (
                "{count} {collection within another was|collections within others were}"
                " dissolved into {it|them}."
            )
            self.tally(text, parsed.flattened)

    def _position_faults(self, geometries: NDArray[Any]) -> dict[int, str]:
        """Return by index what is wrong with positions in longitude and latitude."""
        if self.crs_is_given or self.crs is None or not _is_in_degrees(self.crs):
            return {}
        bounds = shapely.bounds(geometries)
        if len(bounds):
            wide = int((bounds[:, 2] - bounds[:, 0] > _WIDE).sum())
            if wide:
                self.tally(
                    "{count} {geometry is|geometries are} wider than 180 degrees:"
                    " if {it crosses|they cross}"
                    " the antimeridian (180°), cut {it|them} there (`ogr2ogr -wrapdateline`).",
                    wide,
                )
        extremes = np.maximum(np.abs(bounds[:, :2]), np.abs(bounds[:, 2:]))
        with np.errstate(invalid="ignore"):
            beyond = (extremes > np.array(_LIMITS) + _TOLERANCE).any(axis=1)
        return {int(row): _position_fault(geometries[row]) for row in np.flatnonzero(beyond)}


def _is_in_degrees(crs: Any) -> bool:
    return bool(crs.equals(CRS84, ignore_axis_order=True) or crs.to_epsg() == 4326)


def _position_fault(geometry: Any) -> str:
    positions = shapely.get_coordinates(geometry)
    beyond = (np.abs(positions) > np.array(_LIMITS) + _TOLERANCE).any(axis=1)
    x, y = positions[beyond][0]
    if max(abs(x), abs(y)) > _PROJECTED:
        return (
            f"the position ({x:.10g}, {y:.10g}) is not in degrees: the coordinates are probably"
            " projected, name their CRS with --crs, such as --crs EPSG:3006"
        )
    if abs(y) > _LIMITS[1]:
        swapped = ""
        if abs(x) <= _LIMITS[1]:
            swapped = (
                ": longitude and latitude are probably exchanged, write the longitude first"
                " (`Swap X and Y coordinates` of QGIS does)"
            )
        return f"the latitude {y:.10g} is outside -90..90{swapped}"
    return (
        f"the longitude {x:.10g} is outside -180..180 (`ogr2ogr -wrapdateline` brings a file"
        " within)"
    )


def _feature_fault(value: Any) -> str | None:
    if not isinstance(value, dict) or value.get("type") != "Feature":
        return "it is not a Feature of GeoJSON"
    if not isinstance(value.get("properties") or {}, dict):
        return "its properties are not an object"
    return None


def _id(value: Any) -> Any:
    feature_id = value.get("id") if isinstance(value, dict) else None
    return feature_id if isinstance(feature_id, str | int | float) else None


def _lines(chunk: Sequence[ReadFeature]) -> list[int] | None:
    lines = [one.line for one in chunk]
    return [line for line in lines if line is not None] if None not in lines else None


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _next_size(batch: FeatureBatch) -> int:
    """Return the number of features of the next batch, fewer for larger features."""
    size = sum(map(len, batch.properties))
    size += _POSITION_BYTES * int(shapely.get_num_coordinates(batch.geometries).sum())
    count = max(len(batch.properties), 1)
    return max(1, min(BATCH_FEATURES, 4 * BATCH_BYTES * count // max(size, 1)))
