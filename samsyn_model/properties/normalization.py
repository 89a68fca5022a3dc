"""Dates and date-times in one form: as they are stored, whatever form they are sent in."""

import json
import re
from collections.abc import Mapping
from datetime import time
from functools import lru_cache
from typing import Any

from samsyn_model.properties.date_times import parsed_date_time, rfc3339
from samsyn_model.properties.roles import moment_format
from samsyn_model.properties.schema import property_members

_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-](0\d|1[0-5]):[0-5]\d)?"
)


def normalized_properties(properties: Any, schema: str | None) -> Any:
    """Return a feature's properties with their dates and date-times in the form that is stored.

    `schema` is the layer's property schema as JSON text. A date-time becomes one in UTC, such as
    `2024-05-01T10:00:00Z`; without an offset it is one in UTC already. A date-time at midnight is
    a date where the schema has one. Anything else is left to whoever checks the properties.
    """
    if schema is None or not isinstance(properties, dict):
        return properties
    formats = _formats(schema)
    changed = {}
    for name in formats.keys() & properties.keys():
        text = properties[name]
        if isinstance(text, str) and _DATE_TIME.fullmatch(text):
            stored = _stored(text, formats[name])
            if stored != text:
                changed[name] = stored
    return {**properties, **changed} if changed else properties


def _stored(text: str, form: str) -> str:
    try:
        moment = parsed_date_time(text)
        if form == "date-time":
            return rfc3339(moment)
    except (ValueError, OverflowError):
        return text
    return moment.date().isoformat() if moment.time() == time() else text


@lru_cache(maxsize=64)
def _formats(schema: str) -> Mapping[str, str]:
    """Return the formats of the properties that hold dates and date-times, by name."""
    members = property_members(json.loads(schema))
    formats = {name: moment_format(member) for name, member in members.items()}
    return {name: form for name, form in formats.items() if form is not None}
