"""Files of the formats that GDAL reads: what their layers hold, and how that is told."""

import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
import shapely

from samsyn_admin.imports.readers.files import open_layers
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import UnreadableFileError
from samsyn_model.properties.schema import Kind
from tests.api.imports.readers.ogr.reading import faults, read, read_one, shared_file
from tests.source_files import square, table, write_ogr

SQUARES = [square(10, 55), square(11, 56)]
COLUMNS = {
    "namn": pa.array(["Öresund", "Å"]),
    "djup": pa.array([12.5, None]),
    "n": pa.array([3, None], pa.int32()),
}

MEMBER = """<wfs:member><x:{kind} gml:id="{kind}.{number}">{fields}<x:geom>{geometry}</x:geom>
</x:{kind}></wfs:member>"""
POINT = '<gml:Point srsName="{}"><gml:pos>{}</gml:pos></gml:Point>'


def gml(path: Path, *members: str, before: str = "", attributes: str = "") -> Path:
    path.write_text(
        f'{before}<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0"'
        ' xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:x="http://x"'
        f' xmlns:xlink="http://www.w3.org/1999/xlink" {attributes}>'
        f"{''.join(members)}</wfs:FeatureCollection>",
        encoding="utf-8",
    )
    return path


def member(number: int, geometry: str, fields: str = "", kind: str = "a") -> str:
    return MEMBER.format(number=number, geometry=geometry, fields=fields, kind=kind)


@pytest.mark.parametrize(
    ("driver", "name", "form"),
    [
        ("OpenFileGDB", "a.gdb", "File Geodatabase"),
        ("SQLite", "a.sqlite", "SQLite"),
        ("MapInfo File", "a.tab", "MapInfo"),
        ("MapInfo File", "a.mif", "MapInfo"),
        ("FlatGeobuf", "a.fgb", "FlatGeobuf"),
        ("GPKG", "a.gpkg", "GeoPackage"),
        ("GML", "a.gml", "GML"),
    ],
)
def test_a_file_that_gdal_writes(tmp_path: Path, driver: str, name: str, form: str) -> None:
    kind = "MultiPolygon" if driver == "OpenFileGDB" else "Polygon"
    path = write_ogr(tmp_path / name, table(SQUARES, COLUMNS), driver, geometry_type=kind)
    before = {part.name for part in tmp_path.rglob("*")}
    layer, rows = read_one(path)
    assert layer.format == form
    assert layer.crs is not None
    assert layer.crs.to_epsg() == 4326
    assert layer.crs_origin
    assert layer.feature_count == 2
    shapes = {properties["namn"]: shapely.from_wkt(str(wkt)) for wkt, properties in rows}
    for text, expected in zip(["Öresund", "Å"], SQUARES, strict=True):
        assert shapely.equals(shapes[text], expected)
    by_name = {properties["namn"]: properties for _, properties in rows}
    assert by_name["Öresund"]["djup"] == 12.5
    assert by_name["Öresund"]["n"] == 3
    if name != "a.tab":  # a table of MapInfo has no nulls
        assert by_name["Å"]["djup"] is None
    assert not layer.faults.count
    assert {part.name for part in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    ("srs_name", "pos"),
    [
        ("urn:ogc:def:crs:EPSG::4326", "57 11"),
        ("http://www.opengis.net/def/crs/EPSG/0/4326", "57 11"),
        ("urn:ogc:def:crs:EPSG:6.9:4326", "57 11"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "11 57"),
        ("EPSG:4326", "11 57"),
        ("http://www.opengis.net/gml/srs/epsg.xml#4326", "11 57"),
    ],
)
def test_both_orders_of_axes_in_gml(tmp_path: Path, srs_name: str, pos: str) -> None:
    _, rows = read_one(gml(tmp_path / "a.gml", member(1, POINT.format(srs_name, pos))))
    assert rows == [("POINT (11 57)", {"gml_id": "a.1"})]


def test_values_in_gml(tmp_path: Path) -> None:
    srs = "urn:ogc:def:crs:EPSG::3006"
    fields = "<x:code>{}</x:code><x:day>{}</x:day><x:big>{}</x:big>"
    path = gml(
        tmp_path / "a.gml",
        member(1, POINT.format(srs, "6400000 300000"), fields.format("0123", "2024-05-01", 1)),
        member(2, POINT.format(srs, "6400000 x"), fields.format("0123", "2024-02-30", 2**60)),
        member(3, POINT.format(srs, "6400000 300000"), fields.format("7", "2024-05-02", 10**25)),
        member(4, '<gml:ref xlink:href="#a"/>', kind="b"),
    )
    [(layer, rows)], [(other, others)] = read(path, "a"), read(path, "b")
    assert [properties["code"] for _, properties in rows] == ["0123", "7"]
    assert rows[0][0] == "POINT (300000 6400000)"
    assert [(number, field) for number, field, _ in faults(layer)] == [(2, None), (3, "big")]
    assert layer.faults.faults[0].feature_id == "a.2"
    assert rows[1][1]["big"] is None
    assert any("1 date of the file does not exist" in note for note in layer.notes)
    assert any("xlink:href" in note for note in layer.notes)
    assert (other.name, len(others)) == ("b", 1)


def test_gml_with_several_crs(tmp_path: Path) -> None:
    path = gml(
        tmp_path / "a.gml",
        member(1, POINT.format("EPSG:3006", "300000 6400000")),
        member(2, POINT.format("urn:ogc:def:crs:EPSG::4326", "57 11")),
    )
    with pytest.raises(UnreadableFileError, match="several CRS"):
        read(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<x:Other xmlns:x='http://www.opengis.net/gml'/>", "no features|cannot be read"),
        ("<ExceptionReport xmlns:g='http://www.opengis.net/gml'/>", "message of a server"),
        (
            "<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/a.dtd'><FeatureCollection"
            " xmlns:g='http://www.opengis.net/gml'/>",
            "document type",
        ),
        ("<a xmlns:g='http://www.opengis.net/gml'>" + "<a>" * 200, "nested too deeply"),
        ("<a xmlns:g='http://www.opengis.net/gml'><b></a>", "not valid XML"),
        (
            "<a xmlns:gml='http://www.opengis.net/gml'><b><gml:pos>1 x</gml:pos></b></a>",
            "not a number: '1 x'",
        ),
        ("<gpx><wpt/>", "not valid XML"),
        ("<gpx></gpx>", "no waypoints"),
    ],
)
def test_xml_that_is_not_read(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "a.xml"
    path.write_text(content)
    with pytest.raises(UnreadableFileError, match=reason):
        read(path)


def test_gpx(tmp_path: Path) -> None:
    path = tmp_path / "a.gpx"
    path.write_text(
        '<?xml version="1.0"?><gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">'
        '<wpt lat="57.1" lon="11.2"><ele>3.5</ele><time>2024-05-01T10:00:00Z</time></wpt>'
        '<trk><name>Tur</name><trkseg><trkpt lat="57" lon="11"/><trkpt lat="58" lon="12"/>'
        "</trkseg></trk></gpx>"
    )
    (waypoints, [(point, waypoint)]), (tracks, [(line, track)]), (points, _) = read(path)
    assert (waypoints.name, tracks.name, points.name) == ("waypoints", "tracks", "track_points")
    assert (point, waypoint) == (
        "POINT (11.2 57.1)",
        {"ele": 3.5, "time": "2024-05-01T10:00:00Z", "name": None},
    )
    assert (line, track) == ("MULTILINESTRING ((11 57, 12 58))", {"name": "Tur"})


def test_mif_without_values(tmp_path: Path) -> None:
    """GDAL reads a number that is not there as 0."""
    path = shutil.copy(shared_file("other_mif.mif"), tmp_path / "A.MIF")
    with pytest.raises(UnreadableFileError, match=r"lacks its part A\.mid"):
        read(path)
    content = shared_file("other_mif.mid").read_bytes()
    (tmp_path / "A.MID").write_bytes(content + b'"noll",0,0,,\n')
    text = path.read_text()
    path.write_text(text + "Region 1\n  4\n0 0\n1 0\n1 1\n0 0\n")
    layer, rows = read_one(path)
    assert [properties["antal"] for _, properties in rows] == [3, None, 0]
    assert [properties["djup"] for _, properties in rows] == [12.5, -0.25, 0]
    assert layer.kinds["dag"] is Kind.DATE


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
@pytest.mark.parametrize("charset", ["Neutral", "WindowsLatin1"])
def test_texts_of_mif(tmp_path: Path, encoding: str, charset: str) -> None:
    path = tmp_path / "a.mif"
    path.write_text(
        f'Version 300\nCharset "{charset}"\nDelimiter ","\nCoordSys Earth Projection 1, 104\n'
        "Columns 1\n  namn Char(20)\nData\n\nPoint 11 57\nPoint 12 57\n"
    )
    path.with_suffix(".mid").write_bytes('"Öresund"\n"Å – ö"\n'.encode(encoding))
    layer, rows = read_one(path)
    if (encoding, charset) != ("utf-8", "WindowsLatin1"):  # which says what is not so
        assert [properties["namn"] for _, properties in rows] == ["Öresund", "Å – ö"]
    expected = charset if charset != "Neutral" else {"utf-8": "UTF-8"}.get(encoding, encoding)
    assert layer.encoding == expected
    assert layer.encoding_origin
    [chosen] = open_layers(path, options=ReadOptions(encoding="latin-1"))
    assert chosen.encoding == ("latin-1" if charset == "Neutral" else charset)


def test_a_mapinfo_table_that_opens_others(tmp_path: Path) -> None:
    path = write_ogr(tmp_path / "a.tab", table(SQUARES, COLUMNS), "MapInfo File")
    text = path.read_text()
    (tmp_path / "a.map").unlink()
    with pytest.raises(UnreadableFileError, match=r"lacks its part a\.map"):
        read(path)
    view = '!table\n!version 300\nOpen Table "a" Hide\nCreate View v As Select * From a\n'
    raster = '!table\n!version 300\nDefinition Table\n  File "/etc/passwd"\n  Type "RASTER"\n'
    for content in (view, raster, text.replace("Type NATIVE", "Type DBF"), "!table\n"):
        path.write_text(content)
        with pytest.raises(UnreadableFileError, match="a table of its own"):
            read(path)


def test_views_and_virtual_tables_of_sqlite_are_left_out(tmp_path: Path) -> None:
    path = write_ogr(tmp_path / "a.sqlite", table(SQUARES, COLUMNS), "SQLite")
    endless = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"CREATE VIEW own AS {endless} SELECT n FROM c")
        database.execute("CREATE VIRTUAL TABLE idx_a_geom USING rtree (id, a, b, c, d)")
        database.execute("CREATE TABLE remarks (text TEXT)")
        database.execute(f"CREATE VIEW vector_layers AS {endless} SELECT n FROM c")
        database.commit()
    before = path.read_bytes()
    layer, rows = read_one(path)
    assert (layer.name, len(rows)) == ("a", 2)
    assert "Views and virtual tables were left out: own." in layer.notes
    assert any("'remarks' has no geometries" in note for note in layer.notes)
    assert path.read_bytes() == before


def test_dxf_needs_a_crs() -> None:
    layer, rows = read_one(shared_file("other_dxf.dxf"))
    assert (layer.name, layer.crs, len(rows)) == ("other_dxf", None, 2)
    assert rows[0][1]["Layer"] == "0"


def _drawing(levels: int, repeated: str = "") -> str:
    """Return a drawing of which each block inserts another ten times."""

    def insert(level: int, more: str = "") -> str:
        return f"0\nINSERT\n8\n0\n2\nb{level}\n10\n1\n20\n2\n{more}"

    blocks = "".join(
        f"0\nBLOCK\n8\n0\n2\nb{level}\n70\n0\n10\n0\n20\n0\n3\nb{level}\n"
        + (insert(level - 1) * 10 if level else "0\nPOINT\n8\n0\n10\n1\n20\n2\n")
        + "0\nENDBLK\n"
        for level in range(levels + 1)
    )
    return (
        f"0\nSECTION\n2\nHEADER\n0\nENDSEC\n0\nSECTION\n2\nBLOCKS\n{blocks}0\nENDSEC\n"
        f"0\nSECTION\n2\nENTITIES\n{insert(levels, repeated)}0\nENDSEC\n0\nEOF\n"
    )


def test_blocks_of_dxf(tmp_path: Path) -> None:
    path = tmp_path / "a.dxf"
    path.write_text(_drawing(2))
    layer, rows = read_one(path)
    assert len(rows) == layer.feature_count == 1
    assert shapely.get_num_coordinates(shapely.from_wkt(str(rows[0][0]))) == 100
    for content in (_drawing(9), _drawing(0, "70\n30000\n71\n30000\n44\n1\n45\n1\n")):
        path.write_text(content)
        with pytest.raises(UnreadableFileError, match="inserts its blocks so often"):
            read(path)
    path.write_text(_drawing(1).replace("2\nb0\n10", "2\nb1\n10"))
    with pytest.raises(UnreadableFileError, match="nested too deeply, or in themselves"):
        read(path)


S57 = {
    "n": '{"RCNM":110,"RCID":1,"RVER":1,"RUIN":1},"geometry":{"type":"MultiPoint","coordinates":'
    "[[11.5,57.5,12.3],[11.6,57.6,-0.5]]}",
    "s": '{"RCID":1,"PRIM":1,"GRUP":2,"OBJL":129,"RVER":1,"AGEN":540,"FIDN":1,"FIDS":1,'
    '"NAME_RCNM":[110],"NAME_RCID":[1],"ORNT":[255],"USAG":[255],"MASK":[255]},"geometry":null',
}


def test_soundings_of_s57(tmp_path: Path) -> None:
    ogr2ogr = shutil.which("ogr2ogr")
    if ogr2ogr is None:
        pytest.skip("no ogr2ogr, which writes S-57")
    for name, feature in S57.items():
        (tmp_path / f"{name}.json").write_text(
            f'{{"type":"FeatureCollection","features":[{{"type":"Feature","properties":{feature}}}]}}'
        )
    layers = "".join(
        f'<OGRVRTLayer name="{kind}"><SrcDataSource>{tmp_path}/{name}.json</SrcDataSource>'
        f"<SrcLayer>{name}</SrcLayer></OGRVRTLayer>"
        for name, kind in (("n", "IsolatedNode"), ("s", "SOUNDG"))
    )
    (tmp_path / "in.vrt").write_text(f"<OGRVRTDataSource>{layers}</OGRVRTDataSource>")
    path = tmp_path / "chart.000"
    subprocess.run([ogr2ogr, "-f", "S57", path, tmp_path / "in.vrt"], check=True)
    (tmp_path / "chart.001").write_bytes(path.read_bytes())
    layer, rows = read_one(path)
    assert (layer.name, layer.format) == ("SOUNDG", "S-57")
    assert [wkt for wkt, _ in rows] == ["POINT Z (11.5 57.5 12.3)", "POINT Z (11.6 57.6 -0.5)"]
    assert [properties["DEPTH"] for _, properties in rows] == [12.3, -0.5]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.sos", b".HODE\n..TEGNSETT UTF-8\n.SLUTT\n", "SOSI"),
        ("a.dwg", b"AC1032" + bytes(200), "DXF"),
        ("a.dxf", b"AutoCAD Binary DXF\r\n\x1a\0", "ASCII"),
        ("a.pmtiles", b"PMTiles\x03", "tiles"),
        ("a.gdb", None, "is not a file"),
    ],
)
def test_what_is_refused_says_what_to_do(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    path = tmp_path / name
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=reason):
        read(path)


def test_tiles_are_refused_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.mbtiles"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE metadata (name TEXT, value TEXT)")
        database.execute("CREATE TABLE tiles (zoom_level, tile_column, tile_row, tile_data)")
    with pytest.raises(UnreadableFileError, match="is MBTiles"):
        read(path)


def test_a_damaged_layer_leaves_its_neighbours(tmp_path: Path) -> None:
    path = write_ogr(tmp_path / "a.gpkg", table(SQUARES, COLUMNS), "GPKG", layer="good")
    write_ogr(path, table(SQUARES, COLUMNS), "GPKG", layer="bad", append=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA writable_schema = on")
        database.execute(
            "UPDATE sqlite_master SET sql = replace(sql, '\"n\" MEDIUMINT', 'n AS (1) VIRTUAL')"
            " WHERE name = 'bad'"
        )
        database.commit()
    [(layer, rows)] = read(path)
    assert (layer.name, len(rows)) == ("good", 2)
    assert "Left out: The layer 'bad'" in layer.notes[0]
    with pytest.raises(UnreadableFileError, match="'bad'"):
        read(path, "bad")


@pytest.mark.parametrize(
    ("name", "form", "count"),
    [
        ("other_fgdb.gdb", "File Geodatabase", 2),
        ("other_gml.gml", "GML", 2),
        ("other_mif.mif", "MapInfo", 2),
        ("other_s57.000", "S-57", 1),
    ],
)
def test_files_that_people_had_trouble_with(name: str, form: str, count: int) -> None:
    layer, rows = read_one(shared_file(name))
    assert (layer.format, len(rows), layer.faults.count) == (form, count, 0)
