"""Geometries in texts: WKT, EWKT, WKB in hexadecimal digits, GeoJSON."""

import json
import re
from collections.abc import Sequence
from typing import Any

import shapely
from numpy.typing import NDArray

from samsyn_admin.imports.readers.tables.coordinates.curves import has_other_types, plain_wkt
from samsyn_admin.imports.readers.tables.coordinates.numbers import shown
from samsyn_admin.imports.sources.layer import object_array
from samsyn_admin.imports.sources.wkb import MAX_DEPTH, geometries_of_wkb
from samsyn_model.errors import SamsynError
from samsyn_model.features.batch import FeatureBatch

_SRID = re.compile(r"SRID\s*=\s*([0-9]{1,6})\s*;\s*", re.IGNORECASE)
_WKT = re.compile(
    r"(?:(?:MULTI)?(?:POINT|LINESTRING|POLYGON|CURVE|SURFACE)|GEOMETRYCOLLECTION|LINEARRING|TIN"
    r"|CIRCULARSTRING|COMPOUNDCURVE|CURVEPOLYGON|TRIANGLE|POLYHEDRALSURFACE)"
    r"\s*(?:ZM|Z|M)?\s*(?:\(|EMPTY\b)",
    re.IGNORECASE,
)
_HEX = re.compile(r"(?:\\x|0x)?(0[01][0-9A-Fa-f]{8,})")
_HEX_NUMBER = re.compile("0x", re.IGNORECASE)
CURVES_NOTE = "Curves were turned into lines of many points, triangles and surfaces into polygons."


def is_geometry(text: str) -> bool:
    """Return whether a text begins as a geometry does."""
    text = text.strip()
    if is_wkt(text):
        return True
    if _HEX.fullmatch(text):
        return len(text) % 2 == 0
    return text.startswith("{") and '"type"' in text


def is_wkt(text: str) -> bool:
    """Return whether a text begins as WKT or EWKT does."""
    return _WKT.match(_SRID.sub("", text.strip(), count=1)) is not None


def srid_of(text: str) -> int | None:
    """Return the SRID that a text names, or None."""
    match = _SRID.match(text.strip())
    if match:
        return int(match[1]) or None
    wkb = _wkb(text.strip())
    if wkb is None or len(wkb) < 9:
        return None
    order = "little" if wkb[0] else "big"
    has_srid = int.from_bytes(wkb[1:5], order) & 0x20000000  # type: ignore[arg-type]
    return int.from_bytes(wkb[5:9], order) or None if has_srid else None  # type: ignore[arg-type]


def _wkb(text: str) -> bytes | None:
    match = _HEX.fullmatch(text)
    return bytes.fromhex(match[1]) if match and len(match[1]) % 2 == 0 else None


class GeometryTexts:
    """Reads the texts of a column as geometries; all that name an SRID have the same."""

    def __init__(self, srid: int | None) -> None:
        self._srid = srid
        self.has_curves = False

    def read(self, texts: Sequence[str]) -> tuple[NDArray[Any], dict[int, str]]:
        """Return the geometries, and why the text with an index is none."""
        plain = [text.strip() or None for text in texts]
        if all(text is None or _is_plain_wkt(text) for text in plain):
            try:
                return shapely.from_wkt(object_array(plain)), {}
            except (shapely.errors.ShapelyError, NotImplementedError):
                pass
        geometries, faults = object_array([None] * len(plain)), {}
        for index, text in enumerate(plain):
            if text is not None:
                try:
                    geometries[index] = self._geometry(text)
                except (ValueError, OverflowError, RecursionError) as error:
                    faults[index] = str(error) or "it cannot be read"
                except SamsynError as error:
                    faults[index] = error.detail.partition("cannot be read: ")[2] or error.detail
                except (shapely.errors.ShapelyError, NotImplementedError) as error:
                    faults[index] = _reason(error)
        return geometries, faults

    def _geometry(self, text: str) -> Any:
        srid = srid_of(text)
        if srid != self._srid and (srid or self._srid):
            raise ValueError(
                f"its SRID is {srid or 'missing'}, that of the first ones {self._srid or 'missing'}"
            )
        if text.startswith("{"):
            return self._of_geojson(text)
        wkb = _wkb(text)
        if wkb is not None:
            batch = FeatureBatch(object_array([None]), (), 1)
            return shapely.set_srid(geometries_of_wkb([wkb], batch)[0], 0)
        return self._of_wkt(_SRID.sub("", text, count=1))

    def _of_geojson(self, text: str) -> Any:
        try:
            value = json.loads(text, parse_constant=_no_constant)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        if not isinstance(value, dict):
            raise ValueError("it is not a GeoJSON geometry")
        value = value.get("geometry") if value.get("type") == "Feature" else value
        _check_positions(value)
        return shapely.from_geojson(json.dumps(value))

    def _of_wkt(self, text: str) -> Any:
        if not _WKT.match(text):
            raise ValueError(f"{shown(text)} is not a geometry")
        if text.upper().count("COLLECTION") > MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        if _HEX_NUMBER.search(text):
            raise ValueError("it has a number in hexadecimal digits")
        if has_other_types(text):
            text = plain_wkt(text)
            self.has_curves = True
        return shapely.from_wkt(text)


def _is_plain_wkt(text: str) -> bool:
    return (
        _WKT.match(text) is not None
        and not _HEX_NUMBER.search(text)
        and not has_other_types(text)
        and text.upper().count("COLLECTION") <= MAX_DEPTH
    )


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _check_positions(geometry: Any) -> None:
    """Raise ValueError for what is not a geometry of GeoJSON with numbers in its positions."""
    if not isinstance(geometry, dict):
        raise ValueError("it is not a GeoJSON geometry")
    if geometry.get("type") == "GeometryCollection":
        members = geometry.get("geometries")
        for member in members if isinstance(members, list) else [None]:
            _check_positions(member)
        return
    parts = geometry.get("coordinates")
    parts = parts if isinstance(parts, list) else [None]
    while parts and all(isinstance(part, list) for part in parts):
        parts = [member for part in parts for member in part]
    if any(isinstance(part, bool) or not isinstance(part, int | float) for part in parts):
        raise ValueError("a coordinate of it is not a number")


def _reason(error: Exception) -> str:
    """Return the reason of the geometry library in words for people."""
    text = str(error).strip().partition(": ")[2] or str(error).strip()
    if isinstance(error, NotImplementedError):
        return "it has curves, which are read from WKT alone"
    if "do not form a closed" in text:
        return "a ring of it is not closed"
    if "must contain 0 or >1" in text:
        return "a line of it has one point"
    return text or "it cannot be read"
