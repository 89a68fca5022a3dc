"""Query parameters, parsed strictly: an unknown or malformed one is an error with the reason."""

import json
import math
import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from werkzeug.datastructures import MultiDict

from samsyn_model.errors import InvalidParameterError, NotFoundError
from samsyn_model.properties.date_times import parsed_date_time, rfc3339
from samsyn_provider.geography.bbox import Bbox, parse_bbox
from samsyn_provider.geography.crs import CRS84, reference_system

MAX_OFFSET = 2**53

DOCUMENT_PARAMETERS = frozenset({"f"})

_INTEGER = re.compile(r"[0-9]{1,18}")

_FEATURE_ID = re.compile(r"-?[0-9]{1,19}")

_SIGNED = re.compile(r"[+-]?[0-9]{1,19}")

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")

_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)?", re.ASCII
)


def single_values(arguments: MultiDict[str, str], known: Collection[str]) -> dict[str, str]:
    """Return the parameters by name.

    Raises InvalidParameterError for an unknown or repeated one.
    """
    for name, values in arguments.lists():
        if name not in known:
            raise InvalidParameterError(f"Unknown query parameter {name!r}.")
        if len(values) > 1:
            raise InvalidParameterError(f"The query parameter {name!r} is repeated.")
        if "\x00" in values[0]:
            raise InvalidParameterError(f"The query parameter {name!r} contains a NUL character.")
    return arguments.to_dict()


def parse_limit(values: Mapping[str, str], default: int, maximum: int) -> int:
    """Return the `limit` parameter, at most `maximum`; raises InvalidParameterError."""
    text = values.get("limit")
    if text is None:
        return default
    if not _INTEGER.fullmatch(text) or int(text) < 1:
        raise InvalidParameterError(f"limit is a whole number from 1 to {maximum}.")
    return min(int(text), maximum)


def parse_offset(values: Mapping[str, str]) -> int:
    """Return the `offset` parameter, 0 when absent; raises InvalidParameterError."""
    text = values.get("offset", "0")
    if not _INTEGER.fullmatch(text) or int(text) > MAX_OFFSET:
        raise InvalidParameterError("offset is a whole number from 0.")
    return int(text)


def parse_bbox_parameter(values: Mapping[str, str], offered: tuple[str, ...]) -> Bbox | None:
    """Return the area of `bbox` in the CRS of `bbox-crs`, one of `offered`; None when absent.

    Raises InvalidParameterError.
    """
    if "bbox" not in values:
        return None
    crs = reference_system(values.get("bbox-crs", CRS84), "bbox-crs", offered)
    return parse_bbox(values["bbox"], crs)


def parse_uuid(text: str) -> uuid.UUID | None:
    """Return the UUID of a path segment in canonical form, None for any other text."""
    try:
        value = uuid.UUID(text)
    except ValueError:
        return None
    return value if str(value) == text.lower() else None


def parse_uuid_filter(
    values: Mapping[str, str], name: str, what: str = "a UUID"
) -> uuid.UUID | None:
    """Return the UUID of a parameter, None when absent; raises InvalidParameterError, which says
    `what` it is."""
    if name not in values:
        return None
    key = parse_uuid(values[name])
    if key is None:
        raise InvalidParameterError(f"{name} is {what}.")
    return key


def parse_words(
    values: Mapping[str, str], name: str, known: Sequence[str]
) -> tuple[str, ...] | None:
    """Return the words of a parameter, separated by commas, each a known one; None when absent.

    Raises InvalidParameterError.
    """
    if name not in values:
        return None
    words = tuple(values[name].split(","))
    for word in words:
        if word not in known:
            raise InvalidParameterError(f"{name} is one of {', '.join(known)}, or some of them.")
    return words


def parse_key(text: str, kind: str) -> uuid.UUID:
    """Return the UUID of a path segment that names a layer, a map, or what `kind` says.

    Raises NotFoundError for any other text: nothing has it for its id.
    """
    key = parse_uuid(text)
    if key is None:
        raise NotFoundError(f"There is no such {kind}.")
    return key


def parse_feature_id(text: str) -> int:
    """Return the feature id of a path segment; raises NotFoundError for any other text."""
    if not _FEATURE_ID.fullmatch(text) or abs(int(text)) >= 2**63:
        raise NotFoundError("There is no such feature in this collection.")
    return int(text)


def parse_boolean(name: str, text: str) -> bool:
    """Return a boolean parameter; raises InvalidParameterError unless it is true or false."""
    if text not in {"true", "false"}:
        raise InvalidParameterError(f"{name} is either true or false.")
    return text == "true"


def parse_number(text: str) -> float | None:
    """Return the finite number that a text is; None for any other text."""
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None


def typed_value(name: str, text: str, schema: Mapping[str, Any]) -> Any:
    """Return a parameter's text as the property's JSON value.

    Raises InvalidParameterError when it is not of the property's type.
    """
    kind = schema.get("type", "string")
    if kind == "integer" and _SIGNED.fullmatch(text):
        return int(text)
    if kind == "number" and _SIGNED.fullmatch(text):
        return int(text)
    if kind == "number" and (number := parse_number(text)) is not None:
        return number
    if kind == "boolean" and text in {"true", "false"}:
        return text == "true"
    if kind == "string" and (schema.get("format") != "date" or _is_date(text)):
        return text
    if kind in {"object", "array"}:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict if kind == "object" else list):
            return value
    expected = schema.get("format") or kind
    raise InvalidParameterError(f"{name} is of type {expected}; {text!r} is not.")


def parse_moment(name: str, text: str) -> str:
    """Return a date-time as it is stored, in UTC; without an offset it is one in UTC already.

    Raises InvalidParameterError.
    """
    try:
        if not _DATE_TIME.fullmatch(text):
            raise ValueError
        return rfc3339(parsed_date_time(text))
    except (ValueError, OverflowError):
        raise InvalidParameterError(
            f"{name} is a date-time, such as 2026-05-01T12:00:00Z; {text!r} is not."
        ) from None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10
