"""GeoTIFFs of other servers while Redis is away."""

from pathlib import Path
from urllib.parse import urlencode

from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_model.settings import Settings
from tests.api.layer_requests import Caller
from tests.api.rasters.conftest import TILES, Files
from tests.redis_server import redis_server


def test_redis_is_away(
    empty_database: Engine, tiler_settings: Settings, files: Files, owner: Caller, tmp_path: Path
) -> None:
    """Who looks at one has pictures of it all the same."""
    query = urlencode({"url": f"{files.remote.url}/cog.tif?redis"})
    with redis_server(tmp_path) as redis:
        settings = tiler_settings.model_copy(update={"redis_url": redis.url})
        client = create_app(settings, empty_database).test_client()
        redis.process.kill()
        assert client.get(f"{TILES}/5/16/9?{query}").status_code == 404
        looked = client.get(f"/api/v1/titiler/info?{query}", headers=owner.headers)
        assert looked.status_code == 200
        for _ in range(2):
            assert client.get(f"{TILES}/5/16/9?{query}").status_code == 200
