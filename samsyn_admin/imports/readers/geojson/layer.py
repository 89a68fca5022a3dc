"""A GeoJSON file as one layer."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import shapely
from pyproj import CRS

from samsyn_admin.imports.readers.geojson.geometry import parse_geometries
from samsyn_admin.imports.readers.geojson.text import GeoJSONText
from samsyn_admin.imports.sources.arrow_batches import json_text
from samsyn_admin.imports.sources.layer import (
    BATCH_BYTES,
    BATCH_FEATURES,
    CRS84,
    SourceLayer,
    file_crs,
)
from samsyn_model.errors import InvalidParameterError, UnstorableFeatureError
from samsyn_model.features.batch import FeatureBatch
from samsyn_model.properties.schema import Kind, ObservedKinds
from samsyn_provider.geography.crs_member import crs_members, crs_name

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
        first = next(text.features(), None)
        members = [text.crs_member["crs"]] if text.crs_member else _own_members(first)
        self.crs_is_implied = not members
        self.crs = _named_crs(members[0]) if members else CRS84
        self._features_name_it = bool(members) and not text.crs_member

    @property
    def kinds(self) -> Mapping[str, Kind | None]:
        """The fields, in the order of their first appearance."""
        return self._observed.kinds

    def batches(self) -> Iterator[FeatureBatch]:
        """Read the file."""
        self._observed = ObservedKinds(self.free_texts)
        features = GeoJSONText(self._path, crs_is_given=self.crs_is_given).features()
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
            if not self.crs_is_given and not self._is_in_the_crs(feature):
                raise refuse(index, "its CRS is not that of the file: specify one with --crs")
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

    def _is_in_the_crs(self, feature: dict[str, Any]) -> bool:
        members = _own_members(feature)
        if not members:
            return not self._features_name_it
        return all(_named_crs(member) == self.crs for member in members)


def _own_members(feature: Any) -> list[Any]:
    return [member for _, member in crs_members(feature, "")]


def _named_crs(member: Any) -> CRS | None:
    name = crs_name(member)
    return None if name is None else _known_crs(name)


@lru_cache(maxsize=16)
def _known_crs(name: str) -> CRS | None:
    try:
        return file_crs(name)
    except InvalidParameterError:
        return None


def _next_size(batch: FeatureBatch) -> int:
    """Return the number of features of the next batch, fewer for larger features."""
    size = sum(map(len, batch.properties))
    size += _POSITION_BYTES * int(shapely.get_num_coordinates(batch.geometries).sum())
    return max(1, min(BATCH_FEATURES, 4 * BATCH_BYTES * len(batch.properties) // max(size, 1)))
