"""How the texts of a shapefile are decoded, and that broken ones are told."""

from pathlib import Path

import pytest

from samsyn_admin.imports.readers.shapefile.encodings import encoding_named
from samsyn_model.errors import InvalidParameterError
from tests.api.imports.readers.shapefile.shapefiles import (
    contents,
    dbf,
    field,
    point,
    read,
    write,
    write_values,
)

TEXT = field("C", 20)


@pytest.mark.parametrize(
    ("spelling", "encoding"),
    [
        *[
            (text, "utf-8")
            for text in ("UTF-8", "utf8", "65001", "UTF 8", "CP65001", "\ufeffUTF-8")
        ],
        *[(text, "cp1252") for text in ("ANSI 1252", "1252", "CP1252", "windows-1252", "cp-1252")],
        *[("OEM 865", "cp865"), ("865", "cp865"), ("OEM850\r\n", "cp850"), ("IBM437", "cp437")],
        *[(text, "iso8859-1") for text in ("ISO88591", "8859-1", "ISO-8859-1", "88591", "28591")],
        *[("latin1", "iso8859-1"), ("ISO 8859-15", "iso8859-15"), ("iso8859_4", "iso8859-4")],
        *[("932", "cp932"), ("GBK", "gbk"), ("big5", "big5"), ("KOI8-R", "koi8-r")],
        *[(text, None) for text in ("", "ANSI", "99999", "UTF-16", "rot13", "ascii", "base64")],
        *[(text, None) for text in ("x" * 5000, "1252 1252", "utf-7", "cp037", "a\0b")],
    ],
)
def test_spellings(spelling: str, encoding: str | None) -> None:
    assert encoding_named(spelling) == encoding


@pytest.mark.parametrize(
    ("raw", "cpg", "language_id", "text", "origin"),
    [
        ("Färö".encode(), None, 0, "Färö", "all texts are valid UTF-8"),
        ("Färö–€".encode("cp1252"), None, 0, "Färö–€", "assumed: the texts are not UTF-8"),
        (b"Faro", None, 0, "Faro", "all texts are ASCII"),
        ("Ærø".encode("cp865"), None, 0x66, "Ærø", "the language id of the .dbf file"),
        ("Färö".encode("cp850"), "OEM 850", 0x57, "Färö", "the .cpg file"),
        ("Łódź".encode("cp1250"), None, 0xC8, "Łódź", "the language id of the .dbf file"),
        ("Färö".encode(), None, 0x57, "Färö", "all texts are valid UTF-8"),
        ("“a”".encode("cp1252"), "ISO 8859-1", 0, "“a”", "only Windows-1252 has"),
        ("Färö".encode("cp1252"), "what", 0, "Färö", "assumed"),
    ],
)
def test_rules(
    tmp_path: Path, *, raw: bytes, cpg: str | None, language_id: int, text: str, origin: str
) -> None:
    path = write_values(tmp_path, TEXT, [raw], cpg=cpg, language_id=language_id)
    layer = read(path)
    assert layer.values("a") == [text]
    assert origin in layer.encoding_origin
    assert not layer.faults
    if cpg == "what":
        assert "The .cpg file names 'what', which is no known encoding." in layer.notes


def test_an_option_overrides_what_the_file_says(tmp_path: Path) -> None:
    path = write_values(tmp_path, TEXT, ["Färö".encode("cp850")], cpg="UTF-8")
    layer = read(path, encoding="OEM 850")
    assert (layer.values("a"), layer.encoding_origin) == (["Färö"], "as chosen")
    with pytest.raises(InvalidParameterError, match="no encoding"):
        read(path, encoding="utf-16")


def test_utf_8_under_another_name_is_told(tmp_path: Path) -> None:
    layer = read(write_values(tmp_path, TEXT, ["Färö".encode()], cpg="1252"))
    assert layer.values("a") == ["FÃ¤rÃ¶"]
    assert any("choose the encoding UTF-8" in note for note in layer.notes)
    layer = read(write_values(tmp_path, TEXT, ["Färö".encode()], language_id=0x57))
    assert any("names cp1252, but all texts are valid UTF-8" in note for note in layer.notes)


def test_a_cut_character_is_left_out(tmp_path: Path) -> None:
    cut = "ÖÅÄÄ".encode()[:7]
    values = [cut, b"plain", "€€€".encode()[:7]]
    for cpg in ("UTF-8", None):
        layer = read(write_values(tmp_path, field("C", 7), values, cpg=cpg))
        assert layer.values("a") == ["ÖÅÄ", "plain", "€€"]
        assert not layer.faults
        assert any(note.startswith("2 texts were cut") for note in layer.notes)


def test_a_broken_text_is_a_fault(tmp_path: Path) -> None:
    values = [b"sound", b"F\xe4r\xf6", "Färö".encode(), b"short \xc3"]
    layer = read(write_values(tmp_path, TEXT, values, cpg="UTF-8"))
    assert layer.values("a") == ["sound", None, "Färö", None]
    assert [(fault.number, fault.field) for fault in layer.faults] == [(2, "a"), (4, "a")]
    assert "F\\xe4r\\xf6" in layer.faults[0].reason
    assert "--encoding" in layer.faults[0].reason
    layer = read(write_values(tmp_path, TEXT, [b"a\x81b"], cpg="1252"))
    assert [(fault.number, fault.field) for fault in layer.faults] == [(1, "a")]


def test_one_last_letter_does_not_make_it_utf_8(tmp_path: Path) -> None:
    layer = read(write_values(tmp_path, field("C", 5), ["Malmå".encode("cp1252")]))
    assert (layer.values("a"), layer.encoding) == (["Malmå"], "cp1252")


def test_names_of_fields(tmp_path: Path) -> None:
    names = ["Längd".encode(), "Överskrif".encode()[:10] + b"\xc3", b"a", b"a"]
    table = dbf([field("C", 3, name=name) for name in names], [[b"x"] * 4])
    layer = read(write(tmp_path, contents(records=[point()], table=table, cpg="UTF-8")))
    assert list(layer.properties[0]) == ["Längd", "Överskrif", "a", "a_2"]


def test_deleted_rows_do_not_decide(tmp_path: Path) -> None:
    path = write_values(tmp_path, TEXT, ["Färö".encode(), b"\xe4\xe5"])
    content = bytearray((tmp_path / "zones.dbf").read_bytes())
    content[-22] = ord("*")
    (tmp_path / "zones.dbf").write_bytes(content)
    layer = read(path)
    assert (layer.values("a"), layer.encoding) == (["Färö"], "utf-8")
