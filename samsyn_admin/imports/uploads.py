"""Files of a request, streamed to the storage."""

import re
import unicodedata
import uuid
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from samsyn_model.errors import (
    Fault,
    InvalidBodyError,
    MalformedBodyError,
    SamsynError,
    TooLargeError,
)

if TYPE_CHECKING:  # which starts threads
    from samsyn_admin.storage.storage import Storage

FOLDER = "imports"
"""What the keys of all files of all imports begin with."""
MAX_FILES = 1_000
"""Of an import: a File Geodatabase is a folder of some hundred."""
_MAX_DEPTH = 5
_MAX_SEGMENT = 255  # bytes, of a file system
_MAX_NAME = 1_000
_MAX_KEY_NAME = 100
_READ = 256 * 1024
_MAX_HEAD = 1024 * 1024  # bytes of a part's headers, and of what is read beyond them
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")

type StoredFile = dict[str, Any]
"""`name` (for people, with its folders), `key` and `size` in bytes; `is_announced` where the size
was said before the file arrives."""


def checked_name(name: str) -> str:
    """Return the name of a file, which may have folders, in Unicode's form NFC with slashes.

    Raises InvalidBodyError for one that is absolute or leads out of its folder.
    """
    name = unicodedata.normalize("NFC", name.replace("\\", "/"))
    if fault := _name_fault(name):
        raise InvalidBodyError(
            f"{name[:100]!r} is not a name of a file to upload: {fault}", _fault(fault)
        )
    return name


def _name_fault(name: str) -> str | None:
    """Return what is wrong with the name of a file."""
    segments = name.split("/")
    if any(segment.strip() in {"", ".", ".."} for segment in segments):
        return (
            "send the name alone, or with the folders that it is in (plan.gdb/a00000001.gdbtable)."
        )
    for character in name:
        if unicodedata.category(character).startswith("C"):
            return f"it has the invisible character U+{ord(character):04X}."
    if any(len(segment.encode()) > _MAX_SEGMENT for segment in segments):
        return f"it is longer than {_MAX_SEGMENT:,} bytes of UTF-8."
    if len(segments) > _MAX_DEPTH or len(name) > _MAX_NAME:
        return f"it has more than {_MAX_DEPTH - 1} folders, or than {_MAX_NAME:,} characters."
    return None


def storage_key(import_id: uuid.UUID, number: int, name: str) -> str:
    """Return the key of the file with a number among those of an import."""
    plain = _UNSAFE.sub("_", name.rsplit("/", 1)[-1])[-_MAX_KEY_NAME:]
    return f"{storage_prefix(import_id)}/{number}-{plain}"


def storage_prefix(import_id: uuid.UUID) -> str:
    """Return what the keys of all files of an import begin with."""
    return f"{FOLDER}/{import_id}"


def store_parts(
    storage: "Storage", import_id: uuid.UUID, body: IO[bytes], boundary: str, maximum: int
) -> list[StoredFile]:
    """Store the files of a multipart body (RFC 7578), whose parts are all called `file`.

    They are in the order of the body. Raises TooLargeError where there are more bytes than the
    maximum, MalformedBodyError, InvalidBodyError, and the errors of the storage and of the body.
    """
    files: list[StoredFile] = []
    names: set[str] = set()
    for name, chunks in _parts(limited(body, maximum), boundary):
        key = storage_key(import_id, len(files), name)
        if name.casefold() in names:
            raise occurs_twice(name)
        if len(files) >= MAX_FILES:
            raise InvalidBodyError(f"An import has at most {MAX_FILES:,} files.")
        names.add(name.casefold())
        files.append({"name": name, "key": key, "size": storage.write(key, chunks)})
    if not files:
        raise InvalidBodyError("There is no file: send it as the part `file`.", _fault("Missing."))
    return files


def limited(body: IO[bytes], maximum: int, refusal: SamsynError | None = None) -> Iterator[bytes]:
    """Yield a body in chunks; raises the refusal, else TooLargeError, where it is longer than the
    maximum."""
    count = 0
    while chunk := body.read(_READ):
        count += len(chunk)
        if count > maximum:
            raise refusal or too_large(maximum)
        yield chunk


def too_large(maximum: int) -> TooLargeError:
    """Return the error of an upload with more bytes than the maximum."""
    return TooLargeError(f"An upload has at most {maximum:,} bytes (MAX_UPLOAD).")


def occurs_twice(name: str) -> InvalidBodyError:
    """Return the error of a second file of a name; upper and lower case are the same."""
    return InvalidBodyError(f"There are two files called {name!r}.", _fault("Send one."))


def _parts(chunks: Iterable[bytes], boundary: str) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the name of each file, and its content, which has to be read before the next one."""
    events = _events(chunks, boundary)
    for event in events:
        if isinstance(event, Field):
            name = str(event.name)[:100]
            raise InvalidBodyError(
                f"The part {name!r} is not a file: choices are sent when the import is committed.",
                _fault("Send files only."),
            )
        if isinstance(event, File):
            if event.name != "file":
                raise InvalidBodyError(f"The part {str(event.name)[:100]!r} has to be `file`.")
            yield checked_name(event.filename), _content(events)


def _content(events: Iterator[Event]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, Data):
            if event.data:
                yield event.data
            if not event.more_data:
                return


def _events(chunks: Iterable[bytes], boundary: str) -> Iterator[Event]:
    decoder = MultipartDecoder(boundary.encode(), _MAX_HEAD)
    try:
        for chunk in _with_end(chunks):
            decoder.receive_data(chunk)
            while not isinstance(event := decoder.next_event(), NeedData):
                if isinstance(event, Epilogue):
                    return
                yield event
    except UnicodeDecodeError as error:
        raise MalformedBodyError(
            "The headers of a part are not UTF-8: send the name of the file in UTF-8."
        ) from error
    except ValueError as error:
        raise MalformedBodyError(
            "The body is not multipart/form-data, or ends before its last part does."
        ) from error


def _with_end(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    yield from chunks
    yield None


def _fault(detail: str) -> tuple[Fault, ...]:
    return (Fault("/file", detail),)
