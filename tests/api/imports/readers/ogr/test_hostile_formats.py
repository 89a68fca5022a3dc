"""Files of formats of GDAL that refer to others: nothing is fetched, no other is read."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from samsyn_model.errors import UnreadableFileError
from tests.api.imports.readers.ogr.reading import read
from tests.api.imports.readers.ogr.test_formats import COLUMNS, POINT, SQUARES, gml, member
from tests.api.imports.test_hostile_files import Listener
from tests.source_files import table, write_ogr

SECRET = "a secret of the server"
ACCESSED = 1_000_000_000  # seconds: long before any reading
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://x {}"'
CRS = "urn:ogc:def:crs:EPSG::4326"
SCHEMA = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://x">
<xs:include schemaLocation="{}"/></xs:schema>"""
DXF_WITH_REFERENCE = (
    "0\nSECTION\n2\nBLOCKS\n0\nBLOCK\n8\n0\n2\nother\n70\n4\n10\n0\n20\n0\n3\nother\n1\n{}\n"
    "0\nENDBLK\n0\nENDSEC\n0\nSECTION\n2\nENTITIES\n0\nINSERT\n8\n0\n2\nother\n10\n1\n20\n2\n"
    "0\nPOINT\n8\n0\n10\n1\n20\n2\n0\nENDSEC\n0\nEOF\n"
)

Make = Callable[[Path, Path, str], Path]


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the server whose time of access shows whether it was read."""
    folder = tmp_path / "server"
    folder.mkdir()
    path = folder / "secret.csv"
    path.write_text(f"name,x,y\n{SECRET},1,2\n")
    os.utime(path, (ACCESSED, ACCESSED + 1))
    return path


def was_read(path: Path) -> bool:
    return path.stat().st_atime != ACCESSED


def test_the_time_of_access_shows_a_reading(secret: Path) -> None:
    assert not was_read(secret)
    secret.read_text()
    if not was_read(secret):
        pytest.skip("the file system keeps no times of access")


def _gml(
    attributes: str = "", geometry: str = POINT.format(CRS, "57 11"), before: str = ""
) -> Make:
    def make(folder: Path, secret: Path, url: str) -> Path:
        filled = [text.replace("FILE", str(secret)).replace("URL", url) for text in
                  (attributes, geometry, before)]  # fmt: skip
        return gml(folder / "a.gml", member(1, filled[1]), attributes=filled[0], before=filled[2])

    return make


def _gml_with_neighbours(folder: Path, secret: Path, url: str) -> Path:
    path = gml(folder / "a.gml", member(1, POINT.format(CRS, "57 11")))
    (folder / "a.xsd").write_text(SCHEMA.format(secret))
    (folder / "a.gfs").symlink_to(secret)
    (folder / "a.resolved.gml").symlink_to(secret)
    return path


def _geodatabase(folder: Path, secret: Path, _: str) -> Path:
    content = table(SQUARES, COLUMNS)
    path = write_ogr(folder / "a.gdb", content, "OpenFileGDB", geometry_type="MultiPolygon")
    last = sorted(path.glob("*.gdbtable"))[-1]
    last.unlink()
    last.symlink_to(secret)
    return path


def _text(name: str, text: str) -> Make:
    def make(folder: Path, secret: Path, url: str) -> Path:
        path = folder / name
        path.write_text(text.replace("FILE", str(secret)).replace("URL", url))
        return path

    return make


def _sqlite(sql: str, *rows: str) -> Make:
    def make(folder: Path, secret: Path, url: str) -> Path:
        path = write_ogr(folder / "a.sqlite", table(SQUARES, COLUMNS), "SQLite")
        text = sql.replace("FILE", str(secret)).replace("URL", url)
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA writable_schema = on")
            kind = "view" if " VIEW " in text else "table"
            database.execute("INSERT INTO sqlite_master VALUES (?, 'v', 'v', 0, ?)", [kind, text])
            for row in rows:
                database.execute(row)
            database.commit()
        return path

    return make


GEOMETRY_COLUMN = "INSERT INTO geometry_columns VALUES ('v', 'geom', 1, 2, 4326, 'WKB')"
FILES: dict[str, Make] = {
    "GML with the schema of a file": _gml(XSI.format("FILE")),
    "GML with the schema of a file's address": _gml(XSI.format("file://FILE")),
    "GML with the schema of an address": _gml(XSI.format("URL/a.xsd")),
    "GML with a schema through GDAL": _gml(XSI.format("/vsicurl/URL/a.xsd")),
    "GML with geometries of an address": _gml(geometry='<gml:Point xlink:href="URL/a.gml#b"/>'),
    "GML with geometries of a file": _gml(geometry='<gml:Point xlink:href="FILE#b"/>'),
    "GML in the CRS of an address": _gml(geometry=POINT.format("URL/crs", "57 11")),
    "GML in the CRS of a file": _gml(geometry=POINT.format("FILE", "57 11")),
    "GML with an entity": _gml(before='<!DOCTYPE a [<!ENTITY x SYSTEM "file://FILE">]>'),
    "GML with a DTD": _gml(before='<!DOCTYPE a SYSTEM "URL/a.dtd">'),
    "GML beside schemas": _gml_with_neighbours,
    "GPX with an entity": _text(
        "a.gpx",
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file://FILE">]><gpx><wpt lat="1" lon="2"><name>&x;</name>'
        "</wpt></gpx>",
    ),
    "a geodatabase with a link": _geodatabase,
    "DXF with another drawing": _text("a.dxf", DXF_WITH_REFERENCE.format("FILE")),
    "a table of another file": _text(
        "a.tab", '!table\n!version 300\nDefinition Table\n  File "FILE"\n  Type "DBF"\n'
    ),
    "a view of another table": _text(
        "a.tab", '!table\n!version 300\nOpen Table "FILE"\nCreate View v As Select * From secret\n'
    ),
    "SQLite of a file": _sqlite("CREATE VIRTUAL TABLE v USING VirtualOGR('FILE')", GEOMETRY_COLUMN),
    "SQLite of a text": _sqlite(
        "CREATE VIRTUAL TABLE v USING VirtualText('FILE', 'UTF-8', 1)", GEOMETRY_COLUMN
    ),
    "SQLite of an address": _sqlite(
        "CREATE VIRTUAL TABLE v USING VirtualOGR('/vsicurl/URL/a.csv')", GEOMETRY_COLUMN
    ),
    "SQLite with a view that reads": _sqlite(
        "CREATE VIEW v AS SELECT readfile('FILE') AS geom", GEOMETRY_COLUMN
    ),
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_nothing_else_is_read(tmp_path: Path, secret: Path, listener: Listener, name: str) -> None:
    folder = tmp_path / "file"
    folder.mkdir()
    path = FILES[name](folder, secret, listener.url)
    os.utime(secret, (ACCESSED, ACCESSED + 1))
    before = sorted(folder.rglob("*"))
    told = ""
    with suppress(UnreadableFileError):
        for layer, rows in read(path):
            told += f"{layer.kinds} {rows} {layer.all_notes()}"
    assert SECRET not in told
    assert not was_read(secret)
    assert listener.connections == 0
    assert sorted(folder.rglob("*")) == before


def test_what_can_be_read_without_others_is_read(tmp_path: Path, secret: Path) -> None:
    for name in ("GML with the schema of a file", "GML beside schemas", "SQLite of a file"):
        folder = tmp_path / name
        folder.mkdir()
        [(_, rows)] = read(FILES[name](folder, secret, "http://127.0.0.1:9"))
        assert rows
