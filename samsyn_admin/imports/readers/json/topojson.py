"""TopoJSON: objects whose lines are shared arcs, each a layer."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from samsyn_admin.imports.readers.geojson.encoding import JSONEncoding
from samsyn_admin.imports.readers.geojson.features import FeaturesLayer, ReadFeature
from samsyn_admin.imports.readers.geojson.reference_systems import member_crs
from samsyn_admin.imports.sources.layer import CRS84
from samsyn_admin.imports.sources.limits import check_count
from samsyn_model.errors import UnreadableFileError
from samsyn_model.settings import get_settings

_MAX_SIZE = 256 * 1024**2
"""The maximum size of a file in bytes: the arcs of all features are in memory at once."""
_HEAD = 65_536
_TYPE = re.compile(r'^\s*\{\s*"type"\s*:\s*"Topology"')
_MAX_DEPTH = 100


class _ArcError(Exception):
    """A geometry refers to what is no arc, or is too large."""


def refuse_large_topology(path: Path, encoding: JSONEncoding) -> None:
    """Raise UnreadableFileError for a file that begins like TopoJSON and is too large."""
    if path.stat().st_size > _MAX_SIZE:
        with encoding.open(path) as file:
            if _TYPE.search(file.read(_HEAD)):
                raise UnreadableFileError(
                    f"{path} is too large: of TopoJSON at most {_MAX_SIZE:,} bytes are read."
                )


def topojson_layers(
    path: Path, document: dict[str, Any], encoding: JSONEncoding
) -> Sequence["TopoJSONLayer"]:
    """Return a layer of each object of a parsed TopoJSON file. Raises UnreadableFileError."""
    objects = document.get("objects")
    if not isinstance(objects, dict) or not isinstance(document.get("arcs"), list):
        raise UnreadableFileError(f"{path} is not TopoJSON: it lacks its objects or its arcs.")
    check_count(path, len(objects))
    if not objects:
        raise UnreadableFileError(f"{path} has no objects.")
    try:
        arcs = _Arcs(document)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise UnreadableFileError(f"{path} has an arc that is no array of positions.") from error
    layers = [TopoJSONLayer(name, value, arcs) for name, value in objects.items()]
    for layer in layers:
        layer.encoding, layer.encoding_origin = encoding.name, encoding.origin
        if "crs" in document:
            layer.crs, layer.crs_is_implied = member_crs(document["crs"]), False
            layer.crs_origin = "the crs member"
    return layers


def _quantisation(document: dict[str, Any]) -> tuple[NDArray[np.float64], ...] | None:
    transform = document.get("transform")
    if transform is None:
        return None
    return tuple(
        np.array(transform[name], dtype=np.float64).reshape(2) for name in ("scale", "translate")
    )


class _Arcs:
    """The arcs of a topology with their quantisation undone."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._quantisation = _quantisation(document)
        self._arcs = [self._arc(positions) for positions in document["arcs"]]

    def _arc(self, positions: list[list[float]]) -> list[list[float]]:
        if self._quantisation is None:
            return positions
        array = np.array([position[:2] for position in positions], dtype=np.float64)
        scale, translate = self._quantisation
        moved = np.cumsum(array.reshape(-1, 2), axis=0) * scale + translate
        result: list[list[float]] = moved.tolist()
        return result

    def position(self, value: Any) -> Any:
        """Return a position that is not part of an arc."""
        if self._quantisation is None:
            return value
        scale, translate = self._quantisation
        result: list[float] = (np.array(value[:2], dtype=np.float64) * scale + translate).tolist()
        return result

    def line(self, indexes: Any) -> list[Any]:
        """Return the positions of arcs one after another; a negative index is one reversed."""
        arcs = [self._arcs[i] if i >= 0 else self._arcs[~i] for i in indexes]
        most = get_settings().max_vertices
        if sum(map(len, arcs)) > most + len(arcs):
            raise _ArcError(f"it has more than {most:,} positions")
        positions: list[Any] = []
        for index, arc in zip(indexes, arcs, strict=True):
            positions[-1:] = arc if index >= 0 else arc[::-1]
        return positions


class TopoJSONLayer(FeaturesLayer):
    """An object of a topology: its members are the features, or it is the only one."""

    format = "TopoJSON"
    crs: CRS | None = CRS84
    crs_is_implied = True
    crs_origin = "TopoJSON is in longitude and latitude"

    def __init__(self, name: str, value: Any, arcs: _Arcs) -> None:
        super().__init__()
        self.name = name
        members = value.get("geometries") if isinstance(value, dict) else None
        is_collection = isinstance(members, list) and value.get("type") == "GeometryCollection"
        self._values = members if is_collection and members is not None else [value]
        self.feature_count = len(self._values)
        self._arcs = arcs

    def _features(self) -> Iterator[ReadFeature]:
        for value in self._values:
            yield self._feature(value)

    def _feature(self, value: Any) -> ReadFeature:
        if not isinstance(value, dict):
            return ReadFeature(value, None, "it is not an object of TopoJSON")
        try:
            geometry = self._geojson(value, 0)
        except _ArcError as error:
            return ReadFeature(value, None, str(error))
        except (TypeError, ValueError, KeyError, IndexError, OverflowError):
            return ReadFeature(value, None, "its geometry refers to no arcs of the file")
        properties = value.get("properties")
        return ReadFeature(
            {
                "type": "Feature",
                "id": value.get("id"),
                "geometry": geometry,
                "properties": dict(properties) if isinstance(properties, dict) else properties,
            }
        )

    def _geojson(self, value: dict[str, Any], depth: int) -> dict[str, Any] | None:
        kind = value.get("type")
        if kind is None:
            return None
        if depth > _MAX_DEPTH:
            raise _ArcError("it is nested too deeply")
        if kind == "GeometryCollection":
            members = [self._geojson(member, depth + 1) for member in value["geometries"]]
            return {"type": kind, "geometries": [member for member in members if member]}
        convert = _CONVERSIONS.get(kind)
        if convert is None:
            return {"type": kind, "coordinates": None}
        return {"type": kind, "coordinates": convert(self._arcs, value)}


def _lines(arcs: _Arcs, parts: Any) -> list[Any]:
    return [arcs.line(part) for part in parts]


_CONVERSIONS: dict[str, Callable[[_Arcs, dict[str, Any]], Any]] = {
    "Point": lambda arcs, value: arcs.position(value["coordinates"]),
    "MultiPoint": lambda arcs, value: [arcs.position(one) for one in value["coordinates"]],
    "LineString": lambda arcs, value: arcs.line(value["arcs"]),
    "MultiLineString": lambda arcs, value: _lines(arcs, value["arcs"]),
    "Polygon": lambda arcs, value: _lines(arcs, value["arcs"]),
    "MultiPolygon": lambda arcs, value: [_lines(arcs, part) for part in value["arcs"]],
}
