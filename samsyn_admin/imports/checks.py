"""What an import finds out about a layer, and whether features suit one that exists."""

from collections.abc import Iterator, Mapping
from typing import Any

from samsyn_model.errors import Fault


def geometry_type(found: Mapping[str, int], declared: str | None) -> str | None:
    """Return what a layer's `geometry_type` becomes: a Multi type admits its single counterpart.

    `found` counts the features of each type; None is for a mixture. Without features it is the
    declared type.
    """
    if not found:
        return declared
    whole = {name.removeprefix("Multi") for name in found}
    if len(whole) > 1:
        return None
    return max(found, key=len)


def geometry_faults(found: Mapping[str, int], binding: str | None) -> Iterator[Fault]:
    """Yield what is wrong with geometries of these types in a layer of that `geometry_type`."""
    if binding is None:
        return
    admitted = {binding, binding.removeprefix("Multi")}
    for name, count in found.items():
        if name not in admitted:
            yield Fault("/geometry", f"{count:,} features are a {name}; the layer holds {binding}.")


def schema_faults(found: dict[str, Any], binding: dict[str, Any] | None) -> Iterator[Fault]:
    """Yield what is wrong with properties of one schema in a layer of the other."""
    if binding is None:
        return
    fields = binding.get("properties", {})
    for name, field in found["properties"].items():
        pointer = f"/properties/{name}"
        if name not in fields:
            yield Fault(pointer, "The layer has no such field.")
        elif not _suits(field, fields[name]):
            yield Fault(
                pointer, f"The file has {_words(field)}, the layer {_words(fields[name])} for it."
            )
    for name in binding.get("required", []):
        if name not in found["properties"]:
            yield Fault(f"/properties/{name}", "The layer requires it, and the file lacks it.")


def _suits(field: dict[str, Any], binding: dict[str, Any]) -> bool:
    admitted = binding.get("type")
    if admitted is None:
        return True
    types = set(admitted) if isinstance(admitted, list) else {admitted}
    if "number" in types:
        types.add("integer")
    return field.get("type") in types and binding.get("format") in {None, field.get("format")}


def _words(field: dict[str, Any]) -> str:
    return str(field.get("format") or field.get("type") or "values of several types")
