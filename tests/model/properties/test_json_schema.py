"""Checks against a property schema end in time and in little memory, and tell right from wrong."""

import json
import tracemalloc
from typing import Any

import pytest

from samsyn_model.errors import TooLargeError
from samsyn_model.features.writing import feature_collection_faults
from samsyn_model.properties import json_schema
from samsyn_model.properties.validation import schema_faults


def faults_of(schema: dict[str, Any], value: Any) -> list[str]:
    feature = {"type": "Feature", "geometry": None, "properties": {"a": value}}
    collection = {"type": "FeatureCollection", "features": [feature]}
    rules = json.dumps({"properties": {"a": schema}})
    return [fault.detail for fault in feature_collection_faults(collection, "", None, rules)]


def alternatives_of_alternatives(number: int, keyword: str = "anyOf") -> dict[str, Any]:
    return {
        "$defs": {"d": {keyword: [{"type": "string"}] * number}},
        keyword: [{"properties": {"a": {"$ref": "#/$defs/d"}}}] * number,
    }


@pytest.mark.parametrize(
    ("schema", "value", "is_right"),
    [
        ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, 7, True),
        ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, 3, False),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, 3, True),
        ({"oneOf": [{"type": "integer"}, {"minimum": 0}]}, 3, False),
        ({"oneOf": [{"type": "string"}, {"minimum": 5}]}, 3, False),
        ({"uniqueItems": True}, [1, True, "1", [1], {"a": 1}, None], True),
        ({"uniqueItems": True}, [{"a": [1], "b": 2}, {"b": 2.0, "a": [1.0]}], False),
        ({"uniqueItems": False}, [1, 1], True),
        ({"uniqueItems": True}, "aa", True),
    ],
)
def test_the_keywords_of_our_own_mean_what_the_standard_says(
    schema: dict[str, Any], value: Any, is_right: bool
) -> None:
    assert (faults_of(schema, value) == []) is is_right


def test_checking_ends_at_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_schema, "MAX_SECONDS", 0.2)
    schema = alternatives_of_alternatives(2000)
    assert schema_faults({"properties": {"a": {"type": "string"}}}) == []
    feature = {"type": "Feature", "geometry": None, "properties": {"a": 1}}
    collection = {"type": "FeatureCollection", "features": [feature]}
    with pytest.raises(TooLargeError, match="too long"):
        feature_collection_faults(collection, "", None, json.dumps(schema))


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_alternatives_leave_no_heap_of_errors(keyword: str) -> None:
    rules = json.dumps(alternatives_of_alternatives(150, keyword))
    feature = {"type": "Feature", "geometry": None, "properties": {"a": 1}}
    collection = {"type": "FeatureCollection", "features": [feature]}
    tracemalloc.start()
    found = feature_collection_faults(collection, "", None, rules)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 1
    assert peak < 10_000_000


@pytest.mark.timeout(30)
def test_items_are_told_apart_in_linear_time() -> None:
    items = [{"x": number} for number in range(100_000)]
    assert faults_of({"uniqueItems": True}, items) == []
    assert faults_of({"uniqueItems": True}, [*items, items[0]]) != []


@pytest.mark.timeout(30)
def test_a_schema_itself_is_checked_in_linear_time() -> None:
    found = schema_faults({"required": [{"x": number} for number in range(20_000)]})
    assert found[0].pointer.startswith("/required/")


@pytest.mark.parametrize(
    "keyword", ["pattern", "patternProperties", "unevaluatedItems", "unevaluatedProperties"]
)
def test_keywords_without_a_bound_are_refused_but_not_as_names(keyword: str) -> None:
    found = schema_faults({"properties": {"a": {keyword: {}}}}, "/property_schema")
    assert [fault.pointer for fault in found] == [f"/property_schema/properties/a/{keyword}"]
    assert schema_faults({"properties": {keyword: {"type": "string"}}}) == []
