"""A layer leaves through ogr2ogr as a GeoPackage and comes back through `samsyn import`."""

import shutil
from pathlib import Path

import pytest

from tests.clients import plan_layers
from tests.clients.gdal_programs import Wheel, basic_credentials, run_gdal
from tests.clients.samsyn_server import Server


@pytest.mark.parametrize("source", ["areas", "moorings"])
def test_a_layer_is_the_same_after_a_round_trip(
    request: pytest.FixtureRequest, server: Server, token: str, tmp_path: Path, source: str
) -> None:
    if shutil.which("ogr2ogr") is None:
        pytest.skip("ogr2ogr is not installed (apt-get install gdal-bin)")
    signed = basic_credentials(token)
    layer = request.getfixturevalue(source)
    file = tmp_path / "copy.gpkg"
    run_gdal(["ogr2ogr", "-f", "GPKG", file, f"OAPIF:{server.ogc}", layer], signed)
    again = server.import_layer(file, "--name", "Tillbaka")
    assert again != layer
    expected = plan_layers.AREAS if source == "areas" else plan_layers.MOORINGS
    found = Wheel().read(server.ogc, again, page_size=500, configuration=signed)
    plan_layers.assert_same(found, expected)
