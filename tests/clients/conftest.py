"""A real server with two workers, layers imported and tokens made through the real command."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.clients import plan_layers
from tests.clients.qgis_session import QGIS_ROOTS, Qgis, debian_root, qgis_in
from tests.clients.raster_imports import import_raster
from tests.clients.samsyn_server import OWNER, Server, make_token, serve
from tests.databases import migrated_database

LOG_LINES_SHOWN = 80


@pytest.fixture(scope="package")
def clients_database(server_url: str) -> Iterator[str]:
    """A database of these tests alone: what they import must not be seen by other tests."""
    with migrated_database(server_url) as url:
        yield url


@pytest.fixture(scope="package")
def server(clients_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two workers on a free port of 127.0.0.1."""
    with serve(clients_database, tmp_path_factory.mktemp("server") / "log") as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the server's log under a test that fails."""
    report = yield
    server = getattr(item, "funcargs", {}).get("server")
    if report.failed and server:
        lines = server.log.read_text().splitlines()[-LOG_LINES_SHOWN:]
        report.sections.append(("the server's log", "\n".join(lines)))
    return report


@pytest.fixture(scope="package")
def areas(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a public layer of 1,234 multipolygons."""
    file = tmp_path_factory.mktemp("source") / "areas.gpkg"
    plan_layers.write_geopackage(file, plan_layers.AREAS, "MultiPolygon")
    return server.import_layer(file, "--public", "--name", "Områden")


@pytest.fixture(scope="package")
def moorings(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of the owner's private layer of 150 points with heights."""
    file = tmp_path_factory.mktemp("source") / "moorings.gpkg"
    plan_layers.write_geopackage(file, plan_layers.MOORINGS, "Point Z")
    return server.import_layer(file, "--name", "Förtöjningar")


@pytest.fixture(scope="package")
def quotes(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a public layer whose texts hold quotation marks and backslashes."""
    file = tmp_path_factory.mktemp("source") / "quotes.gpkg"
    plan_layers.write_geopackage(file, plan_layers.QUOTES, "Point")
    return server.import_layer(file, "--public", "--name", "Citat")


@pytest.fixture(scope="package")
def empty_layer(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a public layer of polygons that holds none yet."""
    file = tmp_path_factory.mktemp("source") / "empty.gpkg"
    plan_layers.write_geopackage(file, [], "Polygon")
    return server.import_layer(file, "--public", "--name", "Inga ännu")


@pytest.fixture(scope="package")
def raster_server(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a worker of jobs, and a database of its own.

    In the database of another server, each one's worker would take the jobs of the other, whose
    files are not in its storage.
    """
    folder = tmp_path_factory.mktemp("rasters")
    settings = {"STORAGE_DIR": str(folder / "storage"), "JOBS_WORKERS": "1"}
    with (
        migrated_database(server_url) as database,
        serve(database, folder / "log", 1, **settings) as running,
    ):
        yield running


@pytest.fixture(scope="package")
def raster_owner(raster_server: Server) -> str:
    """A token of the raster's owner."""
    return make_token(raster_server.database, OWNER)


@pytest.fixture(scope="package")
def raster_layer(raster_server: Server, raster_owner: str) -> str:
    """The address of the owner's private layer of a raster."""
    from tests.api.imports.rasters.made_rasters import ramp, tiff  # noqa: PLC0415 - loads GDAL

    return import_raster(raster_server, raster_owner, "noise.tif", tiff(ramp(700), nodata=0))


@pytest.fixture(scope="package")
def owner(server: Server) -> str:
    """A token of somebody who makes layers."""
    return make_token(server.database, OWNER)


@pytest.fixture(scope="package")
def token(server: Server) -> str:
    """A token of the layers' owner that may only read."""
    return make_token(server.database, OWNER, "read")


@pytest.fixture(scope="package")
def trixie_root() -> Path:
    """The root of a Debian 13 with GDAL 3.10."""
    return debian_root("3.40")


@pytest.fixture(scope="package", params=list(QGIS_ROOTS))
def qgis(request: pytest.FixtureRequest) -> Iterator[Qgis]:
    """Does tasks of qgis/session.py, each in a new QGIS; one version after the other."""
    with qgis_in(debian_root(request.param), request.param) as run:
        yield run
