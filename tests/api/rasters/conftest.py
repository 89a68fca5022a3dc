"""A raster tiler beside the tests, a server that has GeoTIFFs, layers that are drawn from them."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_admin.companions.tiler import tiler_beside
from samsyn_model.settings import Settings
from tests.api.layer_requests import Caller
from tests.api.outgoing.remote_server import Remote
from tests.api.rasters.geotiffs import cog, file_server, ramp, write_geotiff
from tests.documented_responses import validate_responses

TILES = "/api/v1/titiler/tiles"


@dataclass(frozen=True)
class Files:
    """Where the storage is; the server that has the same files, and `files` to change there."""

    storage: Path
    remote: Remote
    files: dict[str, bytes]


@pytest.fixture(scope="session")
def geotiffs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """GeoTIFFs by name: `cog.tif`, and one of 256 pixels without overviews, `plain.tif`."""
    folder = tmp_path_factory.mktemp("geotiffs")
    return {
        "cog.tif": cog(folder / "cog.tif"),
        "plain.tif": write_geotiff(folder / "plain.tif", ramp(hole=False)),
    }


@pytest.fixture(scope="session")
def files(geotiffs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Files]:
    storage = tmp_path_factory.mktemp("storage")
    (storage / "rasters").mkdir()
    contents = {name: path.read_bytes() for name, path in geotiffs.items()}
    for name, content in contents.items():
        (storage / "rasters" / name).write_bytes(content)
    with file_server(contents) as remote:
        yield Files(storage, remote, contents)


@pytest.fixture(scope="session")
def tiler_settings(files: Files) -> Iterator[Settings]:
    """Settings with a tiler, begun as `samsyn serve` begins it."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STORAGE_DIR", str(files.storage))
        environment.setenv("OUTGOING_ALLOW", files.remote.server)
        with tiler_beside(Settings(_env_file=None)) as settings:  # type: ignore[call-arg]
            yield settings


@pytest.fixture
def app(empty_database: Engine, tiler_settings: Settings) -> Flask:
    created = create_app(tiler_settings, empty_database)
    validate_responses(created)
    return created


@pytest.fixture
def make_raster_layer(empty_database: Engine, owner: Caller) -> Callable[..., uuid.UUID]:
    """Make a layer of the owner of a file in the storage, as an import does; return its id."""

    def make(
        name: str = "cog.tif", visibility: str = "private", moment: datetime | None = None
    ) -> uuid.UUID:
        with empty_database.begin() as connection:
            layer_id = connection.execute(
                text(
                    "INSERT INTO layers (name, source_type, created_by, visibility)"
                    " VALUES ('Depth', 'geotiff', :owner, :visibility) RETURNING id"
                ),
                {"owner": owner.id, "visibility": visibility},
            ).scalar_one()
            add_file(connection, layer_id, name, moment)
        return uuid.UUID(str(layer_id))

    return make


def add_file(
    connection: Any, layer_id: uuid.UUID, name: str, moment: datetime | None = None
) -> None:
    connection.execute(
        text(
            "INSERT INTO raster_files (layer_id, time, name, key, original_key, size, info)"
            " VALUES (:layer, :time, :name, :key, :key, 1, '{}')"
        ),
        {"layer": layer_id, "time": moment, "name": name, "key": f"rasters/{name}"},
    )
