"""CSV as it is written: encodings, delimiters, rows that are empty or of another length."""

from pathlib import Path

import pytest

from samsyn_model.errors import InvalidParameterError, UnreadableFileError
from tests.api.imports.readers.tables.reading import read_csv

SWEDISH = "namn;lon;lat\nÖresund;11,5;57,5\nÅ;12,25;56\n"


@pytest.mark.parametrize(
    ("content", "options", "name", "origin"),
    [
        (SWEDISH.encode(), {}, "UTF-8", "all texts are valid UTF-8"),
        (SWEDISH.encode("utf-8-sig"), {}, "UTF-8", "the byte order mark"),
        (SWEDISH.encode("utf-16"), {}, "UTF-16", "the byte order mark"),
        (b"\xfe\xff" + SWEDISH.encode("utf-16-be"), {}, "UTF-16", "the byte order mark"),
        (SWEDISH.encode("utf-16-le"), {}, "UTF-16", "every other byte is zero"),
        (SWEDISH.encode("utf-16-be"), {}, "UTF-16", "every other byte is zero"),
        (SWEDISH.encode("cp1252"), {}, "Windows-1252", "assumed: the texts are not UTF-8"),
        (SWEDISH.encode("cp865"), {"encoding": "cp865"}, "cp865", "as chosen"),
        (SWEDISH.encode("mac_roman"), {"encoding": "macintosh"}, "macintosh", "as chosen"),
        (SWEDISH.encode("cp1252"), {"encoding": "ANSI 1252"}, "ANSI 1252", "as chosen"),
        (SWEDISH.encode("utf-8-sig"), {"encoding": "65001"}, "65001", "as chosen"),
        (SWEDISH.encode("utf-16"), {"encoding": "utf-16le"}, "utf-16le", "as chosen"),
    ],
)
def test_an_encoding_is_found_and_told(
    tmp_path: Path, content: bytes, options: dict[str, str], name: str, origin: str
) -> None:
    read = read_csv(tmp_path, content, **options)
    assert [row["namn"] for row in read.properties] == ["Öresund", "Å"]
    assert list(read.kinds) == ["namn", "lon", "lat"]
    assert (read.layer.encoding, read.layer.encoding_origin) == (name, origin)
    assert read.shapes == ["POINT (11.5 57.5)", "POINT (12.25 56)"]


def test_one_row_in_another_encoding_is_a_fault(tmp_path: Path) -> None:
    content = SWEDISH.encode() + "Väst;1;2\n".encode("cp1252") + b"Ost;3;4\n"
    read = read_csv(tmp_path, content)
    assert list(read.features) == [1, 2, 4]
    assert read.faults == [(4, None, "It has bytes that are not UTF-8 text.")]


@pytest.mark.parametrize("encoding", ["no such", "hex", "rot13", "", "12345"])
def test_an_unknown_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InvalidParameterError, match="not a known encoding"):
        read_csv(tmp_path, SWEDISH, encoding=encoding)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (SWEDISH.encode() + b"\xc3", "ends within a character"),
        (b"a;lon;lat\n\x81;1;2\n", "neither UTF-8 nor Windows-1252"),
        (SWEDISH.encode("utf-16")[:-3], "is not UTF-16 text, or is truncated"),
        (b"a,lon,lat\nx,1,2\ny,1", "line 3 has 2 values, not 3"),
        (b'a,lon,lat\nx,1,2\n"y', "not valid CSV at line 3"),
        (b'a,lon,lat\nx,1,2\n"y"z,3,4\n', "not valid CSV at line 3"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFileError, match=reason):
        read_csv(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        ("namn;lon;lat\nÖ;11,5;57,5\n", "csv"),
        ("namn\tlon\tlat\nÖ\t11,5\t57,5\n", "tsv"),
        ('namn,lon,lat\nÖ,"11,5","57,5"\n', "csv"),
        ("namn|lon|lat\nÖ|11.5|57.5\n", "txt"),
        ("sep=;\r\nnamn;lon;lat\r\nÖ;11,5;57,5\r\n", "csv"),
        ('"sep=|"\nnamn|lon|lat\nÖ|11,5|57,5\n', "csv"),
        ("\n\nnamn;lon;lat\rÖ;11,5;57,5\r", "csv"),
        ("namn , lon , lat \nÖ, 11.5 , 57.5\n", "csv"),
        ("namn;lon;lat;\nÖ;11,5;57,5;\n", "csv"),
        ('namn;lon;lat\n"Ö";"11,5";"57,5"\n', "csv"),
    ],
)
def test_delimiters(tmp_path: Path, content: str, suffix: str) -> None:
    read = read_csv(tmp_path, content, suffix)
    assert read.features == {1: ("POINT (11.5 57.5)", {"namn": "Ö", "lon": 11.5, "lat": 57.5})}
    assert not read.faults
    assert ("decimal comma" in read.notes) == ("11,5" in content)


def test_rows_of_another_length_are_faults(tmp_path: Path) -> None:
    read = read_csv(tmp_path, 'a,lon,lat\nx,1,2\ny,1\n"z\nz",1,2,3\nw,1,2,\n,,\nv,5,6\n,,\n\n,,\n')
    assert list(read.features) == [1, 4, 5]
    assert read.faults == [
        (3, None, "The row has 2 values, the header 3."),
        (4, None, "The row has 4 values, the header 3."),
    ]
    assert "3 empty rows were skipped" in read.notes
    assert "Empty values behind the last column" in read.notes
    assert read.layer.feature_count == 5


def test_a_header_only(tmp_path: Path) -> None:
    read = read_csv(tmp_path, "lon,lat,a\n")
    assert read.features == {}
    assert read.kinds == {"lon": None, "lat": None, "a": None}
    assert read.layer.geometry_type == "Point"


def test_a_column_without_a_name(tmp_path: Path) -> None:
    read = read_csv(tmp_path, ",lon,lat,\n7,1,2,\n8,3,4,\n")
    assert read.properties[0] == {"column_1": 7, "lon": 1, "lat": 2}


def test_one_column_of_wkt_has_empty_rows(tmp_path: Path) -> None:
    read = read_csv(tmp_path, 'wkt\nPOINT (1 2)\n""\n\nPOINT (3 4)\n')
    assert read.shapes == ["POINT (1 2)", None, "POINT (3 4)"]


def test_names_of_columns_that_cannot_be_stored(tmp_path: Path) -> None:
    assert list(read_csv(tmp_path, "a\0,lon,lat\nx,1,2\n").kinds) == ["a", "lon", "lat"]
    content = "Ö,lon,lat\n".encode() + "Å,1,2\n".encode() + b"\xd6,3,4\n"
    read = read_csv(tmp_path, content)
    assert list(read.features) == [1]
    with pytest.raises(UnreadableFileError, match="the names of columns are not UTF-8 text"):
        read_csv(tmp_path, b"\xd6,lon,lat\n" + "Å,1,2\n".encode())
    with pytest.raises(UnreadableFileError, match="the names of columns"):
        read_csv(tmp_path, b"\\ud800,lon,lat\nx,1,2\n", encoding="unicode_escape")
