"""Features as rows of COPY's binary format, a batch at a time without a Python object a row."""

import json
import struct
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samsyn_model.features.batch import FeatureBatch

LAYER_COPY = (
    "COPY layer_features (layer_id, created_by, geom, properties) FROM STDIN WITH (FORMAT binary)"
)
STAGED_COPY = (
    "COPY staged_features (number, line, source_id, geom, properties)"
    " FROM STDIN WITH (FORMAT binary)"
)
HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
TRAILER = struct.pack("!h", -1)

_LENGTH = struct.Struct("!i")
_WKB_HEADER = np.dtype([("byte_order", "u1"), ("type", "<u4")])
_GEOMETRY_HEADER = np.dtype([("length", ">i4"), *_WKB_HEADER.descr, ("srid", "<u4")])
_INT8_FIELD = np.dtype([("length", ">i4"), ("value", ">i8")])
_TEXT_LENGTH = np.dtype([("length", ">i4")])
_PROPERTIES_HEADER = np.dtype([("length", ">i4"), ("version", "u1")])
_ADDED = _GEOMETRY_HEADER.itemsize - _LENGTH.size - _WKB_HEADER.itemsize
_WITH_SRID = 0x20000000  # a flag of EWKB's types
_MAX_LENGTH = 2**31  # Arrow's arithmetic overflows without an explicit end
_NOTHING = pa.scalar(b"", pa.large_binary())

type RowStart = Callable[[FeatureBatch], Sequence[Any]]
"""Returns the Arrow arrays or scalars that the rows of a batch begin with, joined."""


def layer_rows(layer_id: uuid.UUID, created_by: uuid.UUID | None) -> RowStart:
    """Return what rows of LAYER_COPY begin with: the same in all of a layer's."""
    author = _LENGTH.pack(-1) if created_by is None else _LENGTH.pack(16) + created_by.bytes
    start = struct.pack("!h", 4) + _LENGTH.pack(16) + layer_id.bytes + author
    scalar = pa.scalar(start, pa.large_binary())
    return lambda _: [scalar]


def staged_rows(batch: FeatureBatch) -> list[Any]:
    """Return what rows of STAGED_COPY begin with: numbers, lines and ids in the source, as JSON."""
    size = len(batch.geometries)
    numbers = np.array([batch.number(index) for index in range(size)], np.int64)
    ids = [
        None if source_id is None else json.dumps(source_id, default=str)
        for source_id in batch.ids or [None] * size
    ]
    texts = pa.array(ids, pa.large_string()).cast(pa.large_binary())
    return [
        pa.scalar(struct.pack("!h", 5), pa.large_binary()),
        _int8_fields(numbers),
        _int8_fields(None if batch.lines is None else np.array(batch.lines, np.int64), size),
        _lengths(texts),
        texts.fill_null(_NOTHING),
    ]


def _int8_fields(values: NDArray[np.int64] | None, size: int = 0) -> pa.LargeBinaryArray:
    """Return fields of whole numbers, which are all null without values."""
    fields = np.empty(size if values is None else len(values), _INT8_FIELD)
    fields["length"] = -1 if values is None else 8
    fields["value"] = 0 if values is None else values
    return _arrow(fields, np.where(fields["length"] < 0, _LENGTH.size, fields.itemsize))


def _lengths(texts: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """Return the lengths that come before texts, of nulls -1."""
    lengths = np.empty(len(texts), _TEXT_LENGTH)
    lengths["length"] = pc.binary_length(texts).fill_null(-1).to_numpy()
    return _arrow(lengths, np.full(len(texts), lengths.itemsize))


def wkb_types(wkb: pa.LargeBinaryArray) -> NDArray[np.uint32]:
    """Return the numbers of the types that WKB begins with, 0 for nulls and big-endian WKB."""
    first = pc.binary_slice(wkb, 0, _WKB_HEADER.itemsize).fill_null(bytes(_WKB_HEADER.itemsize))
    headers = np.frombuffer(_content(first), _WKB_HEADER)
    types: NDArray[np.uint32] = np.where(headers["byte_order"] == 1, headers["type"], 0)
    return types


def copy_rows(
    start: Sequence[Any], wkb: pa.LargeBinaryArray, properties: pa.LargeStringArray
) -> memoryview:
    """Return the rows of features that begin with `start`: geometries in WGS 84 as little-endian
    WKB or null, properties as the text of JSON."""
    texts = properties.cast(pa.large_binary())
    rows = pc.binary_join_element_wise(
        *start,
        _geometry_headers(wkb),
        pc.binary_slice(wkb, _WKB_HEADER.itemsize, _MAX_LENGTH).fill_null(_NOTHING),
        _properties_headers(texts),
        texts,
        _NOTHING,
    )
    return _content(rows)


def _geometry_headers(wkb: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """Return a length and the beginning of EWKB each, of nulls the length alone, which is -1."""
    headers = np.empty(len(wkb), _GEOMETRY_HEADER)
    headers["length"] = pc.add(pc.binary_length(wkb), _ADDED).fill_null(-1).to_numpy()
    headers["byte_order"] = 1
    headers["type"] = wkb_types(wkb) | _WITH_SRID
    headers["srid"] = 4326
    return _arrow(headers, np.where(headers["length"] < 0, _LENGTH.size, headers.itemsize))


def _properties_headers(texts: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    """Return a length and the version of jsonb's binary format each."""
    headers = np.empty(len(texts), _PROPERTIES_HEADER)
    headers["length"] = pc.binary_length(texts).to_numpy() + 1
    headers["version"] = 1
    return _arrow(headers, np.full(len(texts), headers.itemsize))


def _arrow(records: NDArray[np.void], sizes: NDArray[np.int64]) -> pa.LargeBinaryArray:
    """Return the first bytes, so many each, of records."""
    content = records.view(np.uint8).reshape(len(records), records.itemsize)
    valid = content[np.arange(records.itemsize) < sizes[:, np.newaxis]]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(valid)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(records), buffers)


def _content(values: pa.LargeBinaryArray) -> memoryview:
    """Return the bytes of values that Arrow has made, one after the other."""
    content = values.buffers()[2]
    return memoryview(b"" if content is None else content)
