"""The types of the columns of CSV, and the values that do not fit."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
import shapely

from samsyn_admin.imports.sources.layer import source_crs
from samsyn_model.errors import UnreadableFileError
from tests.api.imports.readers.tables.reading import Read, read_csv

OTHER_TYPES = re.compile("CURVE|TRIANGLE|TIN|SURFACE")
CENTRE = shapely.Point(12, 57)


def column(folder: Path, *values: str, **options: Any) -> tuple[str | None, list[Any], Read]:
    """Return the kind and the values of a column of bars, and what was read."""
    content = "lon|lat|v\n" + "".join(f"1|2|{value}\n" for value in values)
    read = read_csv(folder, content, **options)
    return read.kinds["v"], [row["v"] for row in read.properties], read


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["2024", "1999", ""], "integer", [2024, 1999, None]),
        (["01234", "12345"], "string", ["01234", "12345"]),
        (["12345678901234567890", "1"], "integer", [12345678901234567890, 1]),
        (["9007199254740993", "1.5"], "number", [9007199254740993, 1.5]),
        (["1.5", "2"], "number", [1.5, 2]),
        (["1,5", "2"], "number", [1.5, 2]),
        (["1.5E3", " 2 "], "number", [1500.0, 2]),
        (["1E+05", "2e-3"], "number", [100000.0, 0.002]),
        (["1E5", "0.5"], "number", [100000.0, 0.5]),
        (["-1E5", "1E5"], "number", [-100000.0, 100000.0]),
        (["1E5", "2F4", "3"], "string", ["1E5", "2F4", "3"]),
        (["1 234,5", "2 000"], "number", [1234.5, 2000]),
        (["1 234", "999"], "integer", [1234, 999]),
        (["1.234,50", "999,00"], "number", [1234.5, 999]),
        (["1,234,567.5", "5"], "number", [1234567.5, 5]),
        (["1\u00a0234", "12\u00a0345"], "integer", [1234, 12345]),
        (["true", "FALSE", " "], "boolean", [True, False, None]),
        (["Ja", "Nej"], "string", ["Ja", "Nej"]),
        (["2024-05-01", ""], "date", ["2024-05-01", None]),
        (["2024-05-01 10:00", "2024-05-01T11:00:00+02:00"], "date-time",
         ["2024-05-01T10:00:00Z", "2024-05-01T09:00:00Z"]),
        (["31.12.2023", "01.02.2024"], "date", ["2023-12-31", "2024-02-01"]),
        (["", ""], None, [None, None]),
        ([" ", "x"], "string", [" ", "x"]),
        (["12%", "3%"], "string", ["12%", "3%"]),
        (["5/1/2024", "5/13/2024"], "string", ["5/1/2024", "5/13/2024"]),
        (["٣", "٤"], "string", ["٣", "٤"]),
        (["1e999", "1"], "string", ["1e999", "1"]),
        (["1e-999", "1"], "string", ["1e-999", "1"]),
        (["nan", "inf"], "string", ["nan", "inf"]),
        (["'=1", "'+2"], "string", ["'=1", "'+2"]),
    ],
)  # fmt: skip
def test_types(tmp_path: Path, values: list[str], kind: str | None, expected: list[Any]) -> None:
    found, read_values, read = column(tmp_path, *values)
    assert (found, read_values) == (kind, expected)
    assert not read.faults


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["01.05.2024", "02.05.2024"], "may begin with the day or the month"),
        (["31.12.2024", "12.31.2024"], "may begin with the day or the month"),
        (["1,234", "5,678"], "decimal places or thousands"),
        (["1,234,567", "5"], "separated thousands"),
        (["1.234.567", "5,5"], "separated thousands"),
        (["1.234,5", "1.234"], "decimal places or thousands"),
        (["1.5", "1,5"], "some numbers have a decimal comma and some a point"),
        (["112 233", "445 566"], "digits in groups may be codes"),
        (["1E5", "12E5", "3E2"], "values such as 1E5 may be codes"),
        (["12", "12e5"], "values such as 12e5 may be codes"),
        (["1", "2", "NA"], "line 4 has 'NA', which is no number"),
        (["1", "1_1"], "line 3 has '1_1', which is no number"),
    ],
)
def test_doubtful_columns_are_text_with_a_note(
    tmp_path: Path, values: list[str], reason: str
) -> None:
    kind, read_values, read = column(tmp_path, *values)
    assert (kind, read_values) == ("string", values)
    assert reason in read.notes
    assert "'v' was read as text" in read.notes


def test_the_decimal_sign_of_other_columns_decides(tmp_path: Path) -> None:
    read = read_csv(tmp_path, "lon;lat;v;w\n11,5;57,5;1,234;1.234\n")
    assert read.properties == [{"lon": 11.5, "lat": 57.5, "v": 1.234, "w": "1.234"}]
    read = read_csv(tmp_path, 'lon,lat,v,w\n11.5,57.5,"1,234",1.234\n')
    assert read.properties == [{"lon": 11.5, "lat": 57.5, "v": "1,234", "w": 1.234}]
    kind, values, _ = column(tmp_path, "1,234", decimal=",")
    assert (kind, values) == ("number", [1.234])
    kind, values, read = column(tmp_path, "1,5", decimal=".")
    assert (kind, values) == ("string", ["1,5"])
    assert "its decimal sign is not '.'" in read.notes


@pytest.mark.parametrize("value", ["inf", "-Infinity", "NaN", "1.#INF"])
def test_no_number_among_numbers_is_a_fault_of_its_field(tmp_path: Path, value: str) -> None:
    kind, values, read = column(tmp_path, "1", value, "3")
    assert (kind, values) == ("integer", [1, None, 3])
    assert read.faults == [(3, "v", f"'{value}' is not a number.")]


def test_dates_that_do_not_exist_are_counted(tmp_path: Path) -> None:
    kind, values, read = column(tmp_path, "2024-02-30", "2024-02-29", "0000-00-00", "2024-13-32")
    assert (kind, values) == ("date", [None, "2024-02-29", None, None])
    assert "3 dates do not exist and were left empty" in read.notes
    kind, values, read = column(tmp_path, "2024-13-01T10:00:00Z", "2024-05-01 10:00:00")
    assert (kind, values) == ("date-time", [None, "2024-05-01T10:00:00Z"])
    assert "1 date does not exist and was left empty" in read.notes


def test_rows_with_faults_have_no_part_in_types(tmp_path: Path) -> None:
    read = read_csv(tmp_path, "lon,lat,v\n1,2,3\nx,2,text\n1,2,4\n")
    assert read.kinds == {"lon": "integer", "lat": "integer", "v": "integer"}


GEOMETRIES = {
    "POINT (1 2)": "POINT (1 2)",
    "point z(1 2 3)": "POINT Z (1 2 3)",
    "POINT ZM (1 2 3 4)": "POINT Z (1 2 3)",
    "POINT EMPTY": "POINT EMPTY",
    "SRID=4326;POINT(1 2)": "POINT (1 2)",
    "0101000000000000000000F03F0000000000000040": "POINT (1 2)",
    "\\x0101000000000000000000f03f0000000000000040": "POINT (1 2)",
    "0101000020E6100000000000000000F03F0000000000000040": "POINT (1 2)",
    '{"type": "Point", "coordinates": [1, 2]}': "POINT (1 2)",
    '{"type": "Point", "coordinates": [1, 2, 3]}': "POINT Z (1 2 3)",
    '{"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1, 2]}]}': (
        "GEOMETRYCOLLECTION (POINT (1 2))"
    ),
    "TRIANGLE ((0 0, 1 0, 1 1, 0 0))": "POLYGON ((0 0, 1 0, 1 1, 0 0))",
    "TIN Z (((0 0 1, 1 0 1, 1 1 1, 0 0 1)))": ("MULTIPOLYGON Z (((0 0 1, 1 0 1, 1 1 1, 0 0 1)))"),
    "MULTISURFACE (((0 0, 1 0, 1 1, 0 0)), CURVEPOLYGON ((5 5, 6 5, 6 6, 5 5)))": (
        "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))"
    ),
    "COMPOUNDCURVE ((0 0, 1 1), (1 1, 2 2))": "LINESTRING (0 0, 1 1, 2 2)",
    "MULTICURVE ((0 0, 1 1), (1 1, 2 2))": "MULTILINESTRING ((0 0, 1 1), (1 1, 2 2))",
}


@pytest.mark.parametrize("text", GEOMETRIES)
def test_texts_of_geometries(tmp_path: Path, text: str) -> None:
    quoted = text.replace('"', '""')
    read = read_csv(tmp_path, f'a|geom_wkt\n1|"{quoted}"\n2|\n')
    assert read.shapes == [GEOMETRIES[text], None]
    assert read.properties == [{"a": 1}, {"a": 2}]
    assert ("M values" in read.notes) == ("ZM" in text)
    assert ("into polygons" in read.notes) == bool(OTHER_TYPES.search(text))


def test_an_arc_is_on_its_circle(tmp_path: Path) -> None:
    texts = [
        "CURVEPOLYGON(CIRCULARSTRING(11 57,12 58,13 57,12 56,11 57))",
        "CURVEPOLYGON(CIRCULARSTRING(11 57,13 57,11 57))",
        "GEOMETRYCOLLECTION(CIRCULARSTRING Z(11 57 0,12 58 5,13 57 10),POINT Z(1 2 3))",
        "COMPOUNDCURVE(CIRCULARSTRING(11 57,12 58,13 57),(13 57,14 57))",
    ]
    content = "wkt\n" + "".join(f'"{text}"\n' for text in texts)
    read = read_csv(tmp_path, content)
    assert not read.faults
    circle, full, collection, compound = map(shapely.from_wkt, map(str, read.shapes))
    for shape in (circle, full):
        distances = shapely.distance(shapely.points(shapely.get_coordinates(shape)), CENTRE)
        assert distances == pytest.approx(1)
        assert shape.area == pytest.approx(math.pi, rel=0.01)
        assert shape.is_valid
    arc = shapely.get_parts(collection)[0]
    assert arc.has_z
    assert shapely.get_coordinates(arc, include_z=True)[[0, -1], 2].tolist() == [0, 10]
    assert compound.length == pytest.approx(math.pi + 1, rel=0.01)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("somewhere", "is not a geometry"),
        ("POINT (0x10 2)", "hexadecimal"),
        ("POINT (1_1 2)", "1_1"),
        ("LINESTRING (0 0)", "a line of it has one point"),
        ("POLYGON ((0 0, 1 0, 1 1))", "a ring of it is not closed"),
        ("POINT (1 2", "end of stream"),
        ("CIRCULARSTRING (0 0, 1 1)", "an arc has three positions"),
        ("CURVEPOLYGON (POINT (1 2))", "a curve cannot have a POINT"),
        ("SRID=3006;POINT (1 2)", "its SRID is 3006"),
        ('{"type": "Point", "coordinates": [1, "2"]}', "not a number"),
        ('{"type": "Point", "coordinates": [1, NaN]}', "not a number"),
        ('{"type": "Spot", "coordinates": [1, 2]}', "cannot be read"),
        ("010100000000000000000", "is not a geometry"),
        ("0101000000000000000000F03F", "cannot be read"),
        ("010800000003000000000000000000000000000000000000000000000000001440000000000000144000"
         "000000000024400000000000000000", "curves"),
    ],
)  # fmt: skip
def test_what_is_no_geometry_is_a_fault(tmp_path: Path, text: str, reason: str) -> None:
    quoted = text.replace('"', '""')
    read = read_csv(tmp_path, f'a|wkt\n1|POINT (1 2)\n2|"{quoted}"\n3|POINT (3 4)\n')
    assert list(read.features) == [1, 3]
    [(line, field, found)] = read.faults
    assert (line, field) == (3, None)
    assert "The geometry in 'wkt' cannot be read: " in found
    assert reason in found


def test_the_srid_is_the_crs(tmp_path: Path) -> None:
    for text in ("SRID=3006;POINT(319180.5 6399617)", "0101000020BE0B0000000000000000F03F000000"
                 "0000000040"):  # fmt: skip
        read = read_csv(tmp_path, f"a,geom\n1,{text}\n")
        assert read.layer.crs is not None
        assert read.layer.crs.to_epsg() == 3006
        assert read.layer.crs_origin == "the SRID of its geometries"
    read = read_csv(tmp_path, "a,geom\n1,SRID=999999;POINT(1 2)\n")
    with pytest.raises(UnreadableFileError, match="SRID 999999, which is no known CRS"):
        source_crs(read.layer, tmp_path, None)


def test_which_column_has_the_geometries(tmp_path: Path) -> None:
    read = read_csv(tmp_path, "OBJECTID,Shape,lon,lat\n1,Point,11.5,57.5\n")
    assert read.shapes == ["POINT (11.5 57.5)"]
    read = read_csv(tmp_path, 'namn,område\na,"LINESTRING (0 0, 1 1)"\n')
    assert read.shapes == ["LINESTRING (0 0, 1 1)"]
    assert read.layer.columns == {"x": None, "y": None, "wkt": "område", "decimal": None}
