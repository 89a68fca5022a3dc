"""Arrow columns as JSON, serialized without a Python object per value where possible."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from samsyn_model.properties.schema import Kind

_ESCAPED = r'["\\\x00-\x1f]'
_DATE_TIME = r"^[1-9]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.0+)?(?:Z|\+00:00)?$"
_SECONDS = len("2024-05-01T10:00:00")
_NULL = pa.scalar("null", pa.large_string())


def json_column(kind: Kind, column: pa.Array) -> pa.LargeStringArray | None:
    """Return the JSON text of each value, or None when they must be serialized one by one.

    The texts are those that `json.dumps` writes; numbers that are not finite become null.
    """
    suits, write = _WRITERS.get(kind, (None, None))
    if suits is None or write is None or not suits(column.type):
        return None
    try:
        texts = write(column)
    except pa.ArrowInvalid:
        return None
    return None if texts is None else texts.fill_null(_NULL)


def _plain(column: pa.Array) -> pa.Array:
    return column.cast(pa.large_string())


def _numbers(column: pa.Array) -> pa.Array:
    values = column.to_numpy(zero_copy_only=False)
    return pa.array(map(repr, values.tolist()), pa.large_string(), mask=~np.isfinite(values))


def _strings(column: pa.Array) -> pa.Array | None:
    column.validate(full=True)  # not UTF-8
    if pc.any(pc.match_substring_regex(column, _ESCAPED)).as_py():
        return None
    return _quoted(column)


def _date_times(column: pa.Array) -> pa.Array | None:
    """Return date-times of whole seconds, in UTC or without a zone, in RFC 3339 format."""
    column.validate(full=True)
    if pc.all(pc.match_substring_regex(column, _DATE_TIME)).as_py() is False:
        return None
    date_times = pc.utf8_slice_codeunits(column, 0, _SECONDS)
    date_times.cast(pa.timestamp("s"))  # such as hour 25
    return _quoted(date_times, "Z")


def _quoted(texts: pa.Array, suffix: str = "") -> pa.Array:
    first, last, between = (pa.scalar(text, pa.large_string()) for text in ('"', f'{suffix}"', ""))
    return pc.binary_join_element_wise(first, texts.cast(pa.large_string()), last, between)


def _is_text(arrow_type: pa.DataType) -> bool:
    return bool(pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type))


_WRITERS: dict[
    Kind, tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], pa.Array | None]]
] = {
    Kind.BOOLEAN: (pa.types.is_boolean, _plain),
    Kind.INTEGER: (pa.types.is_integer, _plain),
    Kind.NUMBER: (pa.types.is_float64, _numbers),
    Kind.STRING: (_is_text, _strings),
    Kind.DATE: (pa.types.is_date32, lambda dates: _quoted(_plain(dates))),
    Kind.DATE_TIME: (_is_text, _date_times),
}
