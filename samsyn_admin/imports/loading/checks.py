"""Properties of an imported layer, and whether features suit an existing layer."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from samsyn_model.errors import Fault, InvalidBodyError
from samsyn_model.features.bulk_copy import MAX_CHECKED_POSITIONS, CopiedFeatures
from samsyn_model.properties.schema import property_members
from samsyn_model.settings import get_settings


def geometry_type(counts: Mapping[str, int], declared: str | None) -> str | None:
    """Return a new layer's `geometry_type`: a Multi type admits its single counterpart.

    `counts` has the number of features of each type. The type is None for a mixture, and the
    declared one without features.
    """
    if not counts:
        return declared
    single = {name.removeprefix("Multi") for name in counts}
    if len(single) > 1:
        return None
    return max(counts, key=len)


def geometry_faults(counts: Mapping[str, int], layer_type: str | None) -> Iterator[Fault]:
    """Yield the faults of geometries of these types in a layer of a `geometry_type`."""
    if layer_type is None:
        return
    admitted = {layer_type, layer_type.removeprefix("Multi")}
    for name, count in counts.items():
        if name not in admitted:
            yield Fault(
                "/geometry", f"{count:,} features are a {name}; the layer has {layer_type}."
            )


def geometry_notes(copied: CopiedFeatures, has_geometry: bool) -> Iterator[str]:
    """Yield what the user should know of the geometries copied from a source."""
    if copied.null_count and has_geometry:
        yield f"{copied.null_count:,} features have no geometry."
    if copied.invalid_count:
        yield (
            f"{copied.invalid_count:,} geometries are not valid (self-intersections, say);"
            " they were stored unchanged."
        )
    if copied.unchecked_count:
        yield (
            f"{copied.unchecked_count:,} geometries have more than {MAX_CHECKED_POSITIONS:,}"
            " positions: whether they are valid was not checked."
        )


def check_number_of_properties(source: str, names: Collection[str]) -> None:
    """Raise InvalidBodyError where a source has more properties than a layer may have."""
    most = get_settings().max_properties
    if len(names) > most:
        raise InvalidBodyError(
            f"{source!r} has {len(names):,} properties; a layer has at most {most:,}."
        )


def schema_faults(schema: dict[str, Any], layer_schema: dict[str, Any] | None) -> Iterator[Fault]:
    """Yield the faults of properties of one schema in a layer with another."""
    if layer_schema is None:
        return
    fields = property_members(layer_schema)
    for name, field in schema["properties"].items():
        pointer = f"/properties/{name}"
        if name not in fields:
            yield Fault(pointer, "The layer has no such field.")
        elif not _suits(field, fields[name]):
            yield Fault(
                pointer,
                f"The file has {_type_of(field)}, the layer requires {_type_of(fields[name])}.",
            )
    for name in layer_schema.get("required", []):
        if name not in schema["properties"]:
            yield Fault(
                f"/properties/{name}", "The layer requires this field, which the file lacks."
            )


def _suits(field: dict[str, Any], layer_field: dict[str, Any]) -> bool:
    admitted = layer_field.get("type")
    if admitted is None:
        return True
    types = set(admitted) if isinstance(admitted, list) else {admitted}
    if "number" in types:
        types.add("integer")
    return field.get("type") in types and layer_field.get("format") in {None, field.get("format")}


def _type_of(field: dict[str, Any]) -> str:
    return str(field.get("format") or field.get("type") or "values of several types")
