"""XML before GDAL reads it: nothing that expands, and what GDAL does not tell."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from xml.parsers import expat

from samsyn_model.errors import UnreadableFileError

_MAX_DEPTH = 100
_MEMBERS = ("member", "Member", "Members")  # of a collection; those of geometries are in features
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T.*)?")
_MAX_DATE = 40  # characters
_EPSG = re.compile(r"epsg.*?(\d+)$", re.IGNORECASE)


@dataclass(slots=True)
class XmlContent:
    """What a file of XML has."""

    names: set[str] = field(default_factory=set)
    """The names of its elements, without namespaces."""
    systems: dict[str, set[str]] = field(default_factory=dict)
    """The CRS of the geometries of each feature type, as their `srsName` states."""
    impossible_dates: int = 0
    references: int = 0
    """How many elements refer to others by `xlink:href`."""
    counts: Counter[str] = field(default_factory=Counter)
    """How many features of each type there are."""
    unreadable: dict[str, dict[str, tuple[int, str]]] = field(default_factory=dict)
    """The numbers of features whose coordinates cannot be read, with the reason, by their ids."""


def check_xml(path: Path, is_root: Callable[[str], bool], format_name: str) -> XmlContent:
    """Return what a file has whose root element has a name that `is_root` accepts.

    Raises UnreadableFileError for XML that is not valid, is nested deeply, or has a document type
    declaration, and with it entities.
    """
    reading = _Reading(path, is_root, format_name)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.text
    parser.StartDoctypeDeclHandler = reading.refuse_doctype
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except (expat.ExpatError, LookupError) as error:  # the latter for an unknown encoding
        raise UnreadableFileError(f"{path} is not valid XML: {error}.") from error
    return reading.content


class _Reading:
    """The handlers of one parsing."""

    def __init__(self, path: Path, is_root: Callable[[str], bool], format_name: str) -> None:
        self.content = XmlContent()
        self._path = path
        self._is_root = is_root
        self._format = format_name
        self._open: list[str] = []
        self._feature: tuple[str, int] | None = None
        self._id = ""
        self._reason: str | None = None
        self._coordinates: list[str] | None = None
        self._in_bounds = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        plain = name.rpartition(":")[2]
        depth = len(self._open)
        if not depth and not self._is_root(plain):
            raise UnreadableFileError(
                f"{self._path} is not {self._format}: its root element is {name[:100]!r}."
            )
        if depth >= _MAX_DEPTH:
            raise UnreadableFileError(
                f"{self._path} is nested too deeply: XML has at most {_MAX_DEPTH} levels here."
            )
        if self._feature is None and depth and self._open[-1].endswith(_MEMBERS):
            self._feature = (plain, depth)
            self._id = attributes.get("gml:id") or attributes.get("fid") or ""
            self.content.counts[plain] += 1
        self._open.append(plain)
        self.content.names.add(plain)
        self._in_bounds += plain == "boundedBy"
        for attribute, value in attributes.items():
            if attribute == "xlink:href":
                self.content.references += 1
            elif attribute == "srsName" and self._feature and not self._in_bounds:
                systems = self.content.systems.setdefault(self._feature[0], set())
                systems.add(crs_of_name(value))
        if plain in _COORDINATES and not self._in_bounds:
            self._coordinates = []

    def end(self, _: str) -> None:
        name = self._open.pop()
        self._in_bounds -= name == "boundedBy"
        if self._coordinates is not None and name in _COORDINATES:
            self._reason = self._reason or _fault("".join(self._coordinates), name)
            self._coordinates = None
            if self._reason and not self._feature:
                raise UnreadableFileError(f"{self._path} cannot be read: {self._reason}")
        if self._feature and len(self._open) == self._feature[1]:
            if self._reason:
                kind = self._feature[0]
                by_id = self.content.unreadable.setdefault(kind, {})
                by_id[self._id] = (self.content.counts[kind], self._reason)
            self._feature = self._reason = None

    def text(self, text: str) -> None:
        if self._coordinates is not None:
            self._coordinates.append(text)
            return
        match = _DATE.fullmatch(text) if len(text) <= _MAX_DATE else None
        if match:
            try:
                date(*map(int, match.groups()))
            except ValueError:
                self.content.impossible_dates += 1

    def refuse_doctype(self, *_: object) -> None:
        raise UnreadableFileError(
            f"{self._path} has a document type declaration (<!DOCTYPE>), which is not read: delete"
            " it."
        )


_COORDINATES = frozenset({"pos", "posList", "coordinates"})
_NOT_NUMERIC = re.compile(r"[^\s0-9eE+\-.,;]")


def _fault(coordinates: str, element: str) -> str | None:
    found = _NOT_NUMERIC.search(coordinates)
    if found:
        around = coordinates[max(found.start() - 10, 0) : found.start() + 20].strip()
        return f"The geometry has a coordinate that is not a number: {around!r}."
    if element == "pos" and len(coordinates.split()) < 2:
        return "The geometry has a position with fewer than two numbers."
    return None


def crs_of_name(name: str) -> str:
    """Return the CRS of an `srsName` in one form: `EPSG:3006` for every form of it."""
    code = _EPSG.search(name)
    return f"EPSG:{code[1]}" if code else name
