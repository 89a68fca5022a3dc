"""A feature's properties against its layer's schema, and the schemas themselves."""

import json
import re
from collections.abc import Collection, Container, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import date, time
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice
from typing import Any

from jsonschema import FormatChecker
from jsonschema.protocols import Validator
from referencing import Registry

from samsyn_model.errors import Fault
from samsyn_model.properties.date_times import parsed_date_time
from samsyn_model.properties.json_schema import DeadlineValidator, schema_error
from samsyn_model.properties.roles import role_faults
from samsyn_model.settings import get_settings

MAX_FAULTS = 100
"""How many faults a response lists at most."""
_MAX_DETAIL = 300
_MAX_NAME = 100
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAMES = {"properties", "$defs", "definitions", "dependentSchemas"}
_UNBOUNDED = {
    "pattern": "Regular expressions are not supported here.",
    "patternProperties": "Regular expressions are not supported here.",
    "unevaluatedItems": "This keyword is not supported.",
    "unevaluatedProperties": "This keyword is not supported: use additionalProperties.",
}
_LITERALS = {"enum", "const", "default", "examples"}
_DEFINITIONS = ("$defs", "definitions")
_COMPOSITION = frozenset(
    {"$ref", "allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas", "propertyNames"}
)
"""Keywords by which a schema may know of properties that are not among its `properties`."""
_REFERENCE = re.compile(r"#/(\$defs|definitions)/([^/~%]+)")
_BROKEN_TEXT = re.compile("[\x00\ud800-\udfff]")
# PostgreSQL reads offsets up to 15:59
_CLOCK = r"\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-](0\d|1[0-5]):[0-5]\d)"
_FORMS = {
    "date": (re.compile(r"\d{4}-\d\d-\d\d"), date.fromisoformat),
    "date-time": (re.compile(rf"\d{{4}}-\d\d-\d\d[Tt]{_CLOCK}"), parsed_date_time),
    "time": (re.compile(_CLOCK), time.fromisoformat),
}
_FORMATS = FormatChecker(("email", "idn-email", "ipv4", "ipv6", "uuid"))


def _is_moment(value: object, name: str) -> bool:
    if not isinstance(value, str):
        return True
    form, parse = _FORMS[name]
    if form.fullmatch(value):
        parse(value.upper())
        return True
    return False


# The library takes the other forms of ISO 8601 too, which PostgreSQL does not read.
for _name in _FORMS:
    _FORMATS.checks(_name, raises=ValueError)(lambda value, name=_name: _is_moment(value, name))


def property_faults(
    properties: Any, schema: str | None, prefix: str = "", stored: Container[str] = ()
) -> Iterator[Fault]:
    """Yield what is wrong with a feature's properties; null stands for none.

    `schema` is the layer's property schema as JSON text, None where anything goes; `prefix` is the
    JSON pointer to the properties. A property that the schema does not name is a fault unless the
    schema has `additionalProperties`, or the feature has it already (`stored`).
    """
    if properties is None:
        properties = {}
    if not isinstance(properties, dict):
        yield Fault(prefix, "Properties are an object or null.")
        return
    most = get_settings().max_properties
    if len(properties) > most:
        yield Fault(prefix, f"A feature has at most {most:,} properties.")
        return
    if schema is None:
        return
    checked = _checked_schema(schema)
    if checked.names is not None:
        for name in properties:
            if name not in checked.names and name not in stored:
                yield Fault(prefix + pointer(name), _unknown(name, checked.names))
    # a null counts as absent, as in the files that layers come from
    present = {name: value for name, value in properties.items() if value is not None}
    try:
        for error in checked.validator.iter_errors(present):
            message = error.message
            if len(message) > _MAX_DETAIL:
                message = f"{message[:_MAX_DETAIL]}…"
            yield Fault(prefix + pointer(*error.absolute_path), f"{message}.")
    except (ArithmeticError, RecursionError):  # such as a number too large for multipleOf
        yield Fault(prefix, "The properties cannot be checked against the schema.")


def known_properties(schema: str | None) -> Set[str] | None:
    """Return the names of the properties that a schema (JSON text) knows, None where any may be."""
    if schema is None:
        return None
    loaded = json.loads(schema)
    additional = loaded.get("additionalProperties")
    if additional is None:
        return _checked_schema(schema).names
    return (
        None if additional is True or additional == {} else frozenset(loaded.get("properties", {}))
    )


def schema_faults(schema: Mapping[str, Any], prefix: str = "") -> list[Fault]:
    """Return what is wrong with a layer's property schema: a JSON Schema (2020-12) of an object.

    A `$ref` leads to one of the schema's own definitions, which hold none themselves, and there
    are no regular expressions: a feature is then checked in bounded time, and nothing is fetched.
    """
    faults = list(_refused_keywords(schema, prefix))
    if faults:
        return faults
    error = schema_error(schema)
    if error is not None:
        where = prefix + pointer(*error.absolute_path)
        return [Fault(where, f"This is not a JSON Schema: {error.message[:_MAX_DETAIL]}.")]
    if schema.get("type", "object") != "object":
        faults.append(Fault(f"{prefix}/type", "The schema is one of an object."))
    most = get_settings().max_properties
    if len(schema.get("properties", {})) > most:
        return [Fault(f"{prefix}/properties", f"A layer has at most {most:,} properties.")]
    for name, member in schema.get("properties", {}).items():
        where = f"{prefix}/properties{pointer(name)}"
        if not isinstance(member, dict):
            faults.append(Fault(where, "Describe this property by an object."))
        elif type(member.get("x-ogc-propertySeq", 0)) is not int:
            faults.append(Fault(f"{where}/x-ogc-propertySeq", "This is a whole number."))
    faults += _reference_faults(schema, schema, prefix, within_definition=False)
    return faults or list(role_faults(schema, prefix))


def text_faults(value: Any, prefix: str = "") -> list[Fault]:
    """Return where a JSON value has text that PostgreSQL cannot keep."""
    return list(islice(_text_faults(value, prefix), MAX_FAULTS))


def pointer(*path: object) -> str:
    """Return the path as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _refused_keywords(schema: Any, prefix: str, *, is_root: bool = True) -> Iterator[Fault]:
    """Yield keywords of another dialect, and those whose evaluation is not bounded in time."""
    if isinstance(schema, list):
        for number, member in enumerate(schema):
            yield from _refused_keywords(member, f"{prefix}/{number}", is_root=False)
    if not isinstance(schema, dict):
        return
    for keyword, member in schema.items():
        where = prefix + pointer(keyword)
        if keyword in _UNBOUNDED:
            yield Fault(where, _UNBOUNDED[keyword])
        elif keyword == "$schema" and (not is_root or member != _DIALECT):
            yield Fault(where, f"The only dialect is {_DIALECT}.")
        elif keyword in _NAMES and isinstance(member, dict):
            for name, named in member.items():
                yield from _refused_keywords(named, where + pointer(name), is_root=False)
        elif keyword not in _LITERALS:
            yield from _refused_keywords(member, where, is_root=False)


@dataclass(frozen=True, slots=True)
class _CheckedSchema:
    """A layer's schema, ready to check features; `names` are all that it allows, None for any."""

    validator: Validator
    names: frozenset[str] | None


@lru_cache(maxsize=64)
def _checked_schema(schema: str) -> _CheckedSchema:
    loaded = json.loads(schema)
    names = None
    is_closed = loaded.get("additionalProperties", False) is False
    if is_closed and "properties" in loaded and _COMPOSITION.isdisjoint(loaded):
        names = frozenset(loaded["properties"])
        loaded.pop("additionalProperties", None)  # whose fault names no property
    validator = DeadlineValidator(loaded, format_checker=_FORMATS, registry=Registry())
    return _CheckedSchema(validator, names)


def _unknown(name: str, known: Collection[str]) -> str:
    """Return what is wrong with a property that is not one of those known, of which it may be one
    that is misspelt."""
    by_case = {other.casefold(): other for other in sorted(known)}
    shortened = name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}…"
    detail = f"The layer has no property {shortened!r}"
    near = get_close_matches(name[:_MAX_NAME].casefold(), by_case, 1) if len(known) < 1000 else []
    return f"{detail}: did you mean {by_case[near[0]]!r}?" if near else f"{detail}."


def _text_faults(value: Any, prefix: str) -> Iterator[Fault]:
    if isinstance(value, str):
        if _BROKEN_TEXT.search(value):
            yield Fault(prefix, "A NUL character or half a surrogate pair cannot be stored.")
    elif isinstance(value, dict):
        for name, member in value.items():
            if _BROKEN_TEXT.search(name):
                yield Fault(prefix, "A name with a NUL or half a surrogate pair cannot be stored.")
            else:
                yield from _text_faults(member, prefix + pointer(name))
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _text_faults(member, f"{prefix}/{number}")


def _reference_faults(
    value: Any, schema: Mapping[str, Any], prefix: str, *, within_definition: bool
) -> Iterator[Fault]:
    if isinstance(value, list):
        for number, member in enumerate(value):
            yield from _reference_faults(
                member, schema, f"{prefix}/{number}", within_definition=within_definition
            )
    if not isinstance(value, dict):
        return
    for name, member in value.items():
        where = prefix + pointer(name)
        if name in {"$ref", "$dynamicRef", "$recursiveRef"} and isinstance(member, str):
            target = _REFERENCE.fullmatch(member)
            known = target is not None and target[2] in schema.get(target[1], {})
            if name != "$ref" or not known or within_definition:
                yield Fault(where, "A $ref leads from outside the definitions to one of them.")
        elif name == "$id" and isinstance(member, str) and value is not schema:
            yield Fault(where, "Only the whole schema has an $id.")
        yield from _reference_faults(
            member,
            schema,
            where,
            within_definition=within_definition or name in _DEFINITIONS,
        )
