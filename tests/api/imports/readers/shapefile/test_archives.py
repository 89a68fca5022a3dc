"""Zip and gzip files: any format in them is read, and what is not read is named."""

import gc
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
import shapely

from samsyn_admin.imports.readers.files import open_layers
from samsyn_model.errors import UnreadableFileError
from tests.api.imports.readers.shapefile.shapefiles import contents, pack, read, read_layers
from tests.source_files import collection, feature, table, write_ogr, write_parquet

GEOJSON = collection(feature({"a": 1})).encode()
CSV = b"a,lon,lat\n1,11,57\n"
KML = (
    b"<kml xmlns='http://www.opengis.net/kml/2.2'><Document><name>d</name><Placemark>"
    b"<Point><coordinates>1,2</coordinates></Point></Placemark></Document></kml>"
)


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, which has to be empty at the end."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def shapefile(name: str = "zones") -> dict[str, bytes]:
    return {f"{name}{suffix}": content for suffix, content in contents(cpg="UTF-8").items()}


def sample(folder: Path, suffix: str) -> bytes:
    content = table([shapely.Point(11, 57)], {"a": [1]})
    path = folder / f"sample{suffix}"
    if suffix in {".gpkg", ".fgb"}:
        driver = {".gpkg": "GPKG", ".fgb": "FlatGeobuf"}[suffix]
        write_ogr(path, content, driver, geometry_type="Point")
    elif suffix == ".parquet":
        write_parquet(path, content)
    else:
        path.write_bytes({".geojson": GEOJSON, ".csv": CSV, ".kml": KML}[suffix])
    return path.read_bytes()


@pytest.mark.parametrize("packed", ["zip", "gz", "folder"])
@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".parquet", ".geojson", ".csv", ".kml"])
def test_any_format(tmp_path: Path, scratch: Path, suffix: str, packed: str) -> None:
    content = sample(tmp_path, suffix)
    if packed == "gz":
        path = tmp_path / f"plan{suffix}.gz"
        path.write_bytes(gzip.compress(content))
    else:
        name = f"plan{suffix}" if packed == "zip" else f"dåta/inner{suffix}/plan{suffix}"
        path = pack(tmp_path / "a}b {c}.zip", {name: content})
    layer = read(path)
    assert len(layer.wkt) == 1
    gc.collect()  # layers and their closures refer to each other
    assert list(scratch.iterdir()) == []


def test_an_import_from_an_archive_removes_what_it_unpacked(tmp_path: Path, scratch: Path) -> None:
    path = pack(tmp_path / "a.zip", shapefile())
    layers = open_layers(path)
    [folder] = scratch.iterdir()
    assert {file.suffix for file in folder.iterdir()} >= {".shp", ".dbf"}
    list(layers[0].batches())
    list(layers[0].batches())
    del layers
    assert list(scratch.iterdir()) == []
    broken = {**shapefile(), "zones.dbf": b"x"}
    with pytest.raises(UnreadableFileError) as refusal:
        open_layers(pack(path, broken))
    assert str(scratch) not in refusal.value.detail
    assert "zones.dbf in " in refusal.value.detail
    del refusal
    assert list(scratch.iterdir()) == []


def test_a_killed_process_leaves_nothing_for_long(tmp_path: Path, scratch: Path) -> None:
    path = pack(tmp_path / "a.zip", shapefile())
    program = (
        "import sys, time, pathlib\n"
        "from samsyn_admin.imports.readers.files import open_layers\n"
        "layers = open_layers(pathlib.Path(sys.argv[1]))\n"
        "print('open', flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(scratch)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        read(path)  # leaves the folder of a process that lives alone
        assert len(list(scratch.iterdir())) == 1
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(list(scratch.iterdir())) == 1
    read(path)
    assert list(scratch.iterdir()) == []


def test_files_of_several_formats_are_all_read(tmp_path: Path) -> None:
    files = {**shapefile(), "extra/zones.geojson": GEOJSON, "ports.csv": CSV}
    layers = read_layers(pack(tmp_path / "a.zip", files))
    assert [layer.name for layer in layers] == [
        "zones (zones.shp)",
        "zones (extra/zones.geojson)",
        "ports",
    ]
    assert all(any("Read from" in note for note in layer.notes) for layer in layers)


def test_several_shapefiles_in_folders(tmp_path: Path) -> None:
    files = shapefile("a/one") | shapefile("a/two") | shapefile("b\\three")
    layers = read_layers(pack(tmp_path / "a.zip", files))
    assert [layer.name for layer in layers] == ["one", "two", "three"]


def test_other_files_are_named(tmp_path: Path) -> None:
    others = {"readme.txt": b"Read me", "plan.pdf": b"%PDF-1.7", "codes.csv": b"a,b\n1,2\n"}
    ignored = {"__MACOSX/._zones.shp": b"x", ".DS_Store": b"x", "zones.sbn": b"x"}
    metadata = {"zones.shp.xml": b"<metadata/>", "meta.json": b'{"title": "zones"}'}
    layer = read(pack(tmp_path / "a.zip", shapefile() | others | ignored | metadata))
    assert layer.notes[1] == "Not read, being no data: meta.json, plan.pdf, readme.txt."
    assert layer.notes[2].startswith("Left out: codes.csv in ")
    assert "no columns of coordinates" in layer.notes[2]
    many = {f"{n}.txt": b"x" for n in range(9)}
    layer = read(pack(tmp_path / "a.zip", shapefile() | many))
    assert layer.notes[-1].endswith("4.txt and 4 others.")


def test_a_text_is_read_where_there_is_nothing_else(tmp_path: Path) -> None:
    assert len(read(pack(tmp_path / "a.zip", {"points.txt": CSV})).wkt) == 1
    assert len(read(pack(tmp_path / "a.zip", {"zones.json": GEOJSON})).wkt) == 1


def test_a_damaged_file_among_others_is_left_out_by_its_name(tmp_path: Path) -> None:
    files = {**shapefile(), **shapefile("other")}
    files["other.dbf"] = files["other.dbf"][:40]
    path = pack(tmp_path / "a.zip", files)
    [layer] = open_layers(path)
    assert any(re.search(r"^Left out: other\.dbf in .*truncated", note) for note in layer.notes)
    with pytest.raises(UnreadableFileError, match=r"other\.dbf in .*truncated"):
        open_layers(path, "other.shp")
    [layer] = open_layers(path, "zones")
    assert len(list(layer.batches())) == 1


def test_kmz_reads_its_kml_and_names_its_icons(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.kmz", {"doc.kml": KML, "files/icon.png": b"\x89PNG"})
    layer = read(path)
    assert len(layer.wkt) == 1
    assert layer.notes == ["Not read, being no data: files/icon.png."]
    inside = pack(tmp_path / "b.zip", {"a.kmz": path.read_bytes()})
    assert len(read(inside).wkt) == 1


@pytest.mark.parametrize(("flag", "encoding"), [(0x800, "utf-8"), (0, "utf-8"), (0, "cp437")])
def test_names_in_any_encoding(tmp_path: Path, flag: int, encoding: str) -> None:
    """Of systems that do not mark UTF-8, and of the standard's code page."""
    path = pack(tmp_path / "a.zip", {"xxxxxx.geojson": GEOJSON})
    name = "Öland".encode(encoding).ljust(6, b"_")
    content = path.read_bytes().replace(b"xxxxxx", name)
    if flag:
        at = content.index(b"PK\x01\x02")
        content = (
            content[:6]
            + b"\0\x08"
            + content[8:at]
            + content[at : at + 8]
            + b"\0\x08"
            + (content[at + 10 :])
        )
    path.write_bytes(content)
    assert read(path).name.rstrip("_") == "Öland"


def test_a_file_geodatabase_is_unpacked_into_a_folder_of_its_name(tmp_path: Path) -> None:
    for names, expected in (
        (("plan.gdb/a00000001.gdbtable", "plan.gdb/gdb"), "plan.gdb in"),
        (("a00000001.gdbtable", "gdb"), "base.gdb in"),
        (("data/plan/a00000001.gdbtable",), "data/plan.gdb in"),
    ):
        path = pack(tmp_path / "base.gdb.zip", dict.fromkeys(names, b"x" * 100))
        with pytest.raises(UnreadableFileError) as refusal:
            open_layers(path)
        assert expected in refusal.value.detail


def test_features_as_a_text_sequence_in_gzip(tmp_path: Path) -> None:
    text = "".join(json.dumps(feature({"a": n})) + "\n" for n in range(3))
    path = tmp_path / "plan.geojsonl.gz"
    path.write_bytes(gzip.compress(text.encode()))
    layer = read(path)
    assert (layer.name, layer.values("a")) == ("plan", [0, 1, 2])


def test_a_stored_zip64_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with (
        zipfile.ZipFile(path, "w") as archive,
        archive.open("a.csv", "w", force_zip64=True) as part,
    ):
        part.write(CSV)
    assert len(read(path).wkt) == 1


@pytest.mark.parametrize(
    ("suffix", "lie", "kind"),
    [
        (".geojson", ".csv", "JSON"),
        (".gpkg", ".shp", "an SQLite database"),
        (".fgb", ".json", "FlatGeobuf"),
        (".kml", ".csv", "XML"),
    ],
)
def test_a_suffix_that_lies_is_told(tmp_path: Path, suffix: str, lie: str, kind: str) -> None:
    content = sample(tmp_path, suffix)
    path = tmp_path / f"plan{lie}"
    path.write_bytes(content)
    layer = read(path)
    assert len(layer.wkt) == 1
    assert f"The file is {kind}, although its suffix is {lie}." in layer.notes
    honest = tmp_path / f"plan{suffix}"
    honest.write_bytes(content)
    assert read(honest).notes == []
