"""Features of a collection matched to the stored features of a layer."""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

_DECIMALS = 9
"""Decimals of a degree in responses, and so in comparisons."""

Feature = dict[str, Any]
Key = Callable[[Feature], Hashable | None]


@dataclass(slots=True)
class Matching:
    """The result of matching a collection to a layer's features.

    `matched` pairs each matched feature of the layer with the collection's; `added` are members
    without a match, `missing` stored features without one.
    """

    matched: list[tuple[Feature, Feature]] = field(default_factory=list)
    added: list[Feature] = field(default_factory=list)
    missing: list[Feature] = field(default_factory=list)


def match_features(
    stored: Sequence[Feature],
    incoming: Sequence[Feature],
    kind: Callable[[Feature], Hashable] | None = None,
) -> Matching:
    """Match incoming GeoJSON features to stored ones, each to one at most, in linear time.

    A known id decides; then, for the others in turn: geometry and properties, geometry and name,
    geometry, name. By name alone only features of one `kind` match. The order of both is retained.
    """

    def name_and_kind(feature: Feature) -> Hashable | None:
        name = _name(feature)
        return None if name is None else (name, kind(feature) if kind else None)

    matched: dict[int, Feature] = {}
    free = {feature["id"]: feature for feature in stored}
    unmatched = []
    for position, feature in enumerate(incoming):
        own = feature.get("id")
        known = free.pop(own, None) if type(own) is int else None
        if known is None:
            unmatched.append(position)
        else:
            matched[position] = known
    for key in (_everything, _geometry_and_name, _geometry, name_and_kind):
        unmatched = _match_by(key, incoming, unmatched, free, matched)
    return Matching(
        matched=[
            (matched[position], feature)
            for position, feature in enumerate(incoming)
            if position in matched
        ],
        added=[incoming[position] for position in unmatched],
        missing=list(free.values()),
    )


def share_a_geometry(some: Sequence[Feature], others: Sequence[Feature]) -> bool:
    """Return whether a geometry, or null, is that of a feature of both."""
    return not set(map(_geometry, some)).isdisjoint(map(_geometry, others))


def same_geometry(one: Feature, other: Feature) -> bool:
    """Return whether two features have the same geometry at the precision of responses."""
    return _geometry(one) == _geometry(other)


def merged_properties(stored: Feature, incoming: Feature) -> dict[str, Any] | None:
    """Return a feature's properties after a change, None when it changes nothing.

    Properties that are not sent stay; a null for an absent property changes nothing.
    """
    old = stored.get("properties") or {}
    new = {
        name: value
        for name, value in (incoming.get("properties") or {}).items()
        if value is not None or name in old
    }
    if all(
        name in old and comparable(old[name]) == comparable(value) for name, value in new.items()
    ):
        return None
    return {**old, **new}


def comparable(value: Any) -> Hashable:
    """Return a JSON value in a form that is equal for equal values: 1 is 1.0, but not true."""
    if isinstance(value, dict):
        return ("object", frozenset((name, comparable(member)) for name, member in value.items()))
    if isinstance(value, list):
        return ("array", tuple(map(comparable, value)))
    return (isinstance(value, bool), value)


def _match_by(
    key: Key,
    incoming: Sequence[Feature],
    positions: Iterable[int],
    free: dict[Any, Feature],
    matched: dict[int, Feature],
) -> list[int]:
    """Match features of equal key, first to first; return the positions that remain."""
    waiting: dict[Hashable, deque[Feature]] = defaultdict(deque)
    for feature in free.values():
        waiting[key(feature)].append(feature)
    remaining = []
    for position in positions:
        value = key(incoming[position])
        if value is None or not waiting.get(value):
            remaining.append(position)
        else:
            matched[position] = waiting[value].popleft()
            del free[matched[position]["id"]]
    return remaining


def _geometry(feature: Feature) -> Hashable | None:
    geometry = feature.get("geometry")
    return None if geometry is None else _rounded(geometry)


def _rounded(geometry: dict[str, Any]) -> Hashable:
    if geometry["type"] == "GeometryCollection":
        return (geometry["type"], tuple(map(_rounded, geometry["geometries"])))
    coordinates = _coordinates(geometry["coordinates"])
    if geometry["type"] == "Polygon":
        coordinates = _without_orientation(coordinates)
    elif geometry["type"] == "MultiPolygon":
        coordinates = tuple(map(_without_orientation, coordinates))
    return (geometry["type"], coordinates)


def _without_orientation(rings: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a polygon's rings in one direction: stored ones are oriented, those sent need not."""
    return tuple(min(ring, ring[::-1]) for ring in rings)


def _coordinates(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_coordinates, value))
    return float(round(value, _DECIMALS))


def _name(feature: Feature) -> Hashable | None:
    name = (feature.get("properties") or {}).get("name")
    return None if name is None else comparable(name)


def _geometry_and_name(feature: Feature) -> Hashable:
    return (_geometry(feature), _name(feature))


def _everything(feature: Feature) -> Hashable:
    return (_geometry(feature), comparable(feature.get("properties") or {}))
