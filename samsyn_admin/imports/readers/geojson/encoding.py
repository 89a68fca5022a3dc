"""The encoding of a JSON file: UTF-8 as the standard has it, or what programs write instead."""

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from samsyn_model.errors import InvalidParameterError, UnreadableFileError

_CHUNK = 1024 * 1024
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks; that of UTF-16 is the beginning of that of UTF-32."""


@dataclass(frozen=True, slots=True)
class JSONEncoding:
    """How the bytes of a file are characters, how that was found out, and whether it matters."""

    codec: str
    name: str
    origin: str

    def open(self, path: Path) -> TextIO:
        """Return the text of a file in this encoding."""
        return path.open(encoding=self.codec)


def json_encoding(path: Path, requested: str | None = None) -> JSONEncoding:
    """Return the encoding of a JSON file, which is read to its end.

    It is the `requested` one, or what its first bytes show, or UTF-8 where the file is valid, else
    Windows-1252. Raises UnreadableFileError where the bytes are in none of them, or most of them
    are UTF-8 and some are damaged; InvalidParameterError for an unknown encoding.
    """
    with path.open("rb") as file:
        start = file.read(4)
    codec, origin = "utf-8-sig", "all texts are valid UTF-8"
    if requested is not None:
        codec, origin = _known(requested), "as chosen"
    elif marked := _marked(start):
        codec, origin = marked, "the first bytes of the file"
    found = JSONEncoding(codec, _name(codec), origin)
    reason = _decoding_fault(path, found)
    if reason is None:
        return found
    if codec != "utf-8-sig" or requested is not None:
        raise UnreadableFileError(f"{path} is not {found.name} text: {reason}.")
    windows = JSONEncoding("cp1252", "Windows-1252", "assumed: the texts are not UTF-8")
    if _is_damaged_utf8(path) or _decoding_fault(path, windows) is not None:
        raise UnreadableFileError(
            f"{path} is not UTF-8 text: {reason}. Name its encoding with --encoding, such as"
            " --encoding cp1252, or save it as UTF-8."
        )
    return windows


def _known(name: str) -> str:
    try:
        "".encode(name)
    except LookupError as error:
        raise InvalidParameterError(f"{name[:100]!r} is not a known encoding of text.") from error
    codec = codecs.lookup(name).name
    return "utf-8-sig" if codec == "utf-8" else codec


def _marked(start: bytes) -> str | None:
    for mark, codec in _MARKS:
        if start.startswith(mark):
            return codec
    if start.startswith(b"\0\0\0"):
        return "utf-32-be"
    if start.startswith(b"\0"):
        return "utf-16-be"
    if start[1:4] == b"\0\0\0":
        return "utf-32-le"
    return "utf-16-le" if start[1:2] == b"\0" else None


def _name(codec: str) -> str:
    return codec.removesuffix("-sig").upper()


def _decoding_fault(path: Path, encoding: JSONEncoding) -> str | None:
    """Return why a file cannot be decoded; None where it can."""
    try:
        with encoding.open(path) as file:
            while file.read(_CHUNK):
                pass
    except UnicodeError as error:
        return str(error)
    return None


def _is_damaged_utf8(path: Path) -> bool:
    """Return whether the characters beyond ASCII are rather those of UTF-8 than single bytes."""
    valid = damaged = 0
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        while chunk := file.read(_CHUNK):
            escaped = sum("\udc80" <= character <= "\udcff" for character in chunk)
            damaged += escaped
            valid += sum(character > "\x7f" for character in chunk) - escaped
    return valid >= max(damaged, 1)
