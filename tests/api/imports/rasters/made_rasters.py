"""Rasters of known values, as the bytes of files, and what is done with them."""

import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from samsyn_admin.imports.rasters.reading import gdal  # GDAL as the imports have it
from tests.api.imports.conftest import RunJobs
from tests.api.imports.upload_requests import read, send
from tests.api.layer_requests import Caller

import rasterio  # isort: skip
from rasterio.transform import from_origin  # isort: skip

SIZE = 64
WEST, NORTH, PIXEL = 300_000, 6_500_000, 100  # metres in SWEREF 99 TM


def ramp(size: int = SIZE, dtype: str = "float32") -> NDArray[Any]:
    """Return values that grow by 1 to the east."""
    return np.tile(np.arange(size), (size, 1)).astype(dtype)


def tiff(
    values: NDArray[Any],
    crs: str | None = "EPSG:3006",
    colours: dict[int, tuple[int, int, int]] | None = None,
    **profile: Any,
) -> bytes:
    """Return a GeoTIFF of values, of one band or several."""
    bands = values if values.ndim == 3 else values[None]
    settings = {
        "driver": "GTiff",
        "count": bands.shape[0],
        "height": bands.shape[1],
        "width": bands.shape[2],
        "dtype": str(bands.dtype),
        "crs": crs,
        "transform": from_origin(WEST, NORTH, PIXEL, PIXEL),
        **profile,
    }
    scales = settings.pop("scales", None)
    with tempfile.TemporaryDirectory() as folder, gdal.raster_environment():
        path = Path(folder) / "made.tif"
        with rasterio.open(path, "w", **settings) as dataset:
            dataset.write(bands)
            if colours:
                dataset.write_colormap(1, colours)
            if scales:
                dataset.scales = scales
        return path.read_bytes()


def ascii_grid(values: NDArray[Any], nodata: int = -9999) -> bytes:
    """Return an ASCII grid."""
    rows, columns = values.shape
    head = (
        f"ncols {columns}\nnrows {rows}\nxllcorner {WEST}\nyllcorner {NORTH - rows * PIXEL}\n"
        f"cellsize {PIXEL}\nNODATA_value {nodata}\n"
    )
    return (head + "\n".join(" ".join(map(str, row)) for row in values.tolist())).encode()


def netcdf(variables: dict[str, NDArray[Any]], west: float = 10.05) -> bytes:
    """Return a NetCDF file of HDF5: longitude, latitude, months of 2024 in days since 1950."""
    any_of_them = next(iter(variables.values()))
    count, height, width = any_of_them.shape
    axes = {
        "time": (np.array([27028.0, 27059.0, 27088.0])[:count], "days since 1950-01-01", "time"),
        "lat": (58 - np.arange(height) / 10, "degrees_north", "latitude"),
        "lon": (west + np.arange(width) / 10, "degrees_east", "longitude"),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.nc"
        with h5py.File(path, "w") as file:
            for name, (values, units, standard_name) in axes.items():
                axis = file.create_dataset(name, data=values)
                axis.attrs["units"], axis.attrs["standard_name"] = units, standard_name
                axis.make_scale()
            for name, values in variables.items():
                variable = file.create_dataset(name, data=values)
                variable.attrs["_FillValue"] = values.dtype.type(-999)
                variable.attrs["units"] = "degC"
                for number, axis_name in enumerate(axes):
                    variable.dims[number].attach_scale(file[axis_name])
        return path.read_bytes()


def act(caller: Caller, run_jobs: RunJobs, import_id: str, action: str, **body: Any) -> Any:
    """Have a job of an import done; return the job and the import."""
    response = send(caller, "POST", f"/{import_id}/{action}", json=body)
    assert response.status_code == 202, response.text
    run_jobs()
    found = read(caller, import_id)
    return found["job"], found


def layer(caller: Caller, layer_id: str) -> dict[str, Any]:
    """Return a layer."""
    response = caller.get(layer_id)
    assert response.status_code == 200, response.text
    assert response.json is not None
    found: dict[str, Any] = response.json
    return found
