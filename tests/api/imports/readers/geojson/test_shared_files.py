"""Files that people had trouble with, of the shared test data."""

from pathlib import Path

import pytest

from tests.api.imports.reading import read

READ = {
    "gj_3d.geojson": 2,
    "gj_4d.geojson": 1,
    "gj_antimeridian_wrap.geojson": 1,
    "gj_array_of_features.geojson": 2,
    "gj_bowtie.geojson": 1,
    "gj_crs_last.geojson": 1,
    "gj_crs_link.geojson": 1,
    "gj_crs_old.geojson": 1,
    "gj_cw_ring.geojson": 1,
    "gj_dates_empty.geojson": 3,
    "gj_geoserver_wfs_4326.json": 1,
    "gj_latlon_swapped.geojson": 1,
    "gj_mixed.geojson": 5,
    "gj_nan_props.geojson": 1,
    "gj_types_rich.geojson": 3,
    "gj_unclosed.geojson": 1,
    "mixz_all_z.geojson": 2,
    "mixz_mixed_types_3d2d.geojson": 2,
    "other_esrijson.json": 1,
    "other_jsonfg.json": 1,
    "other_topojson.json": 1,
    "samsyn_own_download_in_3006.fg.json": 2,
}


@pytest.mark.parametrize("name", READ)
def test_files_that_are_read(shared: Path, name: str) -> None:
    layer = read(shared / "files" / name)
    assert len(layer.features) == READ[name]
    assert not layer.faults


@pytest.mark.parametrize("name", ["gj_mixed_dim_line.geojson", "gj_one_point_line.geojson"])
def test_files_with_a_fault(shared: Path, name: str) -> None:
    layer = read(shared / "files" / name)
    assert ([number for number, _ in layer.faults], layer.features) == ([1], [])
