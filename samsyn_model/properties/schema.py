"""What a layer's fields hold, as a JSON Schema: from declared types, or from values seen."""

import enum
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from samsyn_model.errors import SamsynError
from samsyn_model.properties.date_times import parsed_date_time, rfc3339

SEQUENCE = "x-ogc-propertySeq"
"""The place of a property among the others (OGC API Features Part 5)."""
_NULL = {"type": "null"}
_ONE_OR_NULL = 2
_STEPS = 4  # such as an anyOf, a $ref in it, and an anyOf there


class Kind(enum.Enum):
    """The type of a field; JSON_VALUE is any JSON value."""

    INTEGER = "integer"
    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"
    DATE = "date"
    DATE_TIME = "date-time"
    TIME = "time"
    BINARY = "binary"
    OBJECT = "object"
    ARRAY = "array"
    JSON_VALUE = "json"


_FORMATTED = {Kind.DATE, Kind.DATE_TIME, Kind.TIME}
_TEXTS = {Kind.STRING, *_FORMATTED}


class NotDateTimesError(SamsynError):
    """A field taken for date-times turned out to be free text, after values were rewritten."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The field {name!r} does not hold date-times only.")
        self.name = name


def property_schema(kinds: Mapping[str, Kind | None]) -> dict[str, Any]:
    """Return the JSON Schema of a layer whose fields, in this order, hold these kinds.

    A field without a kind (no value seen), or of any JSON, has no `type`. No field is
    required, and any may be null.
    """
    return {
        "type": "object",
        "properties": {
            name: {**_schema(kind), SEQUENCE: number}
            for number, (name, kind) in enumerate(kinds.items(), start=1)
        },
    }


def _schema(kind: Kind | None) -> dict[str, Any]:
    if kind is None or kind is Kind.JSON_VALUE:
        return {}
    if kind in _FORMATTED:
        return {"type": "string", "format": kind.value}
    if kind is Kind.BINARY:
        return {"type": "string", "contentEncoding": "base64"}
    return {"type": kind.value}


def property_members(schema: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return the schemas of a layer's properties by name, complete in themselves.

    A `$ref` is replaced by the definition that it leads to, and an `anyOf` of a schema and `null`
    by that schema: any property may be absent.
    """
    members = (schema or {}).get("properties", {})
    return {name: _complete(member, schema or {}) for name, member in members.items()}


def numbered(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a property schema whose properties all have an `x-ogc-propertySeq`: those without one
    come in their order after the others, which the database does not keep."""
    members = schema.get("properties", {})
    last = max((member.get(SEQUENCE, 0) for member in members.values()), default=0)
    added = itertools.count(last + 1)
    complete = {
        name: member if SEQUENCE in member else {**member, SEQUENCE: next(added)}
        for name, member in members.items()
    }
    return {**schema, "properties": complete} if complete else dict(schema)


def _complete(member: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    for _ in range(_STEPS):
        rest = dict(member)
        reference, options = rest.pop("$ref", None), member.get("anyOf")
        if isinstance(reference, str):
            target = _pointed_at(schema, reference)
        elif isinstance(options, list) and len(options) == _ONE_OR_NULL and _NULL in options:
            del rest["anyOf"]
            target = options[1 - options.index(_NULL)]
        else:
            return member
        member = {**target, **rest} if isinstance(target, dict) else rest
    return member


def _pointed_at(schema: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        schema = schema.get(name) if isinstance(schema, Mapping) else None
    return schema


_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", re.IGNORECASE
)


def kind_of_text(value: str) -> Kind:
    """Return DATE, DATE_TIME (ISO 8601 with a `T`, zone or not) or STRING for a text."""
    if not value[:4].isdigit():
        return Kind.STRING
    try:
        if _DATE.fullmatch(value):
            date.fromisoformat(value)
            return Kind.DATE
        if _DATE_TIME.fullmatch(value):
            rfc3339(parsed_date_time(value))
            return Kind.DATE_TIME
    except (ValueError, OverflowError):
        pass
    return Kind.STRING


def merged(one: Kind | None, other: Kind) -> Kind:
    """Return the kind that holds the values of both."""
    if one is None or one is other:
        return other
    if {one, other} == {Kind.INTEGER, Kind.NUMBER}:
        return Kind.NUMBER
    if one in _TEXTS and other in _TEXTS:
        return Kind.STRING
    return Kind.JSON_VALUE


_JSON_KINDS_BY_TYPE: dict[type, Kind] = {
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    float: Kind.NUMBER,
    list: Kind.ARRAY,
    dict: Kind.OBJECT,
}


class ObservedKinds:
    """Tells the kinds of fields from the JSON values that features have.

    A field with nothing but date-times is rewritten to UTC as it is seen; the fields named in
    `free_texts` are not.
    """

    def __init__(self, free_texts: Iterable[str] = ()) -> None:
        self.kinds: dict[str, Kind | None] = {}
        self._free_texts = frozenset(free_texts)
        self._rewritten: set[str] = set()

    def observe(self, properties: dict[str, Any]) -> None:
        """Observe one feature's properties; its date-times are rewritten in place.

        Raises NotDateTimesError when a field that was rewritten holds something else as well: the
        caller starts again with that field among the `free_texts`.
        """
        kinds = self.kinds
        for name, value in properties.items():
            known = kinds.get(name)
            if value is None:
                kinds.setdefault(name, None)
            elif isinstance(value, str):
                if known is not Kind.STRING:
                    properties[name] = self._observe_text(name, known, value)
            else:
                kind = _JSON_KINDS_BY_TYPE[type(value)]
                if kind is not known:
                    self._widen(name, known, kind)

    def _observe_text(self, name: str, known: Kind | None, value: str) -> str:
        kind = Kind.STRING if name in self._free_texts else kind_of_text(value)
        if self._widen(name, known, kind) is not Kind.DATE_TIME:
            return value
        moment = rfc3339(parsed_date_time(value))
        if moment != value:
            self._rewritten.add(name)
        return moment

    def _widen(self, name: str, known: Kind | None, kind: Kind) -> Kind:
        wider = merged(known, kind)
        if wider is not Kind.DATE_TIME and name in self._rewritten:
            raise NotDateTimesError(name)
        self.kinds[name] = wider
        return wider


def unique_names(names: Sequence[str]) -> list[str]:
    """Return the names, those that repeat an earlier one with `_2`, `_3` … behind."""
    taken: set[str] = set()
    all_names = set(names)
    unique = []
    for name in names:
        number, candidate = 2, name
        while candidate in taken or (candidate != name and candidate in all_names):
            candidate = f"{name}_{number}"
            number += 1
        taken.add(candidate)
        unique.append(candidate)
    return unique
