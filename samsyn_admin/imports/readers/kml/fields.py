"""The fields of placemarks: what a file has, with the types that it declares or its values have."""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from samsyn_admin.imports.readers.kml.document import Element
from samsyn_model.properties.schema import Kind, merged, unique_names

type Field = tuple[str, str]
"""Where a value stands (an element of KML, or data of the author's), and its name there."""

_ELEMENTS = ("name", "description", "address", "phoneNumber", "visibility", "snippet", "Snippet")
_INTEGER = re.compile(r"-?(?:0|[1-9]\d*)", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_MAX_DIGITS = 4000  # Python refuses to convert more
_DECLARED = {
    **dict.fromkeys(("int", "uint", "short", "ushort", "long"), Kind.INTEGER),
    **dict.fromkeys(("float", "double"), Kind.NUMBER),
    "bool": Kind.BOOLEAN,
    "string": Kind.STRING,
}


def values_of(placemark: Element) -> Iterator[tuple[Field, str | list[str]]]:
    """Yield the fields of a placemark that have a value, with its text."""
    for name in _ELEMENTS:
        if (value := placemark.value(name)) is not None:
            yield ("element", name.lower() if name == "Snippet" else name), value
    yield from _times(placemark)
    for data in placemark.all("ExtendedData"):
        for child in data.children:
            if child.name == "SchemaData":
                yield from _schema_data(child)
            elif child.name == "Data":
                value = child.value("value")
                if value is not None and child.attributes.get("name"):
                    yield ("data", child.attributes["name"]), value
            elif child.text.strip() and not child.children:
                yield ("data", child.name), child.text.strip()


def _schema_data(data: Element) -> Iterator[tuple[Field, str | list[str]]]:
    for child in data.children:
        name = child.attributes.get("name")
        if child.name == "SimpleData" and name and child.text.strip():
            yield ("data", name), child.text.strip()
        elif child.name == "SimpleArrayData" and name:
            yield ("data", name), [value.text.strip() for value in child.all("value")]


def _times(placemark: Element) -> Iterator[tuple[Field, str]]:
    stamp, span = placemark.child("TimeStamp"), placemark.child("TimeSpan")
    if stamp and (when := stamp.value("when")):
        yield ("element", "timestamp"), when
    if span:
        for name in ("begin", "end"):
            if (value := span.value(name)) is not None:
                yield ("element", name), value
        return
    moments = [text for track in _tracks(placemark) for text in _whens(track)]
    if moments:
        yield ("element", "begin"), moments[0]
        yield ("element", "end"), moments[-1]


def _tracks(element: Element) -> Iterator[Element]:
    for child in element.children:
        if child.name == "Track":
            yield child
        elif child.name in {"MultiTrack", "MultiGeometry"}:
            yield from _tracks(child)


def _whens(track: Element) -> list[str]:
    return [text for when in track.all("when") if (text := when.text.strip())]


def declared_kinds(schema: Element) -> Iterator[tuple[str, Kind]]:
    """Yield the names and kinds of the fields that a Schema declares."""
    for child in schema.children:
        name = child.attributes.get("name")
        kind = _DECLARED.get(child.attributes.get("type", "").lower())
        if child.name == "SimpleField" and name and kind:
            yield name, kind


def kind_of(text: str | list[str]) -> Kind:
    """Return the kind of a value that has no declared one: number, boolean or text."""
    if isinstance(text, list):
        return Kind.ARRAY
    if _INTEGER.fullmatch(text) and len(text) < _MAX_DIGITS:
        return Kind.INTEGER
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return Kind.NUMBER
    return Kind.BOOLEAN if text.lower() in {"true", "false"} else Kind.STRING


class FieldKinds:
    """The fields of a layer in the order in which they appear, elements of KML first."""

    def __init__(self) -> None:
        self._kinds: dict[Field, Kind | None] = {}

    def observe(self, fields: Iterable[tuple[Field, str | list[str]]]) -> None:
        """Observe the values of a placemark."""
        for field, text in fields:
            known = self._kinds.get(field)
            if known is not Kind.STRING:
                kind = Kind.STRING if field[0] == "element" else kind_of(text)
                wider = merged(known, kind)
                self._kinds[field] = Kind.STRING if wider is Kind.JSON_VALUE else wider

    def declare(self, kinds: dict[str, Kind]) -> None:
        """Take the declared kinds of fields that have values."""
        for field in self._kinds:
            if field[0] == "data" and field[1] in kinds:
                self._kinds[field] = kinds[field[1]]

    def columns(self) -> dict[Field, tuple[str, Kind | None]]:
        """Return the name of each field in the layer, each another, and its kind."""
        ordered = sorted(self._kinds, key=lambda field: field[0] != "element")
        names = unique_names([name for _, name in ordered])
        return {
            field: (name, self._kinds[field]) for field, name in zip(ordered, names, strict=True)
        }


def _boolean(text: str) -> bool:
    return _BOOLEANS[text.lower()]


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text.removeprefix("+")):
        raise ValueError
    return int(text)


def _number(text: str) -> float | int:
    if _INTEGER.fullmatch(text):
        return int(text)
    if not re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", text, re.ASCII):
        raise ValueError
    return float(text)


CONVERSIONS: dict[Kind | None, Callable[[Any], Any]] = {
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.BOOLEAN: _boolean,
}
"""Each raises ValueError, or KeyError, for a text that is none."""
