"""JSON Schema (2020-12) validation with a deadline."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from reprlib import repr as shortened
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from samsyn_model.errors import TooLargeError

MAX_SECONDS = 20.0
"""How long one request's checks may take."""

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def validation_deadline() -> Iterator[None]:
    """Let the checks within end after MAX_SECONDS with TooLargeError."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + MAX_SECONDS))
    try:
        yield
    finally:
        _deadline.reset(token)


def _in_time(keyword: Callable[..., Any]) -> Callable[..., Any]:
    def check(*arguments: Any) -> Any:
        if time.monotonic() > _deadline.get():
            raise TooLargeError(
                "Checking this against its schema takes too long:"
                " send less at once, or take a simpler schema."
            )
        return keyword(*arguments)

    return check


# The library keeps the errors of all alternatives: gigabytes, where alternatives name alternatives.
def _any_of(validator: Any, schemas: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    if not any(validator.evolve(schema=schema).is_valid(instance) for schema in schemas):
        yield ValidationError(f"{shortened(instance)} is valid under none of the given schemas")


def _one_of(validator: Any, schemas: Any, instance: Any, _: Any) -> Iterator[ValidationError]:
    valid = sum(validator.evolve(schema=schema).is_valid(instance) for schema in schemas)
    if valid != 1:
        yield ValidationError(
            f"{shortened(instance)} is valid under {valid} schemas, not under one"
        )


# The library compares each item with each where they cannot be sorted.
def _unique_items(
    validator: Any, required: Any, instance: Any, _: Any
) -> Iterator[ValidationError]:
    if required is True and validator.is_type(instance, "array"):
        texts = {json.dumps(_with_whole_numbers(item), sort_keys=True) for item in instance}
        if len(texts) < len(instance):
            yield ValidationError(f"{shortened(instance)} has non-unique elements")


def _with_whole_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_with_whole_numbers(member) for member in value]
    if isinstance(value, dict):
        return {name: _with_whole_numbers(member) for name, member in value.items()}
    return value


def _without_dialect(schema: Any) -> dict[str, Any]:
    return {name: member for name, member in schema.items() if name != "$schema"}


_KEYWORDS = Draft202012Validator.VALIDATORS | {
    "anyOf": _any_of,
    "oneOf": _one_of,
    "uniqueItems": _unique_items,
}
DeadlineValidator: type[Validator] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {name: _in_time(keyword) for name, keyword in _KEYWORDS.items()}
)
"""The library's validator, to be used within `validation_deadline`."""

# A document with a `$schema` would be checked by the library's validator again.
_META_SCHEMAS: Registry[Any] = Registry().with_resources(
    (address, DRAFT202012.create_resource(_without_dialect(REGISTRY.contents(address))))
    for address in REGISTRY
    if address.startswith("https://json-schema.org/draft/2020-12/")
)
_META_VALIDATOR = DeadlineValidator(
    _without_dialect(Draft202012Validator.META_SCHEMA), registry=_META_SCHEMAS
)


def schema_error(schema: Mapping[str, Any]) -> ValidationError | None:
    """Return the chief reason why this is no JSON Schema, None when it is one."""
    with validation_deadline():
        error: ValidationError | None = best_match(_META_VALIDATOR.iter_errors(schema))
    return error
