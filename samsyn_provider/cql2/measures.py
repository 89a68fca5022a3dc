"""Distances, areas and lengths on the ellipsoid as SQL, with conditions for the spatial index."""

import operator
from collections.abc import Callable

import shapely

from samsyn_provider.cql2.expressions import Expression, Kind, Literal, Operation
from samsyn_provider.cql2.temporal import TemporalSql
from samsyn_provider.geography.distances import (
    GEODETIC_GEOMETRY,
    boxes_within,
    divided_geometry,
)

FARTHEST = 30_000_000
"""Metres: no two positions are as far apart."""
_CONSTANT_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def constant(expression: Expression) -> float | None:
    """Return the value of a number, or of the four basic operations on numbers; None for any other
    expression."""
    if isinstance(expression, Literal) and expression.kind is Kind.NUMBER:
        return float(expression.value)
    if not isinstance(expression, Operation) or expression.operator not in _CONSTANT_OPERATORS:
        return None
    one, other = map(constant, expression.arguments)
    if one is None or other is None:
        return None
    try:
        return _CONSTANT_OPERATORS[expression.operator](one, other)
    except ZeroDivisionError:
        return None


def near_condition(sql: TemporalSql, condition: Operation) -> str | None:
    """Return the condition that a geometry's box is as near as `condition` requires, which the
    spatial index evaluates; None for a condition that requires nothing of the kind."""
    bounded = _bounded_distance(condition)
    if bounded is None:
        return None
    places, metres = bounded
    literals = [place for place in places if isinstance(place, Literal)]
    if len(literals) != 1:
        return None
    boxes = boxes_within(shapely.from_wkb(str(literals[0].value)), max(0.0, metres))
    areas = (shapely.to_wkb(shapely.box(*box), hex=True) for box in boxes)
    overlaps = (f"geom && ST_SetSRID({sql.bound(area)}::geometry, 4326)" for area in areas)
    return f"({' OR '.join(overlaps)})" if boxes else None


def requires_nearness(condition: Operation) -> bool:
    """Return whether there is a `near_condition`, unless it holds all around the globe."""
    bounded = _bounded_distance(condition)
    return bounded is not None and sum(isinstance(place, Literal) for place in bounded[0]) == 1


def measured_geometry(sql: TemporalSql, operand: Expression) -> str:
    """Return the SQL of a geometry on the ellipsoid, of type geography."""
    if not isinstance(operand, Literal):
        return GEODETIC_GEOMETRY
    shape = divided_geometry(shapely.from_wkb(str(operand.value)))
    ewkb = shapely.to_wkb(shapely.set_srid(shape, 4326), hex=True, include_srid=True)
    return f"{sql.bound(ewkb)}::geography"


def _bounded_distance(condition: Operation) -> tuple[tuple[Expression, ...], float] | None:
    """Return the two geometries whose distance a condition bounds, and the bound in metres; None
    where it bounds no distance, or not by a constant."""
    name, arguments = condition.operator, condition.arguments
    if name == "s_dwithin":
        *places, bound = arguments
        farthest = constant(bound)
        return None if farthest is None else ((places[0], places[1]), farthest)
    if name in {">", ">="}:
        arguments = arguments[::-1]
    elif name == "between":
        arguments = (arguments[0], arguments[2])
    elif name not in {"<", "<=", "="}:
        return None
    measured, bound = arguments
    farthest = constant(bound)
    if farthest is None or not isinstance(measured, Operation) or measured.operator != "distance":
        return None
    return measured.arguments, farthest
