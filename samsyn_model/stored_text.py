"""Texts of files as the database stores them."""

import json
import re
from typing import Any

_ESCAPE = re.compile(r"\\(u0000|.)")
_REPLACEMENT = "\ufffd"


def is_storable(text: str) -> bool:
    """Return whether a text has neither NUL characters nor halves of surrogate pairs."""
    return "\0" not in text and storable_text(text) == text


def storable_text(text: str) -> str:
    """Return a text with U+FFFD for NUL characters and halves of surrogate pairs."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", _REPLACEMENT)


def json_text(value: Any) -> str:
    """Return the JSON of a value for a column of `jsonb`, its texts as of `storable_text`.

    A value that JSON has no form of becomes a text.
    """
    text = json.dumps(value, ensure_ascii=False, default=str)
    if "\\u0000" in text:
        text = _ESCAPE.sub(lambda match: _REPLACEMENT if match[1] == "u0000" else match[0], text)
    return storable_text(text)
