"""Archives that would harm, or are no data: refused with a reason, the disk left clean."""

import gzip
import io
import stat
import struct
import tarfile
import tempfile
import zipfile
from collections import namedtuple
from pathlib import Path
from time import monotonic

import pytest

from samsyn_admin.imports.readers import unpacking
from samsyn_admin.imports.readers.files import open_layers
from samsyn_model.errors import StorageFullError, UnreadableFileError
from tests.api.imports.readers.shapefile.shapefiles import contents, pack, read_layers
from tests.source_files import collection, feature

GEOJSON = collection(feature({"a": 1})).encode()
SHAPEFILE = {f"zones{suffix}": content for suffix, content in contents().items()}
SECONDS = 20


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def reason(path: Path, scratch: Path) -> str:
    """Return why a file is refused, soon and with nothing left behind."""
    start = monotonic()
    with pytest.raises(UnreadableFileError) as refusal:
        read_layers(path)
    detail = refusal.value.detail
    del refusal
    assert monotonic() - start < SECONDS
    assert list(scratch.iterdir()) == []
    assert str(scratch) not in detail
    return detail


@pytest.mark.parametrize(
    "name", ["../a.geojson", "/a.geojson", "x/../../a", "C:\\a.geojson", "..\\a"]
)
def test_names_that_leave_the_archive(tmp_path: Path, scratch: Path, name: str) -> None:
    assert "outside of its folders" in reason(
        pack(tmp_path / "a.zip", {"b.geojson": GEOJSON, name: GEOJSON}), scratch
    )
    assert {file.name for file in tmp_path.iterdir()} == {"a.zip", "scratch"}


def test_links(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("a.geojson")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert "a link to another file" in reason(path, scratch)


def test_encryption(tmp_path: Path, scratch: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.geojson": GEOJSON})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "without a password" in reason(path, scratch)


def test_other_compressions(tmp_path: Path, scratch: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.geojson", GEOJSON)
    assert "Deflate" in reason(tmp_path / "a.zip", scratch)


def test_two_files_of_a_name(tmp_path: Path, scratch: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.geojson": GEOJSON, "b.geojson": GEOJSON})
    path.write_bytes(path.read_bytes().replace(b"b.geojson", b"a.geojson"))
    assert "two files of the name 'a.geojson'" in reason(path, scratch)


def test_a_name_that_is_too_long(tmp_path: Path, scratch: Path) -> None:
    path = pack(tmp_path / "a.zip", {f"{'å' * 200}.geojson": GEOJSON})
    assert "too long a name" in reason(path, scratch)


def test_a_wrong_checksum(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:  # stored
        archive.writestr("a.geojson", GEOJSON + b" " * 2_000)
    path.write_bytes(path.read_bytes().replace(b'"a": 1', b'"a": 2'))
    assert "Bad CRC" in reason(path, scratch)


@pytest.mark.parametrize("share", [0.98, 0.5, 0.01])
def test_a_truncated_archive(tmp_path: Path, scratch: Path, share: float) -> None:
    path = pack(tmp_path / "a.zip", {"a.geojson": GEOJSON * 99})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share) + 4])
    assert "uploaded as a whole" in reason(path, scratch)
    path = tmp_path / "a.geojson.gz"
    whole = gzip.compress(bytes(GEOJSON))
    path.write_bytes(whole[: int(len(whole) * share) + 2])
    assert "uploaded as a whole" in reason(path, scratch)


def test_damage_within_a_compressed_file(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "a.geojson.gz"
    whole = bytearray(gzip.compress(GEOJSON))
    whole[-6] ^= 1
    path.write_bytes(whole)
    assert "damaged" in reason(path, scratch)
    path.write_bytes(b"\x1f\x8b" + bytes(50))
    assert "damaged" in reason(path, scratch)
    path.write_bytes(gzip.compress(b""))
    assert "is empty" in reason(path, scratch)


def test_bombs(tmp_path: Path, scratch: Path) -> None:
    zeros = bytes(300 * 1024**2)
    path = pack(tmp_path / "a.zip", {"a.csv": b"lon,lat\n" + zeros})
    assert "too large unpacked" in reason(path, scratch)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"lon,lat\n" + zeros, 9))
    assert "too large unpacked" in reason(path, scratch)


def test_a_bomb_of_files_that_overlap(tmp_path: Path, scratch: Path) -> None:
    """Many entries of the directory that lead to one file."""
    path = pack(tmp_path / "a.zip", {"a.csv": b"lon,lat\n" + b"1,2\n" * 1000})
    content = path.read_bytes()
    at, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry = content[at:end]
    entries = b"".join(entry.replace(b"a.csv", b"%d.csv" % n) for n in range(9))
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 9, 9, len(entries), at, 0)
    path.write_bytes(content[:at] + entries + tail)
    assert "not a valid zip file" in reason(path, scratch)


def test_too_many_parts(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(100_000):
            archive.writestr(f"{number}.txt", b"")
    assert "more than 10,000 parts" in reason(path, scratch)


def test_a_directory_that_is_larger_than_its_number_of_parts(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "a.zip"
    size = 17 * 1024**2
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, size, 4, 0)
    path.write_bytes(b"PK\x03\x04" + bytes(size) + end)
    assert "which is too long" in reason(path, scratch)


@pytest.mark.parametrize("outer", ["zip", "gz"])
def test_an_archive_in_an_archive(tmp_path: Path, scratch: Path, outer: str) -> None:
    inner = pack(tmp_path / "zones.zip", SHAPEFILE).read_bytes()
    for content in (inner, gzip.compress(GEOJSON)):
        if outer == "zip":
            path = pack(tmp_path / "a.zip", {"zones.zip": content})
        else:
            path = tmp_path / "a.zip.gz"
            path.write_bytes(gzip.compress(content))
        assert "unpack it" in reason(path, scratch)


def test_formats_that_are_archives_are_not_read_in_each_other(
    tmp_path: Path, scratch: Path
) -> None:
    """As those that contain themselves would be without an end."""
    inner = pack(tmp_path / "b.kmz", {"a.geojson": GEOJSON}).read_bytes()
    middle = pack(tmp_path / "c.kmz", {"b.kmz": inner}).read_bytes()
    assert "unpack it" in reason(pack(tmp_path / "a.zip", {"c.kmz": middle}), scratch)


def test_an_archive_beside_data_is_told(tmp_path: Path) -> None:
    inner = pack(tmp_path / "more.zip", SHAPEFILE).read_bytes()
    path = pack(tmp_path / "a.zip", {**SHAPEFILE, "more.zip": inner})
    [layer] = open_layers(path)
    assert any(note.startswith("Left out: more.zip in ") for note in layer.notes)


def test_no_space_left(tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "a.zip", {"a.geojson": GEOJSON})
    usage = namedtuple("usage", ["total", "used", "free"])
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda _: usage(9, 9, 9))
    with pytest.raises(StorageFullError, match="disk of the server is full"):
        open_layers(path)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("packed", [False, True])
def test_a_full_disk(tmp_path: Path, packed: bool) -> None:
    """On a file that no byte can be written to."""
    source = io.BytesIO(b"x")
    target = Path("/dev/full")
    if packed:
        target = unpacking.scratch_folder(tmp_path / "a.zip", 1) / "link"
        target.symlink_to("/dev/full")
    with pytest.raises((StorageFullError, UnreadableFileError)):
        unpacking.unpack(source, target, tmp_path / "a.zip", 1)


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.geojson"))
    return buffer.getvalue()


FOREIGN = {
    "a PDF document": (b"%PDF-1.7\n", ".pdf"),
    "an image": (b"\x89PNG\r\n\x1a\n", ".png"),
    "GeoTIFF": (b"II*\0\x08\0\0\0", ".tif"),
    "NetCDF": (b"CDF\x01\0\0", ".nc"),
    "a document of an office": (b"\xd0\xcf\x11\xe0\xa1\xb1", ".doc"),
    "web page": (b"<!DOCTYPE html><html><body>Not found", ".html"),
    "error message": (b"<?xml version='1.0'?><ows:ExceptionReport>", ".xml"),
    "QGIS project": (b"<!DOCTYPE qgis PUBLIC 'x'><qgis>", ".qgs"),
    "unpack it": (tar(), ".tar"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\n", ".gpkg"),
    "is empty": (b"", ".gpkg"),
    "it is not GeoJSON, JSON-FG": (bytes(range(1, 200)), ".bin"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_no_data_is_refused_as_what_it_is(tmp_path: Path, scratch: Path, what: str) -> None:
    content, suffix = FOREIGN[what]
    for lie in (suffix, ".shp", ".kml", ".csv", ".geojson"):
        if content and suffix != ".bin":
            path = tmp_path / f"a{lie}"
            path.write_bytes(content)
            assert what in reason(path, scratch)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    assert what in reason(path, scratch)
    if content:
        path = tmp_path / f"a{suffix}.gz"
        path.write_bytes(gzip.compress(content))
        assert what in reason(path, scratch)


def test_packages_of_other_programs(tmp_path: Path, scratch: Path) -> None:
    word = pack(tmp_path / "a.docx", {"word/document.xml": b"<a/>"})
    assert "document of an office" in reason(word, scratch)
    assert "QGIS project" in reason(pack(tmp_path / "a.qgz", {"a.qgs": b"<qgis/>"}), scratch)
    assert "contains no data" in reason(pack(tmp_path / "a.zip", {"a.bin": b""}), scratch)
    assert "contains no data" in reason(pack(tmp_path / "a.zip", {}), scratch)
    pdf = pack(tmp_path / "a.zip", {"a.pdf": b"%PDF", "b.dbf": b"\x03"})
    assert "PDF" in reason(pdf, scratch)
