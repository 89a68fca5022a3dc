"""Rasters in a bucket, of which the tiler reads parts."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import pytest
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_admin.companions.tiler import tiler_beside
from samsyn_admin.storage.storage import open_storage
from samsyn_model.permissions.principal import Principal
from tests.api.layer_requests import Caller
from tests.api.rasters.conftest import TILES
from tests.api.rasters.test_own_files import address
from tests.api.storage.s3_server import s3_server


def test_a_tile_of_a_file_in_a_bucket(
    empty_database: Engine,
    geotiffs: dict[str, Path],
    make_raster_layer: Callable[..., UUID],
    owner: Caller,
    tmp_path: Path,
) -> None:
    url = address(empty_database, make_raster_layer(), Principal(owner.id))
    with s3_server(tmp_path / "s3") as settings, pytest.MonkeyPatch.context() as environment:
        open_storage(settings).write("rasters/cog.tif", [geotiffs["cog.tif"].read_bytes()])
        secret = settings.aws_secret_access_key
        environment.setenv("S3_BUCKET", settings.s3_bucket or "")
        environment.setenv("AWS_ENDPOINT_URL", settings.aws_endpoint_url or "")
        environment.setenv("AWS_ACCESS_KEY_ID", settings.aws_access_key_id or "")
        environment.setenv("AWS_SECRET_ACCESS_KEY", secret.get_secret_value() if secret else "")
        with tiler_beside(settings) as with_tiler:
            client = create_app(with_tiler, empty_database).test_client()
            query = urlencode({"url": url, "rescale": "0,30"})
            response = client.get(f"{TILES}/8/135/78?{query}")
            assert response.status_code == 200, response.data
            assert response.data.startswith(b"\x89PNG")
            open_storage(settings).delete("rasters")
            gone = client.get(f"{TILES}/9/271/155?{query}")
            assert gone.status_code == 404
