"""GeoJSON text of any size as a stream of features: one collection, or a text sequence."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

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


class GeoJSONText:
    """GeoJSON: a FeatureCollection, a Feature, a geometry, or a sequence of them.

    Sequences may be newline-delimited or of RFC 8142 (with record separators). `crs_member` is an
    object with the collection's `crs` member (GeoJSON 2008), once read, and empty without one.
    """

    def __init__(
        self,
        source: Path | TextIO,
        name: str = "",
        *,
        max_length: int = 0,
        crs_is_given: bool = False,
    ) -> None:
        """Read a file; `name` is its name in errors.

        `max_length` limits the characters of a value; with it NaN and infinities are errors rather
        than null, and members that are not Features are returned to the caller. With
        `crs_is_given`, `crs` members have no effect.
        """
        self._source = source
        self._path = name or str(source)
        self._max_length = max_length
        self._crs_is_given = crs_is_given
        self.crs_member: dict[str, Any] = {}

    def features(self) -> Iterator[dict[str, Any]]:
        """Yield the features as they are parsed.

        Raises UnreadableFileError, also when the file is truncated.
        """
        self.crs_member = {}
        source = self._source
        opened = source.open(encoding="utf-8-sig") if isinstance(source, Path) else source
        with opened as file:
            text = _Text(file, self._path, self._max_length)
            try:
                if text.peek() == "":
                    raise text.error("is empty")
                yield from self._first_object(text)
                while text.peek():
                    yield from self._features_of(text.value(), text)
            except UnicodeDecodeError as error:
                raise UnreadableFileError(f"{self._path} is not UTF-8 text: {error}") from error
            except RecursionError as error:
                raise UnreadableFileError(f"{self._path} is nested too deeply.") from error

    def _first_object(self, text: "_Text") -> Iterator[dict[str, Any]]:
        """Yield the features of the first object, which need not fit in memory."""
        text.expect("{", "is not GeoJSON")
        members: dict[str, Any] = {}
        has_features = False
        separator = text.peek()
        while separator != "}":
            name = text.value()
            text.expect(":")
            if name == "features" and text.peek() == "[":
                has_features = True
                self.crs_member = {"crs": members["crs"]} if "crs" in members else {}
                for feature in text.array():
                    yield self._feature(feature, text)
            else:
                members[name] = text.value()
                if name == "crs" and has_features and not self._crs_is_given:
                    if crs_name(members["crs"]) is not None or not self._max_length:
                        raise self._late_crs("after its features")
                    self.crs_member = {"crs": members["crs"]}
            separator = text.expect(",}")
        if not members and not has_features:
            text.expect("}")
        if not has_features:
            yield from self._features_of(members, text)
        elif members.get("type", "FeatureCollection") != "FeatureCollection":
            raise text.error(f"has features in a {members['type']!r}")

    def _late_crs(self, where: str) -> UnreadableFileError:
        advice = "" if self._max_length else ": specify it with --crs"
        return UnreadableFileError(f"{self._path} names its CRS {where}{advice}.")

    def _features_of(self, value: Any, text: "_Text") -> Iterator[dict[str, Any]]:
        """Yield the features of one parsed GeoJSON object."""
        kind = value.get("type") if isinstance(value, dict) else None
        if kind == "FeatureCollection" and isinstance(value.get("features"), list):
            if "crs" in value and not self._crs_is_given:
                raise self._late_crs("in a later collection")
            for feature in value["features"]:
                yield self._feature(feature, text)
        elif isinstance(kind, str) and kind in _GEOMETRIES:
            yield {"type": "Feature", "geometry": value, "properties": None}
        else:
            yield self._feature(value, text)

    def _feature(self, value: Any, text: "_Text") -> dict[str, Any]:
        text.read_features += 1
        if self._max_length:
            return value  # type: ignore[no-any-return]
        if not isinstance(value, dict) or value.get("type") != "Feature":
            raise UnreadableFileError(
                f"{self._path} is not GeoJSON: number {text.read_features} is not a Feature."
            )
        return value


class _Text:
    """A buffer over a text, in which JSON values are parsed one after another."""

    def __init__(self, file: TextIO, path: str, max_length: int) -> None:
        self._file = file
        self._path = path
        self._max_length = max_length
        self._buffer = ""
        self._position = 0
        self._dropped = 0
        constant = _refuse_constant if max_length else lambda _: None
        self._decode = json.JSONDecoder(parse_constant=constant).raw_decode
        self.read_features = 0

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
