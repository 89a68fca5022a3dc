"""Features on their way into a layer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from samsyn_model.features.faults import FeatureFault

if TYPE_CHECKING:  # 44 MB that a server has no use for as a rule
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """Consecutive features of a source.

    `geometries` is an object array of shapely geometries (longitude and latitude in degrees when
    they are to be stored; Z is retained, M is not supported) or None; `properties` the text of a
    JSON object each; `first` the first one's number in the source, counted from 1; `ids` their
    ids in the source, called `id_label`. `numbers` are their numbers where some are left out, and
    `lines` those in a text file. `wkb` is what the geometries were read from, where
    that was WKB of a sound source.
    """

    geometries: NDArray[Any]
    properties: "Sequence[str] | pa.LargeStringArray"
    first: int
    ids: Sequence[Any] | None = None
    id_label: str = "id"
    wkb: "pa.LargeBinaryArray | None" = None
    numbers: Sequence[int] | None = None
    lines: Sequence[int] | None = None

    def number(self, index: int) -> int:
        """Return the number of a feature of the batch in the source."""
        return self.first + index if self.numbers is None else self.numbers[index]

    def fault(self, index: int, reason: str, field: str | None = None) -> FeatureFault:
        """Return what is wrong with a feature of the batch."""
        return FeatureFault(
            number=self.number(index),
            reason=reason,
            field=field,
            feature_id=self.ids[index] if self.ids is not None else None,
            line=self.lines[index] if self.lines is not None else None,
            id_label=self.id_label,
        )

    def only(self, is_kept: NDArray[np.bool_]) -> "FeatureBatch":
        """Return the batch without the features for which this is false."""
        places = np.flatnonzero(is_kept)
        rows = places.tolist()
        texts: Any = self.properties
        return replace(
            self,
            geometries=self.geometries[is_kept],
            properties=(
                texts.take(places) if hasattr(texts, "take") else [texts[row] for row in rows]
            ),
            ids=None if self.ids is None else [self.ids[row] for row in rows],
            wkb=None if self.wkb is None else self.wkb.take(places),
            numbers=[self.number(row) for row in rows],
            lines=None if self.lines is None else [self.lines[row] for row in rows],
        )

    def label(self, index: int) -> str:
        """Return how to name a feature of the batch to people: `Feature 7 (fid 12)`."""
        source_id = self.ids[index] if self.ids is not None else None
        name = "" if source_id is None else f" ({self.id_label} {source_id})"
        return f"Feature {self.number(index)}{name}"
