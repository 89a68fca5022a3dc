"""Plus signs in query strings and forms: a space in form encoding, and yet often sent for a plus.

A value that has a space as `%20` was not written by a form's encoder: a plus in it is a plus. So is
one between a date-time and its offset, where no space can be.
"""

import re

from flask import Request

_OFFSET = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d(?::|%3A)\d\d(?:(?::|%3A)\d\d(?:\.\d{1,9})?)?)\+(?=\d\d(?::|%3A)?\d\d)",
    re.IGNORECASE,
)


class PlusAwareRequest(Request):
    """A request whose query string has each plus sign that means one as `%2B`."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.query_string = escape_pluses(self.query_string)


def escape_pluses(encoded: bytes) -> bytes:
    """Return a query string, or the body of a form, with each plus that means one as `%2B`."""
    if b"+" not in encoded:
        return encoded
    return b"&".join(map(_escaped, encoded.split(b"&")))


def _escaped(pair: bytes) -> bytes:
    if b"%20" in pair:
        return pair.replace(b"+", b"%2B")
    return _OFFSET.sub(rb"\1%2B", pair)
