"""What a drawing editor can show of a layer, and what it adds to features of itself.

Such an editor, like that of the web frontend, sends a whole feature collection without ids. It
draws two-dimensional points, lines and polygons without holes, and leaves the rest out: what it
does not send was deleted in it only where it can have been shown.
"""

from collections.abc import Sequence, Set
from typing import Any

from samsyn_model.features.matching import Feature, merged_properties

_SHAPES = {
    "Point": frozenset({"Point", "Marker"}),
    "LineString": frozenset({"LineString"}),
    "Polygon": frozenset({"Polygon", "Rectangle", "Circle", "Freehand"}),
}
"""The shapes (`featureType`) by geometry type: the editor cannot show a feature with another."""
_SHAPE = "featureType"
_ICON = "icon"
_TEXTS = frozenset({"name", "description"})
"""Properties that the editor sends as empty texts where a feature has none."""


def is_from_drawing_editor(features: Sequence[Any]) -> bool:
    """Return whether no member of a collection has an id of ours, a whole number."""
    return not any(isinstance(f, dict) and type(f.get("id")) is int for f in features)


def can_show(feature: Feature) -> bool:
    """Return whether a drawing editor shows a feature."""
    geometry = feature.get("geometry") or {}
    shapes, coordinates = _SHAPES.get(geometry.get("type", "")), geometry.get("coordinates")
    if shapes is None or not coordinates:
        return False
    shape = (feature.get("properties") or {}).get(_SHAPE)
    if shape and not (isinstance(shape, str) and shape in shapes):
        return False
    if geometry["type"] == "Polygon" and len(coordinates) > 1:
        return False
    return _is_flat(coordinates)


def opens_empty(stored: Sequence[Feature]) -> bool:
    """Return whether a drawing editor shows nothing at all of a layer: it fails at a null."""
    return any(feature.get("geometry") is None for feature in stored)


def without_additions(feature: Feature, known: Set[str] | None) -> Feature:
    """Return a new feature without what the editor has added and its layer does not know.

    `known` are the names of the layer's properties, None where any is allowed.
    """
    properties = feature.get("properties")
    if known is None or not isinstance(properties, dict):
        return feature
    kept = {
        name: value
        for name, value in properties.items()
        if name in known or not _is_addition(name, value)
    }
    return {**feature, "properties": kept}


def drawn_properties(
    stored: Feature, drawn: Feature, known: Set[str] | None, *, is_changed: bool
) -> dict[str, Any] | None:
    """Return a feature's properties after it was saved in the editor, None without a change.

    What the editor adds changes nothing alone, and an empty text where there is none does not
    either. `is_changed`: whether the geometry differs; `known` as in `without_additions`.
    """
    old, sent = stored.get("properties") or {}, drawn.get("properties") or {}
    added = {
        name for name, value in sent.items() if _is_addition(name, value) and not old.get(name)
    }
    rest = {name: value for name, value in sent.items() if name not in added}
    properties = merged_properties(stored, {"properties": rest})
    if properties is None and not is_changed:
        return None
    chosen = {
        name: sent[name]
        for name in added & {_SHAPE, _ICON}
        if _is_chosen(name, sent[name], drawn) and (known is None or name in known)
    }
    if properties is None and not chosen:
        return None
    return {**(old if properties is None else properties), **chosen}


def _is_addition(name: str, value: Any) -> bool:
    return name in {_SHAPE, _ICON} or (name in _TEXTS and value == "")


def _is_chosen(name: str, value: Any, drawn: Feature) -> bool:
    """Return whether somebody chose this shape or icon: it is not the default."""
    default = (drawn.get("geometry") or {}).get("type") if name == _SHAPE else "default"
    return bool(value != default)


def _is_flat(coordinates: Any) -> bool:
    if isinstance(coordinates[0], list):
        return all(map(_is_flat, coordinates))
    return len(coordinates) == 2
