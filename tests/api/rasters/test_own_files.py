"""Pictures and values of files of ours: for whoever may read their layer."""

import io
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import numpy
import pytest
import rasterio
from flask.testing import FlaskClient
from rasterio.io import MemoryFile
from sqlalchemy import Engine

from samsyn_model.database.transactions import reading
from samsyn_model.identity.tickets import make_ticket
from samsyn_model.permissions.principal import ANONYMOUS, Principal
from tests.api.layer_requests import Caller, MakeCaller
from tests.api.rasters.conftest import TILES, add_file

MIDDLE = "8/135/78"  # about 11 E, 57 N
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

type MakeLayer = Callable[..., uuid.UUID]


def address(
    engine: Engine, layer_id: uuid.UUID, holder: Principal | None = None, **more: str
) -> str:
    """Return an address of the layer's file, with a ticket of the holder if there is one."""
    values = dict(more)
    if holder is not None:
        later = datetime.now(UTC) + timedelta(hours=1)
        with reading(engine) as connection:
            values["ticket"] = make_ticket(connection, holder, "raster", layer_id, later)
    return f"http://localhost/api/v1/layers/{layer_id}/file?{urlencode(values)}"


@pytest.fixture
def url(empty_database: Engine, make_raster_layer: MakeLayer, owner: Caller) -> str:
    """The address of the file of a private layer, with a ticket of its owner."""
    return address(empty_database, make_raster_layer(), Principal(owner.id))


def pixels(content: bytes) -> Any:
    """Return the bands of red, green, blue and alpha of a PNG."""
    with MemoryFile(content) as memory, memory.open() as dataset:
        values = dataset.read()
        if dataset.count > 1:
            return values
        palette = dataset.colormap(1)
        colours = numpy.array([palette.get(number, (0, 0, 0, 0)) for number in range(256)])
    return numpy.moveaxis(colours[values[0]], -1, 0)


def tile(client: FlaskClient, url: str, place: str = MIDDLE, **values: Any) -> Any:
    return client.get(f"{TILES}/{place}?{urlencode({'url': url, **values}, doseq=True)}")


def test_a_tile(url: str, anonymous: Caller) -> None:
    response = tile(anonymous.client, url, colormap="viridis", rescale="0,30")
    assert response.status_code == 200
    assert response.content_type == "image/png"
    assert response.headers["Cache-Control"] == "private, max-age=300"
    bands = pixels(response.data)
    assert bands.shape == (4, 256, 256)
    assert set(numpy.unique(bands[3])) == {0, 255}  # with the hole


def test_the_colours_are_those_of_the_values(url: str, anonymous: Caller) -> None:
    # 10.9 E is 45 % of the way from 0 to 30
    grey = pixels(tile(anonymous.client, url, "9/271/155", rescale="0,30").data)
    column = int((10.9 + 180) / 360 * 512 * 256) - 271 * 256
    shown = grey[0, 0, column]
    assert abs(int(shown) - 0.45 * 255) < 4
    other = pixels(tile(anonymous.client, url, "9/271/155", rescale="0,60").data)
    assert abs(int(other[0, 0, column]) - 0.225 * 255) < 4
    assert (grey[0] == grey[1]).all()


def test_it_is_not_made_twice(url: str, anonymous: Caller) -> None:
    first = tile(anonymous.client, url, colormap="terrain")
    other = tile(anonymous.client, url, colormap="magma")
    assert first.headers["ETag"] != other.headers["ETag"]
    again = anonymous.client.get(
        f"{TILES}/{MIDDLE}?{urlencode({'url': url, 'colormap': 'terrain'})}",
        headers={"If-None-Match": first.headers["ETag"]},
    )
    assert (again.status_code, again.data) == (304, b"")
    second = tile(anonymous.client, url, colormap="terrain")
    assert second.data == first.data


@pytest.mark.parametrize(
    "place", ["8/0/0", "30/0/0", "3/9/1", "3/1/9", "24/1/1", "99999999999/0/0"]
)
def test_outside_it_is_transparent(url: str, anonymous: Caller, place: str) -> None:
    response = tile(anonymous.client, url, place)
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "private, max-age=3600"
    with MemoryFile(response.data) as memory, memory.open() as dataset:
        assert dataset.shape == (256, 256)
    assert not pixels(response.data)[3].any()


def test_who_has_no_right_has_no_tile(
    empty_database: Engine,
    make_raster_layer: MakeLayer,
    owner: Caller,
    make_caller: MakeCaller,
    anonymous: Caller,
) -> None:
    layer_id, stranger = make_raster_layer(), make_caller("stranger")
    other = make_raster_layer()
    with reading(empty_database) as connection:
        later = datetime.now(UTC) + timedelta(hours=1)
        of_other = make_ticket(connection, Principal(owner.id), "raster", other, later)
    urls = [
        address(empty_database, layer_id),
        address(empty_database, layer_id, ANONYMOUS),
        address(empty_database, layer_id, Principal(stranger.id)),
        address(empty_database, layer_id, ticket=of_other),
        address(empty_database, layer_id, ticket="x"),
        address(empty_database, uuid.uuid4(), Principal(owner.id)),
        address(empty_database, layer_id, Principal(owner.id), time="2024-05-01"),
        address(empty_database, layer_id, Principal(owner.id)) + "&original=true",
        address(empty_database, layer_id, Principal(owner.id)) + "&ticket=x",
    ]
    for url in urls:
        for path in (f"{TILES}/{MIDDLE}", "/api/v1/titiler/preview", "/api/v1/titiler/info"):
            response = anonymous.client.get(f"{path}?{urlencode({'url': url})}")
            assert response.status_code == 404, (url, response.data)


def test_credentials_are_as_good_as_a_ticket(
    empty_database: Engine, make_raster_layer: MakeLayer, owner: Caller, make_caller: MakeCaller
) -> None:
    url = address(empty_database, make_raster_layer())
    query = urlencode({"url": url})
    found = owner.client.get(f"{TILES}/{MIDDLE}?{query}", headers=owner.headers)
    assert found.status_code == 200
    stranger = make_caller("stranger")
    denied = stranger.client.get(f"{TILES}/{MIDDLE}?{query}", headers=stranger.headers)
    assert denied.status_code == 404


def test_a_right_that_is_gone(
    empty_database: Engine, make_raster_layer: MakeLayer, make_caller: MakeCaller, anonymous: Caller
) -> None:
    layer_id, reader = make_raster_layer(visibility="public"), make_caller("reader")
    url = address(empty_database, layer_id, Principal(reader.id))
    assert tile(anonymous.client, url).status_code == 200
    with empty_database.begin() as connection:
        connection.exec_driver_sql("UPDATE layers SET visibility = 'private'")
    assert tile(anonymous.client, url).status_code == 404


def test_the_newest_of_several_times_or_the_one_that_is_named(
    empty_database: Engine, make_raster_layer: MakeLayer, owner: Caller, anonymous: Caller
) -> None:
    layer_id = make_raster_layer("cog.tif", moment=datetime(2024, 5, 1, tzinfo=UTC))
    with empty_database.begin() as connection:
        add_file(connection, layer_id, "plain.tif", datetime(2024, 6, 1, tzinfo=UTC))
    holder = Principal(owner.id)
    newest = tile(anonymous.client, address(empty_database, layer_id, holder)).data
    may = tile(anonymous.client, address(empty_database, layer_id, holder, time="2024-05-01")).data
    june = address(empty_database, layer_id, holder, time="2024-06-01T00:00:00Z")
    assert tile(anonymous.client, june).data == newest
    assert (pixels(may)[3] == 0).sum() > (pixels(newest)[3] == 0).sum() + 1000
    july = address(empty_database, layer_id, holder, time="2024-07-01")
    assert tile(anonymous.client, july).status_code == 404


def test_information(url: str, anonymous: Caller) -> None:
    info = anonymous.client.get(f"/api/v1/titiler/info?{urlencode({'url': url})}").json
    west, south, east, north = info["bounds"]
    assert west <= 10
    assert east >= 12
    assert south <= 56
    assert north >= 58
    assert info["minzoom"] <= 7
    assert 8 <= info["maxzoom"] <= 12
    assert (info["count"], info["dtype"], info["nodata"]) == (1, "float32", -9999)
    assert info["crs"].endswith("EPSG/0/3857")


def test_statistics(url: str, anonymous: Caller) -> None:
    response = anonymous.client.get(f"/api/v1/titiler/statistics?{urlencode({'url': url})}")
    band = response.json["b1"]
    assert 0 <= band["min"] < 1
    assert 29 < band["max"] <= 30
    assert 14 < band["mean"] < 16
    assert 0 < band["percentile_2"] < 1.5
    assert 28.5 < band["percentile_98"] < 30
    again = anonymous.client.get(
        f"/api/v1/titiler/statistics?{urlencode({'url': url})}",
        headers={"If-None-Match": response.headers["ETag"]},
    )
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("place", "low", "high"), [((10.2, 57.5), 2.9, 3.1), ((11.9, 56.1), 28.3, 28.7)]
)
def test_values(
    url: str, anonymous: Caller, place: tuple[float, float], low: float, high: float
) -> None:
    query = urlencode({"url": url, "lon": place[0], "lat": place[1]})
    found = anonymous.client.get(f"/api/v1/titiler/point?{query}").json
    assert low < found["values"][0] < high
    assert found["coordinates"] == list(place)


def test_values_of_a_hole_and_outside(url: str, anonymous: Caller) -> None:
    query = urlencode({"url": url, "lon": 11, "lat": 57})
    assert anonymous.client.get(f"/api/v1/titiler/point?{query}").json["values"] == [None]
    query = urlencode({"url": url, "lon": 0, "lat": 0})
    outside = anonymous.client.get(f"/api/v1/titiler/point?{query}")
    assert outside.status_code == 422
    assert outside.json["detail"] == "The place is outside the raster."


def test_values_are_those_of_the_file_that_was_uploaded(
    empty_database: Engine, make_raster_layer: MakeLayer, owner: Caller, anonymous: Caller
) -> None:
    """`plain.tif` has no hole."""
    url = address(empty_database, make_raster_layer(), Principal(owner.id))
    with empty_database.begin() as connection:
        connection.exec_driver_sql("UPDATE raster_files SET original_key = 'rasters/plain.tif'")
    query = urlencode({"url": url, "lon": 11, "lat": 57})
    (value,) = anonymous.client.get(f"/api/v1/titiler/point?{query}").json["values"]
    assert 14.9 < value < 15.1
    with empty_database.begin() as connection:
        connection.exec_driver_sql("UPDATE raster_files SET original_key = 'rasters/gone.tif'")
    assert anonymous.client.get(f"/api/v1/titiler/point?{query}").json["values"] == [None]


def test_a_preview(url: str, anonymous: Caller) -> None:
    values = {"url": url, "colormap": "blues", "rescale": "0,30", "width": 120, "height": 90}
    response = anonymous.client.get(f"/api/v1/titiler/preview?{urlencode(values)}")
    assert response.status_code == 200
    with rasterio.open(io.BytesIO(response.data)) as dataset:
        assert dataset.height == 90
        assert dataset.width < 120


def test_a_band_that_there_is_not(url: str, anonymous: Caller) -> None:
    response = tile(anonymous.client, url, bidx="2")
    assert response.status_code == 422
    assert response.json["detail"] == "There is no band 2: the raster has one band."


def test_a_file_that_is_gone(
    empty_database: Engine, make_raster_layer: MakeLayer, owner: Caller, anonymous: Caller
) -> None:
    url = address(empty_database, make_raster_layer("gone.tif"), Principal(owner.id))
    assert tile(anonymous.client, url).status_code == 404
