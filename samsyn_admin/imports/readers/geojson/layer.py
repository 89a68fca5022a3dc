"""A file of GeoJSON or JSON-FG as one layer."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from samsyn_admin.imports.readers.geojson.encoding import JSONEncoding
from samsyn_admin.imports.readers.geojson.features import FeaturesLayer, ReadFeature
from samsyn_admin.imports.readers.geojson.geometry import parse_geometries
from samsyn_admin.imports.readers.geojson.json_fg import is_json_fg, surfaces, with_time
from samsyn_admin.imports.readers.geojson.reference_systems import (
    are_projected,
    are_swapped,
    is_north_first,
    json_fg_crs,
    member_crs,
)
from samsyn_admin.imports.readers.geojson.sequence import is_sequence, sequence_features
from samsyn_admin.imports.readers.geojson.text import GeoJSONText
from samsyn_admin.imports.sources.layer import CRS84
from samsyn_model.errors import UnreadableFileError
from samsyn_provider.geography.crs_member import crs_members

_CHUNK = 1024 * 1024
_SAMPLE = 100  # features that are looked at before the file is read
_MEMBERS = frozenset(
    {
        *("type", "id", "geometry", "properties", "bbox", "crs", "place", "time", "coordRefSys"),
        *("conformsTo", "featureType", "featureSchema", "geometryDimension", "links", "@context"),
        "geometry_name",  # of GeoServer
    }
)
_NEW_TYPES = frozenset({"Polyhedron", "MultiPolyhedron", "Prism", "MultiPrism"})


type _Numbers = NDArray[np.float64]


class GeoJSONLayer(FeaturesLayer):
    """A GeoJSON file, or a GeoJSON text sequence; its values are not converted."""

    def __init__(self, path: Path, encoding: JSONEncoding) -> None:
        super().__init__()
        self.name = path.stem
        self.encoding, self.encoding_origin = encoding.name, encoding.origin
        self._path = path
        self._codec = encoding
        self._is_sequence = is_sequence(path, encoding)
        self._document = GeoJSONText(lambda: encoding.open(path), str(path))
        first = list(islice(self._read(), _SAMPLE))
        self._check(first)
        values = [one.value for one in first if one.reason is None]
        if self._names_a_crs_behind(values):
            for _ in self._read():
                pass
        self.format = "GeoJSON text sequence" if self._is_sequence else "GeoJSON"
        self._has_places = self._features_name_it = self._is_y_first = False
        if any(is_json_fg(value) for value in (self._document.members, *values[:1])):
            self.format = "JSON-FG"
            self._find_json_fg_crs(values)
        else:
            self._find_crs(values)
        self.restart()

    def _check(self, first: Sequence[ReadFeature]) -> None:
        """Raise UnreadableFileError for JSON that is something else."""
        is_collection = self._document.members.get("type") == "FeatureCollection"
        if self._document.has_features and is_collection:
            return
        if not first:
            raise UnreadableFileError(f"{self._path} is not GeoJSON: it has no features.")
        values = [one.value for one in first if isinstance(one.value, dict)]
        if not any(value.get("type") == "Feature" for value in values):
            raise UnreadableFileError(f"{self._path} is not GeoJSON: number 1 is not a Feature.")

    def _names_a_crs_behind(self, values: Sequence[Any]) -> bool:
        """Return whether a CRS may be named behind the features, after those looked at."""
        head = self._document.members
        if self._is_sequence or any(map(_own_members, values[:1])):
            return False
        if "crs" in head or "coordRefSys" in head:
            return False
        names = ('"crs"', '"coordRefSys"')
        tail = ""
        with self._codec.open(self._path) as file:
            while chunk := file.read(_CHUNK):
                if any(name in tail + chunk for name in names):
                    return True
                tail = chunk[-len(names[1]) :]
        return False

    def _find_crs(self, values: Sequence[Any]) -> None:
        member = self._document.crs_member
        members = [member["crs"]] if member else _own_members(values[0] if values else None)
        self._features_name_it = bool(members) and not member
        self.crs_is_implied = not members
        if members:
            self.crs = member_crs(members[0])
            self.crs_origin = "the crs member"
            if isinstance(members[0], dict) and members[0].get("type") == "link" and not self.crs:
                self.missing_crs = "it refers to its CRS by a link, which is not followed"
        else:
            self.crs, self.crs_origin = CRS84, "GeoJSON is in longitude and latitude (RFC 7946)"
        positions = _positions(values)
        if self.crs_is_implied and are_projected(positions):
            self.crs = None
            x, y = positions[0][:2]
            self.missing_crs = (
                f"it names no CRS, and its coordinates, such as ({x:.10g}, {y:.10g}), are not in"
                " degrees: they are probably projected"
            )
        if self.crs and not self.crs_is_implied and is_north_first(self.crs):
            self._is_y_first = are_swapped(positions, self.crs)
            order = "longitude before latitude" if self.crs.is_geographic else "east before north"
            if self._is_y_first:
                order = (
                    "latitude before longitude" if self.crs.is_geographic else ("north before east")
                )
                order += f", for only so the positions lie where {self.crs.name} is used"
            self.note(f"The positions were read as {order}.")

    def _find_json_fg_crs(self, values: Sequence[Any]) -> None:
        named = [self._document.members.get("coordRefSys")]
        named += [value.get("coordRefSys") for value in values if isinstance(value, dict)]
        named += [place.get("coordRefSys") for place in map(_place, values) if place]
        name = next(filter(None, named), None)
        self._has_places = any(map(_place, values))
        if name is None or not self._has_places:
            self.crs, self.crs_is_implied = CRS84, True
            self.crs_origin = "JSON-FG without coordRefSys is in longitude and latitude"
            return
        self.crs, self.crs_origin = json_fg_crs(name), "the coordRefSys member"
        if self.crs is None or not is_north_first(self.crs):
            return
        places = [place for value in values if (place := _place(value))]
        self._is_y_first = not are_swapped(_positions_of(places)[:, ::-1], self.crs)
        if not self._is_y_first:
            self.note(
                f"The positions were read as east before north, although {self.crs.name} has north"
                " first: only so they lie where it is used."
            )

    def _read(self) -> Iterator[ReadFeature]:
        if self._is_sequence:
            yield from sequence_features(self._path, self._codec, self.tally_number)
            return
        self._document = GeoJSONText(
            lambda: self._codec.open(self._path), str(self._path), on_constant=self.tally_number
        )
        for value in self._document.features():
            name = self._document.duplicate
            reason = None if name is None else f"it has two members named {name!r}"
            yield ReadFeature(value, None, reason)

    def _features(self) -> Iterator[ReadFeature]:
        for one in self._read():
            if isinstance(one.value, dict) and one.reason is None:
                foreign = one.value.keys() - _MEMBERS
                if foreign:
                    self._note_foreign(sorted(foreign))
                if "time" in one.value:
                    yield ReadFeature(with_time(one.value), one.line)
                    continue
            yield one

    def _note_foreign(self, names: Sequence[str]) -> None:
        self.note(
            f"Members of features beside their properties were left out: {', '.join(names)[:200]}."
        )

    def _refusal(self, feature: dict[str, Any]) -> str | None:
        if self.crs_is_given:
            return None
        reason = "its CRS is not that of the file: specify one with --crs"
        if self.format == "JSON-FG":
            place = _place(feature)
            own = place and (place.get("coordRefSys") or feature.get("coordRefSys"))
            return reason if own and json_fg_crs(own) != self.crs else None
        members = _own_members(feature)
        if not members:
            return reason if self._features_name_it else None
        return None if all(member_crs(member) == self.crs for member in members) else reason

    def _geometry(self, feature: dict[str, Any]) -> Any:
        place = _place(feature)
        if place is None:
            return feature.get("geometry")
        if place.get("type") in _NEW_TYPES:
            self.note("Bodies (polyhedrons, prisms) were read as the polygons of their surfaces.")
            return surfaces(place)
        return place

    def _placed(self, geometries: NDArray[Any], features: Sequence[dict[str, Any]]) -> NDArray[Any]:
        is_y_first = self._is_y_first and (self.format == "JSON-FG" or not self.crs_is_given)
        if not is_y_first and not self._has_places:
            return geometries
        result = geometries.copy()
        in_crs84 = np.array([self._has_places and not _place(one) for one in features], dtype=bool)
        if is_y_first:
            result[~in_crs84] = _moved(geometries[~in_crs84], _exchanged)
        if in_crs84.any() and self.crs is not None and not self.crs_is_given:
            to_crs = Transformer.from_crs(CRS84, self.crs, always_xy=True)
            result[in_crs84] = _moved(geometries[in_crs84], to_crs.transform)
        return result


def _moved(
    geometries: NDArray[Any], move: Callable[[_Numbers, _Numbers], tuple[_Numbers, _Numbers]]
) -> NDArray[Any]:
    """Return geometries with other x and y; heights are unchanged."""
    result = geometries.copy()
    with_z = shapely.has_z(geometries)
    for rows, has_z in ((~with_z, False), (with_z, True)):
        positions = shapely.get_coordinates(geometries[rows], include_z=has_z)
        if len(positions):
            positions[:, 0], positions[:, 1] = move(positions[:, 0].copy(), positions[:, 1].copy())
            result[rows] = shapely.set_coordinates(geometries[rows].copy(), positions)
    return result


def _exchanged(x: _Numbers, y: _Numbers) -> tuple[_Numbers, _Numbers]:
    return y, x


def _place(feature: Any) -> dict[str, Any] | None:
    place = feature.get("place") if isinstance(feature, dict) else None
    return place if isinstance(place, dict) else None


def _positions(values: Sequence[Any]) -> _Numbers:
    return _positions_of([value.get("geometry") for value in values if isinstance(value, dict)])


def _positions_of(geometries: Sequence[Any]) -> _Numbers:
    """Return one position of each GeoJSON geometry that can be read."""
    parsed = parse_geometries(geometries).geometries
    positions, owners = shapely.get_coordinates(parsed, return_index=True)
    _, first = np.unique(owners, return_index=True)
    result: _Numbers = positions[first]
    return result


def _own_members(feature: Any) -> list[Any]:
    return [member for _, member in crs_members(feature, "")]
