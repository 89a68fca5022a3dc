"""Rasters become layers that are drawn from cloud-optimised GeoTIFFs."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile
from rasterio.transform import from_origin
from rasterio.warp import transform
from rio_cogeo.cogeo import cog_validate
from sqlalchemy import Engine

from samsyn_admin.storage.storage import open_storage
from samsyn_model.settings import Settings
from tests.api.imports.conftest import RunJobs
from tests.api.imports.rasters.made_rasters import (
    NORTH,
    PIXEL,
    WEST,
    act,
    ascii_grid,
    layer,
    netcdf,
    ramp,
    tiff,
)
from tests.api.imports.upload_requests import read, uploaded
from tests.api.jobs.workers import rows
from tests.api.layer_requests import Caller


def inspected(caller: Caller, run_jobs: RunJobs, files: dict[str, bytes]) -> dict[str, Any]:
    """Upload files; return the import with its inspection."""
    created = uploaded(caller, files)
    run_jobs()
    found = read(caller, created["id"])
    assert found["status"] == "inspected", found["job"]
    return found


def imported(
    caller: Caller, run_jobs: RunJobs, files: dict[str, bytes], **choices: Any
) -> list[dict[str, Any]]:
    """Import files; return the layers."""
    found = inspected(caller, run_jobs, files)
    job, found = act(caller, run_jobs, found["id"], "commit", **choices)
    assert job["status"] == "successful", job
    return [layer(caller, one["layer_id"]) for one in found["report"]["layers"]]


def stored_files(settings: Settings) -> list[Path]:
    assert settings.storage_dir is not None
    folder = settings.storage_dir / "rasters"
    return sorted(path for path in folder.rglob("*") if path.is_file())


def cog_of(engine: Engine, settings: Settings, layer_id: str) -> Path:
    """Return the path of the newest file of a layer."""
    sql = "SELECT key FROM raster_files WHERE layer_id = :id ORDER BY time DESC NULLS LAST"
    assert settings.storage_dir is not None
    return settings.storage_dir / rows(engine, sql, id=layer_id)[0].key


def values_at(path: Path, x: float, y: float, crs: str = "EPSG:3006") -> list[float]:
    """Return the values of all bands of a file at a place, NaN where there is none."""
    with rasterio.open(path) as dataset:
        xs, ys = transform(crs, dataset.crs, [x], [y])
        (sample,) = dataset.sample([(xs[0], ys[0])], masked=True)
        return [float(value) for value in np.ma.filled(sample.astype("float64"), np.nan)]


def test_a_geotiff_is_looked_at(owner: Caller, run_jobs: RunJobs) -> None:
    found = inspected(owner, run_jobs, {"noise.tif": tiff(ramp(), nodata=0)})
    assert found["inspection"]["format"] == "GeoTIFF"
    (one,) = found["inspection"]["layers"]
    assert one["crs"] == {"name": "SWEREF99 TM", "code": "EPSG:3006", "origin": "the file"}
    assert one["extent"] == pytest.approx([11.558, 58.537, 11.674, 58.597], abs=0.001)
    raster = one["raster"]
    assert (raster["width"], raster["height"], raster["dtype"]) == (64, 64, "float32")
    assert raster["resolution"] == [100, 100]
    assert raster["nodata"] == 0
    (band,) = raster["bands"]
    assert (band["min"], band["max"], band["mean"]) == (1, 63, 32)
    assert (band["percentile_2"], band["percentile_98"]) == (2, 62)
    assert band["valid_percent"] == 98.44
    assert raster["processing"] == {"colormap": "viridis", "rescale": "2,62", "bidx": "1"}


def test_a_geotiff_becomes_a_layer(
    owner: Caller, run_jobs: RunJobs, empty_database: Engine, settings: Settings
) -> None:
    content = tiff(ramp(300), nodata=0)
    (made,) = imported(owner, run_jobs, {"noise.tif": content})
    assert (made["name"], made["source_type"], made["visibility"]) == (
        "noise",
        "geotiff",
        "private",
    )
    config = made["source_config"]
    assert config["processing"] == {"colormap": "viridis", "rescale": "6,294", "bidx": "1"}
    assert config["bounds"] == made["bounds"]
    assert config["statistics"]["b1"]["max"] == 299
    assert made["legend_config"]["type"] == "gradient"
    assert made["legend_config"]["items"][0]["color"] == "#440154"
    path = cog_of(empty_database, settings, made["id"])
    is_valid, errors, warnings = cog_validate(path)
    assert (is_valid, errors, warnings) == (True, [], [])
    with rasterio.open(path) as cog:
        assert cog.crs.to_epsg() == 3857
        assert cog.block_shapes == [(512, 512)]
        assert cog.compression.name == "zstd"
        # of the size of pixels of a zoom level, and where its tiles begin
        assert cog.res[0] == pytest.approx(40075016.6856 / 256 / 2 ** config["maxzoom"])
        assert (cog.bounds.left + 20037508.3428) / (cog.res[0] * 256) == pytest.approx(
            round((cog.bounds.left + 20037508.3428) / (cog.res[0] * 256)), abs=1e-6
        )
    middle = WEST + 150.5 * PIXEL, NORTH - 150.5 * PIXEL
    assert values_at(path, *middle) == pytest.approx([150], abs=1)
    assert np.isnan(values_at(path, WEST + PIXEL / 2, NORTH - 1000)[0])  # what the file leaves out
    assert np.isnan(values_at(path, WEST - 500, NORTH - 500)[0])
    sql = "SELECT original_key, size, name FROM raster_files"
    (row,) = rows(empty_database, sql)
    assert b"".join(open_storage(settings).read(row.original_key)) == content
    assert row.size == len(content) + path.stat().st_size
    assert row.name == "noise.tif"


def test_classes_are_drawn_by_the_nearest(
    owner: Caller, run_jobs: RunJobs, empty_database: Engine, settings: Settings
) -> None:
    values = np.repeat(np.repeat(np.array([[1, 7], [7, 1]], "uint8"), 32, 0), 32, 1)
    colours = {1: (255, 0, 0), 7: (0, 0, 255)}
    (made,) = imported(owner, run_jobs, {"bottom.tif": tiff(values, colours=colours)})
    assert made["source_config"]["processing"] == {"bidx": "1"}  # the file has its colours
    assert made["legend_config"] == {
        "type": "categories",
        "items": [
            {"color": "#ff0000", "label": "1", "value": 1},
            {"color": "#0000ff", "label": "7", "value": 7},
        ],
    }
    with rasterio.open(cog_of(empty_database, settings, made["id"])) as cog:
        found = np.unique(cog.read(1, masked=True).compressed())
        assert found.tolist() == [1, 7]
        assert cog.colormap(1)[7] == (0, 0, 255, 255)
        assert not cog.dataset_mask()[0, 0]  # outside of the raster


def test_whole_numbers_without_nodata_are_masked_outside(
    owner: Caller, run_jobs: RunJobs, empty_database: Engine, settings: Settings
) -> None:
    image = np.stack([ramp(64, "uint8"), ramp(64, "uint8").T, 255 - ramp(64, "uint8")])
    (made,) = imported(owner, run_jobs, {"photo.tif": tiff(image)})
    assert made["source_config"]["processing"] == {"bidx": "1,2,3"}
    path = cog_of(empty_database, settings, made["id"])
    inside = values_at(path, WEST + 3000, NORTH - 3000)
    assert inside == pytest.approx([30, 30, 225], abs=1)
    assert np.isnan(values_at(path, WEST - 300, NORTH - 300)).all()


def test_scaled_values_are_values(
    owner: Caller, run_jobs: RunJobs, empty_database: Engine, settings: Settings
) -> None:
    content = tiff(ramp(64, "int16"), nodata=-1, scales=(0.5,))
    (made,) = imported(owner, run_jobs, {"scaled.tif": content})
    assert made["source_config"]["statistics"]["b1"]["max"] == 31.5
    path = cog_of(empty_database, settings, made["id"])
    assert values_at(path, WEST + 3050, NORTH - 3050) == pytest.approx([15], abs=0.5)


def test_a_grid_without_a_crs_needs_one(
    owner: Caller, run_jobs: RunJobs, empty_database: Engine, settings: Settings
) -> None:
    found = inspected(owner, run_jobs, {"depth.asc": ascii_grid(ramp(64, "int32"))})
    assert found["inspection"]["format"] == "ASCII grid"
    (one,) = found["inspection"]["layers"]
    assert (one["crs"], one["extent"]) == (None, None)
    assert "names no CRS" in one["notes"][0]
    job, _ = act(owner, run_jobs, found["id"], "commit")
    assert job["status"] == "failed"
    assert "names no CRS" in job["problem"]["detail"]
    assert stored_files(settings) == []
    job, found = act(owner, run_jobs, found["id"], "commit", crs="EPSG:3006")
    assert job["status"] == "successful"
    made = layer(owner, found["report"]["layers"][0]["layer_id"])
    assert made["source_config"]["crs"] == "EPSG:3006"
    path = cog_of(empty_database, settings, made["id"])
    assert values_at(path, WEST + 3050, NORTH - 3050) == pytest.approx([30], abs=1)


def test_a_crs_may_be_given_beside_a_grid(owner: Caller, run_jobs: RunJobs) -> None:
    prj = rasterio.crs.CRS.from_epsg(3006).to_wkt().encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("grids/depth.asc", ascii_grid(ramp(64, "int32")))
        archive.writestr("grids/depth.prj", prj)
        archive.writestr("grids/readme.txt", "About it.")
    found = inspected(owner, run_jobs, {"depth.zip": buffer.getvalue()})
    (one,) = found["inspection"]["layers"]
    assert (one["name"], one["crs"]["code"]) == ("depth", "EPSG:3006")


def test_a_netcdf_file_has_a_layer_a_variable_with_times(
    owner: Caller, run_jobs: RunJobs, empty_database: Engine, settings: Settings
) -> None:
    values = np.stack([ramp(20), ramp(20) + 100, ramp(20) + 200])
    content = netcdf({"sst": values, "ice": values / 300})
    found = inspected(owner, run_jobs, {"baltic.nc": content})
    names = [one["name"] for one in found["inspection"]["layers"]]
    assert sorted(names) == ["baltic: ice", "baltic: sst"]
    by_name = {one["name"]: one for one in found["inspection"]["layers"]}
    assert by_name["baltic: sst"]["raster"]["times"] == ["2024-01-01", "2024-02-01", "2024-03-01"]
    assert by_name["baltic: sst"]["crs"]["code"] == "OGC:CRS84"
    layers = [{"source": "baltic: sst", "name": "Temperature"}]
    job, found = act(owner, run_jobs, found["id"], "commit", layers=layers)
    assert job["status"] == "successful", job
    (report,) = found["report"]["layers"]
    assert (report["name"], report["times"]) == ("Temperature", 3)
    made = layer(owner, report["layer_id"])
    assert made["source_config"]["times"] == ["2024-01-01", "2024-02-01", "2024-03-01"]
    assert made["source_config"]["temporal"] is True
    assert "time={time}" in made["source_config"]["cogUrlTemplate"]
    path = cog_of(empty_database, settings, made["id"])
    assert values_at(path, 11.05, 57.05, "OGC:CRS84") == pytest.approx([210], abs=1)
    originals = [path for path in stored_files(settings) if path.parent.name == "original"]
    assert len(originals) == 1


def test_longitudes_beyond_180_degrees_are_in_the_west(
    owner: Caller, run_jobs: RunJobs, empty_database: Engine, settings: Settings
) -> None:
    content = netcdf({"sst": ramp(3600)[None, :200]}, west=0.05)
    (made,) = imported(owner, run_jobs, {"world.nc": content})
    assert made["bounds"][0::2] == [-180, 180]
    path = cog_of(empty_database, settings, made["id"])
    for longitude, value in ((-90.0, 2700), (90.0, 900), (-179.5, 1805), (-0.5, 3595)):
        found = values_at(path, longitude, 50.0, "OGC:CRS84")
        assert found == pytest.approx([value], abs=3), longitude


def test_longitudes_before_180_degrees_west_are_in_the_east(
    owner: Caller, run_jobs: RunJobs, empty_database: Engine, settings: Settings
) -> None:
    place = from_origin(-190, 10, 0.05, 0.05)
    content = tiff(ramp(400, "int16")[:200], crs="EPSG:4326", transform=place)
    (made,) = imported(owner, run_jobs, {"pacific.tif": content})
    assert made["bounds"] == pytest.approx([-180, 0, 180, 10])
    assert made["source_config"]["maxzoom"] >= 4
    path = cog_of(empty_database, settings, made["id"])
    for longitude, value in ((175.0, 100), (-175.0, 300)):
        found = values_at(path, longitude, 5.0, "OGC:CRS84")
        assert found == pytest.approx([value], abs=3), longitude


@pytest.mark.parametrize("kind", ["int16", "uint8", "float32"])
def test_what_a_mask_hides_is_hidden(
    owner: Caller, run_jobs: RunJobs, empty_database: Engine, settings: Settings, kind: str
) -> None:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), MemoryFile() as file:
        place = from_origin(10, 58, 0.01, 0.01)
        profile = {"width": 200, "height": 200, "count": 1, "dtype": kind, "transform": place}
        with file.open(driver="GTiff", crs="EPSG:4326", **profile) as dataset:
            dataset.write(np.full((1, 200, 200), 7, kind))
            dataset.write_mask(np.arange(200)[None, :].repeat(200, 0) < 100)
        content = file.read()
    (made,) = imported(owner, run_jobs, {"masked.tif": content})
    path = cog_of(empty_database, settings, made["id"])
    with rasterio.open(path) as dataset:
        mask = dataset.dataset_mask()
        for longitude, shown in ((10.5, True), (11.5, False)):
            assert bool(mask[dataset.index(longitude * 111319.49, 7760000.0)]) == shown, longitude


@pytest.mark.parametrize("kind", ["int16", "uint8", "float32"])
def test_nothing_is_drawn_between_the_ends_of_a_raster_across_180_degrees(
    owner: Caller, run_jobs: RunJobs, empty_database: Engine, settings: Settings, kind: str
) -> None:
    values = np.full((200, 400), 7, kind)
    content = tiff(values, crs="EPSG:4326", transform=from_origin(170, 10, 0.05, 0.05))
    (made,) = imported(owner, run_jobs, {"pacific.tif": content})
    with rasterio.open(cog_of(empty_database, settings, made["id"])) as dataset:
        mask = dataset.dataset_mask()
        for longitude, shown in ((-178.0, True), (0.0, False), (178.0, True)):
            assert bool(mask[dataset.index(longitude * 111319.49, 556597.0)]) == shown, longitude


@pytest.mark.parametrize("crs", ["EPSG:3832", "EPSG:32601"])  # Pacific Mercator, UTM zone 1
def test_a_projected_raster_across_180_degrees_is_refused_for_that_reason(
    owner: Caller, run_jobs: RunJobs, crs: str
) -> None:
    (x,), (y,) = transform("OGC:CRS84", crs, [180.0], [10.0])
    content = tiff(ramp(200), crs=crs, transform=from_origin(x - 10_000, y + 10_000, 100, 100))
    found = inspected(owner, run_jobs, {"pacific.tif": content})
    job, _ = act(owner, run_jobs, found["id"], "commit")
    assert job["status"] == "failed"
    assert "goes across the meridian of 180 degrees" in job["problem"]["detail"]
    beside = tiff(ramp(100), crs=crs, transform=from_origin(x - 10_000, y + 10_000, 90, 90))
    (made,) = imported(owner, run_jobs, {"west.tif": beside})
    assert 179 < made["bounds"][0] < made["bounds"][2] <= 180


def test_rasters_of_several_days_become_one_layer(owner: Caller, run_jobs: RunJobs) -> None:
    files = {
        "sst_2024-05-02.tif": tiff(ramp() + 1),
        "sst_2024-05-01.tif": tiff(ramp()),
        "sst_20240503T1200.tif": tiff(ramp() + 2),
    }
    found = inspected(owner, run_jobs, files)
    assert found["inspection"]["series"] == {
        "name": "sst",
        "times": ["2024-05-01", "2024-05-02", "2024-05-03T12:00:00Z"],
    }
    job, found = act(owner, run_jobs, found["id"], "commit")
    assert job["status"] == "successful", job
    (report,) = found["report"]["layers"]
    assert (report["name"], report["times"]) == ("sst", 3)
    config = layer(owner, report["layer_id"])["source_config"]
    assert config["times"] == ["2024-05-01", "2024-05-02", "2024-05-03T12:00:00Z"]
    assert config["statistics"]["b1"]["max"] == 65


def test_rasters_of_several_days_may_be_layers_each(owner: Caller, run_jobs: RunJobs) -> None:
    files = {"sst_2024.tif": tiff(ramp()), "sst_2025.tif": tiff(ramp())}
    made = imported(owner, run_jobs, files, series=False)
    assert [one["name"] for one in made] == ["sst_2024", "sst_2025"]


def test_colours_and_range_are_chosen(owner: Caller, run_jobs: RunJobs) -> None:
    choices = {"colormap": "blues", "rescale": [10, 20], "nodata": 63, "name": "Depth"}
    (made,) = imported(owner, run_jobs, {"a.tif": tiff(ramp())}, **choices)
    assert made["name"] == "Depth"
    config = made["source_config"]
    assert config["processing"] == {"colormap": "blues", "rescale": "10,20", "bidx": "1"}
    assert config["statistics"]["b1"]["max"] == 62


def test_choices_of_features_are_none_of_rasters(owner: Caller, run_jobs: RunJobs) -> None:
    from tests.api.imports.upload_requests import send  # noqa: PLC0415

    found = inspected(owner, run_jobs, {"a.tif": tiff(ramp())})
    for body, pointer in (({"time_field": "when"}, "/time_field"), ({"index": ["a"]}, "/index")):
        response = send(owner, "POST", f"/{found['id']}/commit", json=body)
        assert response.status_code == 422
        assert response.json is not None
        assert response.json["errors"][0]["pointer"] == pointer
    points = inspected(owner, run_jobs, {"a.csv": b"name,lon,lat\nMast,11.5,57.5\n"})
    response = send(owner, "POST", f"/{points['id']}/commit", json={"colormap": "blues"})
    assert response.status_code == 422


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (tiff(ramp(), transform=rasterio.Affine.identity()), "not georeferenced"),
        (tiff(ramp().astype("complex64")), "complex64"),
        (tiff(np.zeros((40, 8, 8), "uint8")), "40 bands"),
    ],
)
def test_what_cannot_be_imported_says_why(
    owner: Caller, run_jobs: RunJobs, content: bytes, reason: str
) -> None:
    found = inspected(owner, run_jobs, {"a.tif": content})
    (one,) = found["inspection"]["layers"]
    assert reason in one["refusal"]
    job, _ = act(owner, run_jobs, found["id"], "commit")
    assert job["status"] == "failed"
    assert reason in job["problem"]["detail"]


def test_a_truncated_file_leaves_nothing(
    owner: Caller, run_jobs: RunJobs, settings: Settings, empty_database: Engine
) -> None:
    content = tiff(np.random.default_rng(1).random((400, 400), "float32"))
    created = uploaded(owner, {"a.tif": content[: len(content) // 2]})
    run_jobs()
    found = read(owner, created["id"])
    job, _ = act(owner, run_jobs, found["id"], "commit")
    assert job["status"] == "failed"
    assert "damaged" in job["problem"]["detail"]
    assert stored_files(settings) == []
    assert rows(empty_database, "SELECT 1 FROM layers") == []


def test_more_values_than_the_limit_are_refused(
    owner: Caller, run_jobs: RunJobs, settings: Settings
) -> None:
    object.__setattr__(settings, "max_raster_values", 1000)
    found = inspected(owner, run_jobs, {"a.tif": tiff(ramp())})
    assert "4,096 values" in found["inspection"]["layers"][0]["refusal"]


def test_files_of_layers_count_as_uploads(
    owner: Caller, run_jobs: RunJobs, settings: Settings
) -> None:
    content = tiff(np.random.default_rng(1).random((400, 400), "float32"))
    object.__setattr__(settings, "max_upload_bytes_per_user", len(content) + 100_000)
    found = inspected(owner, run_jobs, {"a.tif": content})
    job, _ = act(owner, run_jobs, found["id"], "commit")
    assert job["status"] == "failed"
    assert "bytes" in job["problem"]["detail"]
    assert stored_files(settings) == []


def test_rasters_and_features_are_imported_apart(owner: Caller, run_jobs: RunJobs) -> None:
    files = {"a.tif": tiff(ramp()), "points.csv": b"name,lon,lat\nMast,11.5,57.5\n"}
    created = uploaded(owner, files)
    run_jobs()
    job = read(owner, created["id"])["job"]
    assert job["status"] == "failed"
    assert "points.csv is no raster" in job["problem"]["detail"]
