"""Rasters that would have GDAL open something else, or take all memory."""

import io
import zipfile
from pathlib import Path
from typing import Any
from uuid import UUID

import h5py
import numpy as np
import pytest
import rasterio
from rasterio.vrt import WarpedVRT
from sqlalchemy import Engine

from samsyn_admin.imports.rasters.reading import gdal
from samsyn_model.settings import Settings
from tests.api.imports.conftest import RunJobs
from tests.api.imports.rasters.made_rasters import act, netcdf, ramp, tiff
from tests.api.imports.upload_requests import read, uploaded
from tests.api.jobs.workers import CHECKOUT, wait_until_over, worker
from tests.api.layer_requests import Caller

VRT = """<VRTDataset rasterXSize="64" rasterYSize="64"><VRTRasterBand dataType="Float32" band="1">
<SimpleSource><SourceFilename relativeToVRT="0">{path}</SourceFilename><SourceBand>1</SourceBand>
</SimpleSource></VRTRasterBand></VRTDataset>"""


def inspection(caller: Caller, run_jobs: RunJobs, files: dict[str, bytes]) -> dict[str, Any]:
    created = uploaded(caller, files)
    run_jobs()
    return read(caller, created["id"])


def test_gdal_has_the_drivers_of_the_formats_alone(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(ramp()))
    with gdal.opened(str(tmp_path / "a.tif"), "GTiff", "a.tif") as dataset:
        with rasterio.Env() as environment:
            assert environment.drivers().keys() == gdal.DRIVERS
        with WarpedVRT(dataset, crs="EPSG:3857") as warped:  # after which GDAL has that of VRTs
            assert warped.count == 1
    with gdal.opened(str(tmp_path / "a.tif"), "GTiff", "a.tif"), rasterio.Env() as environment:
        assert environment.drivers().keys() == gdal.DRIVERS


def test_overviews_in_other_files_are_not_opened(
    owner: Caller, run_jobs: RunJobs, tmp_path: Path, settings: Settings
) -> None:
    secret = tmp_path / "secret.tif"
    secret.write_bytes(tiff(ramp() + 5000))
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(ramp(600)))
    (tmp_path / "a.vrt").write_text(VRT.format(path=secret))
    for name in (str(secret), str(tmp_path / "a.vrt"), VRT.format(path=secret)):
        with gdal.raster_environment(), rasterio.open(path, "r+") as dataset:
            dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=name)
        found = inspection(owner, run_jobs, {"a.tif": path.read_bytes()})
        assert found["status"] == "inspected", found["job"]
        job, found = act(owner, run_jobs, found["id"], "commit")
        assert job["status"] == "successful", job
        (row,) = found["report"]["layers"]
        response = owner.client.get(f"/api/v1/layers/{row['layer_id']}/file", headers=owner.headers)
        with rasterio.MemoryFile(response.data) as memory, memory.open() as cog:
            for level in (None, 0):
                options = {} if level is None else {"overview_level": level}
                with memory.open(**options) as image:
                    assert image.read(1, masked=True).max() < 1000
            assert cog.count == 1


@pytest.mark.parametrize("name", ["a.vrt", "a.tif", "a.nc", "a.asc"])
def test_a_vrt_is_no_raster(owner: Caller, run_jobs: RunJobs, tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret.tif"
    secret.write_bytes(tiff(ramp()))
    found = inspection(owner, run_jobs, {name: VRT.format(path=secret).encode()})
    assert found["job"]["status"] == "failed"


def hdf5(tmp_path: Path, write: Any) -> bytes:
    content = netcdf({"sst": ramp(20)[None]})
    path = tmp_path / "hostile.nc"
    path.write_bytes(content)
    with h5py.File(path, "r+") as file:
        write(file)
    return path.read_bytes()


def test_values_in_other_files_are_not_read(
    owner: Caller, run_jobs: RunJobs, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.full(400, 7, "float32").tobytes())

    def external(file: h5py.File) -> None:
        file.create_dataset("x", (20, 20), "float32", external=[(str(secret), 0, 1600)])

    def virtual(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((20, 20), "float32")
        layout[:] = h5py.VirtualSource(str(secret), "x", (20, 20))
        file.create_virtual_dataset("x", layout)

    def link(file: h5py.File) -> None:
        file["x"] = h5py.ExternalLink(str(secret), "/x")

    def nested(file: h5py.File) -> None:
        file.create_group("a/b")["x"] = h5py.ExternalLink(str(secret), "/x")

    for write in (external, virtual, link, nested):
        found = inspection(owner, run_jobs, {"a.nc": hdf5(tmp_path, write)})
        assert found["job"]["status"] == "failed", write
        assert "in another file" in found["job"]["problem"]["detail"]


def test_side_files_are_not_read(owner: Caller, run_jobs: RunJobs) -> None:
    pam = b'<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">x</MDI></Metadata>'
    files = {"a.tif": tiff(ramp()), "a.tif.aux.xml": pam, "a.tif.ovr": b"x", "a.tif.msk": b"x"}
    found = inspection(owner, run_jobs, files)
    assert found["status"] == "inspected", found["job"]
    assert "a.tif.aux.xml" in found["inspection"]["notes"][0]


@pytest.mark.parametrize("name", ["../a.tif", "/etc/a.tif", "a/../../b.tif"])
def test_paths_in_zip_files_do_not_lead_out(owner: Caller, run_jobs: RunJobs, name: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, tiff(ramp()))
    found = inspection(owner, run_jobs, {"a.zip": buffer.getvalue()})
    assert found["job"]["status"] == "failed"
    assert "outside of its folders" in found["job"]["problem"]["detail"]


def test_one_piece_that_is_too_large_is_not_read(owner: Caller, run_jobs: RunJobs) -> None:
    content = tiff(
        np.zeros((1, 64, 64), "uint8"),
        compress="deflate",
        tiled=True,
        blockxsize=8208,
        blockysize=8208,
    )
    assert len(content) < 1_000_000
    (one,) = inspection(owner, run_jobs, {"a.tif": content})["inspection"]["layers"]
    assert "in one piece" in one["refusal"]


@pytest.mark.parametrize("seed", range(20))
def test_damaged_files_fail_with_a_sentence(owner: Caller, run_jobs: RunJobs, seed: int) -> None:
    found = inspection(owner, run_jobs, {"a.tif": damaged(tiff(ramp(), compress="deflate"), seed)})
    job = found["job"]
    if job["status"] == "successful":
        job, _ = act(owner, run_jobs, found["id"], "commit")
    assert job["status"] == "successful" or job["problem"]["status"] < 500, job


def test_a_program_that_a_file_ends_says_that_it_is_damaged(
    owner: Caller, empty_database: Engine, settings: Settings, tmp_path: Path
) -> None:
    content = netcdf({"sst": ramp(20)[None]})
    made = [uploaded(owner, {"a.nc": damaged(content, seed)}) for seed in range(1, 25, 2)]
    storage = {"STORAGE_DIR": str(settings.storage_dir), "PYTHONPATH": str(CHECKOUT)}
    with worker(empty_database, tmp_path / "log", **storage):
        for created in made:
            job = wait_until_over(empty_database, UUID(read(owner, created["id"])["job"]["id"]))
            assert job.status == "successful" or job.problem["status"] < 500, job.problem


def damaged(content: bytes, seed: int) -> bytes:
    """Return a file with some bytes changed, the same for the same seed."""
    generator = np.random.default_rng(seed)
    changed = bytearray(content)
    for place in generator.integers(4, len(changed), 12).tolist():
        changed[place] = int(generator.integers(256))
    return bytes(changed)
