"""A GeoJSON file as one layer."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import shapely

from samsyn_admin.imports.readers.arrow_batches import json_text
from samsyn_admin.imports.readers.geojson_geometry import parse_geometries
from samsyn_admin.imports.readers.geojson_text import GeoJSONText
from samsyn_admin.imports.readers.layer import (
    BATCH_BYTES,
    BATCH_FEATURES,
    CRS84,
    SourceLayer,
    parse_crs,
)
from samsyn_model.errors import UnreadableFileError, UnstorableFeatureError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.properties.schema import Kind, ObservedKinds

_POSITION_BYTES = 200
"""The memory of a position as lists of Python numbers."""


class GeoJSONLayer(SourceLayer):
    """A GeoJSON file, or a GeoJSON text sequence; its values are not converted."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.name = path.stem
        self._path = path
        self._observed = ObservedKinds()
        text = GeoJSONText(path)
        next(text.features(), None)
        self.crs_is_implied = text.crs is None
        self.crs = CRS84 if text.crs is None else self._named_crs(text.crs)

    def _named_crs(self, member: dict[str, Any]) -> Any:
        try:
            return parse_crs(member["properties"]["name"])
        except (KeyError, TypeError):
            raise UnreadableFileError(
                f"{self._path} has a `crs` member that names no CRS: specify it with --crs."
            ) from None

    @property
    def kinds(self) -> Mapping[str, Kind | None]:
        """The fields, in the order of their first appearance."""
        return self._observed.kinds

    def batches(self) -> Iterator[FeatureBatch]:
        """Read the file."""
        self._observed = ObservedKinds(self.free_texts)
        features = GeoJSONText(self._path).features()
        read = 0
        size = BATCH_FEATURES
        while chunk := list(islice(features, size)):
            batch = self._batch(chunk, read + 1)
            read += len(chunk)
            size = _next_size(batch)
            yield batch

    def _batch(self, features: list[dict[str, Any]], first: int) -> FeatureBatch:
        ids = [feature.get("id") for feature in features]
        if any(feature_id is not None for feature_id in ids):
            self.note("Features got new ids. Properties named id are unchanged.")

        def refuse(index: int, reason: str) -> Exception:
            label = "" if ids[index] is None else f" (id {ids[index]})"
            return UnstorableFeatureError(f"Feature {first + index}{label} is not valid: {reason}.")

        texts = []
        for index, feature in enumerate(features):
            properties = feature.get("properties") or {}
            if not isinstance(properties, dict):
                raise refuse(index, "its properties are not an object")
            self._observed.observe(properties)
            texts.append(json_text(properties))
        geometries, left_out = parse_geometries(
            [feature.get("geometry") for feature in features], refuse
        )
        if left_out:
            self.note("Positions kept their first three numbers only.")
        return FeatureBatch(geometries, texts, first, ids)


def _next_size(batch: FeatureBatch) -> int:
    """Return the number of features of the next batch, fewer for larger features."""
    size = sum(map(len, batch.properties))
    size += _POSITION_BYTES * int(shapely.get_num_coordinates(batch.geometries).sum())
    return max(1, min(BATCH_FEATURES, 4 * BATCH_BYTES * len(batch.properties) // max(size, 1)))
