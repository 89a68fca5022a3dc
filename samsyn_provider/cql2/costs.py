"""Comparisons of a geometry with features one by one, which PostGIS has no prepared form for.

PostGIS prepares a geometry once for `ST_Intersects`, `ST_Within` and `ST_ContainsProperly`: the
time for a feature hardly depends on its vertices. Any other predicate takes some time for each of
them, and is evaluated for the features only that pass these.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import shapely

from samsyn_provider.cql2.expressions import Expression, Kind, Literal, Operation
from samsyn_provider.cql2.measures import near_condition, requires_nearness
from samsyn_provider.cql2.temporal import TemporalSql
from samsyn_provider.geography.shapes import COMPARABLE_GEOMETRY

_CROSSING = frozenset({"s_touches", "s_overlaps", "s_crosses"})
_MEASURES = frozenset({"s_dwithin", "distance"})
_MEASURE_WEIGHT = 10  # distances on the ellipsoid take at least as many times as long


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of a literal geometry with the features that satisfy both conditions."""

    function: str
    vertices: int
    """The vertices of the literal, weighted by the time that each takes."""
    box: str
    """The condition that the spatial index evaluates."""
    candidates: str
    """The other one."""


def candidates_condition(operator: str, one: Expression, other: Expression, literal: str) -> str:
    """Return the condition of prepared predicates that features have to satisfy to be in a
    relation with a literal, whose SQL is `literal`; empty where the relation itself is prepared."""
    place = one if isinstance(one, Literal) else other
    if operator in _CROSSING:
        intersects = f"ST_Intersects({COMPARABLE_GEOMETRY}, {literal})"
        if shapely.get_dimensions(shapely.from_wkb(str(place.value))) < 2:  # type: ignore[union-attr]
            return intersects
        # what is inside of an area neither touches it nor lies on both sides of its edge
        return f"{intersects} AND NOT ST_ContainsProperly({literal}, {COMPARABLE_GEOMETRY})"
    if (operator, place) in {("s_contains", other), ("s_within", one)}:
        return f"geom ~ {literal} AND ST_Intersects({COMPARABLE_GEOMETRY}, {literal})"
    return ""


def comparisons(expression: Expression, values: dict[str, Any]) -> Iterator[Comparison]:
    """Yield the comparisons of a filter that are not prepared; their values are added."""
    if not isinstance(expression, Operation):
        return
    sql = TemporalSql(values)
    name, arguments = expression.operator, expression.arguments
    places = [one for one in arguments if isinstance(one, Literal) and one.kind is Kind.GEOMETRY]
    if requires_nearness(expression):
        box = near_condition(sql, expression) or "true"
        measure = next(part for part in _parts(expression) if part.operator in _MEASURES)
        yield _measure(measure, box)
        return
    if name in _MEASURES and len(places) == 1:
        yield _measure(expression, "true")
    elif len(places) == 1 and name.startswith("s_"):
        literal = f"{sql.bound(places[0].value)}::geometry"
        condition = candidates_condition(name, arguments[0], arguments[1], literal)
        if condition:
            yield Comparison(
                name.upper(), _vertices(places[0]), f"geom && {literal}", f"({condition})"
            )
    for argument in arguments:
        yield from comparisons(argument, values)


def _measure(operation: Operation, box: str) -> Comparison:
    place = next(one for one in operation.arguments if isinstance(one, Literal))
    vertices = _vertices(place) * _MEASURE_WEIGHT
    return Comparison(operation.operator.upper(), vertices, box, "true")


def _parts(expression: Operation) -> Iterator[Operation]:
    yield expression
    for argument in expression.arguments:
        if isinstance(argument, Operation):
            yield from _parts(argument)


def _vertices(place: Literal) -> int:
    return int(shapely.get_num_coordinates(shapely.from_wkb(str(place.value))))
