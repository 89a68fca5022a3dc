"""GeoJSON text of any size as a stream of features."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TextIO

from samsyn_admin.imports.readers.geojson.duplicates import duplicate_name
from samsyn_model.errors import UnreadableFileError
from samsyn_provider.geography.crs_member import crs_name

_CHUNK = 1024 * 1024
_MAX_TOKEN_LENGTH = 16
"""The error of a value cut off by the end of the buffer is at most this far from the end."""
_SPACE = re.compile(r"[\s\x1e]*")
_GEOMETRIES = frozenset(
    {
        *("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"),
        "GeometryCollection",
    }
)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def objects_of(value: Any) -> Iterator[Any]:
    """Yield the features of a parsed GeoJSON object; what is none of it is yielded unchanged.

    Features of a collection with a `crs` member have it as their own.
    """
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "FeatureCollection" and isinstance(value.get("features"), list):
        inherited = {"crs": value["crs"]} if "crs" in value else {}
        for feature in value["features"]:
            is_object = inherited and isinstance(feature, dict)
            yield {**inherited, **feature} if is_object else feature
    elif isinstance(kind, str) and kind in _GEOMETRIES:
        yield {"type": "Feature", "geometry": value, "properties": None}
    else:
        yield value


class GeoJSONText:
    """GeoJSON: a FeatureCollection, a Feature, a geometry, an array of them, or one after another.

    `members` has the members of the first object beside its features, once they are read, and
    `crs_member` its `crs` member (GeoJSON 2008) alone. `duplicate` is a name that occurs
    twice in the feature yielded last.
    """

    def __init__(
        self,
        open_text: Callable[[], TextIO],
        name: str,
        *,
        max_length: int = 0,
        on_constant: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Read a text, which is closed at its end; `name` is its name in errors.

        `max_length` limits the characters of a value; with it NaN and infinities are errors, and
        so is a `crs` member behind the features. Without it they are null, `on_constant` is called
        for each, and an array of features is read.
        """
        self._open_text = open_text
        self._path = name
        self._max_length = max_length
        self._on_constant = on_constant
        self.members: dict[str, Any] = {}
        self.has_features = False
        self.duplicate: str | None = None

    @property
    def crs_member(self) -> dict[str, Any]:
        """An object with the `crs` member of the collection, if it has one."""
        has_one = self.has_features and "crs" in self.members
        return {"crs": self.members["crs"]} if has_one else {}

    def features(self) -> Iterator[Any]:
        """Yield what stands where features do, as it is parsed.

        Raises UnreadableFileError, also when the file is truncated.
        """
        with self._open_text() as file:
            text = _Text(file, self._path, self._max_length, self._on_constant)
            try:
                if text.peek() == "":
                    raise text.error("is empty")
                if text.peek() == "[" and not self._max_length:
                    self.has_features = True
                    yield from self._array(text)
                else:
                    yield from self._first_object(text)
                while text.peek():
                    later = text.value()
                    if self._max_length and isinstance(later, dict) and "features" in later:
                        self._refuse_late_crs(later, "in a later collection")
                    for value in objects_of(later):
                        yield self._counted(value, text)
            except UnicodeDecodeError as error:
                raise UnreadableFileError(f"{self._path} is not UTF-8 text: {error}") from error
            except RecursionError as error:
                raise UnreadableFileError(f"{self._path} is nested too deeply.") from error

    def _first_object(self, text: "_Text") -> Iterator[Any]:
        """Yield the features of the first object, which need not fit in memory."""
        text.expect("{", "is not GeoJSON")
        separator = text.peek()
        is_empty = separator == "}"
        while separator != "}":
            name = text.value()
            text.expect(":")
            if name == "features" and text.peek() == "[":
                self.has_features = True
                yield from self._array(text)
            else:
                self.members[name] = text.value()
                if name == "crs" and self.has_features and self._max_length:
                    self._refuse_late_crs(self.members, "after its features")
            separator = text.expect(",}")
        if is_empty:
            text.expect("}")
        if not self.has_features:
            for value in objects_of(self.members):
                yield self._counted(value, text)
        elif self.members.get("type", "FeatureCollection") != "FeatureCollection":
            raise text.error(f"has features in a {self.members['type']!r}")

    def _refuse_late_crs(self, members: dict[str, Any], where: str) -> None:
        if "crs" in members and crs_name(members["crs"]) is not None:
            raise UnreadableFileError(f"{self._path} names its CRS {where}.")

    def _array(self, text: "_Text") -> Iterator[Any]:
        for value in text.array():
            yield self._counted(value, text)

    def _counted(self, value: Any, text: "_Text") -> Any:
        text.read_features += 1
        self.duplicate = text.duplicate
        return value


class _Text:
    """A buffer over a text, in which JSON values are parsed one after another."""

    def __init__(
        self, file: TextIO, path: str, max_length: int, on_constant: Callable[[str], None]
    ) -> None:
        self._file = file
        self._path = path
        self._max_length = max_length
        self._buffer = ""
        self._position = 0
        self._dropped = 0
        constant = _refuse_constant if max_length else on_constant
        self._decode = json.JSONDecoder(parse_constant=constant).raw_decode
        self.read_features = 0
        self.duplicate: str | None = None

    def error(self, reason: str) -> UnreadableFileError:
        """Return an error at the current position."""
        return UnreadableFileError(
            f"{self._path} {reason} (character {self._dropped + self._position + 1},"
            f" after {self.read_features} features)."
        )

    def peek(self) -> str:
        """Return the next character that is not white space; empty at the end."""
        while True:
            match = _SPACE.match(self._buffer, self._position)
            self._position = match.end() if match else self._position
            if self._position < len(self._buffer):
                return self._buffer[self._position]
            if not self._read_more():
                return ""

    def expect(self, characters: str, reason: str = "is not valid JSON") -> str:
        """Consume and return the next character, which is one of these."""
        character = self.peek()
        if not character:
            raise self.error("is truncated")
        if character not in characters:
            raise self.error(reason)
        self._position += 1
        return character

    def array(self) -> Iterator[Any]:
        """Yield an array's elements, one parsed at a time."""
        self.expect("[")
        if self.peek() == "]":
            self._position += 1
            return
        separator = ","
        while separator == ",":
            yield self.value()
            separator = self.expect(",]")

    def value(self) -> Any:
        """Return the next value, reading more text until it is complete."""
        if not self.peek():
            raise self.error("is truncated")
        while True:
            try:
                value, end = self._decode(self._buffer, self._position)
            except json.JSONDecodeError as error:
                unterminated = error.msg.startswith("Unterminated string")
                near_end = error.pos >= len(self._buffer) - _MAX_TOKEN_LENGTH
                if (near_end or unterminated) and self._read_more():
                    continue
                if unterminated or error.pos >= len(self._buffer):
                    raise self.error("is truncated") from error
                self._position = error.pos
                raise self.error(f"is not valid JSON: {error.msg}") from error
            except ValueError as error:
                raise self.error(f"has a number that cannot be stored: {error}") from error
            if end == len(self._buffer) and self._read_more():
                continue  # a number may continue past the end of the buffer
            if not self._max_length:
                self.duplicate = duplicate_name(self._buffer, self._position, end, value)
            self._position = end
            return value

    def _read_more(self) -> bool:
        """Add at least as much text to the buffer as is left in it; return false at the end."""
        length = len(self._buffer) - self._position
        if self._max_length and length > self._max_length:
            raise self.error(f"has a value of more than {self._max_length:,} characters")
        more = self._file.read(max(_CHUNK, length))
        if more:
            self._dropped += self._position
            self._buffer, self._position = self._buffer[self._position :] + more, 0
        return bool(more)
