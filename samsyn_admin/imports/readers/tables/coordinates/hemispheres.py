"""Hemispheres of degrees: in a heading (`Lon (°W)`), or in a column of their own (`N`, `S`)."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from samsyn_admin.imports.readers.tables.coordinates.degrees import Axis
from samsyn_admin.imports.readers.tables.coordinates.numbers import Cell

type Side = tuple[Axis, int]
"""An axis, and 1 for north and east, -1 for south and west."""

_NAMES: dict[Side, str] = {
    ("latitude", 1): "n north northern nord norr nordlig nördlich norte noord pohjoinen põhi",
    ("latitude", -1): "s south southern syd söder sydlig süd südlich sud sur sul zuid etelä lõuna",
    ("longitude", 1): "e east eastern ö ø ost öst øst öster östlig östlich est este oost itä ida"
    " lone longe",
    ("longitude", -1): "w west v western väst väster västlig vest vestlig westlich ouest oeste"
    " ovest länsi lääs lonw longw",
}
SIDES: dict[str, Side] = {name: side for side, names in _NAMES.items() for name in names.split()}
_ENGLISH = {side: names.split()[1] for side, names in _NAMES.items()}
_EITHER = "o"  # east in German, west in Spanish
_APART = frozenset(
    {"hem", "hemi", "hemisphere", "hemisfär", "hemisphäre", "hemisfere", "halvklot"}
    | {"ns", "sn", "ew", "we"}
)
_OF_AN_AXIS = re.compile(
    r"(?:gps)?(?:lat|latitude|latitud|lon|lng|long|longitude|longitud)"
    r"(?:ref|dir|direction|hem|hemi|hemisphere|ns|ew|h)"
)
_CODES = frozenset({"1", "-1", "0", "2", "1.0", "-1.0", "+", "-", "+1", _EITHER})
_DEGREE_SIGNS = str.maketrans("\u00ba\u02da", "\u00b0\u00b0")
_BRACKETS = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_CAMEL = re.compile(r"(?<=[a-zåäö])(?=[A-ZÅÄÖØ])")
_WORD = re.compile(r"[^\W\d_]*\d+|[^\W\d_]+")
_ZONE = re.compile(r"(?:utm|zone|zon)?(?:[1-9]|[1-5][0-9]|60)", re.IGNORECASE)
_BRACKETED_MINUS = re.compile(r"[(\[][^)\]]*[-\u2212][^)\]]*[)\]]|\bneg", re.IGNORECASE)
_OTHER_WAY_ROUND = re.compile(
    r"(?<![^\W\d_])(?:[swv]|south|west)[\s=]*(?:\+|pos)"
    r"|(?:\+|pos\w*)[\s=]*(?:[swv]|south|west)(?![^\W\d_])",
    re.IGNORECASE,
)
_MINUS = ("-", "\u2212")
_LETTERS = frozenset("NSEWV\u00d6\u00d8")
_EQUATOR: Side = ("latitude", 0)


@dataclass(frozen=True, slots=True)
class Hemisphere:
    """On which side the degrees of a column are: 1, -1, or that in another column.

    `repeats` says that the degrees have their signs already; `may_be_blank` that the other column
    is empty as far as it was looked at.
    """

    axis: Axis
    side: int = 0
    column: int | None = None
    repeats: bool = False
    may_be_blank: bool = False

    @property
    def is_of_degrees(self) -> bool:
        """Whether the column can only have degrees."""
        return self.side < 0 or self.column is not None

    def signed(self, value: float, cells: Sequence[Cell], cell: Cell) -> float | None:
        """Return degrees with their sign, or None where it contradicts the hemisphere."""
        side = self.side
        if self.column is not None:
            text = str(cells[self.column]).strip()
            if not text and self.may_be_blank:
                return value
            axis, side = _side_of(text) or _EQUATOR
            if not side or axis != self.axis:
                return None
        if not side:
            return value
        has_letter = isinstance(cell, str) and not _LETTERS.isdisjoint(cell.upper())
        if has_letter or self.repeats:
            return value if value * side >= 0 else None
        if value < 0:
            return value if self.column is None and side > 0 else None
        return side * value


def find_hemispheres(
    header: Sequence[str],
    sample: Sequence[Sequence[Cell]],
    pair: tuple[int, int],
    *,
    is_in_degrees: bool,
    is_chosen: bool,
) -> tuple[Hemisphere, Hemisphere] | str:
    """Return the hemispheres of the columns x and y, or what is to be asked.

    Of columns that were chosen only what is certain is said.
    """
    found: list[Hemisphere] = []
    apart = _columns_apart(header, sample, pair)
    if isinstance(apart, str) and not is_chosen:
        return apart
    columns = {} if isinstance(apart, str) else apart
    has_both = len({axis for axis, _ in columns.values()}) == len(columns) == 2
    axes: tuple[Axis, Axis] = ("longitude", "latitude")
    for index, axis in zip(pair, axes, strict=True):
        side = _side_of_heading(header[index], axis, is_chosen=is_chosen)
        if isinstance(side, str):
            return side
        own = [
            (column, is_named)
            for column, (of_axis, is_named) in columns.items()
            if of_axis == axis and (has_both or is_in_degrees)
        ]
        sure = [column for column, is_named in own if is_named or has_both]
        near = [
            column
            for column, _ in own
            if abs(column - index) == 1
            and any(_side_of(str(cells[column]).strip()) == (axis, -1) for cells in sample)
        ]
        if len(sure) > 1 or (near and not sure and not is_chosen):
            names = ", ".join(repr(header[column]) for column in sure or near)
            return (
                f"has the {axis} in {header[index]!r}, and in {names} what may be its hemisphere:"
                f" name the column of the hemisphere 'hemisphere {axis}', or choose the columns of"
                " coordinates (--x and --y)."
            )
        if sure:
            found.append(_from_column(sample, axis, index, sure[0]))
        else:
            found.append(Hemisphere(axis, side))
    return found[0], found[1]


def hemisphere_notes(
    header: Sequence[str], indexes: Sequence[int], hemispheres: Sequence[Hemisphere]
) -> tuple[str, ...]:
    """Return what the user should know of the hemispheres that were read."""
    notes = []
    for index, one in zip(indexes, hemispheres, strict=True):
        if one.column is not None:
            notes.append(f"{header[one.column]!r} was read as the hemisphere of {header[index]!r}.")
        elif one.side < 0:
            notes.append(f"{header[index]!r} was read as degrees {_ENGLISH[one.axis, one.side]}.")
    return tuple(notes)


def without_side(text: str) -> str:
    """Return a heading without the one hemisphere that it names: `Lat` of `Lat N`."""
    words = _words(_BRACKETS.sub(" ", text))
    kept = [word for word in words if word.casefold() not in SIDES]
    return " ".join(kept) if kept and len(kept) == len(words) - 1 else text


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFC", text).translate(_DEGREE_SIGNS)
    return _WORD.findall(_CAMEL.sub(" ", plain))


@lru_cache
def _side_of(text: str) -> Side | None:
    """Return the hemisphere that the value of a cell is."""
    words = _words(text)
    return SIDES.get(words[0].casefold()) if len(words) == 1 else None


def _side_of_heading(text: str, axis: Axis, *, is_chosen: bool) -> int | str:
    words = _words(text)
    sides: set[Side] = set()
    for before, word in zip(["", *words], words, strict=False):
        is_second = word in {"s", "S"} and before in {"m", "M", "min", "MIN"}
        if is_second and before.isupper() == word.isupper():
            continue
        if word.casefold() in {"n", "s"} and _ZONE.fullmatch(before):
            continue  # of a UTM projection
        if word.casefold() == _EITHER and len(words) > 1 and axis == "longitude":
            return f"has the heading {text!r}, where O may be east or west: write E or W."
        if side := SIDES.get(word.casefold()):
            sides.add(side)
    own = {side for of_axis, side in sides if of_axis == axis}
    other = {side for of_axis, side in sides if of_axis != axis}
    if other and (not is_chosen or -1 in other):
        return f"has the heading {text!r} for its {axis}: choose the columns (--x and --y)."
    is_doubtful = -1 in own and (
        _OTHER_WAY_ROUND.search(text) if len(own) > 1 else _BRACKETED_MINUS.search(text)
    )
    if is_doubtful:
        return (
            f"has the heading {text!r}, which leaves open which {axis}s are negative: name the"
            f" column {axis}, with negative numbers for {_ENGLISH[axis, -1]}."
        )
    return own.pop() if len(own) == 1 else 0


def _columns_apart(
    header: Sequence[str], sample: Sequence[Sequence[Cell]], others: Sequence[int]
) -> dict[int, tuple[Axis, bool]] | str:
    """Return the columns that hold hemispheres, of which axis, and whether they are named so."""
    columns: dict[int, tuple[Axis, bool]] = {}
    for index, name in enumerate(header):
        if index in others:
            continue
        values = [text for cells in sample if (text := str(cells[index]).strip())]
        is_named = _is_named_apart(name)
        if not is_named and (not values or _side_of(values[0]) is None):
            continue
        sides = [_side_of(text) for text in values]
        axes = {side[0] for side in sides if side}
        known = sum(side is not None for side in sides)
        if len(axes) == 1 and (known == len(values) or (is_named and 2 * known > len(values))):
            columns[index] = axes.pop(), is_named
        elif is_named and not values and (axis := _axis_of_heading(name)):
            columns[index] = axis, True
        elif is_named and values and {text.casefold() for text in values} <= _CODES:
            return (
                f"has hemispheres in {name!r} as {values[0]!r}, which is not read: write N and S,"
                " E and W, or choose the columns of coordinates (--x and --y)."
            )
    return columns


def _is_named_apart(name: str) -> bool:
    words = [word.casefold() for word in _words(name)]
    joined = "".join(words)
    return joined in _APART or bool(_APART & set(words)) or bool(_OF_AN_AXIS.fullmatch(joined))


def _axis_of_heading(name: str) -> Axis | None:
    joined = "".join(_words(name)).casefold()
    if joined.startswith(("lat", "gpslat")) or joined in {"ns", "sn"}:
        return "latitude"
    return "longitude" if joined.startswith(("lon", "gpslon")) or joined in {"ew", "we"} else None


def _from_column(
    sample: Sequence[Sequence[Cell]], axis: Axis, index: int, column: int
) -> Hemisphere:
    negative: list[bool] = []
    south_or_west: list[bool] = []
    for cells in sample:
        side = _side_of(str(cells[column]).strip())
        if side and str(cells[index]).strip():
            negative.append(str(cells[index]).strip().startswith(_MINUS))
            south_or_west.append(side[1] < 0)
    repeats = any(negative) and negative == south_or_west
    is_blank = not any(str(cells[column]).strip() for cells in sample)
    return Hemisphere(axis, column=column, repeats=repeats, may_be_blank=is_blank)
