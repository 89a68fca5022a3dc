"""Checked CQL2 expressions as SQL conditions on `layer_features`: pure, every value bound.

A property's value of another type than its schema's counts as absent, so that no cast fails.
Absent values make comparisons NULL, which `WHERE` treats as false.
"""

import json
from typing import Any

from samsyn_provider.cql2.costs import candidates_condition
from samsyn_provider.cql2.expressions import Expression, Kind, Literal, Operation, Property
from samsyn_provider.cql2.functions import FUNCTIONS
from samsyn_provider.cql2.measures import (
    FARTHEST,
    measured_geometry,
    near_condition,
    requires_nearness,
)
from samsyn_provider.cql2.temporal import TemporalSql, temporal_condition
from samsyn_provider.geography.shapes import COMPARABLE_GEOMETRY

_CONTAINMENT_KINDS = frozenset({Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN, Kind.DATE})
"""The kinds whose equality is that of JSON values, which containment (`@>`) tests."""

_SPATIAL = {
    "s_intersects": "ST_Intersects",
    "s_equals": "ST_Equals",
    "s_touches": "ST_Touches",
    "s_within": "ST_Within",
    "s_overlaps": "ST_Overlaps",
    "s_crosses": "ST_Crosses",
    "s_contains": "ST_Contains",
}
_MEASURES = {"distance": "ST_Distance", "area": "ST_Area", "length": "ST_Length"}
_ARITHMETIC = {
    "+": "({0} + {1})",
    "-": "({0} - {1})",
    "*": "({0} * {1})",
    "/": "({0} / nullif({1}, 0))",
    "div": "div({0}, nullif({1}, 0))",
    "%": "mod({0}, nullif({1}, 0))",
    # an undefined result, or one beyond the range of a double, is absent
    "^": (
        "(SELECT CASE WHEN base = 0 THEN CASE WHEN exponent > 0 THEN 0 WHEN exponent = 0 THEN 1 END"
        " WHEN exponent = 0 THEN 1"
        " WHEN base < 0 AND exponent <> trunc(exponent) THEN NULL"
        " WHEN abs(base) NOT BETWEEN 1e-300 AND 1e300 THEN NULL"
        " WHEN abs(exponent) NOT BETWEEN 1e-300 AND 1e15 THEN NULL"
        " WHEN exponent::float8 * log(abs(base)::float8) > 300 THEN NULL"
        " WHEN exponent::float8 * log(abs(base)::float8) < -300 THEN 0"
        " ELSE power(base, exponent) END"
        " FROM (SELECT {0} AS base, {1} AS exponent OFFSET 0) AS powers)"
    ),
}
# OFFSET 0 keeps the planner from inlining an operand at each reference, which would double nested
# ones at every level
_PAIR = " FROM (SELECT {0} AS one, {1} AS other OFFSET 0) AS arrays)"
_ARRAYS = {
    "a_equals": "(SELECT one @> other AND one <@ other" + _PAIR,
    "a_contains": "({0} @> {1})",
    "a_containedby": "({0} <@ {1})",
    "a_overlaps": (
        "(SELECT CASE WHEN one IS NOT NULL AND other IS NOT NULL THEN EXISTS ("
        "SELECT FROM jsonb_array_elements(one) AS element"
        " JOIN jsonb_array_elements(other) AS other_element"
        " ON element.value = other_element.value) END" + _PAIR
    ),
}
# ß and SS are equal only in upper case; ICU's rules do not depend on the database's locale
_CASE_FOLDED = '(lower(upper({0} COLLATE "und-x-icu")) COLLATE "C")'
_MARKS = r"[\u0300-\u036F\u1AB0-\u1AFF\u1DC0-\u1DFF\u20D0-\u20FF\uFE20-\uFE2F]"
# Unicode does not decompose letters with strokes
_STROKED = "'øØłŁđĐħĦŧŦ', 'oOlLdDhHtT'"
_UNACCENTED = (
    "(normalize(regexp_replace(normalize(translate({0}, "
    + _STROKED
    + "), NFD), '"
    + _MARKS
    + "', '', 'g'), NFC) COLLATE \"C\")"
)


def filter_conditions(expression: Expression, values: dict[str, Any]) -> list[str]:
    """Return the conditions of a filter, all required; their values are added to `values`."""
    sql = _FilterSql(values)
    return [sql.condition(part) for part in conjuncts(expression)]


def conjuncts(expression: Expression) -> list[Expression]:
    """Return the operands of a conjunction, nested ones included; else the expression itself."""
    if isinstance(expression, Operation) and expression.operator == "and":
        return [part for argument in expression.arguments for part in conjuncts(argument)]
    return [expression]


def is_spatial(condition: Operation) -> bool:
    """Return whether the spatial index may evaluate a condition."""
    return condition.operator.startswith("s_") or requires_nearness(condition)


class _FilterSql(TemporalSql):
    def condition(self, expression: Expression) -> str:
        """Return the condition; an equality takes the form that an index on jsonb supports."""
        if isinstance(expression, Operation) and expression.operator == "=":
            one, other = expression.arguments
            if isinstance(one, Literal):
                one, other = other, one
            if (
                isinstance(one, Property)
                and isinstance(other, Literal)
                and one.kind in _CONTAINMENT_KINDS
            ):
                member = self.bound(json.dumps({one.name: other.value}))
                return f"properties @> {member}::jsonb"
        return self.expression(expression)

    def expression(self, expression: Expression) -> str:
        """Return the SQL of an expression: boolean, numeric, text of collation C, geometry,
        jsonb for an array; text for a date and timestamptz for a timestamp."""
        if isinstance(expression, Literal):
            return self.literal(expression)
        if isinstance(expression, Property):
            return self.property(expression)
        near = near_condition(self, expression)
        condition = self._operation(expression)
        return condition if near is None else f"({near} AND {condition})"

    def _operation(self, expression: Operation) -> str:
        arguments = expression.arguments
        match expression.operator:
            case operator if operator in FUNCTIONS:
                return self._function(operator, *arguments)
            case "isnull":
                return self._is_null(arguments[0])
            case "array":
                return f"jsonb_build_array({', '.join(map(self._element, arguments))})"
            case "interval":
                return self.interval_presence(expression)
            case operator if operator.startswith("s_"):
                return self._spatial(operator, *arguments)
            case operator if operator.startswith("t_"):
                return temporal_condition(self, operator, *arguments)
            case operator:
                return _combined(operator, [self.expression(argument) for argument in arguments])

    def _is_null(self, operand: Expression) -> str:
        if isinstance(operand, Property) and operand.column is None:
            member = f"properties -> {self.name(operand)}"
            return f"(coalesce(jsonb_typeof({member}), 'null') = 'null')"
        return f"({self.expression(operand)} IS NULL)"

    def _element(self, element: Expression) -> str:
        if isinstance(element, Literal) and element.kind is Kind.TIMESTAMP:
            return f"{self.bound(element.value)}::text"
        return self.expression(element)

    def _function(self, name: str, *arguments: Expression) -> str:
        geometries = [
            measured_geometry(self, argument)
            for argument in arguments
            if argument.kind is Kind.GEOMETRY
        ]
        if name != "s_dwithin":
            return f"{_MEASURES[name]}({', '.join(geometries)})::numeric"
        distance = self.expression(arguments[2])
        metres = f"CASE WHEN {distance} >= 0 THEN least({distance}, {FARTHEST})::float8 END"
        return f"ST_DWithin({', '.join(geometries)}, {metres})"

    def _spatial(self, operator: str, one: Expression, other: Expression) -> str:
        first, second = self.expression(one), self.expression(other)
        boxes_intersect = f"{first} && {second}"
        first, second = (
            COMPARABLE_GEOMETRY if isinstance(operand, Property) else sql
            for operand, sql in ((one, first), (other, second))
        )
        if operator == "s_disjoint":
            return f"(NOT ({boxes_intersect} AND ST_Intersects({first}, {second})))"
        relation = f"{_SPATIAL[operator]}({first}, {second})"
        if isinstance(one, Literal) != isinstance(other, Literal):
            literal = first if isinstance(one, Literal) else second
            candidates = candidates_condition(operator, one, other, literal)
            # evaluated in this order: PostgreSQL takes all of them to cost the same
            relation = f"{candidates} AND {relation}" if candidates else relation
        return f"({boxes_intersect} AND {relation})"


def _combined(operator: str, arguments: list[str]) -> str:
    first = arguments[0]
    match operator:
        case "and" | "or":
            return "(" + f" {operator.upper()} ".join(arguments) + ")"
        case "not":
            return f"(NOT {first})"
        case "in":
            return f"({first} IN ({', '.join(arguments[1:])}))"
        case "between":
            return f"({first} BETWEEN {arguments[1]} AND {arguments[2]})"
        case "like":
            return f"({first} LIKE {arguments[1]})"
        case "casei":
            return _CASE_FOLDED.format(first)
        case "accenti":
            return _UNACCENTED.format(first)
        case _ if operator in _ARITHMETIC:
            return _ARITHMETIC[operator].format(*arguments)
        case _ if operator in _ARRAYS:
            return _ARRAYS[operator].format(*arguments)
    return f"({first} {operator} {arguments[1]})"
