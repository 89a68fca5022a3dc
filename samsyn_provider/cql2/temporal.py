"""Values, instants and intervals of CQL2 as SQL."""

from dataclasses import dataclass
from typing import Any

from samsyn_provider.cql2.expressions import OPEN, Expression, Kind, Literal, Operation, Property

_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
# exactly the dates that PostgreSQL accepts, so that a cast after a match never fails
DAY = (
    "(?!0000)(?:[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    "|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    f"|{_LEAP_YEAR}-02-29)"
)
TIME = (
    "[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,9})?"
    "(?:[Zz]|[-+](?:0[0-9]|1[0-5]):[0-5][0-9])?"
)
_CASTS = {
    Kind.BOOLEAN: "boolean",
    Kind.NUMBER: "numeric",
    Kind.TEXT: "text",
    Kind.DATE: "text",
    Kind.TIMESTAMP: "timestamptz",
    Kind.GEOMETRY: "geometry",
}
_TEXTS = frozenset({Kind.TEXT, Kind.DATE})

_RELATIONS = {
    "t_after": "{start} > {other_end}",
    "t_before": "{end} < {other_start}",
    "t_contains": "{start} < {other_start} AND {end} > {other_end}",
    "t_disjoint": "{start} > {other_end} OR {end} < {other_start}",
    "t_during": "{start} > {other_start} AND {end} < {other_end}",
    "t_equals": "{start} = {other_start} AND {end} = {other_end}",
    "t_finishedby": "{start} < {other_start} AND {end} = {other_end}",
    "t_finishes": "{start} > {other_start} AND {end} = {other_end}",
    "t_intersects": "{start} <= {other_end} AND {end} >= {other_start}",
    "t_meets": "{end} = {other_start}",
    "t_metby": "{start} = {other_end}",
    "t_overlappedby": ("{start} > {other_start} AND {start} < {other_end} AND {end} > {other_end}"),
    "t_overlaps": "{start} < {other_start} AND {end} > {other_start} AND {end} < {other_end}",
    "t_startedby": "{start} = {other_start} AND {end} > {other_end}",
    "t_starts": "{start} = {other_start} AND {end} < {other_end}",
}
"""OGC 21-065r2, 7.4; an interval includes both ends."""


def moment_or_null(text: str) -> str:
    """Return the SQL of a text as timestamptz, a date as the start of its day in UTC; NULL where
    the text is neither."""
    return f"CASE WHEN {text} ~ '^{DAY}({TIME})?$' THEN {text}::timestamptz END"


@dataclass(slots=True)
class TemporalSql:
    """SQL of literals and properties; their values and names are added to `values`."""

    values: dict[str, Any]

    def bound(self, value: Any) -> str:
        """Return the placeholder of a value."""
        key = f"filter{len(self.values)}"
        self.values[key] = value
        return f"%({key})s"

    def name(self, operand: Property) -> str:
        """Return the placeholder of a property's name."""
        return f"{self.bound(operand.name)}::text"

    def literal(self, literal: Literal) -> str:
        """Return the SQL of a literal, cast to the type of its kind."""
        value = f"{self.bound(literal.value)}::{_CASTS[literal.kind]}"
        return f'({value} COLLATE "C")' if literal.kind in _TEXTS else value

    def property(self, operand: Property) -> str:
        """Return the SQL of a property's value, NULL where it is not of its kind."""
        if operand.column:
            return operand.column
        name = self.name(operand)
        member, text = f"properties -> {name}", f"properties ->> {name}"
        if operand.kind is Kind.TIMESTAMP:
            return f"CASE WHEN {text} ~ '^{DAY}{TIME}$' THEN ({text})::timestamptz END"
        if operand.kind is Kind.DATE:
            return f"(CASE WHEN {text} ~ '^{DAY}$' THEN {text} END COLLATE \"C\")"
        kind = "string" if operand.kind is Kind.TEXT else operand.kind.value
        has_type = f"jsonb_typeof({member}) = '{kind}'"
        if operand.kind is Kind.TEXT:
            return f'(CASE WHEN {has_type} THEN {text} END COLLATE "C")'
        cast = _CASTS.get(operand.kind, "jsonb")
        return f"CASE WHEN {has_type} THEN ({member})::{cast} END"

    def interval_presence(self, interval: Operation) -> str:
        """Return SQL that is NULL where a bound of an interval is absent, else text."""
        bounds = [self._bound(bound, is_end=False, in_days=False) for bound in interval.arguments]
        return "(" + " || ".join(f"({bound})::text" for bound in bounds) + ")"

    def moments(self, operand: Expression, *, in_days: bool) -> tuple[str, str]:
        """Return the start and the end of an instant or interval, both included.

        With `in_days` as dates, else as timestamps, with the last microsecond of a day as its end.
        """
        is_interval = isinstance(operand, Operation)
        first, last = operand.arguments if isinstance(operand, Operation) else (operand, operand)
        start = self._bound(first, is_end=False, in_days=in_days)
        end = self._bound(last, is_end=True, in_days=in_days)
        if not is_interval or not any(isinstance(bound, Property) for bound in (first, last)):
            return start, end
        # an interval without one of its bounds is unknown
        return f"CASE WHEN {end} IS NOT NULL THEN {start} END", (
            f"CASE WHEN {start} IS NOT NULL THEN {end} END"
        )

    def _bound(self, bound: Expression, *, is_end: bool, in_days: bool) -> str:
        if isinstance(bound, Literal) and bound.value == OPEN:
            if in_days:
                return "('~' COLLATE \"C\")" if is_end else "('' COLLATE \"C\")"
            return f"'{'' if is_end else '-'}infinity'::timestamptz"
        moment = self.literal(bound) if isinstance(bound, Literal) else self._property_bound(bound)
        if in_days or bound.kind is Kind.TIMESTAMP:
            return moment
        day = f"({moment})::timestamptz"
        return f"({day} + interval '1 day' - interval '1 microsecond')" if is_end else day

    def _property_bound(self, bound: Expression) -> str:
        if not isinstance(bound, Property):
            raise TypeError(f"not a bound of an interval: {bound}")
        return self.property(bound)


def temporal_condition(sql: TemporalSql, operator: str, one: Expression, other: Expression) -> str:
    """Return the condition of a temporal relation between two instants or intervals.

    Dates are compared as dates where all bounds are dates, otherwise as whole days in UTC.
    """
    in_days = all(bound.kind is Kind.DATE for bound in (*_bounds(one), *_bounds(other)))
    start, end = sql.moments(one, in_days=in_days)
    other_start, other_end = sql.moments(other, in_days=in_days)
    relation = _RELATIONS[operator].format(
        start=start, end=end, other_start=other_start, other_end=other_end
    )
    return f"({relation})"


def _bounds(operand: Expression) -> list[Expression]:
    bounds = operand.arguments if isinstance(operand, Operation) else (operand,)
    return [bound for bound in bounds if bound.kind is not Kind.INTERVAL]
