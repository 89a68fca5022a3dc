"""Values in SQLite that are not of their column's type: never 0, and never 1970."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pytest

from samsyn_model.properties.schema import Kind
from tests.api.imports.readers.ogr.reading import faults, read_one, shared_file
from tests.source_files import edit_geopackage, square, table, write_ogr

COLUMNS = {
    "text": pa.array(["x", "y"]),
    "real": pa.array([0.5, 1.5]),
    "small": pa.array([1, 2], pa.int16()),
    "whole": pa.array([1, 2], pa.int32()),
    "big": pa.array([2**53 + 1, 2], pa.int64()),
    "open": pa.array([True, False]),
    "day": pa.array([date(2024, 5, 1)] * 2),
    "seen": pa.array([datetime(2024, 5, 1, 10, tzinfo=UTC)] * 2, pa.timestamp("ms", "UTC")),
    "raw": pa.array([b"\0\xff", b""], pa.binary()),
}


def geopackage(folder: Path) -> Path:
    return write_ogr(folder / "a.gpkg", table([square(1, 1), square(2, 2)], COLUMNS), "GPKG")


def test_gdal_says_nothing_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = geopackage(tmp_path)
    edit_geopackage(path, ("UPDATE a SET day = '0000-00-00' WHERE fid = 2", []))
    reading = Thread(target=lambda: read_one(path))  # as imports do
    reading.start()
    reading.join()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("real", "12,5", "'12,5' is not a number."),
        ("real", b"\x01", "is not a number."),
        ("small", 70_000, "'70000' is not a whole number"),
        ("small", "x", "is not a whole number"),
        ("whole", "många", "'många' is not a whole number"),
        ("whole", 2.5, "'2.5' is not a whole number"),
        ("whole", 2**40, "is not a whole number of the column's size"),
        ("big", "x", "'x' is not a whole number."),
        ("open", 2, "is not true or false"),
        ("open", "true", "is not true or false"),
        ("text", "a\0b", "NUL"),
        ("text", b"\xff", "is not a text"),
        ("day", 12, "'12' is not a date."),
        ("day", 0.5, "is not a date."),
        ("day", "yesterday", "'yesterday' is not a date."),
        ("day", "2024-05-01T10:00:00Z", "is not a date."),
        ("seen", 1714557600, "is not a date."),
        ("seen", "now", "'now' is not a date."),
        ("seen", "10:00", "'10:00' is not a date."),
        ("raw", "text", "is not binary"),
    ],
)
def test_a_wrong_value_is_a_fault(tmp_path: Path, column: str, value: Any, reason: str) -> None:
    path = geopackage(tmp_path)
    edit_geopackage(path, (f"UPDATE a SET {column} = ? WHERE fid = 2", [value]))
    layer, rows = read_one(path)
    [(number, field, told)] = faults(layer)
    assert (number, field) == (2, column)
    assert reason in told
    assert rows[1][1][column] is None
    assert rows[0][1][column] is not None
    assert layer.faults.dropped == 0


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("day", "0000-00-00"),
        ("day", "20241332"),
        ("day", "2024-02-30"),
        ("day", "00000000"),
        ("seen", "0000-00-00T00:00:00Z"),
        ("seen", "2024-02-30T10:00:00.000Z"),
        ("seen", "2024-05-01T25:00:00Z"),
    ],
)
def test_dates_that_do_not_exist_are_null_and_counted(
    tmp_path: Path, column: str, value: str
) -> None:
    path = geopackage(tmp_path)
    edit_geopackage(path, (f"UPDATE a SET {column} = ?", [value]))
    layer, rows = read_one(path)
    assert [properties[column] for _, properties in rows] == [None, None]
    assert layer.all_notes() == ["2 dates do not exist and were left empty."]
    assert not layer.faults.count


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("day", "20240501", "2024-05-01"),
        ("day", "2024/05/01", "2024-05-01"),
        ("day", " 2024-05-01", "2024-05-01"),
        ("day", "", None),
        ("seen", "", None),
        ("seen", "2024-05-01", "2024-05-01T00:00:00Z"),
        ("seen", "2024-05-01 10:00:00", "2024-05-01T10:00:00Z"),
        ("seen", "2024-05-01T12:00Z", "2024-05-01T12:00:00Z"),
        ("seen", "2024-05-01T12:00:00.123+02:00", "2024-05-01T10:00:00.123Z"),
        ("seen", "20240501T100000Z", "2024-05-01T10:00:00Z"),
        ("real", 3, 3.0),
        ("whole", "12", 12),
        ("whole", -(2**31), -(2**31)),
        ("big", -(2**63), -(2**63)),
        ("text", 12, "12"),
        ("raw", None, None),
    ],
)
def test_values_in_another_form_are_read(
    tmp_path: Path, column: str, value: Any, expected: Any
) -> None:
    path = geopackage(tmp_path)
    edit_geopackage(path, (f"UPDATE a SET {column} = ? WHERE fid = 1", [value]))
    layer, rows = read_one(path)
    assert rows[0][1][column] == expected
    assert not layer.faults.count


def test_each_batch_and_reading_finds_its_own(tmp_path: Path) -> None:
    count = 2_500
    columns = {"n": pa.array(range(count), pa.int32())}
    path = write_ogr(tmp_path / "a.gpkg", table([square(1, 1)] * count, columns), "GPKG")
    edit_geopackage(path, ("UPDATE a SET n = 'x' WHERE fid IN (1, 1000, 1001, 2500)", []))
    layer, rows = read_one(path)
    assert [fault[0] for fault in faults(layer)] == [1, 1000, 1001, 2500]
    wrong = [index for index, (_, properties) in enumerate(rows) if properties["n"] is None]
    assert wrong == [0, 999, 1000, 2499]
    assert all(properties["n"] in {None, index} for index, (_, properties) in enumerate(rows))
    layer.restart()
    list(layer.batches())
    assert layer.faults.count == 4


def test_other_databases_of_sqlite(tmp_path: Path) -> None:
    content = table([square(1, 1), square(2, 2)], COLUMNS)
    path = write_ogr(tmp_path / "a.sqlite", content, "SQLite")
    layer, rows = read_one(path)
    assert layer.format == "SQLite"
    assert not layer.faults.count
    assert rows[0][1]["big"] == 2**53 + 1
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE a SET real = '12,5', day = '0000-00-00'")
        database.commit()
    layer, rows = read_one(path)
    assert [fault[1] for fault in faults(layer)] == ["real", "real"]
    assert layer.all_notes() == ["2 dates do not exist and were left empty."]
    assert [properties["day"] for _, properties in rows] == [None, None]


def test_files_that_people_had_trouble_with() -> None:
    layer, rows = read_one(shared_file("gpkg_dirty_types.gpkg"))
    assert [fault[:2] for fault in faults(layer)] == [(1, "djup"), (1, "antal")]
    assert (rows[0][1]["djup"], rows[0][1]["antal"]) == (None, None)
    layer, rows = read_one(shared_file("gpkg_types.gpkg"))
    assert rows[1][1]["d"] is None
    assert layer.all_notes() == ["1 date does not exist and was left empty."]
    assert rows[0][1]["big"] == 2**53 + 1
    assert layer.kinds["d"] is Kind.DATE
    assert (layer.format, layer.crs_origin) == ("GeoPackage", "the table's definition")
