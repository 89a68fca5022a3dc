"""Presigned addresses of a bucket, as a real S3 server takes and refuses them."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from samsyn_admin.storage.storage import Storage, open_storage
from samsyn_model.errors import StorageUnavailableError
from samsyn_model.settings import Settings
from tests.api.storage.s3_server import s3_server, settings_of

KEY = "imports/1/0-areas.gpkg"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with s3_server(tmp_path_factory.mktemp("s3") / "root") as settings:
        yield settings


@pytest.fixture
def storage(settings: Settings) -> Storage:
    storage = open_storage(settings)
    storage.delete("imports")
    return storage


def presigned(storage: Storage, method: str, seconds: int = 60) -> str:
    make = storage.presigned_get if method == "GET" else storage.presigned_put
    url = make(KEY, seconds)
    assert url is not None
    return url


def test_a_file_is_put_and_read_by_its_addresses(storage: Storage) -> None:
    assert requests.put(presigned(storage, "PUT"), b"content", timeout=10).ok
    assert b"".join(storage.read(KEY)) == b"content"
    assert requests.get(presigned(storage, "GET"), timeout=10).content == b"content"


def test_a_browser_saves_a_file_rather_than_showing_it(storage: Storage) -> None:
    storage.write(KEY, [b"<script>"])
    response = requests.get(presigned(storage, "GET"), timeout=10)
    assert response.headers["Content-Disposition"] == "attachment"


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_an_expired_address_is_refused(storage: Storage, method: str) -> None:
    storage.write(KEY, [b"before"])
    url = presigned(storage, method, seconds=1)
    time.sleep(2.5)
    assert requests.request(method, url, data=b"after", timeout=10).status_code == 403
    assert b"".join(storage.read(KEY)) == b"before"


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_changed_address_is_refused(storage: Storage, method: str) -> None:
    storage.write(KEY, [b"before"])
    storage.write("imports/2/0-areas.gpkg", [b"of another"])
    url = presigned(storage, method)
    for changed in (
        url.replace("imports/1", "imports/2"),
        url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
        url[:-1] + ("0" if url[-1] != "0" else "1"),
    ):
        assert changed != url
        assert requests.request(method, changed, data=b"after", timeout=10).status_code == 403
    assert b"".join(storage.read("imports/2/0-areas.gpkg")) == b"of another"


def test_an_address_to_read_does_not_write(storage: Storage) -> None:
    storage.write(KEY, [b"before"])
    assert requests.put(presigned(storage, "GET"), b"after", timeout=10).status_code == 403
    assert requests.get(presigned(storage, "PUT"), timeout=10).status_code == 403
    assert b"".join(storage.read(KEY)) == b"before"


def test_a_wrong_secret_is_refused(storage: Storage, settings: Settings) -> None:
    storage.write(KEY, [b"before"])
    wrong = open_storage(settings_of(settings.aws_endpoint_url or "", "another secret"))
    for method in ("GET", "PUT"):
        url = presigned(wrong, method)
        assert requests.request(method, url, data=b"after", timeout=10).status_code == 403
    for call in (lambda: wrong.write(KEY, [b"after"]), lambda: wrong.size(KEY)):
        with pytest.raises(StorageUnavailableError, match="cannot be used"):
            call()
    assert b"".join(storage.read(KEY)) == b"before"


def test_a_bucket_that_is_away_is_unavailable(tmp_path: Path) -> None:
    storage = open_storage(settings_of("http://127.0.0.1:9"))
    start = time.monotonic()
    with pytest.raises(StorageUnavailableError):
        storage.size(KEY)
    assert time.monotonic() - start < 60
