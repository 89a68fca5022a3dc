"""What the application reads a request's body from: gunicorn's errors become ours."""

from collections.abc import Callable, Iterator
from typing import Any

from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.wsgi import Response

from samsyn_model.errors import MalformedBodyError

_DETAIL = "The body cannot be read: its chunks are malformed, or it is cut off."


class RequestInput:
    """The `wsgi.input` of a request, which raises MalformedBodyError for a body that is no HTTP.

    The connection is closed then: where the next request begins is not known.
    """

    def __init__(self, body: Any, response: Response) -> None:
        self._body, self._response = body, response

    def read(self, size: int | None = None) -> bytes:
        """Return so many bytes, or all."""
        read: bytes = self._checked(self._body.read, size)
        return read

    def readline(self, size: int | None = None) -> bytes:
        """Return a line, or so many bytes of it."""
        line: bytes = self._checked(self._body.readline, size)
        return line

    def readlines(self, size: int | None = None) -> list[bytes]:
        """Return the lines."""
        lines: list[bytes] = self._checked(self._body.readlines, size)
        return lines

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines."""
        while line := self.readline():
            yield line

    def _checked(self, read: Callable[[int | None], Any], size: int | None) -> Any:
        try:
            return read(size)
        except (ParseException, NoMoreData) as error:
            self._response.force_close()
            raise MalformedBodyError(_DETAIL) from error
