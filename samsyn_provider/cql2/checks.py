"""Checks of the operands of operators and functions."""

import math
from collections.abc import Set

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.cql2.expressions import Expression, Kind, Literal, Operation, Property
from samsyn_provider.cql2.functions import Function
from samsyn_provider.cql2.literals import date_literal, timestamp_literal
from samsyn_provider.cql2.measures import constant

_TEMPORAL_LITERALS = {Kind.DATE: date_literal, Kind.TIMESTAMP: timestamp_literal}


def with_temporal_literals(arguments: tuple[Expression, ...]) -> tuple[Expression, ...]:
    """Return operands with texts parsed as literals of the property's kind, date or timestamp.

    QGIS writes them without DATE and TIMESTAMP in BETWEEN and IN. Raises InvalidParameterError for
    invalid ones.
    """
    kinds = (argument.kind for argument in arguments if isinstance(argument, Property))
    parse = _TEMPORAL_LITERALS.get(next(kinds, Kind.TEXT))
    if parse is None:
        return arguments
    return tuple(
        parse(argument.value)
        if isinstance(argument, Literal) and argument.kind is Kind.TEXT
        else argument
        for argument in arguments
    )


def expect(operator: str, arguments: tuple[Expression, ...], kinds: Set[Kind], count: int) -> None:
    """Raise InvalidParameterError unless there are `count` arguments, each of one of the kinds."""
    if len(arguments) != count:
        raise InvalidParameterError(
            f"filter: {operator.upper()} takes {count} arguments, not {len(arguments)}."
        )
    for argument in arguments:
        if argument.kind not in kinds:
            raise InvalidParameterError(
                f"filter: {operator.upper()} takes {_alternatives(kinds)}; {label(argument)} is"
                f" of type {argument.kind.value}."
            )


def expect_one_kind(operator: str, arguments: tuple[Expression, ...]) -> None:
    """Raise InvalidParameterError unless the arguments have the same kind."""
    first = arguments[0]
    for other in arguments[1:]:
        if other.kind is not first.kind:
            raise InvalidParameterError(
                f"filter: {label(first)} is of type {first.kind.value} and {label(other)} of type"
                f" {other.kind.value}; {operator.upper()} takes one type."
            )


def _alternatives(kinds: Set[Kind]) -> str:
    return " or ".join(sorted(kind.value for kind in kinds))


def check_call(function: Function, arguments: tuple[Expression, ...]) -> None:
    """Raise InvalidParameterError unless a function can be called with these arguments."""
    kinds = [argument.kind for argument in function.arguments]
    if len(arguments) != len(kinds):
        raise InvalidParameterError(
            f"filter: {function.name} takes {len(kinds)} arguments, not {len(arguments)}."
        )
    for number, (argument, kind) in enumerate(zip(arguments, kinds, strict=True), 1):
        if argument.kind is not kind:
            raise InvalidParameterError(
                f"filter: argument {number} of {function.name} is a {kind.value};"
                f" {label(argument)} is of type {argument.kind.value}."
            )
        metres = constant(argument)
        if metres is not None and not 0 <= metres < math.inf:
            raise InvalidParameterError(
                f"filter: the distance of {function.name} is a number of metres from 0."
            )


def error_in_call(name: str, error: InvalidParameterError) -> InvalidParameterError:
    """Return an error of the arguments of a function as one that names the function."""
    return InvalidParameterError(f"{error.detail.removesuffix('.')} (in {name}).")


def check_pattern(pattern: Expression) -> None:
    """Raise InvalidParameterError unless this is a pattern of LIKE."""
    while isinstance(pattern, Operation):
        pattern = pattern.arguments[0]
    if not isinstance(pattern, Literal):
        raise InvalidParameterError("filter: the pattern of LIKE is a text, not a property.")
    text = str(pattern.value)
    if (len(text) - len(text.rstrip("\\"))) % 2:
        raise InvalidParameterError("filter: the pattern of LIKE ends with a lone backslash.")


def label(expression: Expression) -> str:
    """Return an expression as error messages name it."""
    if isinstance(expression, Property):
        return f"the property {expression.name!r}"
    if isinstance(expression, Literal) and expression.kind is not Kind.GEOMETRY:
        return f"the literal {str(expression.value)[:50]!r}"
    if isinstance(expression, Literal):
        return "a geometry"
    return f"the result of {expression.operator.upper()}"
