"""Which features of a collection are which of those that a layer has."""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

_DECIMALS = 9
"""How many decimals of a degree coordinates are answered with, and so compared by."""

Feature = dict[str, Any]
Key = Callable[[Feature], Hashable | None]


@dataclass(slots=True)
class Matching:
    """What becomes of a layer's features when a collection replaces them.

    `kept` pairs each matched feature of the layer with the collection's; `added` are members that
    match none, `missing` features that no member matches.
    """

    kept: list[tuple[Feature, Feature]] = field(default_factory=list)
    added: list[Feature] = field(default_factory=list)
    missing: list[Feature] = field(default_factory=list)


def match_features(present: Sequence[Feature], given: Sequence[Feature]) -> Matching:
    """Match the GeoJSON features given to those present, each to one at most, in linear time.

    A known id decides; then, for the others in turn: geometry and properties, geometry and name,
    geometry, name. The order of both is kept.
    """
    matched: dict[int, Feature] = {}
    free = {feature["id"]: feature for feature in present}
    unmatched = []
    for place, feature in enumerate(given):
        own = feature.get("id")
        known = free.pop(own, None) if type(own) is int else None
        if known is None:
            unmatched.append(place)
        else:
            matched[place] = known
    for key in (_everything, _geometry_and_name, _geometry, _name):
        unmatched = _match_by(key, given, unmatched, free, matched)
    return Matching(
        kept=[(matched[place], feature) for place, feature in enumerate(given) if place in matched],
        added=[given[place] for place in unmatched],
        missing=list(free.values()),
    )


def same_geometry(one: Feature, other: Feature) -> bool:
    """Return whether two features have the same geometry as far as answers tell."""
    return _geometry(one) == _geometry(other)


def merged_properties(present: Feature, given: Feature) -> dict[str, Any] | None:
    """Return the properties of a feature after what is given, None when that changes nothing.

    Properties that are not given stay; a null where there is nothing changes nothing.
    """
    old = present.get("properties") or {}
    new = {
        name: value
        for name, value in (given.get("properties") or {}).items()
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
    given: Sequence[Feature],
    places: Iterable[int],
    free: dict[Any, Feature],
    matched: dict[int, Feature],
) -> list[int]:
    """Match what `key` calls equal, first to first; return the places that remain."""
    waiting: dict[Hashable, deque[Feature]] = defaultdict(deque)
    for feature in free.values():
        waiting[key(feature)].append(feature)
    remaining = []
    for place in places:
        wanted = key(given[place])
        if wanted is None or not waiting.get(wanted):
            remaining.append(place)
        else:
            matched[place] = waiting[wanted].popleft()
            del free[matched[place]["id"]]
    return remaining


def _geometry(feature: Feature) -> Hashable | None:
    geometry = feature.get("geometry")
    return None if geometry is None else _rounded(geometry)


def _rounded(geometry: dict[str, Any]) -> Hashable:
    if geometry["type"] == "GeometryCollection":
        return (geometry["type"], tuple(map(_rounded, geometry["geometries"])))
    return (geometry["type"], _coordinates(geometry["coordinates"]))


def _coordinates(value: Any) -> Hashable:
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
