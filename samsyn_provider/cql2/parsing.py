"""The `filter` parameter: CQL2 text or JSON, checked against the properties of a collection."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.cql2.checks import (
    check_call,
    check_pattern,
    error_in_call,
    expect,
    expect_one_kind,
    label,
    with_temporal_literals,
)
from samsyn_provider.cql2.expressions import Expression, Kind, Literal, Operation, Property
from samsyn_provider.cql2.functions import FUNCTIONS
from samsyn_provider.cql2.literals import (
    bbox_literal,
    bound_literal,
    date_literal,
    geometry_literal,
    timestamp_literal,
)
from samsyn_provider.cql2.text import MAX_DEPTH, Tree, parse_text
from samsyn_provider.geography.crs import ReferenceSystem

LANGUAGES = ("cql2-text", "cql2-json", "cql-text")
"""The last is the draft's name of the first, and the only one that GDAL up to 3.12 sends."""
MAX_LENGTH = 100_000
"""The most characters of a filter."""
MAX_PARTS = 1_000
"""The most properties, values and operators of a filter."""
GEOMETRY = "geometry"
"""The name of the features' geometry, even where a property has the same name."""
UPDATED = "updated"
"""The name of the moment of a feature's last change, unless a property has the same name."""
UPDATED_SCHEMA = {
    **{"title": "Last change", "type": "string", "format": "date-time", "readOnly": True},
    # none of the roles that the standard lists: without any, it would be the feature's time where
    # it is the only date-time (OGC API Features Part 5, role-primary-instant)
    "x-ogc-role": "updated",
}
"""The schema of UPDATED."""

_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_EQUALITIES = frozenset({"=", "<>"})
_ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "div", "^"})
_TEXT_FUNCTIONS = frozenset({"casei", "accenti"})
_SPATIAL = frozenset(
    f"s_{name}"
    for name in (
        *("intersects", "equals", "disjoint", "touches"),
        *("within", "overlaps", "crosses", "contains"),
    )
)
_TEMPORAL = frozenset(
    f"t_{name}"
    for name in (
        *("after", "before", "contains", "disjoint", "during", "equals", "finishedby", "finishes"),
        *("intersects", "meets", "metby", "overlappedby", "overlaps", "startedby", "starts"),
    )
)
_ARRAYS = frozenset({"a_equals", "a_contains", "a_containedby", "a_overlaps"})
_ORDERED = frozenset({Kind.NUMBER, Kind.TEXT, Kind.DATE, Kind.TIMESTAMP})
_COMPARABLE = _ORDERED | {Kind.BOOLEAN}
_INSTANTS = frozenset({Kind.DATE, Kind.TIMESTAMP})
_FORMATS = {"date": Kind.DATE, "date-time": Kind.TIMESTAMP}
_TYPES = {
    "integer": Kind.NUMBER,
    "number": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
    "array": Kind.ARRAY,
    "object": Kind.OBJECT,
}


def parse_filter(
    text: str, language: str, crs: ReferenceSystem, fields: Mapping[str, Mapping[str, Any]]
) -> Expression:
    """Return the boolean expression of a filter in one of LANGUAGES.

    Its geometries are in `crs`; `fields` are the schemas of the properties. Raises
    InvalidParameterError for a syntax error, an unknown property, mixed kinds, a filter too large.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidParameterError(f"filter has more than {MAX_LENGTH} characters.")
    tree = _parse_json(text) if language == "cql2-json" else parse_text(text)
    expression = _Checker(crs, fields).check(tree)
    if expression.kind is not Kind.BOOLEAN:
        raise InvalidParameterError(f"filter: {label(expression)} is neither true nor false.")
    return expression


def _parse_json(text: str) -> Tree:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidParameterError("filter is not JSON, but filter-lang is cql2-json.") from None


def kind_of(schema: Mapping[str, Any]) -> Kind:
    """Return the kind of a property with this schema."""
    kind = schema.get("type", "string")
    if kind == "string":
        form = schema.get("format")
        return _FORMATS.get(form, Kind.TEXT) if isinstance(form, str) else Kind.TEXT
    return _TYPES.get(kind, Kind.TEXT)


def property_named(name: str, fields: Mapping[str, Mapping[str, Any]]) -> Property:
    """Return the property of this name, which is UPDATED or one of `fields`: their schemas."""
    if name in fields:
        return Property(kind_of(fields[name]), name)
    return Property(Kind.TIMESTAMP, name, "updated_at")


class _Checker:
    def __init__(self, crs: ReferenceSystem, fields: Mapping[str, Mapping[str, Any]]) -> None:
        self._crs = crs
        self._fields = fields
        self._parts = 0

    def check(self, tree: Tree, depth: int = 1) -> Expression:
        """Return the expression of a tree; raises InvalidParameterError where kinds do not fit."""
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidParameterError(f"filter has more than {MAX_PARTS} parts.")
        if depth > MAX_DEPTH:
            raise InvalidParameterError(f"filter is nested more than {MAX_DEPTH} levels deep.")
        if isinstance(tree, bool):
            return Literal(Kind.BOOLEAN, tree)
        if isinstance(tree, int | float):
            if not abs(tree) <= sys.float_info.max:
                raise InvalidParameterError("filter: a number is too large.")
            return Literal(Kind.NUMBER, tree)
        if isinstance(tree, str):
            return Literal(Kind.TEXT, tree)
        if isinstance(tree, list):
            return self._array(tree, depth)
        if isinstance(tree, dict):
            return self._object(tree, depth)
        raise InvalidParameterError("filter: NULL cannot be compared; use IS NULL.")

    def _array(self, members: list[Tree], depth: int) -> Expression:
        elements = tuple(self.check(member, depth + 1) for member in members)
        for element in elements:
            if element.kind in {Kind.GEOMETRY, Kind.INTERVAL, Kind.OBJECT}:
                raise InvalidParameterError(f"filter: {label(element)} cannot be in an array.")
        return Operation(Kind.ARRAY, "array", elements)

    def _object(self, tree: dict[str, Any], depth: int) -> Expression:
        match tree:
            case {"op": str(operator), "args": list(arguments)} if len(tree) == 2:
                is_call = operator.lower() in FUNCTIONS
                check = self._call if is_call else self._operation
                return check(operator, arguments, depth)
            case {"property": str(name)} if len(tree) == 1:
                return self._property(name)
            case {"date": text} if len(tree) == 1:
                return date_literal(text)
            case {"timestamp": text} if len(tree) == 1:
                return timestamp_literal(text)
            case {"interval": [first, last]} if len(tree) == 1:
                return self._interval(first, last, depth)
            case {"bbox": numbers} if "type" not in tree and len(tree) == 1:
                return bbox_literal(numbers, self._crs)
            case {"type": str()}:
                return geometry_literal(tree, self._crs)
        names = ", ".join(repr(str(name)) for name in list(tree)[:5])
        raise InvalidParameterError(f"filter: an object with {names or 'nothing'} is not CQL2.")

    def _property(self, name: str) -> Property:
        if name == GEOMETRY:
            return Property(Kind.GEOMETRY, name, "geom")
        if name not in self._fields and name != UPDATED:
            raise InvalidParameterError(f"filter names {name!r}, which is not a property here.")
        return property_named(name, self._fields)

    def _interval(self, first: Tree, last: Tree, depth: int) -> Expression:
        bounds = tuple(
            bound_literal(bound) if isinstance(bound, str) else self.check(bound, depth + 1)
            for bound in (first, last)
        )
        for bound in bounds:
            is_open = isinstance(bound, Literal) and bound.kind is Kind.INTERVAL
            if bound.kind not in _INSTANTS and not is_open:
                raise InvalidParameterError(
                    f"filter: {label(bound)} is not a bound of an interval."
                )
        return Operation(Kind.INTERVAL, "interval", bounds)

    def _operation(self, name: str, trees: list[Tree], depth: int) -> Expression:
        operator = name.lower()
        if operator == "in":
            return self._membership(trees, depth)
        arguments = tuple(self.check(tree, depth + 1) for tree in trees)
        if operator in _COMPARISONS or operator == "between":
            arguments = with_temporal_literals(arguments)
        if operator in {"and", "or"}:
            expect(operator, arguments, {Kind.BOOLEAN}, max(2, len(arguments)))
        elif operator == "not":
            expect(operator, arguments, {Kind.BOOLEAN}, 1)
        elif operator in _COMPARISONS:
            expect(operator, arguments, _COMPARABLE if operator in _EQUALITIES else _ORDERED, 2)
            expect_one_kind(operator, arguments)
        elif operator == "between":
            expect(operator, arguments, _ORDERED, 3)
            expect_one_kind(operator, arguments)
        elif operator == "like":
            expect(operator, arguments, {Kind.TEXT}, 2)
            check_pattern(arguments[1])
        elif operator == "isnull":
            expect(operator, arguments, set(Kind), 1)
        elif operator in _SPATIAL:
            expect(operator, arguments, {Kind.GEOMETRY}, 2)
        elif operator in _TEMPORAL:
            expect(operator, arguments, _INSTANTS | {Kind.INTERVAL}, 2)
        elif operator in _ARRAYS:
            expect(operator, arguments, {Kind.ARRAY}, 2)
        else:
            return _value_operation(name, arguments)
        return Operation(Kind.BOOLEAN, operator, arguments)

    def _call(self, name: str, trees: list[Tree], depth: int) -> Expression:
        function = FUNCTIONS[name.lower()]
        try:
            arguments = tuple(self.check(tree, depth + 1) for tree in trees)
        except InvalidParameterError as error:
            raise error_in_call(function.name, error) from error
        check_call(function, arguments)
        return Operation(function.returns, name.lower(), arguments)

    def _membership(self, trees: list[Tree], depth: int) -> Expression:
        if len(trees) != 2 or not isinstance(trees[1], list) or not trees[1]:
            raise InvalidParameterError("filter: IN takes a value and a list of at least one.")
        arguments = with_temporal_literals(
            tuple(self.check(tree, depth + 1) for tree in (trees[0], *trees[1]))
        )
        expect("in", arguments, _COMPARABLE, len(arguments))
        expect_one_kind("in", arguments)
        return Operation(Kind.BOOLEAN, "in", arguments)


def _value_operation(name: str, arguments: tuple[Expression, ...]) -> Expression:
    operator = name.lower()
    if operator in _ARITHMETIC:
        expect(operator, arguments, {Kind.NUMBER}, 2)
        return Operation(Kind.NUMBER, operator, arguments)
    if operator in _TEXT_FUNCTIONS:
        expect(operator, arguments, {Kind.TEXT}, 1)
        return Operation(Kind.TEXT, operator, arguments)
    raise InvalidParameterError(f"filter: there is no function {name!r}.")
