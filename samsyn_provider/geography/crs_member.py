"""The `crs` member of GeoJSON before RFC 7946 (2008): honoured or refused, never ignored."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from samsyn_model.errors import Fault, InvalidParameterError
from samsyn_provider.geography.crs import (
    CRS84,
    WGS84,
    ReferenceSystem,
    crs_uri,
    epsg_uri,
    reference_system,
)


def crs_member(
    value: Any, pointer: str, supported: tuple[str, ...]
) -> tuple[ReferenceSystem | None, list[Fault]]:
    """Return the CRS that the `crs` members of a GeoJSON object name, None without any.

    Its axis order is x before y, as that specification has it. `pointer` is the JSON pointer to the
    object, `supported` the URIs of the CRSs that its layer takes. The faults are members that name
    no such CRS, or another one than those before them.
    """
    found: ReferenceSystem | None = None
    for where, member in crs_members(value, pointer):
        crs = _named(member, supported)
        if crs is None:
            known = ", ".join(supported)
            return None, [Fault(where, f"This names no CRS that the layer takes: {known}.")]
        if found not in {None, crs}:
            return None, [Fault(where, "This names another CRS than the member before it.")]
        found = crs
    return found, []


def names_another(geometry: Mapping[str, Any], crs: ReferenceSystem) -> bool:
    """Return whether a `crs` member of a valid GeoJSON geometry names another CRS than `crs`.

    For geometries whose CRS is known otherwise, or always longitude and latitude.
    """
    is_collection = geometry["type"] == "GeometryCollection"
    parts = (geometry, *(geometry["geometries"] if is_collection else ()))
    for part in parts:
        if "crs" in part:
            named = _named(part["crs"], (crs.uri, CRS84, epsg_uri(WGS84)))
            if named is None or named.srid != crs.srid:
                return True
    return False


def crs_members(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    """Yield pointer and value of each `crs` member of an object, its features and geometries."""
    if not isinstance(value, dict):
        return
    if "crs" in value:
        yield f"{pointer}/crs", value["crs"]
    yield from crs_members(value.get("geometry"), f"{pointer}/geometry")
    for name in ("features", "geometries"):
        parts = value.get(name)
        for number, part in enumerate(parts if isinstance(parts, list) else ()):
            yield from crs_members(part, f"{pointer}/{name}/{number}")


def crs_name(member: Any) -> str | None:
    """Return the name of the CRS in a `crs` member, `EPSG:CODE` for a code; None without any."""
    properties = member.get("properties") if isinstance(member, dict) else None
    if not isinstance(properties, dict):
        return None
    name, code = properties.get("name"), properties.get("code")
    if name is None and type(code) is int:
        return f"EPSG:{code}"
    return name if isinstance(name, str) else None


def _named(member: Any, supported: tuple[str, ...]) -> ReferenceSystem | None:
    name = crs_name(member)
    if name is None:
        return None
    try:
        return replace(reference_system(crs_uri(name), "crs", supported), y_first=False)
    except InvalidParameterError:
        return None
