"""Esri JSON: a feature set of ArcGIS as one layer."""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from samsyn_admin.imports.readers.geojson.encoding import JSONEncoding
from samsyn_admin.imports.readers.geojson.features import FeaturesLayer, ReadFeature
from samsyn_admin.imports.readers.geojson.reference_systems import esri_crs
from samsyn_admin.imports.readers.geojson.text import GeoJSONText
from samsyn_admin.imports.readers.json.esri_geometry import esri_geometry
from samsyn_model.errors import UnreadableFileError
from samsyn_model.properties.date_times import rfc3339
from samsyn_model.properties.schema import Kind

_GEOMETRY_TYPES = {
    "esriGeometryPoint": "Point",
    "esriGeometryMultipoint": "MultiPoint",
    "esriGeometryPolyline": "MultiLineString",
    "esriGeometryPolygon": "MultiPolygon",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = {
    "esriFieldTypeSmallInteger": Kind.INTEGER,
    "esriFieldTypeInteger": Kind.INTEGER,
    "esriFieldTypeBigInteger": Kind.INTEGER,
    "esriFieldTypeOID": Kind.INTEGER,
    "esriFieldTypeSingle": Kind.NUMBER,
    "esriFieldTypeDouble": Kind.NUMBER,
    "esriFieldTypeString": Kind.STRING,
    "esriFieldTypeGUID": Kind.STRING,
    "esriFieldTypeGlobalID": Kind.STRING,
    "esriFieldTypeXML": Kind.STRING,
    "esriFieldTypeDate": Kind.DATE_TIME,
    "esriFieldTypeTimestampOffset": Kind.DATE_TIME,
    "esriFieldTypeDateOnly": Kind.DATE,
    "esriFieldTypeTimeOnly": Kind.TIME,
}


class EsriJSONLayer(FeaturesLayer):
    """A feature set; its dates, milliseconds since 1970, are read as date-times in UTC."""

    format = "Esri JSON"

    def __init__(self, path: Path, encoding: JSONEncoding) -> None:
        super().__init__()
        self.name = path.stem
        self.encoding, self.encoding_origin = encoding.name, encoding.origin
        self._path = path
        self._codec = encoding
        text = self._open()
        first: Any = None
        for count, value in enumerate(text.features()):
            first = first if count else value
        members = text.members
        self._fields = _fields(members.get("fields"))
        self._id_field = _id_field(members, self._fields)
        self._is_table = "geometryType" not in members and not (first or {}).get("geometry")
        self.has_geometry = not self._is_table
        self.geometry_type = _GEOMETRY_TYPES.get(str(members.get("geometryType")))
        if self.geometry_type in {"MultiLineString", "MultiPolygon"}:
            self.geometry_type = None if text.has_features and first else self.geometry_type
        reference = members.get("spatialReference") or _own_reference(first)
        self.crs = esri_crs(reference)
        self.crs_origin = "the spatialReference member"
        if reference is None:
            self.missing_crs = "it has no spatialReference"
        if members.get("exceededTransferLimit"):
            self.note(
                "The server that made the file left features out: it gives no more at once"
                " (exceededTransferLimit)."
            )
        self.restart()

    def _open(self) -> GeoJSONText:
        return GeoJSONText(
            lambda: self._codec.open(self._path), str(self._path), on_constant=self.tally_number
        )

    @property
    def kinds(self) -> dict[str, Kind | None]:
        """The fields that are declared, then others that features have."""
        declared = {name: _KINDS.get(kind) for name, kind in self._fields.items()}
        return {name: declared.get(name) or kind for name, kind in self._all_kinds().items()}

    def _all_kinds(self) -> dict[str, Kind | None]:
        return {**dict.fromkeys(self._fields), **self._observed.kinds}

    def _features(self) -> Iterator[ReadFeature]:
        text = self._open()
        for value in text.features():
            reason = None
            if text.duplicate is not None:
                reason = f"it has two members named {text.duplicate!r}"
            yield self._feature(value, reason)

    def _feature(self, value: Any, reason: str | None) -> ReadFeature:
        attributes = value.get("attributes") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(attributes or {}, dict):
            return ReadFeature(value, None, reason or "it is not a feature of Esri JSON")
        properties = dict(attributes or {})
        try:
            geometry = esri_geometry(value.get("geometry"))
        except ValueError as error:
            reason = reason or str(error)
            geometry = None
        except (TypeError, KeyError, IndexError, AttributeError, OverflowError):
            reason = reason or "its geometry is none of Esri JSON"
            geometry = None
        faults = {}
        for name, member in properties.items():
            convert = _CONVERSIONS.get(self._fields.get(name, ""))
            if convert is not None and member is not None:
                properties[name] = convert(member)
                if properties[name] is None:
                    faults[name] = f"{str(member)[:50]!r} is not {_EXPECTED[convert]}"
        return ReadFeature(
            {
                "type": "Feature",
                "id": properties.get(self._id_field or ""),
                "geometry": geometry,
                "properties": properties,
            },
            reason=reason,
            value_faults=faults,
        )


def is_esri_json(members: dict[str, Any], first: Any) -> bool:
    """Return whether an object with these members and this first feature is a feature set."""
    if "type" in members:
        return False
    if isinstance(first, dict):
        return "attributes" in first and "type" not in first
    return "geometryType" in members or "spatialReference" in members


def refuse_error(path: Path, members: dict[str, Any]) -> None:
    """Raise UnreadableFileError where a file is a server's message instead of features."""
    error = members.get("error")
    if isinstance(error, dict) and "features" not in members and "message" in error:
        raise UnreadableFileError(
            f"{path} has no features, but an error of the server that it comes from:"
            f" {str(error['message'])[:200]!r}."
        )


def _fields(value: Any) -> dict[str, str]:
    fields = value if isinstance(value, list) else []
    return {
        field["name"]: str(field.get("type"))
        for field in fields
        if isinstance(field, dict) and isinstance(field.get("name"), str)
    }


def _id_field(members: dict[str, Any], fields: dict[str, str]) -> str | None:
    name = members.get("objectIdFieldName")
    if isinstance(name, str):
        return name
    return next((name for name, kind in fields.items() if kind == "esriFieldTypeOID"), None)


def _own_reference(feature: Any) -> Any:
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    return geometry.get("spatialReference") if isinstance(geometry, dict) else None


def _date_time(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if type(value) not in {int, float} or not math.isfinite(value):
        return None
    try:
        return rfc3339(_EPOCH + timedelta(milliseconds=value))
    except OverflowError:
        return None


def _integer(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def _number(value: Any) -> float | int | None:
    return value if type(value) in {int, float} else None


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


_EXPECTED: dict[Callable[[Any], Any], str] = {
    _date_time: "a date",
    _integer: "a whole number",
    _number: "a number",
    _string: "a text",
}
_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "esriFieldTypeDate": _date_time,
    "esriFieldTypeSmallInteger": _integer,
    "esriFieldTypeInteger": _integer,
    "esriFieldTypeBigInteger": _integer,
    "esriFieldTypeOID": _integer,
    "esriFieldTypeSingle": _number,
    "esriFieldTypeDouble": _number,
    "esriFieldTypeString": _string,
}
