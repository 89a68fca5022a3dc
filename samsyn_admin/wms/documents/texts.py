"""Texts of other servers as they may stand in a page: the web app puts them there unescaped."""

import html
from typing import Any

import nh3

MAX_TEXT = 10_000
"""Characters of a value."""
MAX_CONTENT = 100_000
"""Characters of a text that is told as it is."""
MAX_NAME = 200
_MAX_DEPTH = 20  # of lists and objects in a value
_TAGS = {"b", "br", "div", "em", "i", "li", "ol", "p", "strong", "table", "td", "th", "tr", "ul"}


def well_formed(text: str) -> str:
    """Return a text without the halves of surrogate pairs that JSON may have: UTF-8 has none."""
    return text.encode("utf-8", "replace").decode()


def escaped(text: str, length: int = MAX_TEXT) -> str:
    """Return a text, cut at a length, that a page shows as it is."""
    return html.escape(well_formed(text.strip()[:length]))


def sanitised(text: str) -> str:
    """Return HTML without anything but a few elements, none of which has an attribute."""
    return nh3.clean(text[:MAX_CONTENT], tags=_TAGS, attributes={}, link_rel=None).strip()


def plain_value(value: Any) -> Any:
    """Return a value of JSON as one that a page shows as it is: what is in an object or a list is
    told as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if abs(value) < 1e300 else None  # also of NaN, and of what no float holds
    if isinstance(value, str):
        return escaped(value)
    return escaped(_as_text(value))


def _as_text(value: Any, depth: int = _MAX_DEPTH) -> str:
    if isinstance(value, dict | list) and not depth:
        return "…"
    if isinstance(value, dict):
        items = list(value.items())[:50]
        return ", ".join(f"{name}: {_as_text(item, depth - 1)}" for name, item in items)
    if isinstance(value, list):
        return ", ".join(_as_text(item, depth - 1) for item in value[:50])
    return "" if value is None else str(value)
