"""XLSX and ODS: each sheet with coordinates is a layer."""

import shutil
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from xlsxwriter import Workbook

from samsyn_admin.imports.readers.tables import spreadsheets
from samsyn_model.errors import SamsynError, UnreadableFileError
from tests.api.imports.readers.tables.reading import ods_row, read_layers, write_ods

Rows = list[list[Any]]
MOMENT, LAST_SECOND, EARLY, SPRING = map(
    datetime.fromisoformat,
    ("2024-05-01 10:30:00", "2023-12-31 23:59:59", "1900-02-01", "1900-03-01"),
)
HEADER = ["namn", "lat", "lon", "djup", "dag", "tid", "ok", "år"]


def write_xlsx(path: Path, sheets: dict[str, Rows], **options: Any) -> Path:
    with Workbook(str(path), {"default_date_format": "yyyy-mm-dd", **options}) as workbook:
        moment = workbook.add_format({"num_format": "d mmm yyyy hh:mm"})
        clock = workbook.add_format({"num_format": 20})
        for name, rows in sheets.items():
            sheet = workbook.add_worksheet(name)
            for number, row in enumerate(rows):
                for column, value in enumerate(row):
                    if isinstance(value, datetime):
                        sheet.write_datetime(number, column, value, moment)
                    elif isinstance(value, time):
                        sheet.write_datetime(number, column, value, clock)
                    elif isinstance(value, str) and value.startswith("="):
                        sheet.write_formula(number, column, value, None, 42)
                    elif value is not None:
                        sheet.write(number, column, value)
    return path


ROWS: Rows = [
    HEADER,
    ["Ö & <b>", 57.5, 11.5, -12.25, date(2024, 5, 1), MOMENT, True, 2024],
    [],
    ["007", "57,25", "11°30'E", 3, None, LAST_SECOND, False, 1999],
    ["x", None, None, None, None, None, None, None],
    [None, None, " "],
]


def test_xlsx(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"Stationer": ROWS, "Läs mig": [["text"], ["mer"]]})
    [read] = read_layers(path)
    assert read.features == {
        1: (
            "POINT (11.5 57.5)",
            {"namn": "Ö & <b>", "lat": 57.5, "lon": "11.5", "djup": -12.25}
            | {"dag": "2024-05-01", "tid": "2024-05-01T10:30:00Z", "ok": True, "år": 2024},
        ),
        2: (
            "POINT (11.5 57.25)",
            {"namn": "007", "lat": 57.25, "lon": "11°30'E", "djup": 3, "dag": None}
            | {"tid": "2023-12-31T23:59:59Z", "ok": False, "år": 1999},
        ),
        3: (None, dict.fromkeys(HEADER) | {"namn": "x"}),
    }
    assert read.layer.name == "Stationer"
    assert read.layer.format == "XLSX"
    assert list(read.kinds.values()) == [
        *("string", "number", "string", "number", "date", "date-time", "boolean", "integer")
    ]
    assert read.layer.faults.count == 0
    assert "1 empty row was skipped" in read.notes
    assert "'Läs mig' has no geometries" in read.notes


def test_ods(tmp_path: Path) -> None:
    rows = (
        ods_row(*HEADER)
        + ods_row(
            *("Ö & <b>", 57.5, 11.5, -12.25, ("date", "2024-05-01")),
            *(("date", "2024-05-01T10:30:00"), ("boolean", "true"), 2024),
        )
        + ods_row(repeated=1000)
        + ods_row("007", "57,25", "11°30'E", None, None, None, ("boolean", "false"), 1999)
        + ods_row("x", repeated=2)
        + ods_row(None, repeated=1_048_576)
    )
    path = write_ods(tmp_path / "a.ods", {"Läs mig": ods_row("text"), "Stationer": rows})
    [read] = read_layers(path)
    assert read.features[1] == (
        "POINT (11.5 57.5)",
        {"namn": "Ö & <b>", "lat": 57.5, "lon": "11.5", "djup": -12.25}
        | {"dag": "2024-05-01", "tid": "2024-05-01T10:30:00Z", "ok": True, "år": 2024},
    )
    assert read.shapes[1:] == ["POINT (11.5 57.25)", None, None]
    assert read.layer.name == "Stationer"
    assert read.layer.feature_count == 4


def test_what_cells_of_xlsx_hold(tmp_path: Path) -> None:
    header = ["lon", "lat", "a", "b", "c", "d", "e"]
    rows = [
        header,
        [1, 2, time(10, 30), "=6*7", EARLY, 2**53, 0.1],
        [1, 2, None, None, SPRING, None, 1e300, None, None, "beside"],
    ]
    [read] = read_layers(write_xlsx(tmp_path / "a.xlsx", {"s": rows}))
    first, second = read.properties
    assert first == {"lon": 1, "lat": 2, "a": "10:30:00", "b": 42, "c": "1900-02-01T00:00:00Z"} | {
        "d": 2**53,
        "e": 0.1,
    }
    assert second["c"] == "1900-03-01T00:00:00Z"
    assert "1 value beyond the last heading was left out" in read.notes
    later: Rows = [["lon", "lat", "c"], [1, 2, date(2024, 5, 1)]]
    [read] = read_layers(write_xlsx(tmp_path / "b.xlsx", {"s": later}, date_1904=True))
    assert read.properties[0]["c"] == "2024-05-01"


def test_texts_in_a_column_of_numbers(tmp_path: Path) -> None:
    rows: Rows = [["lon", "lat", "v"], [1, 2, 3], [1, 2, 4.5], [1, 2, "saknas"], ["x", 2, 7]]
    [read] = read_layers(write_xlsx(tmp_path / "a.xlsx", {"s": rows}))
    assert [row["v"] for row in read.properties] == ["3", "4.5", "saknas"]
    assert "'v' was read as text: line 4 has 'saknas', which is no number" in read.notes
    assert read.faults == [(5, None, "'lon' is 'x', which is not a longitude.")]


def test_every_sheet_with_coordinates(tmp_path: Path) -> None:
    sheets: dict[str, Rows] = {
        "A": [["lon", "lat"], [1, 2]],
        "B": [["N", "E"], [6399617, 319180]],
        "C": [["wkt"], ["POINT (5 6)"]],
        "D": [],
    }
    reads = read_layers(write_xlsx(tmp_path / "a.xlsx", sheets))
    assert [(read.layer.name, read.shapes) for read in reads] == [
        ("A", ["POINT (1 2)"]),
        ("B", ["POINT (319180 6399617)"]),
        ("C", ["POINT (5 6)"]),
    ]
    assert [read.layer.crs is None for read in reads] == [False, True, False]


def test_a_workbook_without_coordinates(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"s": [["namn", "djup"], ["a", 1]]})
    with pytest.raises(UnreadableFileError, match=r"'s' has no columns of coordinates.*'djup'"):
        read_layers(path)
    [read] = read_layers(
        write_xlsx(tmp_path / "b.xlsx", {"s": [["a", "b"], [57, 11]]}), x="b", y="a"
    )
    assert read.shapes == ["POINT (11 57)"]
    with pytest.raises(UnreadableFileError, match="no sheet with content"):
        read_layers(write_xlsx(tmp_path / "c.xlsx", {"s": []}))


def rewritten(source: Path, path: Path, part: str, change: Callable[[str], str]) -> Path:
    """Copy a workbook with one of its parts changed."""
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(path, "w", 8) as after:
        for name in before.namelist():
            content = before.read(name)
            after.writestr(name, change(content.decode()) if name == part else content)
    return path


ENTITIES = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c SYSTEM "file:///etc/passwd">]>'
)


@pytest.mark.parametrize(
    ("part", "old", "new", "reason"),
    [
        ("xl/worksheets/sheet1.xml", "<worksheet", f"{ENTITIES}<worksheet", "document type"),
        ("xl/sharedStrings.xml", "<sst", f"{ENTITIES}<sst", "document type"),
        ("xl/workbook.xml", "<workbook ", f"{ENTITIES}<workbook ", "document type"),
        ("xl/worksheets/sheet1.xml", "</sheetData>", "", "not valid XML"),
        ("xl/worksheets/sheet1.xml", 't="s"><v>0<', 't="s"><v>99<', "a text that is missing"),
        ("xl/worksheets/sheet1.xml", 'r="B1"', 'r="A1"', "disorder"),
        ("xl/worksheets/sheet1.xml", 'r="C1"', 'r="ZZZ1"', "too many"),
        ("xl/worksheets/sheet1.xml", "<v>0</v>", f"<v>{'0' * 1_000_001}</v>", "characters"),
        ("xl/worksheets/sheet1.xml", "<sheetData>", f'<x a="{"a" * 2**25}"/><sheetData>', "tag"),
    ],
)
def test_a_damaged_or_hostile_xlsx(
    tmp_path: Path, *, part: str, old: str, new: str, reason: str
) -> None:
    source = write_xlsx(tmp_path / "a.xlsx", {"s": [["namn", "lon", "lat"], ["a", 1, 2]]})
    path = rewritten(source, tmp_path / "b.xlsx", part, lambda text: text.replace(old, new, 1))
    assert path.stat().st_size < 100_000
    with pytest.raises(UnreadableFileError, match=reason):
        read_layers(path)


def test_a_hostile_ods(tmp_path: Path) -> None:
    row = ods_row("lon", "lat") + ods_row(1, 2)
    with pytest.raises(UnreadableFileError, match="document type"):
        read_layers(write_ods(tmp_path / "a.ods", {"s": row}, before=ENTITIES))
    wide = row.replace(
        "<table:table-cell ", '<table:table-cell table:number-columns-repeated="9999" '
    )
    with pytest.raises(UnreadableFileError, match="more than 16,384 cells"):
        read_layers(write_ods(tmp_path / "b.ods", {"s": wide}))


def test_a_bomb_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "MAX_CELLS", 10_000)
    row = ods_row("lon", "lat") + ods_row(1, 2, repeated=10**9)
    with pytest.raises(UnreadableFileError, match="more than 10,000 cells"):
        read_layers(write_ods(tmp_path / "a.ods", {"s": row}))
    monkeypatch.setattr(spreadsheets, "MAX_UNPACKED_SHEETS", 1000)
    path = write_xlsx(tmp_path / "a.xlsx", {"s": [["lon", "lat"], [1, 2]]})
    with pytest.raises(UnreadableFileError, match="too large unpacked"):
        read_layers(path)


@pytest.mark.parametrize("share", [0.99, 0.5, 0.1])
@pytest.mark.parametrize("name", ["a.xlsx", "a.ods"])
def test_a_truncated_workbook(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    if name == "a.xlsx":
        write_xlsx(path, {"s": ROWS})
    else:
        write_ods(path, {"s": ods_row("lon", "lat") + ods_row(1, 2)})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(SamsynError):
        read_layers(path)


def test_a_wrong_checksum(tmp_path: Path) -> None:
    path = write_ods(tmp_path / "a.ods", {"s": ods_row("lon", "lat") + ods_row(1, 2) * 200})
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("content.xml").header_offset
    content[start + 14] ^= 0xFF  # of the checksum
    position = content.rindex(b"PK\x01\x02")
    content[position + 16] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match="damaged"):
        read_layers(path)
    shutil.copy(path, tmp_path / "b.zip")
    with pytest.raises(UnreadableFileError):
        read_layers(tmp_path / "b.zip")


def test_a_workbook_under_another_name(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.csv", {"s": [["lon", "lat"], [1, 2]]})
    [read] = read_layers(path)
    assert read.shapes == ["POINT (1 2)"]


def test_characters_that_xml_does_not_have(tmp_path: Path) -> None:
    rows: Rows = [["lon", "lat", "a\x01"], [1, 2, "b\x1f"], [1, 2, "_x0000_"], [1, 2, "_xD800_"]]
    source = write_xlsx(tmp_path / "a.xlsx", {"s": rows})
    path = rewritten(
        source,
        tmp_path / "b.xlsx",
        "xl/sharedStrings.xml",
        lambda text: text.replace("_x005F_x", "_x"),
    )
    [read] = read_layers(path)
    assert [row["a\x01"] for row in read.properties] == ["b\x1f", "_x0000_", "_xD800_"]
