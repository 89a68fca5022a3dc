"""The storage of files: the same in a folder and in a bucket of a real S3 server."""

import os
import resource
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from samsyn_admin.storage.storage import FolderStorage, Storage, open_storage
from samsyn_model.errors import NotFoundError, StorageFullError, StorageUnavailableError
from samsyn_model.settings import Settings
from tests.api.storage.s3_server import s3_server

LARGE = [bytes([number % 256]) * 1024 * 1024 for number in range(20)]


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "folder":
        yield open_storage(Settings(_env_file=None, storage_dir=tmp_path / "storage"))
        return
    with s3_server(tmp_path / "s3") as settings:
        yield open_storage(settings)


def test_a_file_comes_back_as_it_was_written(storage: Storage, tmp_path: Path) -> None:
    key = "imports/1/0-areas.gpkg"
    assert storage.write(key, iter(LARGE)) == 20 * 1024**2
    assert storage.size(key) == 20 * 1024**2
    assert b"".join(storage.read(key)) == b"".join(LARGE)
    assert b"".join(storage.read(key, 1024**2 - 1, 3)) == b"\0\1\1"
    assert list(storage.read(key, 20 * 1024**2)) == []
    storage.download(key, tmp_path / "local.gpkg")
    assert (tmp_path / "local.gpkg").read_bytes() == b"".join(LARGE)


def test_a_file_replaces_the_one_of_the_same_key(storage: Storage) -> None:
    storage.write("a/b", [b"first"])
    assert storage.write("a/b", []) == 0
    assert list(storage.read("a/b")) == []


def test_a_file_whose_chunks_end_in_an_error_is_not_stored(
    storage: Storage, tmp_path: Path
) -> None:
    def chunks() -> Iterator[bytes]:
        yield from LARGE
        raise RuntimeError("cut off")

    with pytest.raises(RuntimeError, match="cut off"):
        storage.write("imports/1/0-a", chunks())
    with pytest.raises(NotFoundError):
        storage.size("imports/1/0-a")
    left = [path for path in (tmp_path / "storage").rglob("*") if path.is_file()]
    assert not left


def test_an_absent_file_is_not_found(storage: Storage, tmp_path: Path) -> None:
    key = "imports/1/0-a"
    with pytest.raises(NotFoundError):
        storage.size(key)
    with pytest.raises(NotFoundError):
        list(storage.read(key))
    with pytest.raises(NotFoundError):
        storage.download(key, tmp_path / "a")


def test_deleting_a_prefix_leaves_what_only_begins_like_it(storage: Storage) -> None:
    for key in ("imports/1/0-a", "imports/1/gdb/1-b", "imports/12/0-a"):
        storage.write(key, [b"x"])
    storage.delete("imports/1")
    storage.delete("imports/1")
    assert storage.size("imports/12/0-a") == 1
    for key in ("imports/1/0-a", "imports/1/gdb/1-b"):
        with pytest.raises(NotFoundError):
            storage.size(key)
    storage.delete("imports/12/0-a")
    with pytest.raises(NotFoundError):
        storage.size("imports/12/0-a")


def test_folders_have_the_time_of_their_last_change(storage: Storage) -> None:
    assert list(storage.folders("imports")) == []
    for key in ("imports/1/0-a", "imports/1/1-b", "imports/2/0-a"):
        storage.write(key, [b"x"])
    folders = dict(storage.folders("imports"))
    assert folders.keys() == {"imports/1", "imports/2"}
    now = datetime.now(UTC)
    assert all(abs(now - time) < timedelta(minutes=5) for time in folders.values())


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../a", "a/../b", "a//b", "a/.b", "å", "a\n"])
def test_a_key_is_never_a_path_elsewhere(storage: Storage, key: str) -> None:
    for call in (storage.size, storage.delete, lambda key: storage.write(key, [b"x"])):
        with pytest.raises(ValueError, match="not a key"):
            call(key)


def test_a_folder_on_a_full_disk_is_full(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024**2, limits[1]))
    try:
        with pytest.raises(StorageFullError):
            storage.write("imports/1/0-a", LARGE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")
def test_a_folder_without_space_is_full(tmp_path: Path) -> None:
    if os.system(f"mount -t tmpfs -o size=1m samsyn-test {tmp_path} 2>/dev/null"):
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(StorageFullError):
            FolderStorage(tmp_path).write("imports/1/0-a", LARGE)
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    finally:
        os.system(f"umount {tmp_path}")


def test_a_folder_that_cannot_be_made_is_named_by_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailableError, match="STORAGE_DIR"):
        FolderStorage(tmp_path / "file" / "storage")


def test_a_folder_has_no_presigned_addresses(tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path)
    assert storage.presigned_get("a", 60) is None
    assert storage.presigned_put("a", 60) is None
