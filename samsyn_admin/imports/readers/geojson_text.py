"""GeoJSON text as a stream of features, however large: one collection, or a text sequence."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from samsyn_model.errors import UnreadableFileError

_CHUNK = 1024 * 1024
_LONGEST_TOKEN = 16
"""A value cut off by the end of the buffer is noticed at most this far from that end."""
_SPACE = re.compile(r"[\s\x1e]*")
_GEOMETRIES = frozenset(
    {
        *("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"),
        "GeometryCollection",
    }
)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


class GeoJSONText:
    """GeoJSON: a FeatureCollection, a Feature, a geometry, or a sequence of them.

    Sequences may be newline-delimited or of RFC 8142 (with record separators). `crs` is the
    collection's old `crs` member, once met.
    """

    def __init__(self, source: Path | TextIO, name: str = "", *, longest: int = 0) -> None:
        """Read a file; `name` is what errors call it.

        With `longest` a value has up to so many characters, NaN and the like are errors rather
        than null, and members that are not Features are left to the caller.
        """
        self._source = source
        self._path = name or str(source)
        self._longest = longest
        self.crs: dict[str, Any] | None = None

    def features(self) -> Iterator[dict[str, Any]]:
        """Yield the features as they are parsed.

        Raises UnreadableFileError, also when the file ends halfway.
        """
        self.crs = None
        source = self._source
        opened = source.open(encoding="utf-8-sig") if isinstance(source, Path) else source
        with opened as file:
            text = _Text(file, self._path, self._longest)
            try:
                if text.peek() == "":
                    raise text.error("is empty")
                yield from self._first(text)
                while text.peek():
                    yield from self._of(text.value(), text)
            except UnicodeDecodeError as error:
                raise UnreadableFileError(f"{self._path} is not UTF-8 text: {error}") from error
            except RecursionError as error:
                raise UnreadableFileError(f"{self._path} is nested too deep.") from error

    def _first(self, text: "_Text") -> Iterator[dict[str, Any]]:
        """Yield from the first object, whose features need not fit in memory."""
        text.expect("{", "is not GeoJSON")
        members: dict[str, Any] = {}
        collected = False
        separator = text.peek()
        while separator != "}":
            name = text.value()
            text.expect(":")
            if name == "features" and text.peek() == "[":
                collected = True
                for feature in text.array():
                    yield self._feature(feature, text)
            else:
                members[name] = text.value()
                if name == "crs":
                    self._found_crs(members[name], collected)
            separator = text.expect(",}")
        if not members and not collected:
            text.expect("}")
        if not collected:
            yield from self._of(members, text)
        elif members.get("type", "FeatureCollection") != "FeatureCollection":
            raise text.error(f"has features in a {members['type']!r}")

    def _found_crs(self, crs: Any, collected: bool) -> None:
        if crs is not None and not isinstance(crs, dict):
            raise UnreadableFileError(f"{self._path}: the member `crs` is not an object.")
        if crs is not None and collected:
            advice = "" if self._longest else ": say it with --crs"
            raise UnreadableFileError(f"{self._path} names its CRS behind its features{advice}.")
        self.crs = crs

    def _of(self, value: Any, text: "_Text") -> Iterator[dict[str, Any]]:
        """Yield the features of one GeoJSON object that has been read whole."""
        kind = value.get("type") if isinstance(value, dict) else None
        if kind == "FeatureCollection" and isinstance(value.get("features"), list):
            for feature in value["features"]:
                yield self._feature(feature, text)
        elif kind in _GEOMETRIES:
            yield {"type": "Feature", "geometry": value, "properties": None}
        else:
            yield self._feature(value, text)

    def _feature(self, value: Any, text: "_Text") -> dict[str, Any]:
        text.read_features += 1
        if self._longest:
            return value  # type: ignore[no-any-return]
        if not isinstance(value, dict) or value.get("type") != "Feature":
            raise UnreadableFileError(
                f"{self._path} is not GeoJSON: number {text.read_features} in it is not a Feature."
            )
        return value


class _Text:
    """A window on a text, in which JSON values are parsed one after the other."""

    def __init__(self, file: TextIO, path: str, longest: int) -> None:
        self._file = file
        self._path = path
        self._longest = longest
        self._buffer = ""
        self._position = 0
        self._dropped = 0
        constant = _refuse_constant if longest else lambda _: None
        self._decode = json.JSONDecoder(parse_constant=constant).raw_decode
        self.read_features = 0

    def error(self, what: str) -> UnreadableFileError:
        """Return the error for something wrong here."""
        return UnreadableFileError(
            f"{self._path} {what} (character {self._dropped + self._position + 1},"
            f" after {self.read_features} features)."
        )

    def peek(self) -> str:
        """Return the next character that is no white space; empty at the end."""
        while True:
            match = _SPACE.match(self._buffer, self._position)
            self._position = match.end() if match else self._position
            if self._position < len(self._buffer):
                return self._buffer[self._position]
            if not self._read_more():
                return ""

    def expect(self, characters: str, otherwise: str = "is not valid JSON") -> str:
        """Pass over one of these characters and return it."""
        character = self.peek()
        if not character:
            raise self.error("ends halfway")
        if character not in characters:
            raise self.error(otherwise)
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
        """Return the next value, reading on until it is whole."""
        if not self.peek():
            raise self.error("ends halfway")
        while True:
            try:
                value, end = self._decode(self._buffer, self._position)
            except json.JSONDecodeError as error:
                unterminated = error.msg.startswith("Unterminated string")
                near_end = error.pos >= len(self._buffer) - _LONGEST_TOKEN
                if (near_end or unterminated) and self._read_more():
                    continue
                if unterminated or error.pos >= len(self._buffer):
                    raise self.error("ends halfway") from error
                self._position = error.pos
                raise self.error(f"is not valid JSON: {error.msg}") from error
            except ValueError as error:
                raise self.error(f"has a number that cannot be kept: {error}") from error
            if end == len(self._buffer) and self._read_more():
                continue  # a number may go on behind the buffer's end
            self._position = end
            return value

    def _read_more(self) -> bool:
        """Add to the buffer as much again as is left of it; false, and no change, at the end."""
        length = len(self._buffer) - self._position
        if self._longest and length > self._longest:
            raise self.error(f"has a value of more than {self._longest:,} characters")
        more = self._file.read(max(_CHUNK, length))
        if more:
            self._dropped += self._position
            self._buffer, self._position = self._buffer[self._position :] + more, 0
        return bool(more)
