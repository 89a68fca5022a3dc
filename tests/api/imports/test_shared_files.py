"""The small files of `shared/files`, each of a kind that was refused, or read wrongly, once."""

from pathlib import Path
from typing import Any

import pytest

from samsyn_admin.imports.loading.choices import ImportChoices
from samsyn_admin.imports.loading.inspection import inspect_file
from samsyn_model.errors import UnreadableFileError

type Layers = list[tuple[int, int, str | None]]

READ: dict[str, Layers] = {
    "a}b.zip": [(2, 0, "EPSG:4326")],
    "csv_3006_NE.csv": [(1, 0, None)],
    "csv_comma_quoted_decimal.csv": [(1, 0, "OGC:CRS84")],
    "csv_cp1252.csv": [(1, 0, "OGC:CRS84")],
    "csv_dms.csv": [(1, 0, "OGC:CRS84")],
    "csv_ewkt.csv": [(1, 0, "EPSG:3006")],
    "csv_head_breddgrad.csv": [(1, 0, "OGC:CRS84")],
    "csv_head_point_y.csv": [(1, 0, "OGC:CRS84")],
    "csv_header_only.csv": [(0, 0, "OGC:CRS84")],
    "csv_hexwkb.csv": [(1, 0, "OGC:CRS84")],
    "csv_in_zip.zip": [(1, 0, "OGC:CRS84")],
    "csv_inf.csv": [(2, 1, "OGC:CRS84")],
    "csv_missing_lat.csv": [(1, 1, "OGC:CRS84")],
    "csv_one_bad_row.csv": [(2, 1, "OGC:CRS84")],
    "csv_sep_line.csv": [(1, 0, "OGC:CRS84")],
    "csv_space_number.csv": [(1, 0, "OGC:CRS84")],
    "csv_tab_decimal.tsv": [(1, 0, "OGC:CRS84")],
    "csv_trailing_empty_rows.csv": [(1, 0, "OGC:CRS84")],
    "csv_types.csv": [(2, 0, "OGC:CRS84")],
    "csv_underscore_number.csv": [(0, 1, "OGC:CRS84")],
    "csv_wkt_curve.csv": [(1, 0, "OGC:CRS84")],
    "csv_wkt_geom_wkt.csv": [(1, 0, "OGC:CRS84")],
    "csv_year.csv": [(1, 0, "OGC:CRS84")],
    "empties.gpkg": [(4, 0, "EPSG:4326")],
    "geojson_gz.geojson.gz": [(2, 0, "OGC:CRS84")],
    "geojson_in_zip.zip": [(2, 0, "OGC:CRS84")],
    "gj_3d.geojson": [(2, 0, "OGC:CRS84")],
    "gj_4d.geojson": [(1, 0, "OGC:CRS84")],
    "gj_antimeridian_wrap.geojson": [(1, 0, "OGC:CRS84")],
    "gj_array_of_features.geojson": [(2, 0, "OGC:CRS84")],
    "gj_bowtie.geojson": [(1, 0, "OGC:CRS84")],
    "gj_crs_last.geojson": [(1, 0, "EPSG:3006")],
    "gj_crs_link.geojson": [(1, 0, "EPSG:3006")],
    "gj_crs_old.geojson": [(1, 0, "EPSG:3006")],
    "gj_cw_ring.geojson": [(1, 0, "OGC:CRS84")],
    "gj_dates_empty.geojson": [(3, 0, "OGC:CRS84")],
    "gj_geoserver_wfs_4326.json": [(1, 0, "EPSG:4326")],
    "gj_latlon_swapped.geojson": [(1, 0, "OGC:CRS84")],
    "gj_mixed.geojson": [(5, 0, "OGC:CRS84")],
    "gj_mixed_dim_line.geojson": [(0, 1, "OGC:CRS84")],
    "gj_nan_props.geojson": [(1, 0, "OGC:CRS84")],
    "gj_one_point_line.geojson": [(0, 1, "OGC:CRS84")],
    "gj_types_rich.geojson": [(3, 0, "OGC:CRS84")],
    "gj_unclosed.geojson": [(1, 0, "OGC:CRS84")],
    "gpkg_curve_in_collection.gpkg": [(1, 0, "EPSG:4326")],
    "gpkg_dirty_types.gpkg": [(2, 2, "EPSG:4326")],
    "gpkg_good_and_tin.gpkg": [(2, 0, "EPSG:4326"), (1, 0, "EPSG:4326")],
    "gpkg_in_zip.zip": [(2, 0, "EPSG:3006")],
    "gpkg_tin.gpkg": [(1, 0, "EPSG:4326")],
    "gpkg_types.gpkg": [(2, 0, "EPSG:4326")],
    "kml_data_called_name.kml": [(1, 0, "OGC:CRS84")],
    "kml_linearring.kml": [(1, 0, "OGC:CRS84")],
    "kml_nameless_folders.kml": [(1, 0, "OGC:CRS84"), (1, 0, "OGC:CRS84")],
    "kml_ok.kml": [(1, 0, "OGC:CRS84")],
    "kml_simpledata_no_schema.kml": [(1, 0, "OGC:CRS84")],
    "kml_style.kml": [(1, 0, "OGC:CRS84")],
    "mixedcase/Zones.shp": [(2, 0, "EPSG:4326")],
    "mixz_all_z.geojson": [(2, 0, "OGC:CRS84")],
    "mixz_mixed_types_3d2d.geojson": [(2, 0, "OGC:CRS84")],
    "other_dxf.dxf": [(2, 0, None)],
    "other_esrijson.json": [(1, 0, "EPSG:4326")],
    "other_fgdb.gdb": [(2, 0, "EPSG:4326")],
    "other_fgdb.gdb.zip": [(2, 0, "EPSG:4326")],
    "other_gml.gml": [(2, 0, "EPSG:3006")],
    "other_jsonfg.json": [(1, 0, "EPSG:3006")],
    "other_mif.mif": [(2, 0, "EPSG:4326")],
    "other_s57.000": [(1, 0, None), (1, 0, "EPSG:4326")],
    "other_topojson.json": [(1, 0, "OGC:CRS84")],
    "pq_plain_lonlat.parquet": [(1, 0, "OGC:CRS84")],
    "samsyn_own_download_in_3006.fg.json": [(2, 0, "EPSG:3006")],
    "samsyn_own_download_in_4258_lat_first.geojsonl": [(2, 0, "OGC:CRS84")],
    "samsyn_own_download_of_gpkg_3006.parquet": [(2, 0, "OGC:CRS84")],
    "shp_cp1252_ldid57_no_cpg.zip": [(1, 0, "EPSG:4326")],
    "shp_cpg_65001.zip": [(1, 0, "EPSG:4326")],
    "shp_cut_utf8_char.zip": [(1, 0, "EPSG:4326")],
    "shp_dates.zip": [(7, 0, "EPSG:4326")],
    "shp_mixed_case.zip": [(2, 0, "EPSG:4326")],
    "shp_no_cpg_utf8.zip": [(2, 0, "EPSG:4326")],
    "shp_no_prj.zip": [(2, 0, None)],
    "shp_no_shx.zip": [(2, 0, "EPSG:4326")],
    "shp_numbers.zip": [(5, 1, "EPSG:4326")],
    "shp_ok.zip": [(2, 0, "EPSG:4326")],
    "shp_only_shp.zip": [(2, 0, None)],
    "shp_plus_kml.zip": [(2, 0, "EPSG:4326"), (1, 0, "OGC:CRS84")],
    "shp_tin.zip": [(1, 0, "EPSG:4326")],
}
"""Of each layer: how many features and faults, and which CRS; None where it has to be named."""

REFUSED = {
    "kml_networklink.kml": "links to other files only",
    "kml_overlay.kml": "pictures on the ground only",
    "other_geojsonld.mbtiles": "is MBTiles",
    "other_sosi.sos": "is SOSI",
    "other_xlsx.xlsx": "no columns of coordinates",
    "zip_in_zip.zip": "unpack it",
}
PARTS = {"other_gml.xsd", "other_mif.mid"}


class _NoProgress:
    def start(self, name: str, total: int | None) -> None: ...

    def advance(self, count: int) -> None: ...

    def remark(self, text: str) -> None: ...

    def expect(self, count: int) -> None: ...


def inspection(path: Path) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = inspect_file(path, ImportChoices(), _NoProgress())["layers"]
    return layers


@pytest.mark.parametrize("name", sorted(READ))
def test_what_is_read(shared: Path, name: str) -> None:
    layers = inspection(shared / "files" / name)
    assert [layer["refusal"] for layer in layers] == [None] * len(layers)
    found = [
        (layer["feature_count"], layer["fault_count"], (layer["crs"] or {}).get("code"))
        for layer in layers
    ]
    assert found == READ[name]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused(shared: Path, name: str) -> None:
    try:
        layers = inspection(shared / "files" / name)
    except UnreadableFileError as error:
        reasons = [error.detail]
    else:
        reasons = [str(layer["refusal"]) for layer in layers]
    assert all(REFUSED[name] in reason for reason in reasons), reasons


def test_no_file_is_forgotten(shared: Path) -> None:
    names = {path.name for path in (shared / "files").iterdir()}
    assert names == {name.partition("/")[0] for name in READ} | REFUSED.keys() | PARTS
