"""Which features of a collection are which of a layer's."""

import random
import time
from typing import Any

import pytest

from samsyn_model.features.matching import match_features, merged_properties, same_geometry


def point(x: float, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [x, 1]},
        "properties": properties,
    }


def stored(*features: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**feature, "id": number} for number, feature in enumerate(features, 1)]


def matched(present: list[dict[str, Any]], given: list[dict[str, Any]]) -> dict[int, int]:
    """The places of what is given, by the ids that they were matched to."""
    places = {id(feature): place for place, feature in enumerate(given)}
    matching = match_features(present, given)
    assert len(matching.matched) + len(matching.added) == len(given)
    assert len(matching.matched) + len(matching.missing) == len(present)
    return {old["id"]: places[id(new)] for old, new in matching.matched}


def test_a_known_id_decides() -> None:
    present = stored(point(1, name="a"), point(2, name="b"))
    assert matched(present, [{**point(2, name="b"), "id": 1}, point(1, name="a")]) == {1: 0}
    assert matched(present, [{**point(2, name="b"), "id": 77}]) == {2: 0}
    for other in ("1", True, 1.5, None, {}):
        assert matched(present, [{**point(9, name="z"), "id": other}]) == {}


def test_geometry_comes_before_name() -> None:
    present = stored(point(1, name="a"), point(2, name="b"))
    assert matched(present, [point(1, name="b"), point(2, name="a")]) == {1: 0, 2: 1}
    assert matched(present, [point(7, name="b"), point(1, name="c")]) == {2: 0, 1: 1}
    assert matched(present, [point(8, name="c")]) == {}


def test_equal_geometries_go_by_name_then_by_order() -> None:
    present = stored(point(1, name="a"), point(1, name="b"), point(1, name="c", more=1))
    assert matched(present, [point(1, name="c"), point(1, name="x"), point(1, name="a")]) == {
        **{3: 0, 1: 2, 2: 1}
    }
    assert matched(present, [point(1), point(1), point(1), point(1)]) == {1: 0, 2: 1, 3: 2}


def test_features_without_a_place_go_by_their_properties_and_name() -> None:
    bare = {"type": "Feature", "geometry": None}
    present = stored(
        {**bare, "properties": {"name": "a"}}, {**bare, "properties": {}}, point(1, name="c")
    )
    given = [{**bare, "properties": None}, {**bare, "properties": {"name": "c"}}]
    assert matched(present, given) == {2: 0, 3: 1}


def test_coordinates_are_equal_to_nine_decimals() -> None:
    one, other = point(1.0000000001), point(1)
    assert same_geometry(one, other)
    assert not same_geometry(point(1.000000002), other)
    collection = {"type": "GeometryCollection", "geometries": [one["geometry"]]}
    assert same_geometry({"geometry": collection}, {"geometry": {**collection, "bbox": [1]}})
    assert not same_geometry({"geometry": None}, other)


@pytest.mark.parametrize(
    ("old", "new", "merged"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1, "b": 2}, {"a": 1.0}, None),
        ({"a": 1}, None, None),
        ({"a": 1}, {"b": None}, None),
        ({"a": 1}, {"a": True}, {"a": True}),
        ({"a": [1, {"b": 0}]}, {"a": [1, {"b": False}]}, {"a": [1, {"b": False}]}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 1, "b": 3, "c": 4}),
        (None, {"a": 1}, {"a": 1}),
    ],
)
def test_properties_that_are_not_given_stay(old: Any, new: Any, merged: Any) -> None:
    assert merged_properties({"properties": old}, {"properties": new}) == merged


def test_many_equal_features_take_linear_time() -> None:
    """Ten times the features take nothing like a hundred times as long."""

    def seconds(count: int) -> float:
        present = stored(*(point(number % 3, name="same") for number in range(count)))
        given = [point(number % 5, name="same", own=number) for number in range(count)]
        random.Random(1).shuffle(given)
        start = time.thread_time()
        match_features(present, given)
        return time.thread_time() - start

    few, many = (min(seconds(count) for _ in range(3)) for count in (2_000, 20_000))
    assert many < 40 * max(few, 0.005)
