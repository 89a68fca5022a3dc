"""The directory of a zip file, checked before anything is unpacked."""

import stat
import zipfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from struct import error, unpack_from

from samsyn_admin.imports.sources.limits import check_parts
from samsyn_model.errors import UnreadableFileError

_TAIL = 22 + 65_535  # bytes: the end of a zip file with the longest comment
_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"
_LOCATOR_64 = b"PK\x06\x07"
_LOCATOR_SIZE = 20
_MAX_DIRECTORY = 16 * 1024 * 1024
_ENCRYPTED, _IS_UTF_8 = 0x1, 0x800
_COMPRESSIONS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2})
"""LZMA may demand gigabytes of memory; the library does not know Deflate64."""
_MAX_NAME = 255  # bytes of a file's name
_IGNORED = frozenset({".ds_store", "thumbs.db", "desktop.ini"})


def check_directory(path: Path) -> None:
    """Raise UnreadableFileError for a directory of so many entries that reading them takes long.

    The standard library reads all of it, as large as its end says, before it can be counted.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL - _LOCATOR_SIZE))
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0:
            return  # no zip file, as the library finds
        try:
            count, length = unpack_from("<HI", tail, at + 10)
            if tail[at - _LOCATOR_SIZE : at].startswith(_LOCATOR_64):
                (position,) = unpack_from("<Q", tail, at - _LOCATOR_SIZE + 8)
                file.seek(min(position, size))
                end = file.read(56)
                if end.startswith(_END_64):
                    count, length = unpack_from("<QQ", end, 32)
        except (error, OSError, OverflowError):
            return
    check_parts(path, count)
    if length > _MAX_DIRECTORY:
        raise UnreadableFileError(f"{path} has a directory of {length:,} bytes, which is too long.")


def safe_entries(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the files of a zip file by their names, without those that systems add to each.

    Raises UnreadableFileError for what is not unpacked: names outside of the archive or twice,
    symbolic links, encryption.
    """
    infos = archive.infolist()
    check_parts(path, len(infos))
    entries: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = _name(info)
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or (len(name) > 1 and name[1] == ":"):
            raise UnreadableFileError(
                f"{path} has a part outside of its folders: {name[:200]!r}. Pack the files anew."
            )
        if stat.S_ISLNK(info.external_attr >> 16):
            raise UnreadableFileError(
                f"{path} has a link to another file instead of a file: {name[:200]!r}."
            )
        if info.is_dir() or name.endswith("/") or not parts or _is_ignored(parts):
            continue
        if info.flag_bits & _ENCRYPTED:
            raise UnreadableFileError(
                f"{path} is encrypted: pack the files without a password ({name[:200]!r})."
            )
        if info.compress_type not in _COMPRESSIONS:
            raise UnreadableFileError(
                f"{path} is compressed in a way that is not read (type {info.compress_type}): pack"
                " the files with the usual one (Deflate)."
            )
        if any(len(part.encode()) > _MAX_NAME for part in parts):
            raise UnreadableFileError(f"{path} has a file with too long a name: {name[:60]!r}….")
        plain = "/".join(parts)
        if plain in entries:
            raise UnreadableFileError(f"{path} has two files of the name {name[:200]!r}.")
        entries[plain] = info
    return entries


def _name(info: zipfile.ZipInfo) -> str:
    """Return the name of an entry with slashes; one in UTF-8 need not say that it is."""
    name = info.filename
    if not info.flag_bits & _IS_UTF_8 and not name.isascii():
        with suppress(UnicodeError):  # it is in the code page that the standard prescribes
            name = name.encode("cp437").decode()
    return name.encode("utf-8", "replace").decode().replace("\\", "/")


def _is_ignored(parts: tuple[str, ...]) -> bool:
    last = parts[-1]
    return "__MACOSX" in parts or last.startswith("._") or last.lower() in _IGNORED
