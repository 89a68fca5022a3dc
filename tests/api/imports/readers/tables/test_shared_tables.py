"""The tables of the shared folder: what each is read as."""

from pathlib import Path
from typing import Any

import pytest

from samsyn_model.errors import UnreadableFileError
from tests.api.imports.readers.tables.reading import read_layers

POINT = "POINT (11.5 57.5)"
PROJECTED = "POINT (319180.07 6399617.34)"
TABLES: dict[str, tuple[list[str | None], list[int]]] = {
    "csv_3006_NE.csv": ([PROJECTED], []),
    "csv_comma_quoted_decimal.csv": ([POINT], []),
    "csv_cp1252.csv": ([POINT], []),
    "csv_dms.csv": (["POINT (11.966666666666667 57.703472222222224)"], []),
    "csv_ewkt.csv": ([PROJECTED], []),
    "csv_head_breddgrad.csv": ([POINT], []),
    "csv_head_point_y.csv": ([POINT], []),
    "csv_header_only.csv": ([], []),
    "csv_hexwkb.csv": (["POINT (11 57)"], []),
    "csv_inf.csv": (["POINT (11 57)"] * 2, [2]),
    "csv_missing_lat.csv": ([POINT], [3]),
    "csv_one_bad_row.csv": ([POINT, "POINT (11 57)"], [3]),
    "csv_sep_line.csv": ([POINT], []),
    "csv_space_number.csv": ([POINT], []),
    "csv_tab_decimal.tsv": ([POINT], []),
    "csv_trailing_empty_rows.csv": ([POINT], []),
    "csv_types.csv": (["POINT (11 57)"] * 2, []),
    "csv_underscore_number.csv": ([], [2]),
    "csv_wkt_geom_wkt.csv": (["POLYGON ((11 57, 12 57, 12 58, 11 57))"], []),
    "csv_year.csv": (["POINT (11 57)"], []),
}
"""The geometries of each file, and the lines with faults."""


@pytest.mark.parametrize("name", TABLES)
def test_a_table(shared_files: Path, name: str) -> None:
    [read] = read_layers(shared_files / name)
    assert (read.shapes, [line for line, _, _ in read.faults]) == TABLES[name]


def test_types_of_a_table(shared_files: Path) -> None:
    [read] = read_layers(shared_files / "csv_types.csv")
    kinds: dict[str, Any] = dict.fromkeys(read.kinds, "string") | {
        **dict.fromkeys(["lon", "lat", "stor"], "integer"),
        **dict.fromkeys(["tusen", "vet"], "number"),
        **{"datum": "date", "tid": "date-time", "tomt": None},
    }
    assert read.kinds == kinds
    assert read.properties[0]["stor"] == 12345678901234567890
    assert "'datum_de' was read as text" in read.notes


def test_curves_and_a_workbook_without_coordinates(shared_files: Path) -> None:
    [read] = read_layers(shared_files / "csv_wkt_curve.csv")
    assert "Curves were turned into lines" in read.notes
    with pytest.raises(UnreadableFileError, match="no columns of coordinates"):
        read_layers(shared_files / "other_xlsx.xlsx")


@pytest.fixture
def shared_files(shared: Path) -> Path:
    if not (shared / "files").is_dir():
        pytest.skip("no shared files")
    return shared / "files"
