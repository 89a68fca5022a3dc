"""Features on their way into a layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:  # 44 MB that a server has no use for as a rule
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """Consecutive features of a source.

    `geometries` is an object array of shapely geometries (longitude and latitude in degrees when
    they are to be stored; Z is retained, M is not supported) or None; `properties` the text of a
    JSON object each; `first` the first one's number in the source, counted from 1; `ids` their
    ids in the source, called `id_label`. `wkb` is what the geometries were read from, where
    that was WKB of a sound source.
    """

    geometries: NDArray[Any]
    properties: "Sequence[str] | pa.LargeStringArray"
    first: int
    ids: Sequence[Any] | None = None
    id_label: str = "id"
    wkb: "pa.LargeBinaryArray | None" = None

    def label(self, index: int) -> str:
        """Return how to name a feature of the batch to people: `Feature 7 (fid 12)`."""
        source_id = self.ids[index] if self.ids is not None else None
        name = "" if source_id is None else f" ({self.id_label} {source_id})"
        return f"Feature {self.first + index}{name}"
