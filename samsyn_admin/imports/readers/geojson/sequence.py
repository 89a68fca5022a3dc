"""GeoJSON text sequences: a feature a line (newline-delimited), or a record (RFC 8142)."""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

from samsyn_admin.imports.readers.geojson.duplicates import duplicate_name
from samsyn_admin.imports.readers.geojson.encoding import JSONEncoding
from samsyn_admin.imports.readers.geojson.features import ReadFeature
from samsyn_admin.imports.readers.geojson.text import objects_of
from samsyn_model.errors import UnreadableFileError

SUFFIXES = frozenset({".geojsonl", ".geojsons", ".geojsonseq", ".jsonl", ".ndjson", ".ndgeojson"})
_SEPARATOR = "\x1e"
_SPACE = " \t\r\n"  # white space of JSON: Python's includes the separator
_LOOKED_AT = 10
_MAX_FIRST_LINE = 1024 * 1024
_MAX_RECORD = 256 * 1024 * 1024
"""The maximum number of characters of a line: all of it is in memory at once."""


def is_sequence(path: Path, encoding: JSONEncoding) -> bool:
    """Return whether a file has an object of JSON in each line, or separators of records.

    Damaged lines among the first are admitted where the suffix is that of a sequence.
    """
    with encoding.open(path) as file:
        lines = (line.strip(_SPACE) for line in iter(lambda: file.readline(_MAX_FIRST_LINE), ""))
        first = list(islice(filter(None, lines), _LOOKED_AT))
    if not first:
        return False
    if first[0].startswith(_SEPARATOR):
        return True
    objects = sum(map(_is_object, first))
    if path.suffix.lower() in SUFFIXES:
        return objects > 1
    return len(first) > 1 and _is_object(first[0]) and first[1].startswith("{")


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def sequence_features(
    path: Path, encoding: JSONEncoding, on_constant: Callable[[str], None]
) -> Iterator[ReadFeature]:
    """Yield the features of a sequence; a record that is not valid is one with a reason.

    `on_constant` is called for each NaN or infinity. Raises UnreadableFileError when the last
    record is cut off, or one has more than _MAX_RECORD characters.
    """
    decode = json.JSONDecoder(parse_constant=on_constant).decode
    with encoding.open(path) as file:
        for line, record, is_complete in _records(file, path):
            try:
                value = decode(record)
            except RecursionError:
                yield ReadFeature(None, line, "it is nested too deeply")
                continue
            except ValueError as error:
                if not is_complete:
                    raise UnreadableFileError(
                        f"{path} is truncated: its last record, in line {line:,}, has no end."
                    ) from error
                yield ReadFeature(None, line, f"it is not valid JSON: {_reason(error)}")
                continue
            name = duplicate_name(record, 0, len(record), value)
            reason = None if name is None else f"it has two members named {name!r}"
            for feature in objects_of(value):
                yield ReadFeature(feature, line, reason)


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (character {error.colno})"
    return str(error)


def _records(file: TextIO, path: Path) -> Iterator[tuple[int, str, bool]]:
    """Yield the line in which each record begins, its text, and whether it has an end."""
    record, start, by_separators = "", 1, False
    number = 0
    while line := file.readline(_MAX_RECORD):
        number += 1
        if len(line) + len(record) >= _MAX_RECORD:
            raise UnreadableFileError(f"{path} is too large in line {number:,}.")
        before, separator, line = line.rpartition(_SEPARATOR)
        if separator:
            by_separators = True
            for part in (record + before).split(_SEPARATOR):
                if part.strip(_SPACE):
                    yield start, part.strip(_SPACE), True
                start = number
            record = ""
        if by_separators:
            record += line
        elif line.strip(_SPACE):
            yield number, line.strip(_SPACE), line.endswith("\n")
    if record.strip(_SPACE):
        yield start, record.strip(_SPACE), record.endswith("\n")
