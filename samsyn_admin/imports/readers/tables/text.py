"""How a text file of a table is written: its encoding, and what separates its values."""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from samsyn_model.errors import InvalidParameterError, UnreadableFileError

MAX_LINE = 64 * 1024 * 1024
"""The maximum length of a line in characters: no text may fill the memory."""
_CHUNK = 1024 * 1024
_SAMPLE_ROWS = 50
_DELIMITERS = ",;\t|"
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_ESCAPED = re.compile("[\ud800-\udfff]")
_MULTIBYTE = re.compile("[^\x00-\x7f\ud800-\udfff]")
_NUMBERED_PAGE = re.compile(r"(?:ansi|oem|cp|windows|ms)?[ _-]?([0-9]{3,5})", re.IGNORECASE)
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MOSTLY = 0.9


@dataclass(frozen=True, slots=True)
class TextEncoding:
    """The encoding of a file: Python's name of it, that for people, and how it was found out.

    A byte that is not of the encoding becomes a lone surrogate (`is_damaged`), unless the encoding
    `is_sound`: all of the file was looked at.
    """

    codec: str
    name: str
    origin: str
    has_mark: bool = False
    is_sound: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """What separates the values of a line, and how many lines come before the header."""

    delimiter: str
    first_lines: int = 0


def is_damaged(text: str) -> bool:
    """Return whether a text was read from bytes that are not of the file's encoding."""
    return not text.isascii() and _ESCAPED.search(text) is not None


def chosen_codec(name: str) -> str:
    """Return Python's name of an encoding that a user chose: `1252` and `ANSI 1252` are known too.

    Raises InvalidParameterError.
    """
    page = _NUMBERED_PAGE.fullmatch(name.strip())
    names = [name.strip(), *([f"cp{page[1]}"] if page else [])]
    for candidate in names:
        try:
            codec = codecs.lookup("utf-8" if candidate == "cp65001" else candidate)
            "".encode(codec.name)
        except (LookupError, ValueError):
            continue
        return codec.name
    raise InvalidParameterError(f"{name[:100]!r} is not a known encoding of texts.")


def find_encoding(path: Path, chosen: str | None) -> TextEncoding:
    """Return the encoding of a text file: the chosen one; that of its byte order mark; UTF-8, also
    with a few bytes that are not; else Windows-1252.

    Raises UnreadableFileError where it can be none of these, InvalidParameterError for a chosen one
    that is unknown.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    has_mark = start.startswith(codecs.BOM_UTF8)
    if chosen is not None:
        codec = chosen_codec(chosen)
        codec = {"utf-8": "utf-8-sig", "utf-16-le": "utf-16" if _is_marked(start) else codec}.get(
            codec, codec
        )
        return TextEncoding(codec, chosen, "as chosen", has_mark)
    if has_mark:
        return TextEncoding("utf-8-sig", "UTF-8", "the byte order mark", has_mark=True)
    if _is_marked(start):
        return TextEncoding("utf-16", "UTF-16", "the byte order mark")
    for codec, low in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if len(low) > 1 and low.count(0) > _MOSTLY * len(low):
            return TextEncoding(codec, "UTF-16", "every other byte is zero")
    return _utf8_or_cp1252(path)


def _is_marked(start: bytes) -> bool:
    return start.startswith(_UTF16_MARKS)


def _utf8_or_cp1252(path: Path) -> TextEncoding:
    utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    cp1252 = codecs.getincrementaldecoder("cp1252")()
    has_characters = has_other_bytes = False
    is_cp1252 = True
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            text = utf8.decode(chunk, final=False)
            if not text.isascii():
                has_characters = has_characters or _MULTIBYTE.search(text) is not None
                has_other_bytes = has_other_bytes or _ESCAPED.search(text) is not None
            if is_cp1252:
                try:
                    cp1252.decode(chunk)
                except UnicodeDecodeError:
                    is_cp1252 = False
    rest = utf8.getstate()[0]
    if rest and has_characters and not has_other_bytes:
        raise UnreadableFileError(f"{path} ends within a character: it is truncated.")
    if not (has_other_bytes or rest):
        return TextEncoding("utf-8-sig", "UTF-8", "all texts are valid UTF-8", is_sound=True)
    if has_characters:
        return TextEncoding("utf-8-sig", "UTF-8", "most texts are valid UTF-8")
    if is_cp1252:
        origin = "assumed: the texts are not UTF-8"
        return TextEncoding("cp1252", "Windows-1252", origin, is_sound=True)
    raise UnreadableFileError(
        f"{path} is neither UTF-8 nor Windows-1252 text: choose its encoding (--encoding)."
    )


def lines_of(path: Path, encoding: TextEncoding) -> Iterator[str]:
    """Yield the lines of a text file with their ends.

    Raises UnreadableFileError for one longer than MAX_LINE and for a damaged UTF-16 file.
    """
    errors = "strict" if encoding.codec.startswith("utf-16") else "surrogateescape"
    try:
        with path.open(encoding=encoding.codec, errors=errors, newline="") as file:
            while line := file.readline(MAX_LINE):
                if len(line) >= MAX_LINE:
                    raise UnreadableFileError(
                        f"{path} has a line of more than {MAX_LINE:,} characters."
                    )
                yield line
    except UnicodeError as error:
        raise UnreadableFileError(
            f"{path} is not {encoding.name} text, or is truncated: choose another encoding"
            " (--encoding)."
        ) from error


def find_dialect(path: Path, encoding: TextEncoding) -> Dialect:
    """Return the delimiter that a `sep=` line names, or by which the first rows have as many values
    as the header."""
    lines = lines_of(path, encoding)
    before, first = 0, next(lines, "")
    while first and not first.strip():
        before, first = before + 1, next(lines, "")
    separator = _SEPARATOR_LINE.fullmatch(first.rstrip("\r\n"))
    if separator:
        return Dialect(separator[1], before + 1)
    sample = [first, *islice(lines, _SAMPLE_ROWS)]
    scores = {delimiter: _score(sample, delimiter) for delimiter in _DELIMITERS}
    return Dialect(max(_DELIMITERS, key=lambda delimiter: scores[delimiter]), before)


def _score(lines: Sequence[str], delimiter: str) -> tuple[bool, bool, int]:
    """Return whether there are several columns, whether most rows have as many, and how many."""
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    except csv.Error:
        rows = []
    width = len(rows[0]) if rows else 0
    alike = sum(len(row) == width for row in rows[1:])
    return width > 1, 2 * alike >= len(rows) - 1, width
