"""Degrees in texts: decimal, with minutes, or with minutes and seconds."""

import re
from typing import Literal

from samsyn_admin.imports.readers.tables.coordinates.numbers import Sign

type Axis = Literal["longitude", "latitude"]

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("\u2032\u2019\u2018\u00b4`\u02b9", "'"),
        **dict.fromkeys("\u2033\u201d\u201c\u02ba", '"'),
        **dict.fromkeys("\u00ba\u02da", "\u00b0"),
        "\u2212": "-",
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
    }
)
_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:([.,])[0-9]*)?|([.,])[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_LETTERS = {
    "latitude": {"N": 1, "S": -1},
    "longitude": {"E": 1, "\u00d6": 1, "\u00d8": 1, "W": -1, "V": -1},
}
_NUMBER = r"[0-9]+(?:[.,][0-9]+)?"
_PARTS = re.compile(
    rf"(?P<before>[NSEWV\u00d6\u00d8])?\ *(?P<minus>[+-])?\ *(?P<degrees>{_NUMBER})"
    rf"(?:(?:\ *[\u00b0:D]\ *|\ +)(?P<minutes>{_NUMBER})"
    rf"(?:(?:\ *[':M]\ *|\ +)(?P<seconds>{_NUMBER})\ *(?:\"|'')?|\ *['M])?"
    r"|\ *[\u00b0D])?\ *(?P<after>[NSEWV\u00d6\u00d8])?"
)
_SIXTY = 60


def degrees_of(text: str, axis: Axis, chosen: Sign | None = None) -> float | None:
    """Return the degrees of a text, or None for what is no longitude or latitude.

    Decimal degrees have a point or a comma, or only the chosen sign. A letter of the other axis is
    an error, and so is `O`, which is east in German and west in Spanish.
    """
    text = text.strip()
    plain = _PLAIN.fullmatch(text)
    if plain:
        sign = plain[1] or plain[2]
        if sign and chosen and sign != chosen:
            return None
        return float(text.replace(",", ".") if sign == "," else text)
    return _with_minutes(text.translate(_SIGNS).upper(), axis)


def is_written_as_degrees(text: str) -> bool:
    """Return whether a text has a sign of degrees or a letter that only degrees have."""
    text = text.translate(_SIGNS).upper()
    match = _PARTS.fullmatch(text.strip())
    return match is not None and bool(
        match["before"] or match["after"] or "\u00b0" in text or ":" in text
    )


def _with_minutes(text: str, axis: Axis) -> float | None:
    match = _PARTS.fullmatch(text)
    if match is None or (match["before"] and match["after"]):
        return None
    letter = match["before"] or match["after"]
    direction = _LETTERS[axis].get(letter, 0) if letter else 1
    if not direction or (letter and match["minus"] == "-"):
        return None
    parts = [match[name] for name in ("degrees", "minutes", "seconds") if match[name]]
    if any(not part.isdecimal() for part in parts[:-1]):
        return None  # only the last one has decimal places
    values = [float(part.replace(",", ".")) for part in parts]
    if any(value >= _SIXTY for value in values[1:]):
        return None
    total = sum(value / float(_SIXTY**power) for power, value in enumerate(values))
    return -direction * total if match["minus"] == "-" else direction * total
