"""GeoTIFFs of other servers: whose addresses there are pictures of, and what is read of them."""

import json
import warnings
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy
import pytest
from affine import Affine
from flask.testing import FlaskClient
from rasterio.errors import NotGeoreferencedWarning
from sqlalchemy import Engine, text

from tests.api.layer_requests import Caller, MakeCaller
from tests.api.outgoing.remote_server import remote_server, respond
from tests.api.rasters.conftest import TILES, Files
from tests.api.rasters.geotiffs import ramp, write_geotiff

MIDDLE = "8/135/78"
INFO = "/api/v1/titiler/info"


def hold(engine: Engine, owner: Caller, visibility: str = "private", **config: Any) -> str:
    """Make a GeoTIFF layer of the owner with this source; return its id."""
    with engine.begin() as connection:
        made = connection.execute(
            text(
                "INSERT INTO layers (name, source_type, created_by, visibility, source_config)"
                " VALUES ('Sea', 'geotiff', :owner, :visibility, CAST(:config AS jsonb))"
                " RETURNING id"
            ),
            {
                "owner": owner.id,
                "visibility": visibility,
                "config": json.dumps(config),
            },
        )
        return str(made.scalar_one())


def ask(client: FlaskClient, path: str, url: str, headers: Any = None, **values: Any) -> Any:
    return client.get(f"{path}?{urlencode({'url': url, **values})}", headers=headers)


def tile(client: FlaskClient, url: str, place: str = MIDDLE, **values: Any) -> Any:
    return ask(client, f"{TILES}/{place}", url, **values)


def test_an_address_that_a_layer_holds(
    empty_database: Engine, files: Files, owner: Caller, anonymous: Caller
) -> None:
    url = f"{files.remote.url}/cog.tif?held"
    assert tile(anonymous.client, url).status_code == 404
    hold(empty_database, owner, cogUrl=url)
    response = tile(anonymous.client, url, colormap="rdylgn", rescale="0,30")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "public, max-age=900"
    assert ask(anonymous.client, INFO, url).json["count"] == 1
    for path in ("statistics", "preview"):
        assert ask(anonymous.client, f"/api/v1/titiler/{path}", url).status_code == 200
    point = ask(anonymous.client, "/api/v1/titiler/point", url, lon=10.2, lat=57.5)
    assert 2.9 < point.json["values"][0] < 3.1


def test_the_times_of_a_template(
    empty_database: Engine, files: Files, owner: Caller, anonymous: Caller
) -> None:
    template = f"{files.remote.url}/cog.tif?t={{time}}"
    hold(empty_database, owner, cogUrlTemplate=template, times=["2024-05-01", "2024-06-01"])
    for moment, status in (("2024-05-01", 200), ("2024-06-01", 200), ("2024-07-01", 404)):
        url = template.replace("{time}", moment)
        assert tile(anonymous.client, url).status_code == status


def test_the_file_is_read_in_parts_and_its_tiles_are_kept(
    empty_database: Engine, files: Files, owner: Caller, anonymous: Caller
) -> None:
    url = f"{files.remote.url}/cog.tif?parts"
    hold(empty_database, owner, url=url)
    before = len(files.remote.requests)
    assert tile(anonymous.client, url).status_code == 200
    asked = files.remote.requests[before:]
    assert asked
    assert all("range: bytes=" in head.lower() for head in asked)
    assert all(head.startswith("GET /cog.tif?parts ") for head in asked)
    assert tile(anonymous.client, url).status_code == 200
    assert len(files.remote.requests) == before + len(asked)


def test_tiles_of_a_layer_are_kept_by_shared_caches_where_anybody_may_read_it(
    empty_database: Engine, files: Files, owner: Caller, anonymous: Caller
) -> None:
    """Those of a layer that is private say that it is there, to whoever knows its id."""
    config = {"cogUrl": f"{files.remote.url}/cog.tif?kept"}
    public, private = (
        hold(empty_database, owner, visibility, **config) for visibility in ("public", "private")
    )
    for place in (MIDDLE, "8/0/0"):
        paths = [f"/api/v1/layers/{layer}/raster/tiles/{place}" for layer in (public, private)]
        kept = anonymous.client.get(paths[0])
        limits = kept.headers["Cache-Control"].split(", ")
        assert (kept.status_code, limits[:2]) == (200, ["public", "s-maxage=60"])
        assert anonymous.client.get(paths[1]).status_code == 404
        for path in paths:
            own = owner.client.get(path, headers=owner.headers)
            assert own.headers["Cache-Control"] == f"private, {limits[2]}"
            tilejson = path.partition("/raster")[0] + "/tilejson.json"
            document = owner.client.get(tilejson, headers=owner.headers).json
            assert document is not None
            address = document["tiles"][0].replace("{z}/{x}/{y}", place)
            by_ticket = anonymous.client.get(address)
            assert (by_ticket.status_code, by_ticket.data) == (200, own.data)
            assert by_ticket.headers["Cache-Control"] == f"private, {limits[2]}"
            assert "Authorization" in by_ticket.headers["Vary"]


def test_who_may_look_at_an_address_that_no_layer_holds(
    files: Files, owner: Caller, anonymous: Caller
) -> None:
    url, before = f"{files.remote.url}/cog.tif?looked-at", list(files.remote.requests)
    assert ask(anonymous.client, INFO, url).status_code == 401
    assert tile(owner.client, url).status_code == 404
    not_yet = ask(anonymous.client, "/api/v1/titiler/preview", url)
    assert (not_yet.status_code, not_yet.headers["Cache-Control"]) == (200, "no-store")
    assert files.remote.requests == before
    assert ask(owner.client, INFO, url, owner.headers).status_code == 200
    for path in (f"{TILES}/{MIDDLE}", "/api/v1/titiler/preview", INFO):
        assert ask(anonymous.client, path, url).status_code == 200
    assert ask(anonymous.client, "/api/v1/titiler/preview", url).data != not_yet.data


def test_looks_are_counted(files: Files, make_caller: MakeCaller) -> None:
    caller = make_caller("looker")
    allowed = caller.client.application.extensions["samsyn"].settings.rasters_per_minute
    for number in range(allowed + 1):
        url = f"{files.remote.url}/missing-{number}.tif"
        response = ask(caller.client, INFO, url, caller.headers)
        assert response.status_code == (502 if number < allowed else 429)
    assert "GeoTIFFs of other servers" in response.json["detail"]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "vrt:///etc/passwd",
        "vrt://http://127.0.0.1/x.tif",
        "/vsicurl/http://127.0.0.1/x.tif",
        "/vsizip//vsicurl/http://127.0.0.1/x.zip/x.tif",
        "/vsis3/bucket/key.tif",
        "/vsistdin/",
        "<VRTDataset rasterXSize='1' rasterYSize='1'></VRTDataset>",
        "WMTS:http://127.0.0.1/wmts",
        "NETCDF:/etc/passwd:x",
        "GTIFF_DIR:1:/etc/passwd",
        "zip+https://example.org/a.zip!b.tif",
        "s3://bucket/key.tif",
        "ftp://example.org/x.tif",
        "http://user:word@example.org/x.tif",
        "http://127.0.0.1/x.tif",
        "http://[::1]/x.tif",
        "http://example.org:22/x.tif",
        "https://",
    ],
)
def test_what_is_no_public_address_is_refused(
    files: Files, owner: Caller, empty_database: Engine, url: str
) -> None:
    before = files.remote.connections
    hold(empty_database, owner, cogUrl=url)  # as if one had got in
    for path in (INFO, f"{TILES}/{MIDDLE}", "/api/v1/titiler/statistics"):
        response = ask(owner.client, path, url, owner.headers)
        assert response.status_code in {400, 404}, response.data
    assert files.remote.connections == before


def test_an_address_that_no_server_sends(files: Files, owner: Caller) -> None:
    response = ask(owner.client, INFO, f"{files.remote.url}/none.tif", owner.headers)
    assert response.status_code == 502
    assert response.json["detail"] == "127.0.0.1 has no such file."


def test_redirects_lead_to_public_servers_only(files: Files, owner: Caller) -> None:
    with remote_server(respond(files.files["cog.tif"])) as inner:
        for target in (f"{inner.url}/cog.tif", "file:///etc/passwd", "vrt://x", "//127.0.0.1/x"):
            url = f"{files.remote.url}/redirect/{target}"
            response = ask(owner.client, INFO, url, owner.headers)
            assert response.status_code == 502, response.data
            assert "redirects to an address that is not asked" in response.json["detail"]
        assert inner.connections == 0
    url = f"{files.remote.url}/redirect/{files.remote.url}/cog.tif"
    assert ask(owner.client, INFO, url, owner.headers).status_code == 200


def test_what_is_no_geotiff(files: Files, owner: Caller) -> None:
    files.files["page.tif"] = b"<html>" * 30_000
    response = ask(owner.client, INFO, f"{files.remote.url}/page.tif", owner.headers)
    assert response.status_code == 422
    assert response.json["detail"] == "The file cannot be read as a GeoTIFF."


def test_a_large_one_that_is_not_cloud_optimised(
    files: Files, owner: Caller, tmp_path: Any
) -> None:
    values = numpy.zeros((1, 4100, 4100), "uint8")
    path = write_geotiff(tmp_path / "large.tif", values)
    files.files["large.tif"] = path.read_bytes()
    response = ask(owner.client, INFO, f"{files.remote.url}/large.tif", owner.headers)
    assert response.status_code == 422
    assert "not a cloud-optimised GeoTIFF" in response.json["detail"]


def test_one_whose_blocks_take_all_memory(files: Files, owner: Caller, tmp_path: Any) -> None:
    """70 kB that decompress to 128 MiB at once."""
    values = numpy.zeros((1, 4096, 4096), "float64")
    options = {"compress": "deflate", "blockysize": 4096}
    path = write_geotiff(tmp_path / "bomb.tif", values, **options)
    files.files["bomb.tif"] = path.read_bytes()
    assert len(files.files["bomb.tif"]) < 200_000
    response = ask(owner.client, INFO, f"{files.remote.url}/bomb.tif", owner.headers)
    assert response.status_code == 422
    assert "too large" in response.json["detail"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"crs": None}, "does not say where on earth"),
        ({"transform": Affine.identity()}, "does not say where on earth"),
        ({"dtype": "complex64"}, "complex numbers"),
        ({"crs": 'LOCAL_CS["harbour",UNIT["metre",1]]'}, "The place of the GeoTIFF on earth"),
    ],
    ids=str,
)
def test_what_there_is_no_picture_of(
    files: Files, owner: Caller, tmp_path: Any, changes: Any, reason: str
) -> None:
    values = ramp(hole=False).astype(changes.get("dtype", "float32"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        content = write_geotiff(tmp_path / "odd.tif", values, **changes).read_bytes()
    name = f"odd-{zlib.crc32(content)}.tif"
    files.files[name] = content
    for path in (INFO, "/api/v1/titiler/statistics"):
        response = ask(owner.client, path, f"{files.remote.url}/{name}", owner.headers)
        if path == INFO or reason != "The place of the GeoTIFF on earth":
            assert response.status_code == 422
            assert reason in response.json["detail"]


@pytest.mark.parametrize("kind", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
def test_all_kinds_of_values_and_numbers_of_bands(
    files: Files, owner: Caller, tmp_path: Any, kind: str, count: int
) -> None:
    values = numpy.repeat(ramp(64, hole=False), count, axis=0).astype(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        content = write_geotiff(tmp_path / "kind.tif", values).read_bytes()
    name = f"{kind}-{count}.tif"
    files.files[name] = content
    url = f"{files.remote.url}/{name}"
    info = ask(owner.client, INFO, url, owner.headers).json
    assert (info["count"], info["dtype"]) == (count, kind)
    assert len(ask(owner.client, "/api/v1/titiler/statistics", url, owner.headers).json) >= 1
    assert tile(owner.client, url).status_code == 200
    assert tile(owner.client, url, colormap="terrain", bidx=count).status_code == 200
    point = ask(owner.client, "/api/v1/titiler/point", url, lon=11.9, lat=57)
    value = point.json["values"][0]
    if (kind, count) == ("uint8", 4):  # of which GDAL takes the last for alpha: it is not opaque
        assert value is None
    else:
        assert 28 <= value <= 29


@pytest.mark.parametrize("nodata", ["nan", "300", "-1", "1e300", "0.5", "28"])
def test_a_nodata_that_no_value_can_be(files: Files, owner: Caller, nodata: str) -> None:
    for name in ("uint8-1.tif", "float64-1.tif", "plain.tif"):
        kind = name.partition("-")[0] if "-" in name else "float32"
        if name not in files.files:
            values = ramp(64, hole=False).astype(kind)
            files.files[name] = write_geotiff(Path(files.storage, name), values).read_bytes()
        url = f"{files.remote.url}/{name}"
        assert ask(owner.client, INFO, url, owner.headers).status_code == 200
        for path in (f"{TILES}/{MIDDLE}", "/api/v1/titiler/preview"):
            assert ask(owner.client, path, url, nodata=nodata).status_code == 200


def test_a_file_that_changes_while_it_is_read(
    empty_database: Engine, files: Files, owner: Caller, anonymous: Caller, tmp_path: Any
) -> None:
    """What was read before is not mixed with another file."""
    noise = numpy.random.default_rng(2).normal(size=(2, 1, 1024, 1024)).astype("float32")
    first, second = (
        write_geotiff(tmp_path / f"{number}.tif", values, tiled=True).read_bytes()
        for number, values in enumerate(noise)
    )
    files.files["moving.tif"] = first
    url = f"{files.remote.url}/moving.tif"
    hold(empty_database, owner, cogUrl=url)
    assert ask(anonymous.client, INFO, url).status_code == 200
    files.files["moving.tif"] = second
    changed = tile(anonymous.client, url, "9/271/155")
    assert changed.status_code == 502
    assert changed.json["detail"] == "The file on 127.0.0.1 has changed while it was read."
    assert tile(anonymous.client, url, "9/271/155").status_code == 200


def test_a_file_that_names_others_is_refused(
    files: Files, owner: Caller, tmp_path: Any, geotiffs: Any
) -> None:
    """GDAL opens what a GeoTIFF names as its overviews, whatever it is."""
    for number, name in enumerate(
        (str(geotiffs["plain.tif"]), f"/vsicurl/{files.remote.url}/cog.tif", "<VRTDataset/>")
    ):
        domains = {"OVERVIEWS": {"OVERVIEW_FILE": name}}
        path = write_geotiff(tmp_path / f"{number}.tif", ramp(), domains=domains)
        files.files[f"names-{number}.tif"] = path.read_bytes()
        before = len(files.remote.requests)
        url = f"{files.remote.url}/names-{number}.tif"
        response = ask(owner.client, INFO, url, owner.headers)
        assert response.status_code == 422
        assert "refers to other files" in response.json["detail"]
        assert all(f"names-{number}.tif" in head for head in files.remote.requests[before:])


def test_no_other_files_are_looked_for_beside_it(files: Files, owner: Caller) -> None:
    before = len(files.remote.requests)
    url = f"{files.remote.url}/plain.tif?alone"
    for path in (INFO, "/api/v1/titiler/statistics", "/api/v1/titiler/preview"):
        assert ask(owner.client, path, url, owner.headers).status_code == 200
    paths = {head.split(" ")[1] for head in files.remote.requests[before:]}
    assert paths == {"/plain.tif?alone"}


@pytest.mark.parametrize(("name", "status"), [("whole/small.tif", 200), ("whole/large.tif", 422)])
def test_a_server_that_sends_no_parts(files: Files, owner: Caller, name: str, status: int) -> None:
    files.files["whole/small.tif"] = files.files["plain.tif"]
    files.files["whole/large.tif"] = files.files["plain.tif"] + bytes(9 * 1024 * 1024)
    response = ask(owner.client, INFO, f"{files.remote.url}/{name}", owner.headers)
    assert response.status_code == status
    if status == 422:
        assert "does not send parts of the file" in response.json["detail"]
