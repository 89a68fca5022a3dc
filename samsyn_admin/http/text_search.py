"""Text search in lists."""

from typing import Any

from sqlalchemy import ColumnElement, and_, func, true

from samsyn_model.errors import InvalidParameterError

MAX_TEXT = 255


def has_words(table: Any, text: str) -> ColumnElement[bool]:
    """Return the condition that every word is in a row's name or description, ignoring case.

    The indexes `ix_…_text` serve it. Raises InvalidParameterError for a text that is too long.
    """
    if len(text) > MAX_TEXT:
        raise InvalidParameterError(f"A search has up to {MAX_TEXT} characters.")
    searched = table.name + " " + func.coalesce(table.description, "")
    words = [searched.ilike(f"%{_escaped(word)}%", escape="/") for word in text.split()]
    return and_(true(), *words)


def _escaped(word: str) -> str:
    return word.replace("/", "//").replace("%", "/%").replace("_", "/_")
