"""Features as rows of COPY's binary format, a batch at a time without a Python object a row."""

import struct
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

COPY = (
    "COPY layer_features (layer_id, created_by, geom, properties) FROM STDIN WITH (FORMAT binary)"
)
HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
TRAILER = struct.pack("!h", -1)

_LENGTH = struct.Struct("!i")
_WKB_HEADER = np.dtype([("byte_order", "u1"), ("type", "<u4")])
_GEOMETRY_HEADER = np.dtype([("length", ">i4"), *_WKB_HEADER.descr, ("srid", "<u4")])
_PROPERTIES_HEADER = np.dtype([("length", ">i4"), ("version", "u1")])
_ADDED = _GEOMETRY_HEADER.itemsize - _LENGTH.size - _WKB_HEADER.itemsize
_WITH_SRID = 0x20000000  # a flag of EWKB's types
_MAX_LENGTH = 2**31  # Arrow's arithmetic overflows without an explicit end
_NOTHING = pa.scalar(b"", pa.large_binary())


def row_start(layer_id: uuid.UUID, created_by: uuid.UUID | None) -> bytes:
    """Return what every row of a layer's features begins with."""
    author = _LENGTH.pack(-1) if created_by is None else _LENGTH.pack(16) + created_by.bytes
    return struct.pack("!h", 4) + _LENGTH.pack(16) + layer_id.bytes + author


def wkb_types(wkb: pa.LargeBinaryArray) -> NDArray[np.uint32]:
    """Return the numbers of the types that WKB begins with, 0 for nulls and big-endian WKB."""
    first = pc.binary_slice(wkb, 0, _WKB_HEADER.itemsize).fill_null(bytes(_WKB_HEADER.itemsize))
    headers = np.frombuffer(_content(first), _WKB_HEADER)
    types: NDArray[np.uint32] = np.where(headers["byte_order"] == 1, headers["type"], 0)
    return types


def copy_rows(
    start: bytes, wkb: pa.LargeBinaryArray, properties: pa.LargeStringArray
) -> memoryview:
    """Return the rows of features: geometries in WGS 84 as little-endian WKB or null, properties
    as the text of JSON."""
    texts = properties.cast(pa.large_binary())
    rows = pc.binary_join_element_wise(
        pa.scalar(start, pa.large_binary()),
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
