"""Which columns of a table hold coordinates, by their headings.

A heading is compared without its case, accents, units in brackets and words such as `koordinat`.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from samsyn_admin.imports.readers.tables.coordinates.heading_words import (
    AMBIGUOUS,
    DEGREES,
    LATITUDES,
    LONGITUDES,
    MINUTES,
    NORTH_EAST,
    QUALIFIERS,
    SYSTEMS,
    WKT,
)
from samsyn_admin.imports.readers.tables.coordinates.hemispheres import without_side

type Family = Literal["degrees", "projected", "plane"]

_BRACKETS = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_LETTERS = str.maketrans(
    {"æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ß": "ss"}
)
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading in words without accents: all of them, and those that matter."""

    words: tuple[str, ...]
    core: str

    @property
    def joined(self) -> str:
        """The words as one."""
        return "".join(self.words)


@dataclass(frozen=True, slots=True)
class Pair:
    """Columns of x and y: degrees, projected ones (northing and easting), or either (x and y).

    `system` is the EPSG code of the CRS that the headings name, if they do; `is_ambiguous` says
    that the words are those for length and width too.
    """

    x: int
    y: int
    family: Family
    system: int | None = None
    is_ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class Candidates:
    """The columns that may hold the geometry: at most one kind is to be taken."""

    wkt: tuple[int, ...]
    pairs: tuple[Pair, ...]


def heading(text: str) -> Heading:
    """Return a heading in the form in which it is compared."""
    plain = _BRACKETS.sub(" ", text.casefold().translate(_LETTERS)) or text.casefold()
    plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    words = tuple(_WORD.findall(plain.replace("_", " ")))
    core = [word for word in words if word not in QUALIFIERS and word not in SYSTEMS]
    return Heading(words, "".join(core) if core else "".join(words))


def find_candidates(texts: Sequence[str]) -> Candidates:
    """Return the columns whose headings are those of a geometry or of coordinates."""
    headings = [heading(text) for text in texts]
    wkt = tuple(i for i, one in enumerate(headings) if one.joined in WKT or one.core in WKT)
    of_degrees = [heading(without_side(text)) for text in texts]
    for pairs in (
        _pairs(headings, LONGITUDES, LATITUDES, "degrees"),
        _pairs(of_degrees, LONGITUDES, LATITUDES, "degrees"),
        [
            replace(pair, is_ambiguous=True)
            for x, y in AMBIGUOUS
            for pair in _pairs(of_degrees, {x}, {y}, "degrees")
        ],
        [
            *(pair for x, y in NORTH_EAST for pair in _pairs(headings, x, y, "projected")),
            *_pairs(headings, {"x"}, {"y"}, "plane"),
        ],
    ):
        if pairs:
            return Candidates(wkt, tuple(pairs))
    return Candidates(wkt, ())


def has_minutes_apart(texts: Sequence[str], pair: Pair) -> bool:
    """Return whether a pair is of whole degrees, whose minutes are in other columns."""
    degrees = {word for index in (pair.x, pair.y) for word in heading(texts[index]).words}
    others = {word for text in texts for word in heading(text).words}
    return bool(degrees & DEGREES) and bool(others & MINUTES)


def chosen_pair(texts: Sequence[str], x: int, y: int) -> Pair:
    """Return the pair of columns that a user chose."""
    one, other = heading(texts[x]), heading(texts[y])
    names = {_name(heading(without_side(texts[x]))), _name(heading(without_side(texts[y])))}
    family: Family = "plane"
    if names & (LATITUDES | LONGITUDES):
        family = "degrees"
    elif any(names & (easts | norths) for easts, norths in NORTH_EAST):
        family = "projected"
    return Pair(x, y, family, _system(one, other))


def _pairs(
    headings: Sequence[Heading],
    easts: set[str] | frozenset[str],
    norths: set[str] | frozenset[str],
    family: Family,
) -> list[Pair]:
    """Return the pairs of columns with these names: more than one where it is open which."""
    xs = [i for i, one in enumerate(headings) if _is_named(one, easts)]
    ys = [i for i, one in enumerate(headings) if _is_named(one, norths)]
    decimal_xs = [i for i in xs if "dms" not in headings[i].words]
    decimal_ys = [i for i in ys if "dms" not in headings[i].words]
    if len(decimal_xs) == len(decimal_ys) == 1:
        xs, ys = decimal_xs, decimal_ys
    return [
        Pair(x, y, family, _system(headings[x], headings[y]) if family != "degrees" else None)
        for x in xs
        for y in ys
    ]


def _is_named(one: Heading, names: set[str] | frozenset[str]) -> bool:
    return one.joined in names or _name(one) in names


def _name(one: Heading) -> str:
    """Return the word of a heading that says which axis it is: `x` of `XKOORD` and `POINT_X`."""
    core = one.core
    for word in ("koordinaten", "koordinat", "koordinaatti", "coordinate", "coord", "koord"):
        core = core.removesuffix(word) or core
    for word in ("gps", "wgs84", "utm", *SYSTEMS):
        core = core.removeprefix(word) or core
        core = core.removesuffix(word) or core
    return core


def _system(*headings: Heading) -> int | None:
    """Return the EPSG code of the CRS that all of the headings name."""
    codes = {_code(one) for one in headings}
    return codes.pop() if len(codes) == 1 else None


def _code(one: Heading) -> int | None:
    text = one.joined
    found = {code for word, code in SYSTEMS.items() if code and word in text}
    return found.pop() if len(found) == 1 else None
