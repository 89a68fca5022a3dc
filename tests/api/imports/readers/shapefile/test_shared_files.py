"""Small files as people have them, named by what was wrong with them."""

from pathlib import Path

import pytest

from samsyn_model.errors import UnreadableFileError
from tests.api.imports.readers.shapefile.shapefiles import ReadLayer, read, read_layers

ZONES = ["Öresund", "Bohuslän – «å»"]


@pytest.fixture
def files(shared: Path) -> Path:
    folder = shared / "files"
    if not folder.is_dir():
        pytest.skip(f"no shared files at {folder}")
    return folder


def notes(layer: ReadLayer) -> str:
    return " ".join(layer.notes)


@pytest.mark.parametrize(
    ("name", "remark"),
    [
        *[("shp_ok.zip", ""), ("a}b.zip", ""), ("shp_mixed_case.zip", "")],
        *[("mixedcase/Zones.shp", ""), ("shp_no_prj.zip", ""), ("shp_no_cpg_utf8.zip", "")],
        ("shp_no_shx.zip", "no zones.shx"),
    ],
)
def test_zones(files: Path, name: str, remark: str) -> None:
    layer = read(files / name)
    assert layer.values("namn") == ZONES
    assert layer.values("djup") == [12.5, -0.25]
    assert layer.values("dag") == ["2024-05-01", None]
    assert remark in notes(layer)
    assert not layer.faults


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("shp_cp1252_ldid57_no_cpg.zip", "Öresund–€ ’Å’"),
        ("shp_cpg_65001.zip", "Öresund–€"),
        ("shp_cut_utf8_char.zip", "ÖÅÄ"),
    ],
)
def test_texts(files: Path, name: str, text: str) -> None:
    assert read(files / name).values("namn") == [text]


def test_dates_and_numbers(files: Path) -> None:
    layer = read(files / "shp_dates.zip")
    assert layer.values("dag") == ["2024-05-01", None, None, None, None, "1899-01-01", None]
    assert "4 dates do not exist" in notes(layer)
    layer = read(files / "shp_numbers.zip")
    assert layer.values("a") == [123456789012345678, None, None, 99999999999999999999, 7]
    assert layer.values("b") == [1.5, None, None, -0.001, None]
    assert [(fault.number, fault.field) for fault in layer.faults] == [(5, "b")]


def test_shapes_alone_and_surfaces(files: Path) -> None:
    layer = read(files / "shp_only_shp.zip")
    assert (len(layer.wkt), layer.properties) == (2, [{}, {}])
    layer = read(files / "shp_tin.zip")
    assert str(layer.wkt[0]).startswith("MULTIPOLYGON Z")
    assert "Multipatches" in notes(layer)


def test_archives(files: Path) -> None:
    layers = read_layers(files / "shp_plus_kml.zip")
    assert [layer.name for layer in layers] == ["zones", "preview"]
    for name in (
        "csv_in_zip.zip",
        "geojson_in_zip.zip",
        "gpkg_in_zip.zip",
        "geojson_gz.geojson.gz",
    ):
        assert len(read(files / name).wkt) >= 1
    with pytest.raises(UnreadableFileError, match=r"zones\.zip in .* unpack it"):
        read_layers(files / "zip_in_zip.zip")
