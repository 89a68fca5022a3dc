"""The storage of files: a folder, or a bucket of S3."""

import errno
import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from samsyn_model.errors import NotFoundError, StorageFullError, StorageUnavailableError
from samsyn_model.settings import CHECKOUT, Settings

if TYPE_CHECKING:
    from obstore import Attributes
    from obstore.store import ClientConfig, S3Config

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_PART = 8 * 1024 * 1024  # bytes: S3 takes 10,000 parts of a file
_CONCURRENT_PARTS = 2  # which are in memory
_REGION = "us-east-1"  # which servers that are like S3 take for their own
_READ = 1024 * 1024
_DISK_IS_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
_FULL = "The storage of the server is full: try again later."
_MISSING = "The storage has no such file."
_UNAVAILABLE = "The storage of the server cannot be used: try again later."


class Storage(ABC):
    """Files by keys: names of ASCII letters, digits, `.`, `_` and `-`, joined by slashes.

    No name begins with a dot. All methods raise ValueError for another key, NotFoundError where
    there is no such file, StorageFullError and StorageUnavailableError.
    """

    _store: LocalStore | S3Store
    _attributes: "Attributes | None" = None
    """HTTP headers of the files that are stored."""

    def write(self, key: str, chunks: Iterable[bytes]) -> int:
        """Store a file, in place of the one that has the key; return its size in bytes.

        It is seen when it is complete. Where the chunks raise an error nothing is stored, and the
        error is raised. At most some chunks of 8 MiB are in memory.
        """
        counted = _Counted(chunks)
        with _translated():
            obstore.put(
                self._store,
                _checked(key),
                counted,
                use_multipart=True,
                attributes=self._attributes,
                chunk_size=_PART,
                max_concurrency=_CONCURRENT_PARTS,
            )
        return counted.size

    def write_file(self, key: str, path: Path) -> int:
        """Store the file at a local path, as `write` does."""
        with path.open("rb") as file:
            return self.write(key, iter(partial(file.read, _READ), b""))

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield a file, or `length` bytes of it from `start`, in chunks."""
        with _translated():
            size = obstore.head(self._store, _checked(key))["size"]
        end = size if length is None else min(size, start + length)
        if start >= end:
            return
        with _translated():
            stream = obstore.get(self._store, key, options={"range": (start, end)}).stream(_READ)
            yield from map(bytes, stream)

    def size(self, key: str) -> int:
        """Return how many bytes a file has."""
        with _translated():
            return obstore.head(self._store, _checked(key))["size"]

    @abstractmethod
    def download(self, key: str, path: Path) -> None:
        """Have a file at a local path, which does not exist yet; it is not to be changed."""

    @abstractmethod
    def local_path(self, key: str) -> Path | None:
        """Return where a file is on this machine, which may have none there; None for a bucket."""

    @abstractmethod
    def delete(self, prefix: str) -> None:
        """Delete the file with a key, or all whose keys are below it; none is no error."""

    @abstractmethod
    def folders(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Yield the keys of what is just below a prefix, with the time of a change in each."""

    @abstractmethod
    def presigned_get(self, key: str, seconds: int) -> str | None:
        """Return an address from which anybody may read a file for a time; None: there is none.

        A browser saves what `write` has stored, by the last name of its key.
        """

    @abstractmethod
    def presigned_put(self, key: str, seconds: int) -> str | None:
        """Return an address to which anybody may PUT a file for a time; None: there is none."""


@lru_cache(maxsize=4)  # a bucket's has connections of its own
def open_storage(settings: Settings) -> Storage:
    """Return the storage that the settings name: the bucket S3_BUCKET, else the folder STORAGE_DIR.

    Nothing is requested. Raises StorageUnavailableError where the folder cannot be made.
    """
    if settings.s3_bucket:
        return BucketStorage(settings)
    return FolderStorage(settings.storage_dir or CHECKOUT / ".samsyn" / "storage")


class FolderStorage(Storage):
    """Files in a folder of this machine, or of one that all servers share."""

    _store: LocalStore

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageUnavailableError(
                f"The storage cannot be used (STORAGE_DIR): {error.strerror}."
            ) from error
        self._folder = folder.resolve()
        self._store = LocalStore(self._folder)

    def download(self, key: str, path: Path) -> None:
        """Link the file, or copy it to another file system."""
        stored = self._folder / _checked(key)
        try:
            try:
                path.hardlink_to(stored)
            except OSError as error:
                if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP}:
                    raise
                shutil.copyfile(stored, path)
        except OSError as error:
            raise _of_system(error) from error

    def local_path(self, key: str) -> Path:
        """Return the path in the folder."""
        return self._folder / _checked(key)

    def delete(self, prefix: str) -> None:
        """Delete the file, or the folder with all that is in it, incomplete files too."""
        path = self._folder / _checked(prefix)
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except FileNotFoundError:  # deleted by another process
            self.delete(prefix)
        except OSError as error:
            raise _of_system(error) from error

    def folders(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Yield the folders' own times."""
        try:
            entries = [*os.scandir(self._folder / _checked(prefix))]
        except FileNotFoundError:
            return
        for entry in entries:
            with suppress(FileNotFoundError):
                yield f"{prefix}/{entry.name}", _time(entry.stat().st_mtime)

    def presigned_get(self, key: str, seconds: int) -> None:
        """Return None: only this server reads the folder."""

    def presigned_put(self, key: str, seconds: int) -> None:
        """Return None: only this server writes the folder."""


class BucketStorage(Storage):
    """Files in a bucket of S3, or of a server that is like it (AWS_ENDPOINT_URL)."""

    _store: S3Store
    # without it a browser would show the file, as a page of the bucket's host
    _attributes: "Attributes | None" = {"Content-Disposition": "attachment"}  # noqa: RUF012

    def __init__(self, settings: Settings) -> None:
        config: S3Config = {"region": settings.aws_region or _REGION}
        client: ClientConfig = {"connect_timeout": "10s", "timeout": "10min"}
        if settings.aws_endpoint_url:
            config["endpoint"] = settings.aws_endpoint_url
            client["allow_http"] = settings.aws_endpoint_url.startswith("http://")
        if settings.aws_access_key_id and settings.aws_secret_access_key:
            config["access_key_id"] = settings.aws_access_key_id
            config["secret_access_key"] = settings.aws_secret_access_key.get_secret_value()
        self._store = S3Store(
            settings.s3_bucket,
            config=config,
            client_options=client,
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
        )

    def download(self, key: str, path: Path) -> None:
        """Write the file at the path."""
        try:
            with path.open("xb") as file:
                for chunk in self.read(key):
                    file.write(chunk)
        except OSError as error:
            raise _of_system(error) from error

    def local_path(self, key: str) -> None:
        """Return None: files are read from the bucket."""

    def delete(self, prefix: str) -> None:
        """Delete the file, and those below it."""
        with _translated():
            pages = obstore.list(self._store, _checked(prefix))
            obstore.delete(
                self._store, [prefix, *(file["path"] for page in pages for file in page)]
            )

    def folders(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Yield the times of the newest file in each."""
        times: dict[str, datetime] = {}
        with _translated():
            for page in obstore.list(self._store, _checked(prefix)):
                for file in page:
                    key = "/".join(file["path"].split("/")[: prefix.count("/") + 2])
                    times[key] = max(file["last_modified"], times.get(key, file["last_modified"]))
        yield from times.items()

    def presigned_get(self, key: str, seconds: int) -> str:
        """Return the address of the file in the bucket."""
        return obstore.sign(self._store, "GET", _checked(key), timedelta(seconds=seconds))

    def presigned_put(self, key: str, seconds: int) -> str:
        """Return the address in the bucket; S3 takes up to 5 GB in one request."""
        return obstore.sign(self._store, "PUT", _checked(key), timedelta(seconds=seconds))


class _Counted:
    """Chunks, and the bytes of those that were read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self.size = chunks, 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            yield chunk


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not a key of the storage")
    return key


@contextmanager
def _translated() -> Iterator[None]:
    """Raise the library's errors as ours; those of the chunks of a file pass unchanged."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError(_MISSING) from error
    except BaseError as error:
        code = _SYSTEM_ERROR.search(str(error))
        if code and int(code[1]) in _DISK_IS_FULL:
            raise StorageFullError(_FULL) from error
        raise StorageUnavailableError(_UNAVAILABLE) from error


def _of_system(error: OSError) -> NotFoundError | StorageFullError | StorageUnavailableError:
    if isinstance(error, FileNotFoundError):
        return NotFoundError(_MISSING)
    if error.errno in _DISK_IS_FULL:
        return StorageFullError(_FULL)
    return StorageUnavailableError(_UNAVAILABLE)


def _time(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
