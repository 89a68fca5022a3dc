"""Values of a shapefile's table: kept, null with a count, or a fault; never another value."""

from pathlib import Path
from typing import Any

import pytest

from tests.api.imports.readers.shapefile.shapefiles import (
    contents,
    dbf,
    field,
    point,
    read,
    write,
    write_values,
)


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (field("N", 9), b"       12", 12),
        (field("N", 9), b"-7", -7),
        (field("N", 18), b"123456789012345678", 123456789012345678),
        (field("N", 18), b"+9007199254740993", 9007199254740993),
        (field("N", 20), b"99999999999999999999", 99999999999999999999),
        (field("N", 20), b"7", 7),
        (field("N", 10, 3), b"     1.500", 1.5),
        (field("N", 10, 3), b".5", 0.5),
        (field("N", 10, 3), b"5.", 5),
        (field("F", 19, 11), b"1.50000000000e+300", 1.5e300),
        (field("F", 19, 11), b"-1.5E-05", -1.5e-5),
        (field("N", 9), b"2.5", 2.5),
        (field("N", 9), b"", None),
        (field("N", 9), b"\0\0\0\0\0\0\0\0\0", None),
        (field("L", 1), b"T", True),
        (field("L", 1), b"n", False),
        (field("L", 1), b"?", None),
        (field("D", 8), b"20240229", "2024-02-29"),
        (field("D", 8), b"18990101", "1899-01-01"),
        (field("D", 8), b"00010101", "0001-01-01"),
        (field("D", 8), b"", None),
        (field("C", 10), b"20240501", "20240501"),
        (field("C", 10), b" a", " a"),
        (field("C", 10), b"a\0junk", "a"),
        (field("C", 10), b'"\\\t', '"\\\t'),
        (field("C", 10), b"", None),
        (field("I", 4), b"\xff\xff\xff\xff", -1),
    ],
)
def test_sound_values(
    tmp_path: Path, kind: tuple[bytes, str, int, int], raw: bytes, value: Any
) -> None:
    layer = read(write_values(tmp_path, kind, [raw]))
    assert layer.values("a") == [value]
    assert type(layer.values("a")[0]) in {type(value), float}
    assert not layer.faults


@pytest.mark.parametrize(
    ("kind", "raw", "note"),
    [
        *[(field("D", 8), raw, "1 date does not") for raw in (b"00000000", b"20241332", b"0")],
        *[(field("D", 8), raw, "1 date does not exist") for raw in (b"20230229", b"********")],
        (field("N", 9), b"*********", "1 number is written as asterisks"),
        *[(field("N", 9, 2), raw, "1 number is NaN") for raw in (b"nan", b"-1.#IND", b"1.#QNAN")],
        (field("F", 12, 2), b"Infinity", "1 number is NaN or infinite"),
    ],
)
def test_what_is_null_with_a_count(
    tmp_path: Path, kind: tuple[bytes, str, int, int], raw: bytes, note: str
) -> None:
    layer = read(write_values(tmp_path, kind, [raw]))
    assert layer.values("a") == [None]
    assert any(text.startswith(note) for text in layer.notes)
    assert not layer.faults


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        *[(field("N", 9, 2), raw) for raw in (b"2,5", b"***", b"abc", b"1_1", b"0x10", b"1 000")],
        *[(field("N", 9), raw) for raw in (b"2,5", b"1-2", b"--1", b"1e999", b"\xff", b"1\0002")],
        *[(field("D", 8), raw) for raw in (b"1/5/2024", b"unknown", b"2024-5-1")],
        (field("L", 1), b"x"),
    ],
)
def test_what_does_not_fit_is_a_fault_and_null(
    tmp_path: Path, kind: tuple[bytes, str, int, int], raw: bytes
) -> None:
    layer = read(write_values(tmp_path, kind, [b"", raw, b""]))
    assert layer.values("a") == [None, None, None]
    [fault] = layer.faults
    assert (fault.number, fault.feature_id, fault.field) == (2, 1, "a")
    assert len(fault.reason) > 10


def test_a_decimal_comma_can_be_chosen(tmp_path: Path) -> None:
    path = write_values(tmp_path, field("N", 9, 2), [b"2,5", b"3.5"])
    assert "--decimal" in read(path).faults[0].reason
    layer = read(path, decimal=",")
    assert (layer.values("a"), layer.faults) == ([2.5, 3.5], [])


def test_kinds_follow_the_declaration_and_widen(tmp_path: Path) -> None:
    kinds = {
        "whole": field("N", 9, name="whole"),
        "wide": field("N", 20, name="wide"),
        "real": field("N", 9, 2, name="real"),
        "float": field("F", 9, name="float"),
        "text": field("C", 9, name="text"),
        "flag": field("L", 1, name="flag"),
        "day": field("D", 8, name="day"),
        "widened": field("N", 9, name="widened"),
    }
    rows = [[b""] * 8, [*[b""] * 7, b"0.5"]]
    table = dbf(list(kinds.values()), rows)
    layer = read(write(tmp_path, contents(records=[point()] * 2, table=table)))
    assert layer.kinds == {
        **{"whole": "integer", "wide": "integer", "real": "number", "float": "number"},
        **{"text": "string", "flag": "boolean", "day": "date", "widened": "number"},
    }
    assert layer.properties[1] == dict.fromkeys(kinds) | {"widened": 0.5}


def test_memos_are_left_out_with_a_remark(tmp_path: Path) -> None:
    fields = [field("M", 10, name="memo"), field("C", 3, name="b")]
    table = dbf(fields, [[b"1", b"x"]])
    layer = read(write(tmp_path, contents(table=table)))
    assert layer.properties == [{"b": "x"}]
    assert any("'memo' was left out" in note for note in layer.notes)


def test_deleted_rows_keep_the_numbers_of_the_others(tmp_path: Path) -> None:
    path = write_values(tmp_path, field("N", 4), [b"1", b"2", b"x"])
    content = bytearray((tmp_path / "zones.dbf").read_bytes())
    content[65] = ord("*")
    (tmp_path / "zones.dbf").write_bytes(content)
    layer = read(path)
    assert layer.values("a") == [2, None]
    assert [(fault.number, fault.feature_id) for fault in layer.faults] == [(3, 2)]
