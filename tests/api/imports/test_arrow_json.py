"""Arrow columns as JSON: the text of `json.dumps`, or None where values need conversion."""

import json
import math
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from samsyn_admin.imports.sources.arrow_json import json_column
from samsyn_model.properties.schema import Kind

NUMBERS = [0.1, -0.0, 100.0, 1e16, 1e-7, 5e-324, 1.7976931348623157e308, 123456789012345.6]


@pytest.mark.parametrize(
    ("kind", "column", "values"),
    [
        (Kind.BOOLEAN, pa.array([True, None, False]), [True, None, False]),
        (Kind.INTEGER, pa.array([2**63 - 1, None, -(2**63)]), [2**63 - 1, None, -(2**63)]),
        (Kind.NUMBER, pa.array([*NUMBERS, None]), [*NUMBERS, None]),
        (Kind.NUMBER, pa.array([math.nan, math.inf, -math.inf]), [None, None, None]),
        (Kind.STRING, pa.array(["å\u2028😀\x7f", "", None]), ["å\u2028😀\x7f", "", None]),
        (Kind.STRING, pa.array(["a"], pa.large_string()), ["a"]),
        (Kind.DATE, pa.array([date(2024, 2, 29), None]), ["2024-02-29", None]),
        (
            Kind.DATE_TIME,
            pa.array(["2024-05-01T10:00:00", "1000-01-01T23:59:59Z", None]),
            ["2024-05-01T10:00:00Z", "1000-01-01T23:59:59Z", None],
        ),
        (Kind.DATE_TIME, pa.array(["2024-05-01T10:00:00+00:00"]), ["2024-05-01T10:00:00Z"]),
        (Kind.DATE_TIME, pa.array(["2024-05-01T10:00:00.000Z"]), ["2024-05-01T10:00:00Z"]),
    ],
)
def test_values(kind: Kind, column: pa.Array, values: list[Any]) -> None:
    texts = json_column(kind, column)
    assert texts is not None
    assert texts.to_pylist() == [json.dumps(value, ensure_ascii=False) for value in values]
    rest = json_column(kind, column.slice(1))
    assert rest is not None
    assert rest.to_pylist() == texts.to_pylist()[1:]


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        *((Kind.STRING, pa.array(["a", f"b{character}"])) for character in '"\\\n\0\x1f'),
        (Kind.STRING, pa.array([b"\xff"]).view(pa.string())),
        (Kind.DATE_TIME, pa.array(["2024-02-30T10:00:00"])),
        (Kind.DATE_TIME, pa.array(["2024-05-01T24:00:00"])),
        (Kind.DATE_TIME, pa.array(["0000-05-01T10:00:00"])),
        (Kind.DATE_TIME, pa.array(["2024-05-01T10:00:00", "2024-05-01T10:00:00.5"])),
        (Kind.DATE_TIME, pa.array(["2024-05-01T10:00:00+02:00"])),
        (Kind.NUMBER, pa.array([0.1], pa.float32())),
        (Kind.JSON_VALUE, pa.array(["{}"])),
    ],
)
def test_values_that_need_conversion(kind: Kind, column: pa.Array) -> None:
    assert json_column(kind, column) is None
