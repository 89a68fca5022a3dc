"""Names that occur twice in a JSON object, of which programs take one value or the other."""

import json
from typing import Any


class _DuplicateError(Exception):
    """An object has a name twice."""


def duplicate_name(text: str, start: int, end: int, value: Any) -> str | None:
    """Return a name that an object has twice, in the text that a JSON value was parsed from.

    Only where there are other colons behind quotes than those of the value's names is the text
    parsed again.
    """
    if text.count('":', start, end) == _count_names(value):
        return None
    try:
        json.JSONDecoder(object_pairs_hook=_refuse_duplicates).raw_decode(text, start)
    except _DuplicateError as error:
        return str(error)
    return None


def _count_names(value: Any) -> int:
    if isinstance(value, dict):
        count = len(value)
        for member in value.values():
            if isinstance(member, dict | list):
                count += _count_names(member)
        return count
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return sum(map(_count_names, value))
    return 0


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateError(next(name for name in names if names.count(name) > 1))
    return members
