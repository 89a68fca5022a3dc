"""The values of rasters: what the least and greatest are, and how they are distributed."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

MAX_CLASSES = 24
"""So many whole numbers at most are classes, if they are no measurements."""
_READ = 4_000_000  # values of a window
_MAX_READ = 64_000_000  # values that are looked at: of a larger raster windows all over it
_KEPT = 1_000_000  # values of a band, for percentiles


@dataclass(slots=True)
class BandValues:
    """What is found of a band while it is read."""

    count: int = 0
    valid: int = 0
    minimum: float = math.inf
    maximum: float = -math.inf
    total: float = 0.0
    squares: float = 0.0
    is_sampled: bool = False
    samples: list[NDArray[Any]] = field(default_factory=list)
    kept: int = 0
    classes: set[int] | None = field(default_factory=set)

    def add(self, values: NDArray[Any], count: int, share: int) -> None:
        """Add the valid values of a window of `count`, of which every `share`-th is kept."""
        self.count += count
        if values.dtype.kind == "f":
            values = values[np.isfinite(values)]
            self.classes = None
        self.valid += values.size
        if not values.size:
            return
        self._add_classes(values)
        numbers = values.astype("float64", copy=False)
        self.minimum = min(self.minimum, float(numbers.min()))
        self.maximum = max(self.maximum, float(numbers.max()))
        self.total += float(numbers.sum())
        self.squares += float(np.square(numbers).sum())
        kept = numbers[::share].astype("float32")
        self.kept += kept.size
        self.samples.append(kept)

    def _add_classes(self, values: NDArray[Any]) -> None:
        if self.classes is not None:
            self.classes.update(np.unique(values).tolist())
            if len(self.classes) > 256:
                self.classes = None

    def statistics(self) -> dict[str, Any]:
        """Return them as TiTiler names them; numbers are null where no value is valid."""
        names = ("min", "max", "mean", "std", "percentile_2", "percentile_98")
        if not self.valid:
            return {**dict.fromkeys(names), "valid_percent": 0.0, "sampled": self.is_sampled}
        mean = self.total / self.valid
        variance = max(0.0, self.squares / self.valid - mean * mean)
        low, high = np.percentile(np.concatenate(self.samples), (2, 98)).tolist()
        numbers = (self.minimum, self.maximum, mean, math.sqrt(variance), low, high)
        return {
            **{name: _finite(number) for name, number in zip(names, numbers, strict=True)},
            "valid_percent": round(100 * self.valid / self.count, 2),
            "sampled": self.is_sampled,
        }


def read_values(
    dataset: Any,
    bands: Sequence[int],
    into: Sequence[BandValues],
    scaling: Sequence[tuple[float, float]],
    nodata: float | None = None,
) -> Iterator[float]:
    """Read a dataset's bands into what is found of each; yield which share has been read.

    `nodata` is that of a user, beside the dataset's own. Values are scaled as the file says.
    """
    windows = list(_windows(dataset, len(bands)))
    step = max(1, math.ceil(dataset.width * dataset.height * len(bands) / _MAX_READ))
    chosen = windows[:: min(step, len(windows))]
    for found in into:
        found.is_sampled |= len(chosen) < len(windows)
    read = sum(window.width * window.height for window in chosen)
    share = max(1, math.ceil(read / _KEPT))
    for number, window in enumerate(chosen):
        for band, found, (scale, offset) in zip(bands, into, scaling, strict=True):
            masked = dataset.read(band, window=window, masked=True)
            values = masked.compressed()
            if nodata is not None:
                values = values[values != nodata]
            if (scale, offset) != (1.0, 0.0):
                values = values * scale + offset
            found.add(values, masked.size, share)
        yield (number + 1) / len(chosen)


def _windows(dataset: Any, band_count: int) -> Iterator[Window]:
    """Yield windows that cover a dataset: of blocks as they are stored, so that each is read
    once."""
    block_height, block_width = dataset.block_shapes[0]
    most = _READ // band_count
    width = dataset.width
    if block_width < width:
        width = min(width, max(block_width, int(math.sqrt(most)) // block_width * block_width))
    height = max(block_height, most // width // block_height * block_height)
    for row in range(0, dataset.height, height):
        for column in range(0, dataset.width, width):
            yield Window(
                column,
                row,
                min(width, dataset.width - column),
                min(height, dataset.height - row),
            )


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
