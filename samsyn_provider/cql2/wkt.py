"""Geometries and boxes in CQL2 text: WKT, parsed into GeoJSON."""

from typing import Any

from samsyn_provider.cql2.tokens import TokenReader

_TYPES = {
    "point": ("Point", 0),
    "linestring": ("LineString", 1),
    "polygon": ("Polygon", 2),
    "multipoint": ("MultiPoint", 1),
    "multilinestring": ("MultiLineString", 2),
    "multipolygon": ("MultiPolygon", 3),
}
"""The GeoJSON type of a WKT type, and the depth of arrays around its positions."""
_COLLECTION = "geometrycollection"
GEOMETRY_WORDS = frozenset({*_TYPES, _COLLECTION})
"""The words that a geometry begins with, in lower case."""


def read_geometry(tokens: TokenReader, word: str) -> dict[str, Any]:
    """Return the GeoJSON geometry after one of GEOMETRY_WORDS, which has been passed."""
    if tokens.is_word("z"):
        tokens.advance()
    if word == _COLLECTION:
        tokens.expect("(")
        members = [_member(tokens)]
        while tokens.is_sign(","):
            tokens.advance()
            members.append(_member(tokens))
        tokens.expect(")")
        return {"type": "GeometryCollection", "geometries": members}
    kind, nesting = _TYPES[word]
    return {"type": kind, "coordinates": _coordinates(tokens, nesting, kind)}


def read_bbox(tokens: TokenReader) -> list[Any]:
    """Return the numbers after the word BBOX, which has been passed."""
    tokens.expect("(")
    numbers = [tokens.signed_number()]
    while tokens.is_sign(","):
        tokens.advance()
        numbers.append(tokens.signed_number())
    tokens.expect(")")
    return numbers


def _member(tokens: TokenReader) -> dict[str, Any]:
    if not tokens.is_word(*_TYPES):
        raise tokens.fault("a geometry")
    return read_geometry(tokens, tokens.advance().lower())


def _coordinates(tokens: TokenReader, nesting: int, kind: str) -> list[Any]:
    tokens.expect("(")
    if nesting == 0:
        coordinates = _position(tokens)
    else:
        coordinates = [_part(tokens, nesting, kind)]
        while tokens.is_sign(","):
            tokens.advance()
            coordinates.append(_part(tokens, nesting, kind))
    tokens.expect(")")
    return coordinates


def _part(tokens: TokenReader, nesting: int, kind: str) -> list[Any]:
    if nesting > 1 or (kind == "MultiPoint" and tokens.is_sign("(")):
        return _coordinates(tokens, nesting - 1, kind)
    return _position(tokens)


def _position(tokens: TokenReader) -> list[Any]:
    position = [tokens.signed_number()]
    while not (tokens.is_sign(",") or tokens.is_sign(")")):
        position.append(tokens.signed_number())
    return position
