"""Keyset positions: the end of a page, as the `after` parameter of the next one."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from samsyn_model.errors import InvalidParameterError

# escapes of NUL and of surrogates, behind an even number of backslashes
_UNSTORABLE = re.compile(r"(?<!\\)(?:\\\\)*\\u(?:0000|[dD][89a-fA-F])")


@dataclass(frozen=True, slots=True)
class Position:
    """The end of a page: the sort values and the id of its last feature."""

    text: str
    """A JSON array, with every digit of the database's numbers."""
    values: tuple[Any, ...]


def encode_position(text: str) -> str:
    """Return the `after` parameter of the page after this position (JSON: sort values, id)."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_position(text: str | None, sort_keys: int) -> Position | None:
    """Return the position in an `after` parameter for this number of sort keys, None when absent.

    Raises InvalidParameterError.
    """
    if text is None:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        decoded = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        values = json.loads(decoded)
    except (binascii.Error, ValueError, RecursionError):
        decoded, values = "", None
    if (
        not isinstance(values, list)
        or len(values) != sort_keys + 1
        or type(values[-1]) is not int
        or abs(values[-1]) >= 2**63
        or _UNSTORABLE.search(decoded)
        or not _is_strict_json(values)
    ):
        raise InvalidParameterError("after is not a position that this server issued.")
    return Position(decoded, tuple(values))


def _is_strict_json(values: list[Any]) -> bool:
    try:
        json.dumps(values, allow_nan=False)
    except ValueError:
        return False
    return True
