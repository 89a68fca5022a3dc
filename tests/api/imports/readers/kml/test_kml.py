"""KML and KMZ: what is read, what is told, and what is a fault."""

import zipfile
from pathlib import Path

import pytest

from samsyn_model.errors import UnreadableFileError
from tests.api.imports.reading import Read, read, read_all

POINT = "<Point><coordinates>11,57</coordinates></Point>"


def kml(content: str, encoding: str = "UTF-8") -> str:
    return (
        f'<?xml version="1.0" encoding="{encoding}"?><kml xmlns="http://www.opengis.net/kml/2.2"'
        f' xmlns:gx="http://www.google.com/kml/ext/2.2"><Document>{content}</Document></kml>'
    )


def place(content: str, geometry: str = POINT) -> str:
    return f"<Placemark>{content}{geometry}</Placemark>"


def data(**values: str) -> str:
    items = (f'<Data name="{name}"><value>{text}</value></Data>' for name, text in values.items())
    return f"<ExtendedData>{''.join(items)}</ExtendedData>"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plan.kml"


def of(path: Path, *content: str) -> Read:
    path.write_text(kml("".join(content)), encoding="utf-8")
    return read(path)


def geometry(path: Path, text: str) -> str | None:
    [(wkt, _)] = of(path, place("", text)).features
    return wkt


def test_only_the_fields_that_the_file_has(path: Path) -> None:
    layer = of(
        path,
        place(f"<name>Å</name>{data(djup='12.5', antal='3', kod='007', ja='true', tom='')}"),
        place(f"<description><![CDATA[<b>x</b>]]></description>{data(djup='-3', antal='4')}"),
    )
    assert layer.features == [
        (
            "POINT (11 57)",
            {"name": "Å", "description": None, "djup": 12.5, "antal": 3, "kod": "007", "ja": True},
        ),
        (
            "POINT (11 57)",
            {"name": None, "description": "<b>x</b>", "djup": -3, "antal": 4, "kod": None}
            | {"ja": None},
        ),
    ]
    assert layer.kinds == {
        **{"name": "string", "description": "string", "djup": "number", "antal": "integer"},
        **{"kod": "string", "ja": "boolean"},
    }


def test_data_called_name(path: Path) -> None:
    layer = of(path, place(f"<name>Etikett</name>{data(name='Namn')}"), place("<name>B</name>"))
    assert [row for _, row in layer.features] == [
        {"name": "Etikett", "name_2": "Namn"},
        {"name": "B", "name_2": None},
    ]
    assert of(path, place(data(name="Namn"))).features[0][1] == {"name": "Namn"}


def test_values_of_schemas(path: Path) -> None:
    schema = (
        '<Schema id="s"><SimpleField type="double" name="djup"/><SimpleField type="int" name="n"/>'
        '<SimpleField type="string" name="kod"/></Schema>'
    )
    fields = [
        '<SimpleData name="djup">2</SimpleData><SimpleData name="kod">12</SimpleData>',
        '<SimpleData name="djup">2,5</SimpleData><SimpleData name="n">7</SimpleData>',
    ]
    values = [
        place(f"<ExtendedData><SchemaData>{text}</SchemaData></ExtendedData>") for text in fields
    ]
    layer = of(path, *values, schema)
    assert [row for _, row in layer.features] == [
        {"djup": 2, "kod": "12", "n": None},
        {"djup": None, "kod": None, "n": 7},
    ]
    assert layer.kinds == {"djup": "number", "kod": "string", "n": "integer"}
    [fault] = layer.layer.faults.faults
    assert (fault.number, fault.field) == (2, "djup")
    assert fault.reason == "'2,5' is not a number."
    assert of(path, values[0]).features[0][1] == {"djup": 2, "kod": 12}, "without a schema"


def test_times(path: Path) -> None:
    layer = of(
        path,
        place("<TimeSpan><begin>2024-05-01</begin><end>2024-06-01</end></TimeSpan>"),
        place("<TimeStamp><when>2024-05-01T10:00:00+02:00</when></TimeStamp>"),
    )
    assert [row for _, row in layer.features] == [
        {"begin": "2024-05-01", "end": "2024-06-01", "timestamp": None},
        {"begin": None, "end": None, "timestamp": "2024-05-01T08:00:00Z"},
    ]
    assert layer.kinds == {"begin": "date", "end": "date", "timestamp": "date-time"}


RING = "<LinearRing><coordinates>0,0 4,0 4,4 0,0</coordinates></LinearRing>"
HOLE = "<LinearRing><coordinates>2,1 3,1 3,2 2,1</coordinates></LinearRing>"


@pytest.mark.parametrize(
    ("text", "wkt"),
    [
        ("<Point><coordinates> 11 , 57,\n -3.5 </coordinates></Point>", "POINT Z (11 57 -3.5)"),
        (RING, "LINESTRING (0 0, 4 0, 4 4, 0 0)"),
        (
            f"<Polygon><outerBoundaryIs>{RING}</outerBoundaryIs>"
            f"<innerBoundaryIs>{HOLE}</innerBoundaryIs></Polygon>",
            "POLYGON ((0 0, 4 0, 4 4, 0 0), (2 1, 3 1, 3 2, 2 1))",
        ),
        (f"<MultiGeometry>{POINT}{POINT}</MultiGeometry>", "MULTIPOINT ((11 57), (11 57))"),
        (
            f"<MultiGeometry>{POINT}{RING}</MultiGeometry>",
            "GEOMETRYCOLLECTION (POINT (11 57), LINESTRING (0 0, 4 0, 4 4, 0 0))",
        ),
        (
            "<gx:Track><when>2024-05-01T00:00:00Z</when><when>2024-05-02T00:00:00Z</when>"
            "<gx:coord>1 2 3</gx:coord><gx:coord>4 5 6</gx:coord></gx:Track>",
            "LINESTRING Z (1 2 3, 4 5 6)",
        ),
        ("<Point><coordinates/></Point>", None),
        ("<Model><Location/></Model>", None),
        ("", None),
    ],
)
def test_geometries(path: Path, text: str, wkt: str | None) -> None:
    assert geometry(path, text) == wkt


def test_the_times_of_a_track(path: Path) -> None:
    track = (
        "<gx:Track><when>2024-05-01</when><when>2024-05-02</when><gx:coord>1 2 3</gx:coord>"
        "<gx:coord>4 5 6</gx:coord></gx:Track>"
    )
    layer = of(path, place("", track))
    assert layer.features[0][1] == {"begin": "2024-05-01", "end": "2024-05-02"}
    assert "Tracks were read as lines" in layer.notes


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<LineString><coordinates>1,2</coordinates></LineString>", "one position"),
        ("<LineString><coordinates>1,2 3,4,5</coordinates></LineString>", "two or all have three"),
        ("<Point><coordinates>57,120</coordinates></Point>", "probably exchanged"),
        ("<Point><coordinates>inf,1_1</coordinates></Point>", "not a number"),
        ("<Point><coordinates>11</coordinates></Point>", "two or all have three"),
    ],
)
def test_bad_geometries_are_faults(path: Path, text: str, reason: str) -> None:
    layer = of(path, place(""), place("", text), place(""))
    assert layer.numbers == [1, 3]
    [(number, told)] = layer.faults
    assert number == 2
    assert reason in told


def test_folders_are_layers(path: Path) -> None:
    inner = f"<Folder><name>Inre</name>{place('<name>c</name>')}</Folder>"
    path.write_text(
        kml(
            f"<name>Plan</name>{place('<name>a</name>')}<Folder><name>Tom</name></Folder>"
            f"<Folder>{place('')}{inner}</Folder><Folder><name> </name>{place('')}</Folder>"
            f"{place('<name>b</name>')}<Folder><name>Inre</name>{place('')}</Folder>"
        )
    )
    layers = read_all(path)
    assert [one.layer.name for one in layers] == ["Plan", "plan", "Inre", "plan_2", "Inre_2"]
    assert [len(one.features) for one in layers] == [2, 1, 1, 1, 1]
    assert layers[0].layer.feature_count == 2
    path.write_text(f'<kml xmlns="http://www.opengis.net/kml/2.2">{place("")}</kml>')
    assert read(path).layer.name == "plan"


STYLE = (
    "<LineStyle><color>ff00ff00</color><width>3</width></LineStyle>"
    "<PolyStyle><color>7f0000ff</color></PolyStyle>"
)
POLYGON = f"<Polygon><outerBoundaryIs>{RING}</outerBoundaryIs></Polygon>"


def test_styles(path: Path) -> None:
    shared = f'<Style id="s">{STYLE}</Style>'
    pairs = (
        "<Pair><key>highlight</key><styleUrl>#x</styleUrl></Pair>"
        "<Pair><key>normal</key><styleUrl>#s</styleUrl></Pair>"
    )
    mapped = f'<StyleMap id="m">{pairs}</StyleMap>'
    config = {"color": "#ff00007f", "lineWidth": 3}
    for style in (f"<Style>{STYLE}</Style>", "<styleUrl>#s</styleUrl>", "<styleUrl>#m</styleUrl>"):
        assert of(path, place(style, POLYGON), shared, mapped).layer.style == config
    line = "<LineString><coordinates>1,2 3,4</coordinates></LineString>"
    layer = of(path, shared, place("<styleUrl>#s</styleUrl>", line))
    assert layer.layer.style == {"color": "#00ff00", "lineWidth": 3}
    unfilled = "<Style><PolyStyle><fill>0</fill></PolyStyle></Style>"
    layer = of(path, shared, place(f"<styleUrl>#s</styleUrl>{unfilled}", POLYGON))
    assert layer.layer.style is not None
    assert layer.layer.style["fillPolygons"] is False
    several = [place("<styleUrl>#s</styleUrl>", POLYGON)] * 2 + [place("", POLYGON)]
    layer = of(path, shared, *several)
    assert layer.layer.style == config
    assert "2 styles" in layer.notes
    assert of(path, place("<styleUrl>x.kml#s</styleUrl>")).layer.style is None
    assert "Styles of other files" in of(path, place("<styleUrl>x.kml#s</styleUrl>")).notes
    assert of(path, place("")).layer.style is None
    loop = '<StyleMap id="l"><Pair><key>normal</key><styleUrl>#l</styleUrl></Pair></StyleMap>'
    assert of(path, loop, place("<styleUrl>#l</styleUrl>")).layer.style is None


LINK = "<NetworkLink><Link><href>http://localhost:9/x.kml</href></Link></NetworkLink>"
OVERLAY = "<GroundOverlay><name>o</name><Icon><href>a.png</href></Icon></GroundOverlay>"


def test_what_is_left_out_is_told(path: Path) -> None:
    layer = of(path, LINK, OVERLAY, OVERLAY, place(""), place("", "<Model/>"))
    assert "1 link to another file, which is not followed, was left out" in layer.notes
    assert "2 pictures on the ground" in layer.notes
    assert "Models" in layer.notes
    for content, reason in (
        (LINK, "links to other files only"),
        (OVERLAY, "pictures on the ground only"),
        ("", "no placemarks"),
    ):
        path.write_text(kml(content))
        with pytest.raises(UnreadableFileError, match=reason):
            read(path)


@pytest.mark.parametrize("declared", ["UTF-8", "windows-1252", "UTF-16", "ISO-8859-1"])
def test_encodings(path: Path, declared: str) -> None:
    path.write_bytes(kml(place("<name>Åre ö</name>"), declared).encode(declared))
    layer = read(path)
    assert layer.features[0][1] == {"name": "Åre ö"}
    assert layer.layer.encoding == declared


def test_windows_1252_that_is_declared_as_utf_8(path: Path) -> None:
    path.write_bytes(kml(place(f"<name>Åre – ö</name>{'x' * 600_000}")).encode("cp1252"))
    layer = read(path)
    assert layer.features[0][1] == {"name": "Åre – ö"}
    assert layer.layer.encoding == "Windows-1252"
    path.write_bytes(kml(place(f"<name>{'å' * 400_000}</name>")).encode())
    assert read(path).layer.encoding == "UTF-8", "characters across the parts that are read"


def test_kmz(path: Path) -> None:
    path = path.with_suffix(".kmz")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("doc.kml", kml(place("<name>a</name>")))
        archive.writestr("images/icon.png", b"png")
    layer = read(path)
    assert (layer.layer.name, layer.features[0][1]) == ("plan", {"name": "a"})
    assert "images/icon.png" in layer.notes


def test_documents_that_are_refused(path: Path) -> None:
    for text, reason in (
        (f"<!DOCTYPE kml [<!ENTITY a 'b'>]>{kml('&a;')[38:]}", "document type"),
        ("<gml/>", "root element is 'gml'"),
        (kml("<Folder>" * 200), "nested too deeply"),
        (kml("<Placemark>")[:-30], "not valid XML"),
    ):
        path.write_text(text)
        with pytest.raises(UnreadableFileError, match=reason):
            read(path)


def test_shared_files(shared: Path) -> None:
    folder = shared / "files"
    names = ["data_called_name", "linearring", "ok", "simpledata_no_schema", "style"]
    for name in names:
        layer = read(folder / f"kml_{name}.kml")
        assert len(layer.features) == 1
        assert not layer.faults
    assert len(read_all(folder / "kml_nameless_folders.kml")) == 2
    for name in ("networklink", "overlay"):
        with pytest.raises(UnreadableFileError, match="only"):
            read(folder / f"kml_{name}.kml")
