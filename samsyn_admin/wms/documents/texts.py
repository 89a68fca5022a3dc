"""Texts of other servers as they may stand in a page: the web app puts them there unescaped."""

import html
import math
from typing import Any

import nh3

MAX_TEXT = 10_000
"""Characters of a value."""
MAX_CONTENT = 100_000
"""Characters of a text that is told as it is."""
MAX_NAME = 200
_TAGS = {"b", "br", "div", "em", "i", "li", "ol", "p", "strong", "table", "td", "th", "tr", "ul"}


def escaped(text: str, length: int = MAX_TEXT) -> str:
    """Return a text, cut at a length, that a page shows as it is."""
    return html.escape(text.strip()[:length])


def sanitised(text: str) -> str:
    """Return HTML without anything but a few elements, none of which has an attribute."""
    return nh3.clean(text[:MAX_CONTENT], tags=_TAGS, attributes={}, link_rel=None).strip()


def plain_value(value: Any) -> Any:
    """Return a value of JSON as one that a page shows as it is: what is in an object or a list is
    told as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if math.isfinite(value) and abs(value) < 1e300 else None
    if isinstance(value, str):
        return escaped(value)
    return escaped(_as_text(value))


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_as_text(item)}" for name, item in list(value.items())[:50])
    if isinstance(value, list):
        return ", ".join(_as_text(item) for item in value[:50])
    return "" if value is None else str(value)
