"""How a raster is drawn: a closed vocabulary, in TiTiler's words."""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlencode

from werkzeug.datastructures import MultiDict

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.query.parameters import single_values

DRAWING_PARAMETERS = ("colormap", "rescale", "bidx", "nodata")
REPEATABLE_PARAMETERS = ("rescale", "bidx")
"""Those of them that may be given for each band."""
MAX_BANDS = 4
"""Bands of a picture or of statistics."""
MAX_SIDE = 1024
"""Pixels of a preview."""
_MAX_BAND = 65_535
_MAX_URL = 8_000
_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?")
_WHOLE = re.compile(r"\d{1,5}")


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a raster is drawn; without a colormap as it is, or in greys."""

    colormap: str | None = None
    rescale: tuple[tuple[float, float], ...] = ()
    """The values that are drawn darkest and brightest: of all bands, or of each."""
    bands: tuple[int, ...] = ()
    nodata: float | None = None

    @property
    def query(self) -> str:
        """The parameters for TiTiler; the same for drawings that are the same."""
        bands = self.bands or ((1,) if self.colormap else ())
        pairs: list[tuple[str, str | int]] = [("bidx", band) for band in bands]
        pairs += [("rescale", f"{low!r},{high!r}") for low, high in self.rescale]
        if self.colormap:
            pairs.append(("colormap_name", self.colormap))
        if self.nodata is not None:
            pairs.append(("nodata", repr(self.nodata)))
        return urlencode(pairs)


@cache
def colormap_names() -> frozenset[str]:
    """Return the names of colormaps: those of rio-tiler, which has a file of each.

    rio-tiler itself is not loaded: it takes a worker 60 MB.
    """
    package = find_spec("rio_tiler")
    folders = package.submodule_search_locations if package else None
    assert folders  # noqa: S101 - TiTiler needs it
    return frozenset(file.stem for file in (Path(folders[0]) / "cmap_data").glob("*.npy"))


def single_values_but(
    arguments: MultiDict[str, str], known: Collection[str], repeatable: Collection[str]
) -> dict[str, str]:
    """Return parameters by name, the values of those that may be repeated joined by commas.

    Raises InvalidParameterError as `single_values`.
    """
    joined = MultiDict(
        (name, value)
        for name, values in arguments.lists()
        for value in ([",".join(values)] if name in repeatable else values)
    )
    return single_values(joined, known)


def parse_drawing(values: dict[str, str]) -> Drawing:
    """Return how a raster is drawn; raises InvalidParameterError."""
    colormap = values.get("colormap", "").strip() or None  # the web app sends a space for none
    if colormap is not None and colormap not in colormap_names():
        raise InvalidParameterError(
            "There is no such colormap: viridis, plasma, terrain, blues, rdylgn and spectral are"
            " some."
        )
    bands = parse_bands(values)
    if colormap and len(bands) > 1:
        raise InvalidParameterError("A colormap is for one band: bidx names one.")
    return Drawing(colormap, _ranges(values.get("rescale", "")), bands, _nodata(values))


def parse_bands(values: dict[str, str]) -> tuple[int, ...]:
    """Return the bands of `bidx`, counted from 1; raises InvalidParameterError."""
    text = values.get("bidx", "")
    parts = text.split(",") if text else []
    bands = tuple(int(part) for part in parts if _WHOLE.fullmatch(part.strip()))
    if len(bands) != len(parts) or len(bands) > MAX_BANDS:
        raise InvalidParameterError(f"bidx is 1 to {MAX_BANDS} numbers of bands, such as 1,2,3.")
    if not all(1 <= band <= _MAX_BAND for band in bands):
        raise InvalidParameterError("bidx counts bands from 1.")
    return bands


def parse_side(values: dict[str, str], name: str, default: int) -> int:
    """Return the width or the height of a preview in pixels; raises InvalidParameterError."""
    text = values.get(name, str(default))
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= MAX_SIDE:
        raise InvalidParameterError(f"{name} is a whole number from 1 to {MAX_SIDE}.")
    return int(text)


def parse_coordinate(values: dict[str, str], name: str, most: float) -> float:
    """Return a longitude or a latitude in degrees; raises InvalidParameterError."""
    number = _number(values.get(name, ""))
    if number is None or abs(number) > most:
        raise InvalidParameterError(f"{name} is a number of degrees from -{most:g} to {most:g}.")
    return number


def parse_url(values: dict[str, str]) -> str:
    """Return the address of a raster; raises InvalidParameterError where there is none."""
    url = values.get("url", "").strip()
    if not url or len(url) > _MAX_URL or "\x00" in url:
        raise InvalidParameterError(
            f"url is the address of a GeoTIFF, of at most {_MAX_URL:,} characters."
        )
    return url


def _ranges(text: str) -> tuple[tuple[float, float], ...]:
    if not text:
        return ()
    numbers: Sequence[float | None] = [_number(part) for part in text.split(",")]
    known = [number for number in numbers if number is not None]
    if len(known) != len(numbers) or len(known) % 2 or len(known) > 2 * MAX_BANDS:
        raise InvalidParameterError(
            "rescale is the values that are drawn darkest and brightest, such as 0,30: of all"
            f" bands, or of each of at most {MAX_BANDS}."
        )
    ranges = tuple(zip(known[::2], known[1::2], strict=True))
    if not all(low < high for low, high in ranges):
        raise InvalidParameterError("The first value of rescale is less than the second.")
    return ranges


def _nodata(values: dict[str, str]) -> float | None:
    text = values.get("nodata")
    if not text:
        return None
    number = math.nan if text.lower() == "nan" else _number(text)
    if number is None:
        raise InvalidParameterError("nodata is a number or nan.")
    return number


def _number(text: str) -> float | None:
    """Return a finite number, None for any other text."""
    if not _NUMBER.fullmatch(text.strip()):
        return None
    number = float(text)
    return number if math.isfinite(number) else None
