"""Files in a bucket: its address is told to readers of the layer alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine

from samsyn_admin.storage.storage import open_storage
from samsyn_model.settings import Settings
from tests.api.imports.conftest import RunJobs
from tests.api.imports.rasters.made_rasters import ramp, tiff
from tests.api.layer_requests import Caller, MakeCaller
from tests.api.layers.rasters.conftest import import_layer
from tests.api.storage.s3_server import s3_server


@pytest.fixture
def settings(empty_database: Engine, tmp_path: Path) -> Iterator[Settings]:
    url = empty_database.url.render_as_string(hide_password=False)
    with s3_server(tmp_path / "root") as bucket:
        yield bucket.model_copy(update={"database_url": url})


def test_readers_are_led_to_the_bucket(
    owner: Caller,
    anonymous: Caller,
    make_caller: MakeCaller,
    run_jobs: RunJobs,
    settings: Settings,
) -> None:
    made = import_layer(owner, run_jobs, {"noise.tif": tiff(ramp())})
    path = f"/api/v1/layers/{made['id']}/file"
    response = owner.client.get(path, headers={**owner.headers, "Range": "bytes=0-3"})
    assert response.status_code == 307
    assert response.headers["Cache-Control"] == "private, no-store"
    address = response.headers["Location"]
    part = requests.get(address, headers={"Range": "bytes=0-3"}, timeout=10)
    assert (part.status_code, part.content) == (206, b"II*\0")
    head = owner.client.head(path, headers=owner.headers)
    assert head.status_code == 200
    assert head.content_length == int(part.headers["Content-Range"].rpartition("/")[2])
    for caller in (anonymous, make_caller("stranger")):
        for method in ("GET", "HEAD"):
            refused = caller.client.open(path, method=method, headers=caller.headers)
            assert refused.status_code == 404
            assert "Location" not in refused.headers
    assert owner.delete(made["id"]).status_code == 204
    assert list(open_storage(settings).folders("rasters")) == []
    assert requests.get(address, timeout=10).status_code == 404
